# Copyright: (c) 2026, Metalpool contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_write
short_description: Stream an operating system image onto a disk of this node
description:
  - Runs on the node, in the ephemeral OS. One call fetches the image over HTTP, checks its checksum while it passes, unpacks it and
    writes it to the disk; then grows the last partition and its file system to the disk's end.
  - The pieces of the image that hold its partition tables and boot sector are written last, after the checksum was found right. Until
    then both ends of the disk are zeros, so that neither a failure nor a power cut leaves a disk that boots half an image.
  - Blocks of zeros are skipped only where the disk is known to read as zeros, so that no old data shows through.
  - On any failure the first and last MiB of the disk are zeroed and the reason names the address, what was expected and what was seen.
    An image that cannot be fetched at all leaves the disk as it was.
version_added: 0.1.0
author:
  - Metalpool contributors (@metalpool)
requirements:
  - zstandard (Python library) on the node for O(format=raw.zst); the ephemeral OS has it
options:
  url:
    description: Address of the image, C(http) or C(https).
    type: str
    required: true
  sha256:
    description: Expected SHA-256 of the file at O(url), compressed as it is; 64 hexadecimal digits.
    type: str
    required: true
  format:
    description: What the file is.
    type: str
    choices: [raw.zst, raw.xz, raw.gz, raw]
    default: raw.zst
  disk:
    description: Serial number or WWN of the disk to write, which exactly one disk must have; or the disk's path.
    type: str
    required: true
  disk_bytes:
    description: Size of the unpacked image in bytes. When given, a disk that is too small is refused before anything is changed.
    type: int
  assume_zeroed:
    description:
      - The disk was erased to zeros since it was last used. Then blocks of zeros are skipped without preparing the disk.
      - It is checked at random places all the same; a disk that does not read as zeros there is prepared as if this were V(false).
    type: bool
    default: false
  stall_seconds:
    description: The transfer fails when fewer than 64 KiB come within this many seconds.
    type: float
    default: 30
  ca_path:
    description: File of the certificate authority for an C(https) address.
    type: path
  wait_seconds:
    description: How long to wait for the disk to appear.
    type: float
    default: 20
  grow:
    description: Grow the last partition and its file system (ext4, xfs, btrfs) to the end of the disk.
    type: bool
    default: true
  progress_path:
    description:
      - File that holds the progress as one JSON object (phase, bytes_read, bytes_total, bytes_unpacked, bytes_written,
        seconds), replaced each second.
    type: path
    default: /run/metalpool/image_write.json
attributes:
  check_mode:
    support: full
    description: Finds the disk and checks its size, and changes nothing.
  diff_mode:
    support: none
    description: The content of a disk is no diff.
  platform:
    support: full
    description: Linux
    platforms: linux
"""

EXAMPLES = r"""
- name: Write the image to the node's root disk
  metalpool.core.image_write:
    url: http://172.30.7.1/images/debian-bookworm.raw.zst
    sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    disk_bytes: 1610612736
    disk: S4EVNX0M123456
"""

RETURN = r"""
disk:
  description: The disk that was written.
  returned: always
  type: dict
  contains:
    path:
      description: Path of the disk.
      type: str
    serial:
      description: Serial number of the disk.
      type: str
    size_bytes:
      description: Size of the disk.
      type: int
bytes_read:
  description: Bytes that were fetched.
  returned: success
  type: int
bytes_unpacked:
  description: Size of the image on the disk.
  returned: success
  type: int
bytes_written:
  description: Bytes that were really written; the others were zeros that the disk had already.
  returned: success
  type: int
sha256:
  description: Checksum that was seen.
  returned: success
  type: str
zeros:
  description: How it was made sure that nothing old shows in the image's zeros.
  returned: success
  type: str
seconds:
  description: Seconds in all.
  returned: success
  type: float
mb_per_second:
  description: Unpacked megabytes (10^6 bytes) a second over the phases prepare, stream and finish.
  returned: success
  type: float
phases:
  description: Name, seconds, bytes and megabytes a second of each phase (prepare, stream, finish, grow).
  returned: success
  type: list
  elements: dict
summary:
  description: The figures in one line, for a log.
  returned: success
  type: str
grown:
  description: Partition, fstype, before_bytes, after_bytes, note of the growing; V(null) without O(grow).
  returned: success
  type: dict
