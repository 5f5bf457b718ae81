#!/usr/bin/env bash
# Build a whole-disk image of Debian that boots with BIOS and with UEFI: GPT with BIOS boot, ESP and root, root last so that
# it can grow. No loop device and no mount: the file systems are made from directories, the boot loaders placed by hand.
# Usage: build.sh OUTPUT_DIRECTORY NAME SUITE VERSION DISK_MIB PACKAGE...
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
output=$1 name=$2 suite=$3 version=$4 disk_mib=$5
shift 5
packages=$(IFS=,; echo "$*")
work=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root

# Where the partitions lie, in MiB.
bios_at=1 esp_at=2 esp_mib=32 root_at=34
root_mib=$((disk_mib - root_at - 1))
root_uuid=$(cat /proc/sys/kernel/random/uuid)
esp_id=$(head -c 4 /dev/urandom | od -An -tx4 | tr -d ' ' | tr a-f A-F)

"$here/apt_sources.sh" "$suite" main non-free-firmware > "$work/sources.list"
# shellcheck disable=SC2016  # mmdebstrap sets $1 for its hooks
# dpkg's exclusions and the initramfs's hook have to be there before the kernel is installed.
# e2scrub_reap cleans up after LVM snapshots, of which there are none, and takes a second of every boot.
mmdebstrap --quiet --variant=minbase --include="$packages" \
    --essential-hook="cp -rT '$here/root' \"\$1\"" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="cp -rT '$here/root' \"\$1\"" \
    --customize-hook='chroot "$1" systemctl --quiet enable systemd-networkd systemd-resolved ssh metalpool-phone-home' \
    --customize-hook='chroot "$1" systemctl --quiet mask e2scrub_reap.service' \
    --customize-hook="'$here/cloud_init.sh' \"\$1\"" \
    "$suite" "$root" "$work/sources.list"

# Nothing of the build stays: identity, keys, caches. Packages come from where this host gets them.
: > "$root/etc/machine-id"
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/hostname "$root"/etc/apt/sources.list.d/* "$root"/var/lib/dbus/machine-id
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/log/*.log "$root"/var/log/apt "$root"/tmp/*
sed 's/ \[signed-by=[^]]*\]//' "$work/sources.list" > "$root/etc/apt/sources.list"
chroot "$root" passwd --quiet --lock root
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
# The ESP is mounted when somebody looks, which is when GRUB is updated.
cat > "$root/etc/fstab" <<END
UUID=$root_uuid / ext4 errors=remount-ro 0 1
UUID=${esp_id:0:4}-${esp_id:4} /boot/efi vfat umask=0077,noauto,nofail,x-systemd.automount,x-systemd.idle-timeout=60 0 0
END
mkdir -p "$root/boot/efi" "$root/boot/grub"

# GRUB: one menu on the root file system; both first stages find it by the file system's UUID.
cat > "$root/boot/grub/grub.cfg" <<END
set timeout=0
search --no-floppy --fs-uuid --set=root $root_uuid
menuentry 'Debian' {
    linux /vmlinuz root=UUID=$root_uuid ro console=tty0 console=ttyS0,115200
    initrd /initrd.img
}
END
cat > "$work/early.cfg" <<END
search --no-floppy --fs-uuid --set=root $root_uuid
set prefix=(\$root)/boot/grub
configfile \$prefix/grub.cfg
END
modules="part_gpt ext2 fat normal configfile search search_fs_uuid linux echo test gzio reboot halt minicmd ls cat"
for platform in i386-pc x86_64-efi; do
    mkdir "$root/boot/grub/$platform"
    cp "$root/usr/lib/grub/$platform"/*.mod "$root/usr/lib/grub/$platform"/*.lst "$root/boot/grub/$platform/"
done
# shellcheck disable=SC2086
{
    grub-mkimage -d "$root/usr/lib/grub/i386-pc" -O i386-pc -o "$work/core.img" -p /boot/grub -c "$work/early.cfg" biosdisk $modules
    grub-mkimage -d "$root/usr/lib/grub/x86_64-efi" -O x86_64-efi -o "$work/bootx64.efi" -p /boot/grub -c "$work/early.cfg" $modules efi_gop
}

# /etc and /var are as new as /usr: no first boot has to build the caches that the packages' installation built.
touch "$root/etc/.updated" "$root/var/.updated"

truncate -s "${disk_mib}M" "$work/disk.raw"
sfdisk --quiet "$work/disk.raw" <<END
label: gpt
unit: sectors
start=$((bios_at * 2048)), size=2048, type=21686148-6449-6E6F-744E-656564454649, name="bios"
start=$((esp_at * 2048)), size=$((esp_mib * 2048)), type=uefi, name="esp"
start=$((root_at * 2048)), size=$((root_mib * 2048)), type=linux, name="root"
END
python3 "$here/place_grub.py" "$work/disk.raw" "$root/usr/lib/grub/i386-pc/boot.img" "$work/core.img" $((bios_at * 2048))

truncate -s "${esp_mib}M" "$work/esp"
mkfs.vfat -n ESP -i "$esp_id" "$work/esp" > /dev/null
mmd -i "$work/esp" ::EFI ::EFI/BOOT ::EFI/debian
mcopy -i "$work/esp" "$work/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
mcopy -i "$work/esp" "$work/bootx64.efi" ::EFI/debian/grubx64.efi
dd if="$work/esp" of="$work/disk.raw" bs=1M seek="$esp_at" conv=notrunc,sparse status=none

truncate -s "${root_mib}M" "$work/rootfs"
mkfs.ext4 -q -F -U "$root_uuid" -L root -d "$root" -E lazy_itable_init=0,lazy_journal_init=0 "$work/rootfs"
dd if="$work/rootfs" of="$work/disk.raw" bs=1M seek="$root_at" conv=notrunc,sparse status=none

mkdir -p "$work/new"
# Without zstd's own checksum: the file's SHA-256 says more, and the node need not compute both.
zstd --quiet --no-check -T0 -6 "$work/disk.raw" -o "$work/new/$name.raw.zst"
python3 "$here/describe.py" "$work/new/$name.raw.zst" "$name" "$version" $((disk_mib << 20)) > "$work/new/$name.json"
mv "$work/new" "$output"
