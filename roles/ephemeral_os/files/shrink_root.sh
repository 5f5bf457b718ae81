#!/bin/sh
# Take out of the root file system what a machine in RAM never needs, and prepare what it needs at once.
# Usage: shrink_root.sh ROOT PACKAGE...  (the packages that were asked for: what they name is not taken out)
set -eu
root=$1
shift
cd "$root"
asked_for() {
    case " $wanted " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}
wanted=$*

# Accounts: nobody has a password; keys arrive at check-in. dash starts faster than bash.
sed -i 's/^root:[^:]*:/root:*:/' etc/shadow
sed -i 's#^\(root:.*\):/bin/bash$#\1:/bin/sh#' etc/passwd
rm -f etc/ssh/ssh_host_* var/lib/dbus/machine-id etc/hostname etc/resolv.conf
: >etc/machine-id
: >etc/resolv.conf
echo 127.0.0.1 localhost metalpool >etc/hosts

# BusyBox is init; what has no program of its own comes from it.
for name in init reboot poweroff halt; do
    ln -sf ../bin/busybox "sbin/$name"
done
for name in less lsscsi nc netstat ping udhcpc vi wget; do
    [ -e "usr/bin/$name" ] || [ -e "usr/sbin/$name" ] || ln -s busybox "usr/bin/$name"
done

# Documents, translations, caches; packages are chosen when this is built, not while it runs.
rm -rf boot/* var/lib/apt var/cache/* var/log/* var/backups var/lib/usbutils var/lib/systemd usr/lib/apt \
    usr/lib/gcc usr/lib/pkgconfig usr/share/applications usr/share/bash-completion usr/share/bug \
    usr/share/common-licenses usr/share/debconf usr/share/doc usr/share/doc-base usr/share/gdb usr/share/i18n \
    usr/share/icons usr/share/info usr/share/initramfs-tools usr/share/lintian usr/share/locale usr/share/man \
    usr/share/menu usr/share/mime usr/share/pixmaps usr/share/polkit-1 usr/share/snmp usr/share/zoneinfo \
    usr/share/zsh usr/lib/x86_64-linux-gnu/gconv etc/apt
rm -f usr/bin/apt* usr/lib/x86_64-linux-gnu/libapt-* usr/bin/gpgv usr/bin/openssl usr/bin/localedef \
    usr/bin/debconf* usr/sbin/dpkg-*
find var/lib/dpkg -mindepth 1 ! -name status -delete
mkdir -p var/cache var/log
if ! asked_for perl; then
    rm -rf usr/bin/perl* usr/share/perl usr/share/perl5 usr/lib/x86_64-linux-gnu/perl usr/lib/x86_64-linux-gnu/perl5 \
        usr/lib/x86_64-linux-gnu/perl-base
fi
rm -rf lib/modules/*/build lib/modules/*/source lib/modules/*/kernel/lib/test_*.ko
find lib/modules -mindepth 2 -type d -empty -delete

# ipmitool reads this list of all the world's enterprises at every start; those that make servers are enough.
enterprises=usr/share/misc/enterprise-numbers.txt
if [ -e "$enterprises" ]; then
    awk '/^[0-9]+$/ { keep = ($1 ~ /^(0|2|11|42|119|343|674|2011|2623|4128|5771|7154|7244|10368|10876|15370|19046|20301|20974|37945|40092|47196|47488|49769|50495|55470)$/) ; body = 1 }
         !body || keep' "$enterprises" >"$enterprises.new"
    mv "$enterprises.new" "$enterprises"
fi

# There is no systemd, and nothing reads what is made for it.
rm -rf usr/lib/systemd/system usr/lib/systemd/user usr/lib/tmpfiles.d usr/lib/sysusers.d etc/systemd etc/init.d \
    etc/rc?.d etc/cron.* etc/logrotate.d etc/kernel

# Rules that would put disks together, reach for storage on the network, or cost time.
for rule in 60-cdrom_id 60-fido-id 60-sensor 60-serial 60-persistent-alsa 60-persistent-v4l 60-persistent-input \
    60-evdev 60-autosuspend 60-input-id 60-drm 60-infiniband 64-btrfs 64-md-raid-assembly 69-lvm 70-camera \
    70-joystick 70-memory 70-mouse 70-nvmf-autoconnect 70-touchpad 70-power-switch 73-special-net-names \
    75-probe_mtd 78-sound-card 80-debian-compat 81-net-dhcp 85-hdparm 85-hwclock 96-e2scrub; do
    rm -f "usr/lib/udev/rules.d/$rule.rules"
done
rm -rf usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin etc/udev/hwdb.bin

# Python: no tests, no editor; compiled once, here. "unchecked-hash": no look at the source's time at every import.
for directory in config-3.11-x86_64-linux-gnu ctypes/test distutils/tests ensurepip idlelib lib2to3 pydoc_data test \
    tkinter turtledemo unittest/test venv; do
    rm -rf "usr/lib/python3.11/$directory"
done
find usr/lib/python3* usr/lib/metalpool -name __pycache__ -prune -exec rm -rf {} +
chroot . python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3 \
    /usr/lib/metalpool >/dev/null
