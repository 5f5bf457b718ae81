"""Put GRUB's BIOS stages on a disk image, as grub-bios-setup does on a device.

The first stage (boot.img) goes into the first sector, in front of the partition table, and is told at which sector the second
one begins. The first sector of the second stage (core.img) has, at its end, a list of where the rest of it lies.
Source: GNU GRUB, include/grub/i386/pc/boot.h and grub-core/boot/i386/pc/diskboot.S.
"""

import struct
import sys

SECTOR = 512
KERNEL_SECTOR_AT = 0x5C
BOOT_DRIVE_CHECK_AT = 0x66
BOOT_CODE_BYTES = 440
FIRST_BLOCK_AT = SECTOR - 12


def place(disk_file: str, boot_file: str, core_file: str, core_sector: int) -> None:
    """Write both stages.

    :param core_sector: where the BIOS boot partition begins, in sectors of 512 bytes.
    """
    with open(boot_file, "rb") as file:
        boot = bytearray(file.read())
    with open(core_file, "rb") as file:
        core = bytearray(file.read())
    struct.pack_into("<Q", boot, KERNEL_SECTOR_AT, core_sector)
    # Two no-operations let boot.img ignore a wrong drive number from the BIOS.
    struct.pack_into("<H", boot, BOOT_DRIVE_CHECK_AT, 0x9090)
    struct.pack_into("<Q", core, FIRST_BLOCK_AT, core_sector + 1)
    with open(disk_file, "r+b") as disk:
        disk.write(boot[:BOOT_CODE_BYTES])
        disk.seek(core_sector * SECTOR)
        disk.write(core)


if __name__ == "__main__":
    place(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
