"""Made-up nodes: as many as asked for, varied, free to be acquired, and beside those that are there."""

from __future__ import annotations

from inventory_service.seed import POOLS, seed
from tests.service.world import World


def test_seeded_nodes_are_ready_varied_and_can_be_acquired(still_world: World) -> None:
    still_world.add_node("mine")
    for _again in range(2):
        with still_world.services.database.write() as session:
            seed(session, still_world.settings.default_rack, 60)
    nodes = still_world.get("/nodes?state=ready&limit=1000")["items"]
    assert len(nodes) == 120
    assert {node["pool"] for node in nodes} == set(POOLS)
    assert len({node["cpus"] for node in nodes}) > 5
    assert {node["arch"] for node in nodes} == {"amd64", "arm64"}
    assert all(node["disks"] and len(node["interfaces"]) == 2 for node in nodes)
    got = still_world.acquire("big", constraints={"cpus": 64, "zone": "row-3"}, deploy=False, image=None)
    picked = still_world.get(f"/nodes/{got['node']}")
    fitting = [node for node in nodes if node["cpus"] >= 64 and node["zone"] == "row-3"]
    assert picked["cpus"] == min(node["cpus"] for node in fitting)
    assert still_world.add_node("another")["name"] == "another"
