"""image_write against real disks (loop devices), real archives and a web server that behaves and misbehaves."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import MIB, Image, LoopDisk, Server

ZERO_MIB = bytes(MIB)


def assert_unbootable(disk: LoopDisk) -> None:
    size = disk.file.stat().st_size
    assert disk.read(0, MIB) == ZERO_MIB
    assert disk.read(size - MIB, MIB) == ZERO_MIB


@pytest.mark.parametrize("suffix", ["raw.zst", "raw.xz", "raw.gz", "raw"])
def test_every_byte_of_the_image_is_on_a_dirty_disk(module, loop_disk, server: Server, image: Image, suffix: str) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.compressed(suffix))
    answer = module(
        "image_write", url=url, sha256=image.sha256(suffix), format=suffix, disk=disk.path, disk_bytes=len(image.raw), grow=False
    )
    assert not answer.failed, answer
    # the holes too: the old data must not show through
    assert disk.read(0, len(image.raw)) == image.raw
    assert answer["bytes_unpacked"] == len(image.raw)
    assert answer["bytes_read"] == len(image.compressed(suffix))
    assert [phase["name"] for phase in answer["phases"]] == ["prepare", "stream", "finish"]


def test_zeros_are_not_written_to_a_disk_that_has_them(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80, old_data=False)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path, assume_zeroed=True, grow=False)
    assert answer["zeros"] == "erased before"
    assert answer["bytes_written"] < len(image.raw) / 2
    assert disk.read(0, len(image.raw)) == image.raw


def test_a_wrong_assume_zeroed_does_no_harm(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path, assume_zeroed=True, grow=False)
    assert answer["zeros"] != "erased before"
    assert disk.read(0, len(image.raw)) == image.raw


def test_last_partition_and_its_file_system_grow_to_the_end(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(200)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path)
    assert not answer.failed, answer
    assert answer["grown"]["after_bytes"] > 180 * MIB
    root = disk.partition(3)
    assert subprocess.run(["e2fsck", "-fn", root], capture_output=True, check=False).returncode == 0
    fields = subprocess.run(["dumpe2fs", "-h", root], capture_output=True, text=True, check=True).stdout
    blocks = int(fields.split("Block count:")[1].split()[0]) * int(fields.split("Block size:")[1].split()[0])
    assert blocks > 180 * MIB
    # GPT's backup header stands in the disk's last block, and sfdisk has nothing to complain of
    assert disk.read(200 * MIB - 512, 8) == b"EFI PART"
    assert "not" not in subprocess.run(["sfdisk", "-V", disk.path], capture_output=True, text=True, check=False).stderr


def test_a_file_system_that_was_mounted_grows_too(module, loop_disk, server: Server, image: Image, tmp_path: Path) -> None:
    used = tmp_path / "used.raw"
    used.write_bytes(image.raw)
    subprocess.run(["debugfs", "-w", "-R", "set_super_value mtime now", f"{used}?offset={10 * MIB}"], check=True, capture_output=True)
    data = used.read_bytes()
    disk = loop_disk(100)
    answer = module("image_write", url=server.serve("/image", data), sha256=hashlib.sha256(data).hexdigest(), format="raw", disk=disk.path)
    assert not answer.failed, answer
    assert subprocess.run(["e2fsck", "-fn", disk.partition(3)], capture_output=True, check=False).returncode == 0


def test_a_wrong_checksum_leaves_nothing_that_boots(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256="0" * 64, disk=disk.path)
    assert answer.failed
    assert url in answer["msg"] and "0" * 64 in answer["msg"] and image.sha256() in answer["msg"]
    assert_unbootable(disk)


def test_a_server_that_stops_in_the_middle(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    data = image.compressed("raw.zst")
    url = server.serve("/image", data[: len(data) // 2], announced=len(data))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path)
    assert answer.failed
    assert f"stopped after {len(data) // 2} of {len(data)} bytes" in answer["msg"] and url in answer["msg"]
    assert_unbootable(disk)


@pytest.mark.parametrize("trickle", [False, True])
def test_a_server_that_stalls(module, loop_disk, server: Server, image: Image, trickle: bool) -> None:
    disk = loop_disk(80)
    data = image.compressed("raw.zst")
    url = server.serve("/image", data[: len(data) // 2], announced=len(data), then_wait=True, trickle=trickle)
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path, stall_seconds=1.5)
    assert answer.failed
    assert ("stopped after" in answer["msg"] and "within" in answer["msg"]) or "nothing came for" in answer["msg"]
    assert_unbootable(disk)


@pytest.mark.parametrize("lengthless", [False, True])
def test_a_truncated_file(module, loop_disk, server: Server, image: Image, lengthless: bool) -> None:
    disk = loop_disk(80)
    data = image.compressed("raw.zst")
    data = data[: len(data) - len(data) // 3]
    answer = module("image_write", url=server.serve("/image", data, lengthless=lengthless), sha256=image.sha256(), disk=disk.path)
    assert answer.failed
    assert "is not the image that was registered" in answer["msg"] and image.sha256() in answer["msg"]
    assert_unbootable(disk)


def test_a_damaged_file(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    data = bytearray(image.compressed("raw.zst"))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    answer = module("image_write", url=server.serve("/image", bytes(data)), sha256=image.sha256(), disk=disk.path)
    assert answer.failed
    assert "unpack" in answer["msg"] or "checksum" in answer["msg"]
    assert_unbootable(disk)


def test_a_raw_image_that_is_cut_short(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.raw[: 20 * MIB])
    answer = module("image_write", url=url, sha256=image.sha256("raw"), format="raw", disk=disk.path)
    assert answer.failed
    assert_unbootable(disk)


def test_an_address_that_does_not_exist(module, loop_disk, server: Server) -> None:
    disk = loop_disk(8)
    before = disk.read()
    answer = module("image_write", url=server.url("/nothing"), sha256="0" * 64, disk=disk.path)
    assert answer.failed
    assert "404" in answer["msg"] and server.url("/nothing") in answer["msg"]
    assert disk.read() == before


def test_a_disk_that_is_too_small_is_refused_untouched(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(32)
    before = disk.read()
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path, disk_bytes=len(image.raw))
    assert answer.failed
    assert str(32 * MIB) in answer["msg"] and str(len(image.raw)) in answer["msg"]
    assert disk.read() == before


def test_a_disk_that_turns_out_too_small(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(32)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path)
    assert answer.failed and "bigger" in answer["msg"]
    assert_unbootable(disk)


def test_an_image_of_another_size_than_registered(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.compressed("raw.zst"))
    answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path, disk_bytes=len(image.raw) - MIB)
    assert answer.failed and "disk_bytes" in answer["msg"]
    assert_unbootable(disk)


def test_killed_in_the_middle_the_disk_does_not_boot(collections: Path, loop_disk, server: Server, image: Image, tmp_path: Path) -> None:
    """kill -9 stands for a power cut: nothing gets the chance to clean up."""
    disk = loop_disk(80)
    progress = tmp_path / "progress.json"
    url = server.serve("/image", image.raw[:-MIB], announced=len(image.raw), then_wait=True)
    arguments = {"url": url, "sha256": image.sha256("raw"), "format": "raw", "disk": disk.path, "progress_path": str(progress)}
    process = subprocess.Popen(
        [sys.executable, "-m", "ansible_collections.metalpool.core.plugins.modules.image_write"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(collections)),
    )
    assert process.stdin
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    process.stdin.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if progress.exists() and json.loads(progress.read_text())["bytes_written"] > MIB:
            break
        time.sleep(0.05)
    else:
        pytest.fail("no progress")
    assert process.poll() is None
    process.kill()
    process.wait()
    assert_unbootable(disk)


def test_progress_is_told(module, loop_disk, server: Server, image: Image, tmp_path: Path) -> None:
    disk = loop_disk(80)
    url = server.serve("/image", image.compressed("raw.zst"))
    module("image_write", url=url, sha256=image.sha256(), disk=disk.path, progress_path=str(tmp_path / "deep/progress.json"))
    told = json.loads((tmp_path / "deep/progress.json").read_text())
    assert told["phase"] == "done"
    assert told["bytes_read"] == told["bytes_total"] == len(image.compressed("raw.zst"))
    assert told["bytes_unpacked"] == len(image.raw)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "ftp://x/y"}, "url: ftp://x/y"),
        ({"sha256": "abc"}, "64 hexadecimal digits"),
        ({"disk": "NO-SUCH-SERIAL"}, "NO-SUCH-SERIAL"),
        ({"disk": "/dev/null"}, "not a whole disk"),
        ({"disk": "/dev/nothing"}, "does not exist"),
    ],
)
def test_bad_input(module, arguments: dict[str, str], words: str) -> None:
    answer = module("image_write", **{"url": "http://127.0.0.1/x", "sha256": "0" * 64, "disk": "x", **arguments})
    assert answer.failed and words in answer["msg"]


def test_a_mounted_disk_is_refused_untouched(module, loop_disk, server: Server, image: Image, tmp_path: Path) -> None:
    disk = loop_disk(80)
    subprocess.run(["mke2fs", "-q", "-F", disk.path], check=True)
    (tmp_path / "mnt").mkdir()
    subprocess.run(["mount", disk.path, str(tmp_path / "mnt")], check=True)
    try:
        url = server.serve("/image", image.compressed("raw.zst"))
        answer = module("image_write", url=url, sha256=image.sha256(), disk=disk.path)
    finally:
        subprocess.run(["umount", str(tmp_path / "mnt")], check=True)
    assert answer.failed and "mounted at" in answer["msg"]
    assert subprocess.run(["e2fsck", "-fn", disk.path], capture_output=True, check=False).returncode == 0


def test_check_mode_changes_nothing(module, loop_disk, server: Server, image: Image) -> None:
    disk = loop_disk(80)
    before = disk.read()
    answer = module("image_write", check=True, url=server.url("/x"), sha256="0" * 64, disk=disk.path)
    assert answer["changed"] and disk.read() == before
