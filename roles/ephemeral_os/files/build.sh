#!/bin/sh
# Build the ephemeral OS: vmlinuz, initrd (one file) and manifest.json in OUTPUT.
# Usage: build.sh OUTPUT VERSION SUITE COMPRESSION_LEVEL "COMPONENTS" PACKAGE...
# The initrd is a small initramfs (BusyBox, three modules) followed by an uncompressed cpio with the root file
# system: the firmware's network boot is the only download, and the kernel unpacks it in one pass.
set -eu
output=$1 version=$2 suite=$3 level=$4 components=$5
shift 5
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/metalpool-ephemeral.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(date +%s)}"
# The kernel package would make an initrd of its own, which takes a minute.
export INITRD=No

# shellcheck disable=SC2086 # the components are words
"$here/apt_sources.sh" "$suite" $components >"$work/sources.list"
mmdebstrap --variant=minbase --mode=root \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt="$here/dpkg.excludes" \
    --include="$(echo "$@" | tr ' ' ',')" \
    "$suite" "$root" "$work/sources.list"

release=$(basename "$root"/lib/modules/*)
cp "$root/boot/vmlinuz-$release" "$work/vmlinuz"
python3 "$here/trim_modules.py" "$here/modules.keep" "$root/lib/modules/$release"
chroot "$root" depmod "$release"
cp -R "$here/rootfs/." "$root/"
"$here/shrink_root.sh" "$root"

ram=$work/initramfs
mkdir -p "$ram/bin" "$ram/dev" "$ram/proc" "$ram/lower" "$ram/rw" "$ram/new" "$ram/modules" "$work/carrier"
cp "$root/bin/busybox" "$ram/bin/busybox"
find "$root/lib/modules/$release/kernel" \( -name loop.ko -o -name squashfs.ko -o -name overlay.ko \) \
    -exec cp {} "$ram/modules/" \;
install -m 0755 "$here/initramfs/init" "$ram/init"
mksquashfs "$root" "$work/carrier/root.squashfs" -comp zstd -Xcompression-level "$level" -b 128K \
    -noappend -no-progress -quiet -no-xattrs

archive() { (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible); }
mkdir -p "$output"
{ archive "$ram" | zstd -q -19; } >"$work/initrd"
# The kernel wants each archive to begin at a multiple of four bytes.
truncate -s %4 "$work/initrd"
archive "$work/carrier" >>"$work/initrd"
mv "$work/vmlinuz" "$work/initrd" "$output/"
chmod 0644 "$output/vmlinuz" "$output/initrd"

digest() { sha256sum "$output/$1" | cut -d' ' -f1; }
size() { stat -c %s "$output/$1"; }
cat >"$output/manifest.json" <<END
{
  "version": "$version",
  "suite": "$suite",
  "arch": "amd64",
  "kernel_release": "$release",
  "built_at": "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)",
  "files": {
    "vmlinuz": {"size_bytes": $(size vmlinuz), "sha256": "$(digest vmlinuz)"},
    "initrd": {"size_bytes": $(size initrd), "sha256": "$(digest initrd)"}
  }
}
END
