# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image over HTTP: its bytes through sha256 into a decompressor, and every way that can go wrong, told apart."""

from __future__ import annotations

import fcntl
import hashlib
import os
import ssl
import subprocess
import threading
import time
import typing as t
import urllib.request

DECOMPRESSORS = {
    "raw": None,
    "raw.zst": ["zstd", "-dcq", "--no-check", "--long=31", "-"],  # the file's sha256 says more than its own checksum
    "raw.xz": ["xz", "-dc", "-T0", "-"],
    "raw.gz": ["gzip", "-dc", "-"],
}
READ_BYTES = 1 << 18
PIPE_BYTES = 1 << 20  # the most an unprivileged process may ask for; fewer wake-ups than the 64 KiB of default
LEAST_BYTES_PER_STALL = 1 << 16  # a server that trickles is as good as one that stands


class ImageProblem(Exception):
    """Why the image is not on the disk; the text names url, expected and seen."""


class ImageSource:
    """Streams url into a pipe whose read end carries the raw image.

    :param stall_seconds: fewer than 64 KiB within this time, or no answer at all, is the end of the transfer
    """

    def __init__(self, url: str, sha256: str, image_format: str, stall_seconds: float, ca_path: str | None = None) -> None:
        self.url, self.expected, self.stall_seconds = url, sha256.lower(), stall_seconds
        self.command = DECOMPRESSORS[image_format]
        self.read_bytes = 0
        self.seconds = 0.0
        self.problem: str | None = None
        self.stopped = False
        self._digest = hashlib.sha256()
        self._process: subprocess.Popen | None = None
        self._response = self._open(ca_path)
        length = self._response.headers.get("Content-Length")
        self.total_bytes = int(length) if length and length.isdigit() else None

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

    def start(self) -> int:
        """Start to fetch in a thread.

        :returns: file descriptor of the raw image; the caller closes it
        """
        if self.command is None:
            raw_end, feed_end = os.pipe()
            feed: t.Any = os.fdopen(feed_end, "wb", buffering=0)
        else:
            try:
                self._process = subprocess.Popen(
                    self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
                )
            except FileNotFoundError as error:
                raise ImageProblem(f"format: {self.command[0]} is not installed on this node, so the image cannot be unpacked.") from error
            feed = self._process.stdin
            raw_end = os.dup(self._process.stdout.fileno())
            self._process.stdout.close()
        for pipe in (feed.fileno(), raw_end):
            try:
                fcntl.fcntl(pipe, 1031, PIPE_BYTES)  # F_SETPIPE_SZ
            except OSError:
                pass  # slower, no more
        self._thread = threading.Thread(target=self._fetch, args=(feed,), daemon=True)
        self._thread.start()
        return raw_end

    def _fetch(self, feed: t.Any) -> None:
        started = window_start = time.monotonic()
        window_bytes = 0
        memory = memoryview(bytearray(READ_BYTES))
        try:
            while not self.stopped:
                data = self._receive(memory)
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
                # zstd may be held up by the disk for long: the clock of the network starts anew after it
                feed_start = time.monotonic()
                while len(data):
                    data = data[feed.write(data) :]
                window_start += time.monotonic() - feed_start
        except BrokenPipeError:
            self.problem = self.problem or "unpacking"
        except Exception as error:  # what http.client, ssl and socket raise
            late = isinstance(error, TimeoutError)
            self.problem = (
                f"nothing came for {self.stall_seconds:g} seconds" if late else "the connection broke: %s" % (error or type(error).__name__)
            )
        finally:
            self.seconds = time.monotonic() - started
            try:
                feed.close()
            except OSError:
                pass
            self._response.close()

    def _receive(self, memory: memoryview) -> memoryview:
        """What has come, at most as much as there is room for; empty at the end.

        Into the same memory each time, and past http.client: fresh memory for each piece costs more than all the rest.
        """
        if self.total_bytes is None or self._response.chunked:
            return memoryview(self._response.read1(READ_BYTES))
        room = min(READ_BYTES, self.total_bytes - self.read_bytes)
        return memory[: self._response.fp.readinto1(memory[:room])] if room else memory[:0]

    def stop(self) -> None:
        """Give up: the writer failed."""
        self.stopped = True
        if self._process:
            self._process.kill()

    def finish(self) -> str:
        """Wait for the transfer's end and judge it.

        :returns: the sha256 that was seen
        :raises ImageProblem: short, stalled, broken, not unpackable, or not the image that was expected
        """
        self._thread.join()
        words = ""
        code = 0
        if self._process:
            words = (self._process.stderr.read() or b"").decode("utf-8", "replace").strip()
            self._process.stderr.close()
            code = self._process.wait()
        got = "%s of %s bytes" % (self.read_bytes, self.total_bytes if self.total_bytes is not None else "an unknown number of")
        cut = self.total_bytes is not None and self.read_bytes < self.total_bytes
        if cut and not self.problem:
            self.problem = "the server closed the connection"
        if self.problem and self.problem != "unpacking":
            raise ImageProblem(f"url: {self.url} stopped after {got}: {self.problem}. Check the rack's web server and network.")
        seen = self._digest.hexdigest()
        if code or self.problem:
            whole = f"its sha256 is {seen}" if self.read_bytes == self.total_bytes and not self.problem else f"read {got}"
            raise ImageProblem(
                "url: {} cannot be unpacked by {}: {} ({}, expected sha256 {}). The file is damaged or not of the format given.".format(
                    self.url, (self.command or ["cat"])[0], words[-300:] or "rc %s" % code, whole, self.expected
                )
            )
        if seen != self.expected:
            raise ImageProblem(
                f"sha256: {self.url} has the checksum {seen}, expected {self.expected}. "
                "The file is not the image that was registered: register it anew or put the right file there."
            )
        return seen
