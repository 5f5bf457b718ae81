#!/bin/sh
# Put a finished build where the HTTP server finds it: as ephemeral/VERSION and as ephemeral/current.
# "current" is a directory of hard links that is exchanged in one step (renameat2), so that no node ever sees a kernel
# without its initrd. Prints "changed" when something was done.
# Usage: publish.sh BUILD EPHEMERAL_DIR VERSION KEEP
set -eu
build=$1 directory=$2 version=$3 keep=$4
mkdir -p "$directory"
if [ ! -e "$directory/$version/manifest.json" ]; then
    rm -rf "${directory:?}/${version:?}" "$directory/.new"
    cp -a "$build" "$directory/.new"
    mv "$directory/.new" "$directory/$version"
    echo changed
fi
touch "$directory/$version"
if ! cmp -s "$directory/$version/manifest.json" "$directory/current/manifest.json"; then
    rm -rf "$directory/.current"
    cp -al "$directory/$version" "$directory/.current"
    if [ -d "$directory/current" ]; then
        python3 - "$directory/.current" "$directory/current" <<'END'
import ctypes
import os
import sys

AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(AT_FDCWD, sys.argv[1].encode(), AT_FDCWD, sys.argv[2].encode(), RENAME_EXCHANGE):
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), sys.argv[2])
END
        rm -rf "$directory/.current"
    else
        mv "$directory/.current" "$directory/current"
    fi
    echo changed
fi
# Newest last-used versions stay; "touch" above marks this one as used.
prune() {
    find "$1" -mindepth 1 -maxdepth 1 -type d ! -name current ! -name '*.*' -printf '%T@ %p\n' | sort -rn |
        tail -n "+$((keep + 1))" | cut -d' ' -f2- | xargs -r rm -rf
}
touch "$build"
prune "$directory"
prune "$(dirname "$build")"
