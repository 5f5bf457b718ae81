"""Every no has a reason, says what only just misses, and whether waiting helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from inventory_service import clock, verdicts
from inventory_service.auth import Caller
from inventory_service.constraints import Constraint
from inventory_service.models import NODE, NODES, Allocation
from inventory_service.pick import HAS_ROOT, understand
from inventory_service.seed import seed
from inventory_service.wanted import Wanted
from tests.service.world import GIB, World


def _refused(world: World, **constraints: object) -> dict:
    refused: dict = world.plan(constraints=constraints, expect=409)
    assert refused["type"] == "nothing-fits"
    return refused


def test_alone_and_together(world: World) -> None:
    world.ready_node("m1", cpus=2, memory=60 * GIB, zone="a")
    world.ready_node("m2", cpus=8, memory=16 * GIB, zone="a", tags=["fast"])
    world.ready_node("m3", cpus=8, memory=64 * GIB, zone="b")
    world.ready_node("m4", cpus=4, memory=8 * GIB, zone="b")

    refused = _refused(world, mem="64G", cpus=8, zone="a")
    assert (refused["considered"], refused["possible"]) == (4, "never")
    assert refused["excluded"] == [
        {"constraint": "mem", "value": "64G", "nodes": 3, "only": 1},
        {"constraint": "cpus", "value": "8", "nodes": 2, "only": 0},
        {"constraint": "zone", "value": "a", "nodes": 2, "only": 1},
    ]
    assert [(one["node"], one["text"]) for one in refused["nearest"]] == [
        ("m2", "node m2 fits but for 48 GiB of memory"),
        ("m1", "node m1 fits but for 4 GiB of memory and 6 CPUs"),
        ("m3", "node m3 fits but for zone=a"),
        ("m4", "node m4 fits but for 56 GiB of memory and 4 CPUs and zone=a"),
    ]
    assert "node m2 fits but for 48 GiB of memory" in refused["detail"]

    refused = _refused(world, mem="..7G", not_tags="slow")
    assert refused["nearest"][0]["text"] == "node m4 fits but for 1 GiB of memory too much"
    assert refused["nearest"][0]["missing"] == [
        {"constraint": "mem", "value": "..7G", "has": 8 * GIB, "text": "1 GiB of memory too much"}
    ]

    assert _refused(world, mem="16G", cpus="8", tags="slow")["nearest"][0]["text"] == "node m2 fits but for tags=slow"


def test_what_others_hold_and_until_when(world: World) -> None:
    for name in ("m1", "m2", "m3"):
        world.ready_node(name, memory=32 * GIB)
    world.ready_node("m4", memory=4 * GIB)
    for name in ("m1", "m2", "m3"):
        world.acquire(name, constraints={"node": name}, deploy=False, image=None)
    refused = _refused(world, mem="32G")
    assert refused["possible"] == "later"
    assert refused["held"] == {"nodes": 3, "until": None, "text": "3 fit and are in use, without an end"}
    assert refused["excluded"][0] == {"constraint": "state", "value": "ready", "nodes": 3, "only": 3}
    assert refused["nearest"][0]["text"] == "node m4 fits but for 28 GiB of memory"

    end = clock.now().replace(microsecond=0) + timedelta(hours=2)
    with world.services.database.write() as session:
        session.execute(update(Allocation).where(Allocation.name != "m1").values(expires_at=end))
    text = f"{end:%Y-%m-%d %H:%M} UTC at the latest"
    assert _refused(world, mem="32G")["held"]["text"] == f"3 fit and are in use, 2 of them until {text}"
    with world.services.database.write() as session:
        session.execute(update(Allocation).values(expires_at=end))
    refused = _refused(world, mem="32G")
    assert refused["held"]["text"] == f"3 fit and are held until {text}"
    assert refused["held"]["until"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"
    assert refused["held"]["text"] in refused["detail"]

    world.ask("PATCH", "/nodes/m2", {"locked": True})
    assert _refused(world, mem="32G")["held"]["nodes"] == 2
    assert _refused(world, mem="33G")["possible"] == "never"


def test_one_of_a_crowd_is_judged_for_all_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.services.database.write() as session:
        seed(session, world.services.settings.default_rack, 400)
        for every, values in ((3, {"state": "deployed"}), (5, {"locked": True}), (7, {"state": "broken"}), (11, {"root_disk": None})):
            session.execute(update(NODES).where(NODE.id % every == 0).values(values))
        session.execute(update(NODES).where(NODE.id % 13 == 0).values(cost=NODE.cost + 1, memory_bytes=None))
    for shared, words in (
        (True, {"mem": "64G", "cpus": 1024, "zone": "row-1"}),
        (True, {"mem": "..64G", "gpus": 1, "not_zone": "row-1,row-2", "pool": "lab"}),
        (True, {"arch": "arm64", "firmware": "bios", "link_speed": "25G..40G"}),
        (False, {"cpus": 1024, "tag": "quiet"}),
        (False, {"cpus": 1024, "node": "s000001"}),
        (False, {"cpus": 1024, "disks": "12 x hdd"}),
    ):
        asks = Caller(1, "admin", "admin", token_id=0)
        with world.services.database.read() as session:
            request = understand(session, asks, Wanted(constraints=words, deploy=False))
            request = replace(request, constraints=[*request.constraints, Constraint("root_disk", "", HAS_ROOT)])
            assert not verdicts._are_crowds(session), "these few differ"
            alone = verdicts.judge(session, request)
            with monkeypatch.context() as patched:
                patched.setattr(verdicts, "_WORTH_IT", 1)
                found = verdicts.judge(session, request)
        assert all(verdicts._is_shared(one.condition) for one in request.constraints) is shared, words
        assert found.counts == alone.counts, words
        assert found.considered == 400
        assert [one._replace(id=0) for one in found.near] == [one._replace(id=0) for one in alone.near], words
        assert len({one.id for one in found.near}) == verdicts.NEAREST
