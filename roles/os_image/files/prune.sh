#!/bin/sh
# Remove all but the newest builds of one image, from what is served and from the cache.
# Usage: prune.sh IMAGES_DIR CACHE_DIR NAME SUITE KEEP
set -eu
prune() {
    keep=$1
    shift
    # shellcheck disable=SC2012 # the names are ours: letters, digits, hyphens
    ls -1td "$@" 2>/dev/null | tail -n "+$((keep + 1))" | while read -r old; do
        rm -rf "$old"
        echo "removed $old"
    done
}
prune "$5" "$1/$3"-*.raw.zst
prune "$5" "$2/$4"-????????????????
