# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image over HTTP: its bytes through sha256 into a decompressor, and every way that can go wrong, told apart."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import queue
import ssl
import threading
import time
import typing as t
import urllib.request
import zlib

PIECE_BYTES = 1 << 16  # a piece that is not bigger is memory that Python uses again; fresh memory costs more than all the rest
PIECES_AHEAD = 64
BUFFER_BYTES = 1 << 18
LEAST_BYTES_PER_STALL = 1 << 16  # a server that trickles is as good as one that stands
LONGEST_WINDOW = 1 << 31  # zstd --long=31


class ImageProblem(Exception):
    """Why the image is not on the disk; the text names url, expected and seen."""


def _zstd(packed: t.Any) -> tuple:
    try:
        import zstandard
    except ImportError as error:
        raise ImageProblem("format: Python's zstandard is not installed on this node, so raw.zst cannot be unpacked.") from error
    unpacker = zstandard.ZstdDecompressor(max_window_size=LONGEST_WINDOW)
    return unpacker.stream_reader(packed, read_size=BUFFER_BYTES, read_across_frames=True), (zstandard.ZstdError,)


# How each format is unpacked: from what reads the packed bytes to what reads the image, and the errors of damaged files. All unpack
# into the memory that they are given and let other threads run meanwhile; a program behind pipes would copy each byte twice more.
UNPACKERS: dict[str, t.Callable[[t.Any], tuple]] = {
    "raw.zst": _zstd,
    "raw.xz": lambda packed: (lzma.LZMAFile(packed), (lzma.LZMAError, EOFError)),  # noqa: SIM115 (it is read to its end)
    "raw.gz": lambda packed: (gzip.GzipFile(fileobj=packed), (zlib.error, OSError, EOFError)),
    "raw": lambda packed: (packed, ()),
}


class _Fetched(io.RawIOBase):
    """Reads what another thread fetches."""

    def __init__(self, pieces: queue.Queue) -> None:
        super().__init__()
        self._pieces, self._rest, self._ended = pieces, memoryview(b""), False

    def readable(self) -> bool:
        return True

    def readinto(self, memory: t.Any) -> int:
        if not self._rest and not self._ended:
            self._rest = memoryview(self._pieces.get())
            self._ended = not self._rest
        count = min(len(memory), len(self._rest))
        memory[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class ImageSource:
    """Streams url, and unpacks it where C(readinto) is told to.

    :param stall_seconds: fewer than 64 KiB within this time, or no answer at all, is the end of the transfer
    """

    def __init__(self, url: str, sha256: str, image_format: str, stall_seconds: float, ca_path: str | None = None) -> None:
        self.url, self.expected, self.stall_seconds = url, sha256.lower(), stall_seconds
        self.format = image_format
        self.read_bytes = 0
        self.problem: str | None = None
        self.damage: str | None = None
        self._stopped = threading.Event()
        self._digest = hashlib.sha256()
        self._pieces: queue.Queue = queue.Queue(PIECES_AHEAD)
        self._image, self._damages = UNPACKERS[image_format](io.BufferedReader(_Fetched(self._pieces), BUFFER_BYTES))
        self._response = self._open(ca_path)
        length = self._response.headers.get("Content-Length")
        self.total_bytes = int(length) if length and length.isdigit() else None
        self._thread = threading.Thread(target=self._fetch, daemon=True)

    def _open(self, ca_path: str | None) -> t.Any:
        # Not by Ansible's open_url: to load it takes seconds on a slow machine, and nothing of what it can do is wanted here.
        handlers: list[t.Any] = [urllib.request.ProxyHandler({})]
        try:
            if ca_path:
                handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_path)))
            request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})
            return urllib.request.build_opener(*handlers).open(request, timeout=self.stall_seconds)
        except Exception as error:  # what urllib, http.client, ssl and socket raise
            raise ImageProblem(
                f"url: {self.url} cannot be fetched: {error}. Check that the rack serves the image under this address."
            ) from error

    def start(self) -> None:
        """Start to fetch in a thread."""
        self._thread.start()

    def readinto(self, memory: memoryview) -> int:
        """The next bytes of the image; 0 at its end, or where it cannot be unpacked any further."""
        try:
            return 0 if self.damage else self._image.readinto(memory)
        except self._damages as error:
            self.damage = str(error) or type(error).__name__
            self.stop()
            return 0

    def _fetch(self) -> None:
        window_start = time.monotonic()
        window_bytes = 0
        try:
            while not self._stopped.is_set():
                data = self._response.read1(PIECE_BYTES)
                now = time.monotonic()
                if not data:
                    break
                self.read_bytes += len(data)
                window_bytes += len(data)
                if now - window_start > self.stall_seconds:
                    if window_bytes < LEAST_BYTES_PER_STALL:
                        self.problem = "only %s bytes came within %g seconds" % (window_bytes, now - window_start)
                        break
                    window_start, window_bytes = now, 0
                self._digest.update(data)
                # Who unpacks may be held up by the disk for long: the clock of the network starts anew after it.
                hold_start = time.monotonic()
                self._hand_over(data)
                window_start += time.monotonic() - hold_start
        except Exception as error:  # what http.client, ssl and socket raise
            late = isinstance(error, TimeoutError)
            self.problem = (
                f"nothing came for {self.stall_seconds:g} seconds" if late else "the connection broke: %s" % (error or type(error).__name__)
            )
        finally:
            self._hand_over(b"")
            self._response.close()

    def _hand_over(self, data: bytes) -> None:
        while not self._stopped.is_set():
            try:
                self._pieces.put(data, timeout=1)
                return
            except queue.Full:
                continue

    def stop(self) -> None:
        """Fetch no more: it cannot be written, or not be unpacked."""
        self._stopped.set()

    def finish(self) -> str:
        """Wait for the transfer's end and judge it.

        :returns: the sha256 that was seen
        :raises ImageProblem: short, stalled, broken, not unpackable, or not the image that was expected
        """
        self._thread.join()
        got = "%s of %s bytes" % (self.read_bytes, self.total_bytes if self.total_bytes is not None else "an unknown number of")
        cut = self.total_bytes is not None and self.read_bytes < self.total_bytes
        if cut and not self.problem and not self.damage:
            self.problem = "the server closed the connection"
        if self.problem:
            raise ImageProblem(f"url: {self.url} stopped after {got}: {self.problem}. Check the rack's web server and network.")
        seen = self._digest.hexdigest()
        if self.damage:
            whole = f"read {got}" if cut else f"its sha256 is {seen}"
            raise ImageProblem(
                f"url: {self.url} cannot be unpacked as {self.format}: {self.damage} ({whole}, expected sha256 {self.expected}). "
                "The file is damaged or not of the format given."
            )
        if seen != self.expected:
            raise ImageProblem(
                f"sha256: {self.url} has the checksum {seen}, expected {self.expected}. "
                "The file is not the image that was registered: register it anew or put the right file there."
            )
        return seen
