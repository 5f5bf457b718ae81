# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw image from its source onto a disk, so that a half-written disk can never boot.

The first and the last piece of the image hold its partition tables and boot sector. They are held back until the
whole image is on the medium and its checksum is right; until then both ends of the disk are zeros. A power cut in the
middle therefore leaves a disk that no firmware boots.
"""

from __future__ import annotations

import random
import threading
import time
import typing as t

from ansible_collections.metalpool.core.plugins.module_utils._blockio import ALIGNMENT, MIB, Device, aligned_buffer, ranges
from ansible_collections.metalpool.core.plugins.module_utils._image_source import ImageProblem

PIECE = 4 * MIB
GRAIN = 64 * 1024  # zeros are skipped in pieces of this size
ZERO_GRAIN = bytes(GRAIN)
ZERO_START = bytes(ALIGNMENT)
COMMAND_PIECE = 1 << 30
SAMPLES = 128


def make_zero(device: Device, assume_zeroed: bool, extent: int) -> tuple[str, bool]:
    """Prepare the disk so that blocks of zeros in the image may be skipped, if that is possible cheaply.

    :param assume_zeroed: the caller knows that the disk was erased; believed only after a look at random places
    :param extent: bytes from the start that must read as zeros (the whole disk when the image's size is unknown)
    :returns: (how, may zeros be skipped)
    """
    if assume_zeroed and reads_zero(device, extent):
        return "erased before", True
    for offset, length in ranges(extent, COMMAND_PIECE):
        if not device.zero_by_command(offset, length):
            return "zeros are written", False
    if reads_zero(device, extent):
        return "zeroed by the disk's own command", True
    return "zeros are written (the disk's own command for zeros did not zero it)", False


def reads_zero(device: Device, extent: int) -> bool:
    """Look at random places: does the disk read as zeros?"""
    grains = extent // GRAIN
    places = {0, grains - 1} | {random.randrange(grains) for unused in range(SAMPLES)} if grains > 0 else set()
    return all(device.read(place * GRAIN, ALIGNMENT) == bytes(ALIGNMENT) for place in sorted(places))


class ImageWriter:
    """Copies a source onto a device; reading and writing overlap.

    C(received) and C(written) count bytes while it runs.
    """

    def __init__(self, device: Device, skip_zeros: bool) -> None:
        self.device, self.skip_zeros = device, skip_zeros
        self.received = 0
        self.written = 0
        self._buffers = [aligned_buffer(PIECE) for unused in range(3)]
        self._ends: list[tuple[int, bytes]] = []

    def copy(self, source: t.Any) -> None:
        """Everything but the image's first and last piece.

        :raises ImageProblem: the image is bigger than the disk
        :raises OSError: the disk refused a write
        """
        pending: tuple[int, t.Any, int] | None = None
        writing: _Write | None = None
        turn = 0
        offset = 0
        while True:
            buffer = self._buffers[turn % 3]
            length = _fill(source, buffer)
            self.received += length
            if self.received > self.device.size:
                raise ImageProblem(
                    "disk: %s has %s bytes, and the image is bigger: at least %s bytes. Choose a bigger root disk."
                    % (self.device.path, self.device.size, self.received)
                )
            if length == 0:
                break
            # one piece is held back, one is being written, one is being filled
            if writing:
                writing.wait()
                writing = None
            if pending and pending[0] > 0:
                writing = _Write(self._write_piece, pending)
            elif pending:
                self._ends.append((0, bytes(pending[1][: pending[2]])))
            pending = (offset, buffer, length)
            offset += length
            turn += 1
            if length < PIECE:
                break
        if writing:
            writing.wait()
        if pending:
            self._ends.append((pending[0], bytes(pending[1][: pending[2]])))

    def write_ends(self) -> None:
        """The held back pieces, the disk's start last; call it when the checksum is right."""
        self.device.flush()
        for offset, data in sorted(self._ends, reverse=True):
            padding = -len(data) % ALIGNMENT
            if padding and offset + len(data) + padding > self.device.size:
                padding = 0
            self.device.write(offset, data + bytes(padding))
            self.written += len(data)
        self.device.flush()

    def _write_piece(self, piece: tuple[int, t.Any, int]) -> None:
        offset, buffer, length = piece
        for start, end in self._runs(buffer, length):
            self.device.write_buffer(offset + start, memoryview(buffer)[start:end])
            self.written += end - start

    def _runs(self, buffer: t.Any, length: int) -> t.Iterator[tuple[int, int]]:
        """(start, end) of what has to be written."""
        if not self.skip_zeros:
            yield 0, length
            return
        start: int | None = None
        for position in range(0, length, GRAIN):
            # Most pieces that are not zeros show it soon, and a slice is a copy.
            zero = buffer[position : position + ALIGNMENT] == ZERO_START and buffer[position : position + GRAIN] == ZERO_GRAIN
            if zero and start is not None:
                yield start, position
                start = None
            elif not zero and start is None:
                start = position
        if start is not None:
            yield start, length


class _Write:
    """One write in a thread of its own, its failure raised where it is waited for."""

    def __init__(self, function: t.Callable, piece: tuple) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function, piece), daemon=True)
        self._thread.start()

    def _run(self, function: t.Callable, piece: tuple) -> None:
        try:
            function(piece)
        except BaseException as error:  # raised again by wait()
            self._error = error

    def wait(self) -> None:
        self._thread.join()
        if self._error:
            raise self._error


def _fill(source: t.Any, buffer: t.Any) -> int:
    """Read from the source until the buffer is full or the image ends."""
    done = 0
    with memoryview(buffer) as view:
        while done < PIECE:
            with view[done:PIECE] as rest:
                count = source.readinto(rest)
            if count == 0:
                break
            done += count
    return done


class Stopwatch:
    """Seconds of each phase, for the module's return value."""

    def __init__(self) -> None:
        self.phases: list[dict] = []
        self._start = time.monotonic()

    def lap(self, name: str, count: int | None = None) -> None:
        now = time.monotonic()
        seconds = now - self._start
        phase: dict = {"name": name, "seconds": round(seconds, 3)}
        if count is not None:
            phase.update(bytes=count, mb_per_second=round(count / 1e6 / seconds, 1) if seconds else None)
        self.phases.append(phase)
        self._start = now
