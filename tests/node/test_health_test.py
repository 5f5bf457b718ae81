"""health_test: disks that read and disks that do not, memory that keeps and memory that loses a bit."""

from __future__ import annotations

import os

import pytest

from .conftest import MIB


def test_a_healthy_machine_passes_and_its_disk_is_unchanged(module, loop_disk) -> None:
    disk = loop_disk(64)
    before = disk.read()
    answer = module("health_test", disks=[disk.path], disk_seconds=1, memory_bytes=64 * MIB, memory_seconds=1)
    assert not answer.failed and answer["passed"], answer
    assert [entry["name"] for entry in answer["results"]] == [f"disk {disk.path}", "memory"]
    seen = answer["results"][0]
    assert seen["exit_code"] == 0 and seen["phase"] == "health_test" and seen["seconds"] < 5
    assert seen["evidence"]["random_reads"] > 10 and seen["evidence"]["mb_per_second"] > 0
    assert answer["results"][1]["evidence"]["size_bytes"] == 64 * MIB and answer["results"][1]["evidence"]["checked_bytes"] >= 32 * MIB
    assert disk.read() == before


def test_a_disk_that_does_not_read_fails_with_the_place(module, loop_disk) -> None:
    disk = loop_disk(64, old_data=False)
    # a disk that ends before its size: the file behind it is cut
    os.truncate(disk.file, 8 * MIB)
    answer = module("health_test", disks=[disk.path], disk_seconds=1, memory_percent=0)
    assert not answer.failed and answer["passed"] is False
    result = answer["results"][0]
    assert result["exit_code"] == 1 and "read error" in result["output"] and "byte" in result["output"]
    failing = module("health_test", disks=[disk.path], disk_seconds=1, memory_percent=0, fail=True)
    assert failing.failed and "read error" in failing["msg"] and failing["results"]


def test_a_slow_disk_fails(module, loop_disk) -> None:
    answer = module("health_test", disks=[loop_disk(8).path], disk_seconds=0.5, memory_percent=0, disk_min_mb_per_second=1e9)
    assert answer["passed"] is False and "MB/s" in answer["results"][0]["output"]


@pytest.mark.parametrize("place", [0, 5 * MIB + 123])
def test_a_flipped_bit_is_found(utility, place: int) -> None:
    def flip(region) -> None:
        region[place] ^= 0x10

    result = utility("_health").test_memory(16 * MIB, 5, flaws=flip)
    assert not result["passed"] and f"byte {place} read" in result["output"]


def test_two_addresses_that_hit_the_same_cell_are_found(utility) -> None:
    def alias(region) -> None:
        region[3 * MIB : 4 * MIB] = region[2 * MIB : 3 * MIB]

    assert not utility("_health").test_memory(16 * MIB, 5, flaws=alias)["passed"]


def test_the_time_limit_holds(utility) -> None:
    result = utility("_health").test_memory(512 * MIB, 0.2)
    assert result["passed"] and result["seconds"] < 5


def test_memory_is_left_for_the_node_itself(utility) -> None:
    health = utility("_health")
    assert health.memory_size(100, None) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") - 100 * MIB
    assert health.memory_size(0, 5 * MIB + 1) == 5 * MIB


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"smart_status": {"passed": False}}, "expects to fail"),
        ({"nvme_smart_health_information_log": {"critical_warning": 9}}, "spare is low, read-only"),
        ({"ata_smart_attributes": {"table": [{"name": "Reallocated_Sector_Ct", "when_failed": "now"}]}}, "Reallocated_Sector_Ct"),
    ],
)
def test_what_a_disk_says_of_itself(utility, words: dict, found: str) -> None:
    disk = utility("_disks").Disk("sda", "/dev/sda", "/dev/sda", None, "S", None, 1, "ssd", False, "sata", 512, False)
    assert found in " ".join(utility("_smart").problems(disk, words))


@pytest.mark.parametrize(("arguments", "words"), [({"memory_percent": 101}, "memory_percent: 101"), ({"disks": ["NOPE"]}, "NOPE")])
def test_bad_input(module, arguments: dict, words: str) -> None:
    answer = module("health_test", **arguments)
    assert answer.failed and words in answer["msg"]
