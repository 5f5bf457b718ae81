"""The QEMU command line of one node.

Paths are relative to the node's directory, which is QEMU's working directory: a Unix socket's path may have no more
than 107 bytes, and a lab's directory can be anywhere.
"""

from __future__ import annotations

from spec import Disk, Interface, Node

FIRMWARE_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
FIRMWARE_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# Nehalem has what Debian asks for (x86-64-v2 included) and nothing that software emulation is slow at: with `max`,
# every libc call takes its AVX2 path. rdrand lets firmware and kernel have entropy at once.
CPU = {"kvm": "host", "tcg": "Nehalem,+rdrand"}
ACCELERATOR = {"kvm": "kvm", "tcg": "tcg,thread=multi"}


def boot_order(node: Node, device: str) -> list[str]:
    """Returns the ids of the bootable devices, first to be tried first.

    Args:
        node: the node.
        device: what the BMC says, in ipmi_sim's words: `none` (no override: network, then disks), `pxe` (the same),
            `default` (that is IPMI's "boot from default hard disk"), `cdrom` or `bios` (there is neither: as `none`).
    """
    network = [f"nic{number}" for number in range(len(node.interfaces))]
    disks = [f"disk{number}" for number in range(len(node.disks))]
    return disks + network if device == "default" else network + disks


def disk_arguments(disk: Disk, number: int, bootindex: int) -> list[str]:
    """Returns the arguments for one disk.

    The file is sparse and stays so: what the guest discards is given back, but zeros that it writes are really written
    (`detect-zeroes=off`), because erasure must cost and do what it does on a real disk. `cache=unsafe` leaves flushing
    to the host: only a crash of the host could lose data, and a lab is made again in seconds.
    """
    drive = (f"id=drive{number},file={disk.path},format=raw,if=none,cache=unsafe,discard=unmap,detect-zeroes=off")
    common = f"id=disk{number},drive=drive{number},serial={disk.serial},bootindex={bootindex}"
    devices = {
        "nvme": f"nvme,{common}",
        "sata": f"ide-hd,bus=ide.{number},{common},wwn={disk.wwn:#x},rotation_rate={disk.rotation_rate}",
        "scsi": f"scsi-hd,bus=scsi.0,scsi-id={number},{common},wwn={disk.wwn:#x},rotation_rate={disk.rotation_rate}",
        "virtio": f"virtio-blk-pci,{common}",
    }
    return ["-drive", drive, "-device", devices[disk.bus]]


def interface_arguments(node: Node, interface: Interface, number: int, bootindex: int) -> list[str]:
    """Returns the arguments for one interface.

    QEMU's cards carry iPXE as their boot ROM. OVMF has a PXE client and a virtio driver of its own, so there the ROM is
    left out: the lab then has both kinds of machine, those that boot by their firmware's PXE and those that have iPXE.
    """
    rom = ",romfile=" if node.firmware == "uefi" and interface.model == "virtio-net-pci" else ""
    return ["-netdev", f"tap,id=net{number},ifname={interface.tap},script=no,downscript=no", "-device",
            f"{interface.model},id=nic{number},netdev=net{number},mac={interface.mac},bootindex={bootindex}{rom}"]


def firmware_arguments(node: Node) -> list[str]:
    """Returns the arguments for the firmware: SeaBIOS comes by itself, OVMF keeps its variables in a file."""
    if node.firmware == "bios":
        return []
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE_CODE}",
            "-drive", "if=pflash,unit=1,format=raw,file=firmware-variables.fd",
            # As on most servers: network boot over IPv6 is off, or each boot from disk waits a minute for it.
            "-fw_cfg", "name=opt/org.tianocore/IPv6Support,string=no"]


def bmc_arguments(node: Node) -> list[str]:
    """Returns the arguments that put the simulated BMC behind a KCS interface (IPMI 2.0, section 9)."""
    if not node.in_band_bmc or node.bmc is None:
        return []
    return ["-chardev", f"socket,id=bmc-line,host=127.0.0.1,port={node.bmc.kcs_port},reconnect=2",
            "-device", "ipmi-bmc-extern,id=bmc,chardev=bmc-line", "-device", "isa-ipmi-kcs,bmc=bmc"]


def command(node: Node, accelerator: str, device: str) -> list[str]:
    """Returns the whole command line.

    Args:
        node: the node.
        accelerator: `kvm` or `tcg`.
        device: the BMC's boot device for this start (see `boot_order`).
    """
    order = {identifier: place for place, identifier in enumerate(boot_order(node, device), start=1)}
    identity = f"manufacturer={node.vendor},product={node.product},serial={node.serial}"
    # graphics=off: SeaBIOS and boot loaders talk on the serial line.
    line = ["qemu-system-x86_64", "-name", f"{node.name},debug-threads=on", "-nodefaults", "-no-user-config",
            "-display", "none", "-machine", "q35,graphics=off,smm=off", "-accel", ACCELERATOR[accelerator],
            "-cpu", CPU[accelerator], "-smp", str(node.cpus), "-m", str(node.memory_mib), "-rtc", "base=utc",
            "-uuid", node.uuid, "-smbios", f"type=1,{identity},uuid={node.uuid}", "-smbios", f"type=2,{identity}",
            "-smbios", f"type=3,manufacturer={node.vendor},serial={node.serial}",
            "-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy",
            "-chardev", "socket,id=console,path=console.sock,server=on,wait=off,logfile=console.log,logappend=on",
            "-serial", "chardev:console",
            "-chardev", "socket,id=monitor,path=monitor.sock,server=on,wait=off", "-mon", "monitor,mode=control",
            "-pidfile", "qemu.pid"]
    line += firmware_arguments(node) + bmc_arguments(node)
    if any(disk.bus == "scsi" for disk in node.disks):
        line += ["-device", "virtio-scsi-pci,id=scsi"]
    for number, disk in enumerate(node.disks):
        line += disk_arguments(disk, number, order[f"disk{number}"])
    for number, interface in enumerate(node.interfaces):
        line += interface_arguments(node, interface, number, order[f"nic{number}"])
    return line
