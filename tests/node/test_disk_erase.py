"""disk_erase against real block devices; what is left is read from the file behind the disk, from outside."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import MIB

PREVIOUS_USER = b"the previous user's secret 7c1d"


def place_previous_user(disk, count: int = 50) -> None:
    size = disk.file.stat().st_size
    for unused in range(count):
        disk.write(random.randrange(size // 512 - 1) * 512, PREVIOUS_USER.ljust(512, b"."))


def record_of(answer, disk) -> dict:
    return next(record for record in answer["erasures"] if record["path"] == disk.path)


@pytest.mark.parametrize("method", ["zeroout", "overwrite"])
def test_nothing_of_the_previous_user_is_left(module, loop_disk, method: str) -> None:
    disks = [loop_disk(48), loop_disk(16)]
    for disk in disks:
        place_previous_user(disk)
        assert PREVIOUS_USER in disk.read()
    answer = module("disk_erase", disks=[disk.path for disk in disks], methods=[method])
    assert not answer.failed and answer["verified"]
    for disk in disks:
        assert disk.read() == bytes(disk.file.stat().st_size)
        record = record_of(answer, disk)
        assert record["method"] == method and record["category"] == "clear" and record["verified"] and record["zeroed"]
        assert record["verification"]["marks"] == 66 and record["verification"]["marks_left"] == 0
        assert record["verification"]["bytes_read"] == disk.file.stat().st_size
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", record["started_at"]) and record["started_at"] <= record["ended_at"]
        assert record["seconds"] > 0 and record["serial"] == disk.path
        assert any("no serial number" in note for note in record["notes"])


def test_sampling_covers_the_whole_disk(module, loop_disk) -> None:
    disk = loop_disk(64)
    answer = module("disk_erase", disks=[disk.path], methods=["zeroout"], full_read_bytes=0, samples=100)
    proof = record_of(answer, disk)["verification"]
    assert 100 <= proof["samples"] <= 102 and proof["samples_zero"] == proof["samples"] and proof["bytes_read"] == proof["samples"] * 4096


def test_a_method_that_does_nothing_is_found_out_and_the_next_one_taken(collections: Path, loop_disk) -> None:
    """A disk that says "done" and keeps the data, as bad firmware does, played by a method that does nothing."""
    disk = loop_disk(16)
    program = """
import json, sys
from ansible_collections.metalpool.core.plugins.module_utils import _erase, _erase_methods
from ansible_collections.metalpool.core.plugins.module_utils._disks import find_disk
liar = _erase_methods.METHODS[0]._replace(name="liar", probe=lambda disk: None, run=lambda job: None)
def breaks(job):
    raise _erase_methods.EraseProblem("it broke")
