#!/bin/sh
# Before version 24.3, cloud-init is started anew for each of its stages, which takes seconds on a slow machine: the
# stage "config" has nothing to do here (90_metalpool.cfg), so that it is not started. Newer ones run as one process.
# Usage: cloud_init.sh ROOT
set -eu
if [ ! -e "$1/usr/lib/systemd/system/cloud-init-main.service" ]; then
    chroot "$1" systemctl --quiet mask cloud-config.service
fi
