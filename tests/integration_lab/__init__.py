"""Tests of the roles virtual_lab and boot_server, against the real thing: QEMU, ipmi_sim, dnsmasq, nginx, iPXE."""