broken = liar._replace(name="broken", run=breaks)
half = [method for method in _erase_methods.METHODS if method.name == "zeroout"][0]
def half_run(job):
    with _erase_methods.Device(job.disk.path, write=True) as device:
        device.write(0, bytes(device.size // 2))
lazy = half._replace(name="lazy", run=half_run)
methods = [liar, broken, lazy][:int(sys.argv[2])] + [half] * int(sys.argv[3])
print(json.dumps(_erase.erase_disk(find_disk(sys.argv[1]), methods, _erase.Proof(64, 64, 0), 60)))
"""

    def erase(lies: int, honest: int) -> dict:
        done = subprocess.run(
            [sys.executable, "-c", program, disk.path, str(lies), str(honest)],
            capture_output=True,
            text=True,
            check=True,
            env=dict(os.environ, PYTHONPATH=str(collections)),
        )
        return json.loads(done.stdout)

    record = erase(3, 1)
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["not verified", "failed", "not verified", "verified"]
    assert "66 of 66 marks" in record["attempts"][0]["reason"] and record["attempts"][1]["reason"] == "it broke"
    assert record["method"] == "zeroout" and disk.read() == bytes(16 * MIB)
    record = erase(3, 0)
    assert record["verified"] is False and record["method"] is None and record["detail"].startswith("not erased: liar: ")


def test_a_mounted_disk_is_refused_untouched_and_the_others_are_erased(module, loop_disk, tmp_path: Path) -> None:
    mounted, free = loop_disk(16), loop_disk(16)
    subprocess.run(["mke2fs", "-q", "-F", mounted.path], check=True)
    (tmp_path / "mnt").mkdir()
    subprocess.run(["mount", mounted.path, str(tmp_path / "mnt")], check=True)
    try:
        answer = module("disk_erase", disks=[mounted.path, free.path])
        kept = module("disk_erase", disks=[mounted.path], fail=False)
    finally:
        subprocess.run(["umount", str(tmp_path / "mnt")], check=True)
    assert answer.failed and answer["verified"] is False and "mounted at" in answer["msg"]
    assert not kept.failed and kept["verified"] is False
    assert not record_of(answer, mounted)["verified"] and record_of(answer, free)["verified"]
    assert subprocess.run(["e2fsck", "-fn", mounted.path], capture_output=True, check=False).returncode == 0
    assert free.read() == bytes(16 * MIB)


def test_the_disk_of_the_running_system_is_refused(module) -> None:
    device = Path("/proc/self/mountinfo").read_text().split(" / / ")[0].split()[-1]
    path = Path(f"/sys/dev/block/{device}").resolve().name
    if not Path(f"/sys/block/{path}").exists():
        pytest.skip("the root file system is on no whole disk here")
    answer = module("disk_erase", disks=[f"/dev/{path}"], methods=["zeroout"])
    assert answer.failed and "mounted at /" in answer["msg"] and "Nothing was changed" in answer["msg"]


def test_swap_on_a_disk_is_stopped_before(module, loop_disk) -> None:
    disk = loop_disk(16)
    subprocess.run(["mkswap", "-q", disk.path], check=True)
    if subprocess.run(["swapon", disk.path], capture_output=True, check=False).returncode:
        pytest.skip("this kernel has no swap")
    answer = module("disk_erase", disks=[disk.path])
    assert answer["verified"] and any("swap" in note for note in record_of(answer, disk)["notes"])
    assert disk.read() == bytes(16 * MIB)


def test_a_volume_on_a_disk_is_stopped_before(module, loop_disk) -> None:
    disk = loop_disk(16)
    made = subprocess.run(
        ["dmsetup", "create", "metalpool-test", "--table", f"0 16384 linear {disk.path} 0"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this kernel has no device-mapper")
    try:
        answer = module("disk_erase", disks=[disk.path])
        assert answer["verified"] and any("dm-" in note for note in record_of(answer, disk)["notes"])
    finally:
        subprocess.run(["dmsetup", "remove", "metalpool-test"], capture_output=True, check=False)
    assert disk.read() == bytes(16 * MIB)


def test_stale_partitions_are_gone_after(module, loop_disk, image) -> None:
    disk = loop_disk(80)
    disk.write(0, image.raw)
    name = os.path.basename(disk.path)
    disk.partition(1)
    assert os.path.exists(f"/sys/block/{name}/{name}p1")
    assert module("disk_erase", disks=[disk.path])["verified"]
    assert not os.path.exists(f"/sys/block/{name}/{name}p1")


def test_check_mode_says_what_applies_and_changes_nothing(module, loop_disk) -> None:
    disk = loop_disk(16)
    before = disk.read()
    answer = module("disk_erase", check=True, disks=[disk.path])
    assert disk.read() == before and answer["verified"] is False
    applicable = answer["applicable"][disk.path]
    assert applicable["zeroout"] is None and applicable["overwrite"] is None
    assert "not an NVMe disk" in applicable["nvme_format_crypto"]


def test_a_disk_that_is_expected_and_hides_is_not_erased(module, loop_disk) -> None:
    disk = loop_disk(16)
    answer = module("disk_erase", disks=[disk.path], expected=["HIDDEN-1"], fail=False)
    assert answer["verified"] is False
    assert record_of(answer, disk)["verified"]
    hidden = answer["erasures"][1]
    assert hidden["serial"] == "HIDDEN-1"
    assert hidden["path"] == "absent"
    assert hidden["verified"] is False
    assert "expected and not there" in hidden["detail"]
    assert set(hidden) == set(answer["erasures"][0])


def test_without_an_applicable_method_nothing_is_erased(module, loop_disk) -> None:
    disk = loop_disk(16)
    before = disk.read()
    answer = module("disk_erase", disks=[disk.path], methods=["nvme_sanitize_crypto", "ata_secure_erase"])
    assert answer.failed and "no allowed method applies" in answer["msg"]
    assert disk.read() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"disks": ["NO-SUCH-SERIAL"]}, "NO-SUCH-SERIAL"),
        ({"disks": ["/dev/null"]}, "not a whole disk"),
        ({"disks": ["/dev/null"], "methods": ["prayer"]}, "prayer"),
        ({"disks": ["/dev/null"], "samples": 0}, "samples: 0"),
    ],
)
def test_bad_input(module, arguments: dict, words: str) -> None:
    answer = module("disk_erase", **arguments)
    assert answer.failed and words in answer["msg"]
