#!/bin/sh
# Take out of the root file system what a machine in RAM never needs, and prepare what it needs at once.
# Usage: shrink_root.sh ROOT
set -eu
root=$1
cd "$root"

# Accounts: nobody has a password; keys arrive at check-in.
sed -i 's/^root:[^:]*:/root:*:/' etc/shadow
rm -f etc/ssh/ssh_host_* etc/machine-id var/lib/dbus/machine-id etc/hostname
: >etc/machine-id
echo 127.0.0.1 localhost >etc/hosts
rm -f etc/resolv.conf
: >etc/resolv.conf

# BusyBox is init; what has no program of its own comes from it.
for name in init reboot poweroff halt; do
    ln -sf ../bin/busybox "sbin/$name"
done
for name in udhcpc vi less ping wget nc lsscsi; do
    [ -e "usr/bin/$name" ] || [ -e "usr/sbin/$name" ] || ln -s busybox "usr/bin/$name"
done

# Package lists, caches, documents, sources of the boot, translations.
rm -rf boot/* var/lib/apt/lists/* var/cache/* var/log/* usr/share/doc usr/share/man usr/share/locale usr/share/info \
    usr/share/i18n usr/share/common-licenses usr/share/perl5 usr/share/perl usr/share/bash-completion \
    usr/lib/x86_64-linux-gnu/perl-base usr/lib/x86_64-linux-gnu/gconv usr/share/zoneinfo usr/share/icons \
    usr/share/applications usr/share/pixmaps usr/share/snmp usr/share/mime var/lib/usbutils usr/share/debconf
mkdir -p var/cache var/log
rm -rf lib/modules/*/build lib/modules/*/source

# Services of systemd and the like: there is none.
rm -rf usr/lib/systemd/system usr/lib/systemd/user etc/systemd etc/init.d etc/rc?.d etc/cron.* etc/logrotate.d etc/pam.d

# Rules that would put disks together or cost time; the hardware database is for desktops.
for rule in 60-cdrom_id 60-fido-id 60-sensor 60-serial 60-persistent-alsa 60-persistent-v4l 60-persistent-input \
    60-evdev 60-autosuspend 60-input-id 64-btrfs 70-camera 70-joystick 70-memory 70-mouse 70-touchpad 70-power-switch \
    75-probe_mtd 78-sound-card 81-net-dhcp 73-special-net-names 80-debian-compat; do
    rm -f usr/lib/udev/rules.d/$rule.rules
done
rm -rf usr/lib/udev/hwdb.d usr/lib/udev/hwdb.bin etc/udev/hwdb.bin

# Python: no tests, no editor; compiled once, here. "unchecked-hash": no look at the source's time at every import.
for directory in usr/lib/python3.11 usr/lib/python3; do
    [ -d "$directory" ] || continue
    (cd "$directory" && rm -rf idlelib lib2to3 turtledemo ensurepip pydoc_data tkinter test unittest/test \
        distutils/tests ctypes/test sqlite3/test venv config-3*)
done
find usr/lib/python3* -name __pycache__ -prune -exec rm -rf {} +
chroot . python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3 \
    /usr/lib/metalpool >/dev/null
