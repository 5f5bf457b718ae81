# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads, writes and discards on a whole disk, past the page cache where that matters."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import fcntl
import mmap
import os
import struct
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._run import run

ALIGNMENT = 4096  # covers 512 and 4096 byte logical blocks, as O_DIRECT wants (open(2))
MIB = 1 << 20

# <linux/fs.h>
BLKRRPART = 0x125F
BLKFLSBUF = 0x1261
BLKGETSIZE64 = 0x80081272
BLKDISCARD = 0x1277
BLKSECDISCARD = 0x127D
BLKZEROOUT = 0x127F
# <linux/falloc.h>
FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02


class Device:
    """A block device that is open for O_DIRECT reads and writes.

    Use as a context manager. O_EXCL makes the kernel refuse a disk that is mounted or held.
    """

    def __init__(self, path: str, write: bool = False) -> None:
        self.path = path
        flags = (os.O_RDWR | os.O_EXCL) if write else os.O_RDONLY
        self.fd = os.open(path, flags | os.O_DIRECT | os.O_CLOEXEC)
        self.size = device_size(self.fd)
        self._memory = aligned_buffer(ALIGNMENT)

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *unused: object) -> None:
        os.close(self.fd)
        self._memory.close()

    def _buffer(self, length: int) -> mmap.mmap:
        """Memory that is used again: fresh pages cost more than the read itself."""
        if len(self._memory) < length:
            self._memory.close()
            self._memory = aligned_buffer(length)
        return self._memory

    def fetch(self, offset: int, length: int) -> mmap.mmap:
        """Read exactly these bytes from the medium into memory that the next call overwrites.

        Offset and length are multiples of the logical block size.
        """
        buffer = self._buffer(length)
        with memoryview(buffer) as view:
            done = 0
            while done < length:
                with view[done:length] as rest:
                    count = os.preadv(self.fd, [rest], offset + done)
                if count == 0:
                    raise OSError(errno.EIO, "end of %s at byte %s" % (self.path, offset + done))
                done += count
        return buffer

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes from the medium."""
        return self.fetch(offset, length)[:length]

    def write(self, offset: int, data: bytes) -> None:
        """Write these bytes; offset and length are multiples of the logical block size."""
        buffer = self._buffer(len(data))
        buffer[: len(data)] = data
        with memoryview(buffer) as view:
            self.write_buffer(offset, view[: len(data)])

    def write_buffer(self, offset: int, view: memoryview) -> None:
        """Write an aligned buffer without copying it."""
        done = 0
        while done < len(view):
            with view[done:] as rest:
                done += os.pwritev(self.fd, [rest], offset + done)
        view.release()

    def flush(self) -> None:
        """Everything is on the medium, and the kernel's cache of the disk is empty."""
        os.fsync(self.fd)
        self.drop_cache()

    def drop_cache(self) -> None:
        try:
            fcntl.ioctl(self.fd, BLKFLSBUF, 0)
        except OSError:
            pass  # O_DIRECT reads do not need it

    def zeroout(self, offset: int, length: int) -> None:
        """Zeros, by the disk's own command when it has one, else written by the kernel (BLKZEROOUT)."""
        fcntl.ioctl(self.fd, BLKZEROOUT, struct.pack("QQ", offset, length))

    def secure_discard(self, offset: int, length: int) -> None:
        """Secure trim (eMMC and a few others); EOPNOTSUPP elsewhere."""
        fcntl.ioctl(self.fd, BLKSECDISCARD, struct.pack("QQ", offset, length))

    def discard(self, offset: int, length: int) -> None:
        """Tell the disk that the range is free. What it then reads as is the disk's affair."""
        fcntl.ioctl(self.fd, BLKDISCARD, struct.pack("QQ", offset, length))

    def zero_by_command(self, offset: int, length: int) -> bool:
        """Zeros by the disk's own command only, deallocating where it can.

        fallocate(2) with PUNCH_HOLE on a block device is a write-zeroes without the kernel's fallback to writing.

        :returns: False when the disk has no such command
        """
        libc = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True)
        fallocate = getattr(libc, "fallocate64", None) or libc.fallocate
        fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
        if fallocate(self.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0:
            return True
        number = ctypes.get_errno()
        if number in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EREMOTEIO):
            return False
        raise OSError(number, os.strerror(number), self.path)


def aligned_buffer(length: int) -> mmap.mmap:
    """Page-aligned memory, as O_DIRECT wants it."""
    return mmap.mmap(-1, max(length, 1))


def device_size(fd: int) -> int:
    """Bytes of a block device."""
    return struct.unpack("Q", fcntl.ioctl(fd, BLKGETSIZE64, b"\0" * 8))[0]


def ranges(size: int, step: int) -> t.Iterator[tuple[int, int]]:
    """(offset, length) pieces that cover a disk."""
    for offset in range(0, size, step):
        yield offset, min(step, size - offset)


def wipe_ends(path: str, length: int = MIB) -> None:
    """Zero the first and the last bytes of a disk: no firmware finds a partition table or a loader any more."""
    with Device(path, write=True) as device:
        length = min(length, device.size // 2 // ALIGNMENT * ALIGNMENT)
        zeros = bytes(length)
        device.write(0, zeros)
        device.write(device.size - length, zeros)
        device.flush()


def reread_partitions(path: str, deadline_seconds: float = 15) -> None:
    """Make the kernel take in the disk's partition table as it is now.

    udev may hold the disk for a moment after a write: asked again until the deadline. A kernel or a device without
    partition scanning of its own (a plain loop device) is told by partx.

    :raises OSError: the kernel still has the old table
    """
    end = time.monotonic() + deadline_seconds
    while True:
        run(["udevadm", "settle", "--timeout=5"], 10)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, BLKRRPART, 0)
            finally:
                os.close(fd)
            break
        except OSError as error:
            if error.errno == errno.EINVAL:
                run(["partx", "-d", path], 10)
                run(["partx", "-u", path], 10)
                break
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
            time.sleep(0.2)
    run(["udevadm", "settle", "--timeout=5"], 10)
