"""Which node a user gets, and why none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.world import GIB, World


def _racks_of_three(world: World) -> None:
    world.image()
    world.ready_node("m1", cpus=1, memory=1 * GIB, firmware="bios", disks=[("A", "ssd", 6)], zone="a")
    world.ready_node("m2", cpus=2, memory=2 * GIB, disks=[("B", "nvme", 6)], zone="b", tags=["fast", "gpu"])
    world.ready_node("m3", cpus=2, memory=4 * GIB, disks=[("C", "ssd", 6), ("D", "hdd", 8)], zone="b", tags=["fast"])


@pytest.mark.parametrize(
    ("constraints", "node"),
    [
        ({}, "m1"),
        ({"mem": "2G"}, "m2"),
        ({"mem": "2048MiB"}, "m2"),
        ({"mem": "2049M"}, "m3"),
        ({"cpus": "2"}, "m2"),
        ({"cpus": 1}, "m1"),
        ({"arch": "x86_64"}, "m1"),
        ({"tag": "fast"}, "m2"),
        ({"tag": "fast, gpu"}, "m2"),
        ({"tag": ["fast", "gpu"]}, "m2"),
        ({"zone": "b", "mem": ""}, "m2"),
        ({"node": "m3"}, "m3"),
        ({"pool": "default", "mem": "4GiB"}, "m3"),
    ],
)
def test_best_fit(world: World, constraints, node: str) -> None:
    _racks_of_three(world)
    assert world.acquire(constraints=constraints)["node"] == node


@pytest.mark.parametrize(
    ("constraints", "field", "allowed"),
    [
        ({"mem": "banana"}, "constraints.mem", "32G"),
        ({"mem": "-1G"}, "constraints.mem", "32G"),
        ({"mem": "0G"}, "constraints.mem", "32G"),
        ({"mem": "4"}, "constraints.mem", "unit"),
        ({"mem": True}, "constraints.mem", None),
        ({"cpus": "many"}, "constraints.cpus", "whole number"),
        ({"cpus": "-1"}, "constraints.cpus", "whole number"),
        ({"arch": "z80"}, "constraints.arch", "amd64"),
        ({"tag": ","}, "constraints.tag", "tag"),
        ({"zone": "nowhere"}, "constraints.zone", "default"),
        ({"pool": "nowhere"}, "constraints.pool", "default"),
        ({"node": "nobody"}, "constraints.node", "name"),
        ({"colour": "blue"}, "constraints.colour", "cpus"),
    ],
)
def test_nonsense_allocates_nothing_and_says_what_is_allowed(world: World, constraints, field: str, allowed) -> None:
    world.image()
    world.ready_node("m1")
    refused = world.acquire(constraints=constraints, expect=422)
    [value] = constraints.values()
    assert (refused["field"], refused["value"]) == (field, value)
    if allowed:
        assert allowed in str(refused["allowed"])
    assert world.get("/nodes/m1")["state"] == "ready"
    assert world.get("/allocations")["items"] == []


def test_unknown_image_lists_the_known(world: World) -> None:
    world.image()
    world.ready_node("m1")
    for body in ({"image": "windows"}, {"image": None}):
        refused = world.acquire(expect=422, **body)
        assert (refused["field"], refused["allowed"]) == ("image", ["debian-12"])
    assert world.get("/nodes/m1")["state"] == "ready"


def test_no_fit_says_what_excluded_how_many(world: World) -> None:
    _racks_of_three(world)
    world.acquire("web", constraints={"node": "m3"})
    refused = world.acquire(constraints={"mem": "4G", "zone": "b", "tag": "gpu"}, expect=409)
    assert refused["type"] == "nothing-fits"
    assert refused["considered"] == 3
    assert refused["excluded"] == [
        {"constraint": "state", "value": "ready", "nodes": 1, "only": 0},
        {"constraint": "mem", "value": "4G", "nodes": 2, "only": 1},
        {"constraint": "zone", "value": "b", "nodes": 1, "only": 0},
        {"constraint": "tag", "value": "gpu", "nodes": 2, "only": 0},
    ]


def test_image_excludes_nodes_that_cannot_boot_it(world: World) -> None:
    _racks_of_three(world)
    world.image("uefi-only", boot=["uefi"])
    world.image("arm", arch="arm64")
    world.image("huge", disk_bytes=100 * GIB)
    assert world.acquire(image="uefi-only")["node"] == "m2"
    for image, nodes in (("arm", 3), ("huge", 3)):
        refused = world.acquire(image=image, expect=409)
        excluded = {one["constraint"]: one["nodes"] for one in refused["excluded"]}
        assert excluded["image"] == nodes


def test_locked_node_is_never_given(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.ask("PATCH", "/nodes/m1", {"locked": True})
    assert world.acquire(expect=409)["excluded"] == [{"constraint": "locked", "value": "false", "nodes": 1, "only": 1}]
    world.ask("PATCH", "/nodes/m1", {"locked": False})
    world.acquire()


def test_least_recently_used_of_equals(world: World) -> None:
    world.image()
    for name in ("m1", "m2"):
        world.ready_node(name)
    assert world.acquire("a", deploy=False)["node"] == "m1"
    assert world.acquire("b", deploy=False)["node"] == "m2"


@pytest.mark.parametrize(
    ("disks", "root"),
    [
        ([("A", "hdd", 8)], "A"),
        ([("A", "hdd", 8), ("B", "nvme", 6)], "B"),
        ([("A", "ssd", 8), ("B", "ssd", 6), ("C", "hdd", 1)], "B"),
        ([("A", "ssd", 6), ("B", "ssd", 6)], None),
        ([("A", "ssd", 6), ("B", "ssd", 6), ("C", "ssd", 8)], None),
        ([("A", "ssd", 6), ("B", "ssd", 6), ("C", "nvme", 99)], "C"),
        ([], None),
        ([("", "ssd", 6)], None),
    ],
)
def test_root_disk_is_never_guessed(world: World, disks, root) -> None:
    assert world.ready_node("m1", disks=disks)["root_disk"] == root


def test_ambiguous_root_disk_lists_the_candidates(world: World) -> None:
    world.image()
    world.ready_node("m1", disks=[("A", "ssd", 6), ("B", "ssd", 6)])
    refused = world.acquire("web", expect=409)
    assert refused["type"] == "ambiguous-root-disk"
    assert [disk["serial"] for disk in refused["candidates"]] == ["A", "B"]
    assert world.get("/nodes/m1")["state"] == "ready"
    assert world.acquire("web", root_disk="X", expect=409)["excluded"][0]["constraint"] == "root_disk"
    assert world.acquire("web", root_disk="B")["root_disk"] == "B"


def test_root_disk_set_by_hand_stays(world: World) -> None:
    world.ready_node("m1", disks=[("A", "ssd", 6), ("B", "ssd", 6)])
    assert world.ask("PATCH", "/nodes/m1", {"root_disk": "X"}, expect=422)["allowed"] == ["A", "B"]
    assert world.ask("PATCH", "/nodes/m1", {"root_disk": "B"})["root_disk"] == "B"


def test_nobody_could_log_in(world: World) -> None:
    world.image()
    world.ready_node("m1")
    refused = world.acquire(credentials={}, expect=422)
    assert refused["field"] == "credentials.ssh_keys"
    assert world.get("/nodes/m1")["state"] == "ready"


def test_node_is_never_given_twice(make_world) -> None:
    world = make_world(engine=False)
    world.image()
    count = 6
    with world.services.database.write() as session:
        from sqlalchemy import update

        from inventory_service.models import Node

        for unused in range(count):
            world_node = _new(world, session)
            session.execute(update(Node).where(Node.id == world_node).values(state="ready", root_disk="D"))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: world.call("POST", "/allocations", {"deploy": False}), range(30)))
    got = [answer.get_json()["node"] for answer in answers if answer.status_code == 201]
    assert sorted(got) == sorted(set(got))
    assert len(got) == count
    assert {answer.status_code for answer in answers} == {201, 409}


def _new(world: World, session) -> int:
    from inventory_service.node_records import add_node

    number = next(world._numbers)
    values = {"name": f"r{number}", "interfaces": [{"mac": world.mac(number)}], "arch": "amd64"}
    return add_node(session, world.settings, world.services.vault, values, "test").id
