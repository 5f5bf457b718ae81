# shellcheck shell=sh
# Builds a kernel and a small initial RAM file system with an IPMI stack, for tests that look from inside a guest.
# Usage: sh build_guest.sh DIRECTORY   (makes DIRECTORY/vmlinuz and DIRECTORY/initrd; does nothing when they are there)
set -eu
target=$1
test -s "$target/initrd" && exit 0
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mmdebstrap --quiet --variant=extract --include=linux-image-amd64,busybox-static,ipmitool bookworm "$work/root"
tree=$work/tree
mkdir -p "$tree/bin" "$tree/etc/acpi/PWRF" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/var/log" "$tree/var/run" "$tree/modules" "$tree/usr/share"
cp "$work/root/bin/busybox" "$tree/bin/busybox"
cp "$work/root/usr/bin/ipmitool" "$tree/bin/ipmitool"
cp -r "$work/root/usr/share/misc" "$tree/usr/share/" 2>/dev/null || true
for library in $(chroot "$work/root" /lib64/ld-linux-x86-64.so.2 --list /usr/bin/ipmitool | grep -o '/[^ ]*\.so[^ ]*'); do
  mkdir -p "$tree${library%/*}"
  cp -L "$work/root$library" "$tree$library"
done
release=$(ls "$work/root/lib/modules")
for module in button evdev ipmi_msghandler ipmi_si ipmi_devintf; do
  find "$work/root/lib/modules/$release" -name "$module.ko*" -exec cp {} "$tree/modules/" \;
done
printf '#!/bin/busybox sh\n/bin/busybox poweroff -f\n' > "$tree/etc/acpi/PWRF/00000080"
cat > "$tree/init" <<'END'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
cd /modules
for module in ipmi_msghandler ipmi_si ipmi_devintf evdev button; do insmod $module.ko; done
until test -c /dev/ipmi0; do sleep 1; done
acpid
echo "guest: ready $(cat /sys/class/dmi/id/product_serial)"
PS1='guest# ' exec setsid cttyhack sh
END
chmod 755 "$tree/init" "$tree/etc/acpi/PWRF/00000080"
(cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) > "$target/initrd.new"
cp "$work"/root/boot/vmlinuz-* "$target/vmlinuz"
mv "$target/initrd.new" "$target/initrd"