"""

import json
import os
import re
import threading
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.metalpool.core.plugins.module_utils._blockio import MIB, Device, reread_partitions, wipe_ends
from ansible_collections.metalpool.core.plugins.module_utils._disks import DiskProblem, find_disk, release_disk
from ansible_collections.metalpool.core.plugins.module_utils._image_source import UNPACKERS, ImageProblem, ImageSource
from ansible_collections.metalpool.core.plugins.module_utils._image_writer import ImageWriter, Stopwatch, make_zero
from ansible_collections.metalpool.core.plugins.module_utils._partitions import PartitionProblem, grow_last
from ansible_collections.metalpool.core.plugins.module_utils._settle import await_disk


class Progress:
    """Replaces a small JSON file each second until it is stopped."""

    def __init__(self, path):
        self.path, self.phase, self.source, self.writer = path, "prepare", None, None
        self.started = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            self.write()
            if self._stop.wait(1):
                return

    def write(self):
        state = {
            "phase": self.phase,
            "seconds": round(time.monotonic() - self.started, 1),
            "bytes_read": self.source.read_bytes if self.source else 0,
            "bytes_total": self.source.total_bytes if self.source else None,
            "bytes_unpacked": self.writer.received if self.writer else 0,
            "bytes_written": self.writer.written if self.writer else 0,
        }
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with open(self.path + ".new", "w", encoding="utf-8") as handle:
                json.dump(state, handle)
            os.replace(self.path + ".new", self.path)
        except OSError:
            pass  # progress is a courtesy

    def end(self, phase):
        self.phase = phase
        self._stop.set()
        self.write()


def write_image(params, disk, source, progress, watch):
    """Fetch, check and write; on return the whole image is on the medium.

    :raises ImageProblem: see there
    """
    wipe_ends(disk.path)
    with Device(disk.path, write=True) as device:
        how, skip = make_zero(device, params["assume_zeroed"], params["disk_bytes"] or device.size)
        watch.lap("prepare")
        writer = progress.writer = ImageWriter(device, skip)
        progress.phase = "stream"
        source.start()
        try:
            writer.copy(source)
        except BaseException:
            source.stop()
            raise
        seen = source.finish()
        if params["disk_bytes"] and writer.received != params["disk_bytes"]:
            raise ImageProblem("disk_bytes: %s unpacks to %s bytes, expected %s." % (params["url"], writer.received, params["disk_bytes"]))
        if writer.received == 0:
            raise ImageProblem("url: {} is an empty image.".format(params["url"]))
        watch.lap("stream", writer.received)
        progress.phase = "finish"
        writer.write_ends()
    reread_partitions(disk.path)
    watch.lap("finish")
    return {
        "zeros": how,
        "sha256": seen,
        "bytes_read": source.read_bytes,
        "bytes_unpacked": writer.received,
        "bytes_written": writer.written,
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "format": {"type": "str", "choices": list(UNPACKERS), "default": "raw.zst"},
            "disk": {"type": "str", "required": True},
            "disk_bytes": {"type": "int"},
            "assume_zeroed": {"type": "bool", "default": False},
            "stall_seconds": {"type": "float", "default": 30},
            "ca_path": {"type": "path"},
            "wait_seconds": {"type": "float", "default": 20},
            "grow": {"type": "bool", "default": True},
            "progress_path": {"type": "path", "default": "/run/metalpool/image_write.json"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if not re.match(r"https?://", params["url"]):
        module.fail_json(msg="url: {} is not an http or https address.".format(params["url"]))
    if not re.match(r"[0-9a-fA-F]{64}$", params["sha256"]):
        module.fail_json(msg="sha256: {} is not a SHA-256; give 64 hexadecimal digits.".format(params["sha256"]))
    try:
        await_disk(params["disk"], params["wait_seconds"])
        disk = find_disk(params["disk"])
        if params["disk_bytes"] and params["disk_bytes"] > disk.size_bytes:
            raise DiskProblem(
                f"disk: {disk.path} (serial {disk.serial}) has {disk.size_bytes} bytes, and the image needs {params['disk_bytes']}. "
                "Choose a bigger root disk; nothing was changed."
            )
        facts = {"disk": {"path": disk.path, "serial": disk.serial, "size_bytes": disk.size_bytes}}
        if module.check_mode:
            module.exit_json(changed=True, **facts)
        release_disk(disk.name)
        source = ImageSource(params["url"], params["sha256"], params["format"], params["stall_seconds"], params["ca_path"])
    except (DiskProblem, ImageProblem) as problem:
        module.fail_json(msg=str(problem))
    progress = Progress(params["progress_path"])
    progress.source = source
    watch = Stopwatch()
    try:
        result = write_image(params, disk, source, progress, watch)
        result["seconds"] = round(sum(phase["seconds"] for phase in watch.phases), 3)
        result["mb_per_second"] = round(result["bytes_unpacked"] / 1e6 / max(result["seconds"], 0.001), 1)
        result["grown"] = None
        if params["grow"]:
            progress.phase = "grow"
            result["grown"] = grow_last(disk.name)
            watch.lap("grow")
            result["seconds"] = round(sum(phase["seconds"] for phase in watch.phases), 3)
        result["summary"] = "%s bytes fetched, %s unpacked onto %s in %.1f s (%.0f MB/s; %s; %s)" % (
            result["bytes_read"],
            result["bytes_unpacked"],
            disk.path,
            result["seconds"],
            result["mb_per_second"],
            result["zeros"],
            ", ".join("{name} {seconds:.1f} s".format(**phase) for phase in watch.phases),
        )
    except (ImageProblem, PartitionProblem, OSError) as problem:
        progress.end("failed")
        module.fail_json(msg=f"The image was not written: {problem} {_make_unbootable(disk)}", phases=watch.phases, **facts)
    progress.end("done")
    module.exit_json(changed=True, phases=watch.phases, **dict(facts, **result))


def _make_unbootable(disk):
    try:
        wipe_ends(disk.path, MIB)
        reread_partitions(disk.path)
    except OSError as error:
        return f"The ends of {disk.path} could not be wiped either: {error}."
    return f"The first and last MiB of {disk.path} are zeros, so it does not boot."


if __name__ == "__main__":
    main()
