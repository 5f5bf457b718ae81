#!/bin/sh
# Build the ephemeral OS: vmlinuz, initrd and manifest.json in OUTPUT.
# Usage: build.sh OUTPUT VERSION SUITE COMPRESSION_LEVEL "COMPONENTS" PACKAGE...
set -eu
output=$1 version=$2 suite=$3 level=$4 components=$5
shift 5
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$(dirname "$output")"
work=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root new=$work/new
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
mkdir "$new"
install -m 0644 "$root/boot/vmlinuz-$release" "$new/vmlinuz"
python3 "$here/trim_modules.py" "$here/modules.keep" "$root/lib/modules/$release"
chroot "$root" depmod "$release"
cp -R "$here/rootfs/." "$root/"
"$here/shrink_root.sh" "$root" "$@"
# What Ansible sends to nodes, when it lies beside the recipe, compiled by the Python that will run it.
if [ -e "$here/code.tar.gz" ]; then
    mkdir "$root/code"
    tar -C "$root/code" -xf "$here/code.tar.gz"
    cp "$here/compile_code.py" "$root/code.py"
    chroot "$root" python3 /code.py /code /usr/lib/metalpool/compiled
    rm -r "$root/code" "$root/code.py"
fi
"$here/pack_initrd.sh" "$root" "$level" "$new/initrd"

digest() { sha256sum "$new/$1" | cut -d' ' -f1; }
size() { stat -c %s "$new/$1"; }
cat >"$new/manifest.json" <<END
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
chmod 0755 "$new"
rm -rf "$output"
mv "$new" "$output"
