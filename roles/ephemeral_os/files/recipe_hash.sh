#!/bin/sh
# Print the first 16 hexadecimal digits of the hash of all files here and of the words given.
# Usage: recipe_hash.sh WORD...
set -eu
cd "$(dirname "$(readlink -f "$0")")"
{
    printf '%s\n' "$@"
    find . -type f ! -name '*.pyc' -perm /111 | LC_ALL=C sort
    find . -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum | cut -c1-16
