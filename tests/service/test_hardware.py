"""What a commissioning says becomes columns and parts that constraints can use."""

from __future__ import annotations

from typing import Any

from inventory_service.services import open_services
from tests.service.test_constraints import A100, ASPEED, DONGLE, RADEON
from tests.service.world import GIB, Work, World

MILLIONTH = 1e-6


def _parts(world: World) -> dict[str, Any]:
    return {
        "cpu": {"arch": "x86_64", "threads": 8, "mhz_max": 3100},
        "numa": [{"node": 0, "cpus": [0, 1, 2, 3], "memory_bytes": GIB}, {"node": 1, "cpus": [4, 5, 6, 7], "memory_bytes": None}],
        "pci": [ASPEED, A100, RADEON | {"device_id": "515e", "device": "ES1000"}],
        "usb": [DONGLE],
        "tpm": {"present": True, "version": "1.2"},
        "interfaces": [
            {"mac": "52:54:00:aa:00:01", "name": "e1", "speed_mbps": 1000},
            {"mac": "52:54:00:aa:00:02", "name": "e2", "speed_mbps": 40000},
            {"mac": "52:54:00:aa:00:03", "name": "e3", "speed_mbps": None},
        ],
    }


def test_facts_become_columns_and_parts(world: World) -> None:
    node = world.ready_node("m1", memory=32 * GIB, disks=[("A", "ssd", 1024), ("B", "hdd", 3072)], parts=_parts(world))
    columns = {
        "cpus": 8,
        "cpu_mhz": 3100,
        "memory_bytes": 32 * GIB,
        "storage_bytes": 4096 * GIB,
        "numa_nodes": 2,
        "link_mbps": 40000,
        "gpus": 1,
        "tpm": "1.2",
    }
    assert {name: node[name] for name in columns} == columns
    assert node["numa"] == [
        {"number": 0, "cpus": 4, "memory_bytes": GIB},
        {"number": 1, "cpus": 4, "memory_bytes": None},
    ]
    assert [(one["bus"], one["vendor_id"], one["product"], one["gpu"]) for one in node["devices"]] == [
        ("pci", "1a03", "ASPEED Graphics Family", False),
        ("pci", "10de", "GA100 [A100 PCIe 80GB]", True),
        ("pci", "1002", "ES1000", False),
        ("usb", "0529", "HASP", False),
    ]
    assert abs(node["cost"] - (8 + 32 * 0.25 + 4 * 2 + 64)) < MILLIONTH
    assert "devices" not in world.get("/nodes")["items"][0]

    tags = [{"disk": "A", "tags": ["fast", "cache"]}, {"disk": "B", "tags": ["slow"]}]
    world.ask("PATCH", "/nodes/m1", {"disks": tags})
    assert world.ask("PATCH", "/nodes/m1", {"disks": [{"disk": "X", "tags": []}]}, expect=422)["allowed"] == ["A", "B"]
    world.post("/nodes/m1/operations", {"kind": "commission"})
    Work(world, "m1").commission(disks=[("C", "nvme", 1), ("A", "ssd", 1024)])
    again = world.get("/nodes/m1")
    assert [(disk["serial"], disk["tags"]) for disk in again["disks"]] == [("A", ["cache", "fast"]), ("C", [])]
    assert (again["devices"], again["numa"], again["gpus"], again["tpm"], again["numa_nodes"]) == ([], [], 0, None, None)


def test_weights_of_the_settings_are_applied_when_the_service_starts(world: World) -> None:
    world.ready_node("m1", cpus=4, memory=8 * GIB, parts={"pci": [A100]})
    before = world.get("/nodes/m1")["cost"]
    heavier = world.settings.model_copy(update={"cost_weights": {"gpu": 164.0}})
    open_services(heavier).database.close()
    assert abs(world.get("/nodes/m1")["cost"] - before - 100) < MILLIONTH
    open_services(world.settings).database.close()
    assert abs(world.get("/nodes/m1")["cost"] - before) < MILLIONTH
