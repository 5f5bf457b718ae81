#!/bin/sh
# Make the one initrd: a small initramfs (BusyBox, three modules, a script), followed by an uncompressed cpio that
# holds ROOT as a squashfs. The firmware's network boot is the only download, and the kernel unpacks it in one pass.
# Usage: pack_initrd.sh ROOT COMPRESSION_LEVEL INITRD [OPTION OF MKSQUASHFS]...
set -eu
root=$1 level=$2 initrd=$3
shift 3
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d "$(dirname "$initrd")/pack.XXXXXX")
trap 'rm -rf "$work"' EXIT

ram=$work/initramfs
mkdir -p "$ram/bin" "$ram/dev" "$ram/proc" "$ram/lower" "$ram/rw" "$ram/new" "$ram/modules" "$work/carrier"
cp "$root/bin/busybox" "$ram/bin/busybox"
find "$root"/lib/modules/*/kernel \( -name loop.ko -o -name squashfs.ko -o -name overlay.ko \) \
    -exec cp {} "$ram/modules/" \;
install -m 0755 "$here/initramfs/init" "$ram/init"
mksquashfs "$root" "$work/carrier/root.squashfs" -comp zstd -Xcompression-level "$level" -b 128K \
    -noappend -no-progress -quiet -no-xattrs "$@"

archive() { (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible); }
archive "$ram" | zstd -q -19 >"$work/initrd"
# The kernel wants each archive to begin at a multiple of four bytes.
truncate -s %4 "$work/initrd"
archive "$work/carrier" >>"$work/initrd"
chmod 0644 "$work/initrd"
mv "$work/initrd" "$initrd"
