"""The one filter language of lists: what it finds, in which order, part after part, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory_service import clock
from inventory_service.filters import ALLOCATIONS, EVENTS, NODES, OPERATIONS
from inventory_service.models import Node
from inventory_service.seed import seed
from tests.service.world import GIB, World

LISTS = {"nodes": NODES, "allocations": ALLOCATIONS, "operations": OPERATIONS, "events": EVENTS}


@pytest.fixture
def pool(still_world: World) -> World:
    world = still_world
    for name, zone, tags, cpus, mem in (
        ("web1", "a", ["gpu", "old"], 4, 64), ("web2", "b", ["gpu"], 8, 64), ("db1", "c", ["gpu"], 16, 128), ("db2", "a", [], 32, 32),
    ):  # fmt: skip
        world.inventoried_node(name, zone=zone, tags=tags, cpus=cpus, memory=mem * GIB)
    world.add_node("unknown", comment="no one knows, it is 100% new", annotations={"rack/unit": "17 b"})
    return world


def _names(world: World, query: str, **more: Any) -> list[str]:
    return [one["name"] for one in world.get(f"/nodes?{query}", **more)["items"]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mem>=64G tag:gpu zone=a,b", ["web1", "web2"]),
        ("mem>=64G tag:gpu zone=a,b -tag:old", ["web2"]),
        ("name~web", ["web1", "web2"]),
        ("WEB", ["web1", "web2"]),
        ("-web", ["db1", "db2", "unknown"]),
        ("mem=64GiB", ["web1", "web2"]),
        ("mem=65536M", ["web1", "web2"]),
        ("mem>64G", ["db1"]),
        ("mem=32G..64G", ["db2", "web1", "web2"]),
        ("mem=32G,128G", ["db1", "db2"]),
        ("mem!=64G", ["db1", "db2", "unknown"]),
        ("-mem>=64G", ["db2", "unknown"]),
        ("cpus<8", ["web1"]),
        ("gpus=0 zone!=a", ["db1", "unknown", "web2"]),
        ("tag=gpu,old", ["web1"]),
        ("-tag=gpu,old", ["db2", "unknown"]),
        ("state=new", ["unknown"]),
        ("state!=new -zone:a", ["db1", "web2"]),
        ('comment~"100% new"', ["unknown"]),
        ("comment~1__%", []),
        ('annotation:"rack/unit=17 b"', ["unknown"]),
        ("locked=no held=no arch=x86_64 web1", ["web1"]),
        ("-locked=no", []),
        ('disks="1 x ssd 5G.." db', ["db1", "db2"]),
        ("owner=alice", []),
        ("-owner=alice name=db1,db2", ["db1", "db2"]),
        ("created_at>=1h db1", ["db1"]),
        ("created_at<1h", []),
        ("created_at<2999-01-01T00:00:00Z db1", ["db1"]),
        ("", ["db1", "db2", "unknown", "web1", "web2"]),
    ],
)
def test_nodes_are_found(pool: World, text: str, names: list[str]) -> None:
    assert _names(pool, f"filter={quote(text)}") == names


@pytest.mark.parametrize(
    ("query", "field", "value", "allowed"),
    [
        ("filter=mem>=banana", "filter.mem", "banana", "32G"),
        ("filter=mem~64G", "filter.mem", "~64G", ">="),
        ("filter=colour=blue", "filter", "colour", "vendor"),
        ("filter=state=broken,bogus", "filter.state", "broken,bogus", "ready"),
        ("filter=zone=nowhere", "filter.zone", "nowhere", "default"),
        ("pool=nowhere", "pool", "nowhere", "default"),
        ("filter=locked=perhaps", "filter.locked", "perhaps", "yes"),
        ("filter=created_at>yesterday", "filter.created_at", "yesterday", "90m"),
        ("filter=annotation:x", "filter.annotation", "x", "key=value"),
        ("filter=name=", "filter.name", "", "word"),
        ('filter=comment~"a', "filter", 'comment~"a', "spaces"),
        ("filter=" + "a " * 60, "filter", None, "50"),
        ("sort=-colour", "sort", "colour", "mem"),
        ("fields=name,memory", "fields", "memory", "memory_bytes"),
        ("after=bm9uc2Vuc2U", "after", "bm9uc2Vuc2U", "next"),
        ("after=WyJuYW1lIiwiYVx1MDAwMCJd", "after", None, "next"),
        ("after=WyJuYW1lIiwiXHVkODAwIl0", "after", None, "next"),
        ("after=WyJuYW1lIiw3XQ", "after", None, "next"),
        ("filter=name~a\0", "filter", None, "printable"),
        ("tag=\0", "tag", None, "printable"),
    ],
)
def test_nonsense_is_refused_by_field_value_and_what_is_allowed(
    pool: World, query: str, field: str, value: str | None, allowed: str
) -> None:
    name, unused, text = query.partition("=")
    refused = pool.get(f"/nodes?{name}={quote(text)}", expect=422)
    assert refused["field"] == field
    assert value is None or refused["value"] == value
    assert allowed in str(refused["allowed"])


def test_a_cursor_is_of_one_order(pool: World) -> None:
    following = pool.get("/nodes?limit=1&sort=-mem,name")["next"]
    assert pool.get(f"/nodes?limit=1&after={following}", expect=422)["field"] == "after"


def test_members_of_items_can_be_chosen(pool: World) -> None:
    part = pool.get("/nodes?fields=memory_bytes,name,tags,created_at&sort=-mem,name&limit=2")
    assert [list(one) for one in part["items"]] == [["memory_bytes", "name", "tags", "created_at"]] * 2
    whole = pool.get("/nodes/db1")
    assert part["items"][0] == {name: whole[name] for name in part["items"][0]}
    assert part["next"] and "no member" in pool.get("/nodes?fields=numa", expect=422)["detail"]
    assert pool.get("/operations?fields=kind,node&filter=node~web&sort=created_at")["items"] == [
        {"kind": "commission", "node": "web1"}, {"kind": "commission", "node": "web2"}
    ]  # fmt: skip
    assert pool.get("/events?fields=kind&filter=kind=node.added&sort=-id&limit=1")["items"] == [{"kind": "node.added"}]


def test_what_one_may_not_see_is_not_found_by_any_filter(pool: World) -> None:
    with pool.services.database.write() as session:
        from inventory_service.models import Pool

        for one in session.query(Pool):
            one.default_role = "none"
    for text in ("", "mem>=1G", "-mem>=900G", "name~w", "-owner=alice", "zone=a", "held=no", "state!=ready"):
        assert _names(pool, f"filter={quote(text)}", token=pool.user) == []
        for other in ("operations", "events", "allocations"):
            assert pool.get(f"/{other}", token=pool.user)["items"] == []


def test_allocations_operations_and_events_are_filtered(still_world: World) -> None:
    world = still_world
    world.image()
    for name in ("m1", "m2"):
        world.ready_node(name, zone=name)
    world.acquire("web", deploy=False, constraints={"node": "m1"}, note="for alice")
    world.acquire("db", deploy=False, constraints={"node": "m2"}, token=world.other)

    def names(query: str, **more: Any) -> list[str]:
        return [one["name"] for one in world.get(f"/allocations?{query}", **more)["items"]]

    assert names("sort=name") == ["db", "web"]
    assert names("filter=user=alice") == names("filter=zone=m1") == names("filter=note~ALICE") == names("user=alice") == ["web"]
    assert names("filter=-user=alice") == names("node=m2") == ["db"]
    assert names("filter=user=bob", token=world.user) == []
    assert names("filter=mem>=1G cpus>=2 expired=no&sort=node") == ["web", "db"]
    world.ask("DELETE", "/allocations/db")
    assert names("filter=state=allocated,released,releasing&sort=-name") == ["web", "db"]
    kinds = [one["kind"] for one in world.get("/operations?filter=kind=release,commission&sort=created_at")["items"]]
    assert kinds[:2] == ["commission", "commission"]
    assert {one["node"] for one in world.get("/operations?filter=state=succeeded requested_by~root")["items"]} == {"m1", "m2"}
    newest = world.get("/events?sort=-id&limit=3&filter=kind~allocated")
    assert [one["allocation"] for one in newest["items"]] == ["db", "web"]
    assert world.get(f"/events?after={newest['items'][1]['id']}&filter=kind=node.allocated")["items"] == newest["items"][:1]
    assert world.get("/events?after=x", expect=422)["field"] == "after"


_TEXTS = st.sampled_from(["cpus", "-cpus", "mem", "-mem", "name", "-name", "zone", "-zone", "cpu_speed", "vendor", "-power", "state"])


@pytest.fixture
def seeded(still_world: World) -> World:
    with still_world.services.database.write() as session:
        seed(session, still_world.settings.default_rack, 25)
    for number in range(5):
        still_world.add_node(f"bare{number}")
    return still_world


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sort=st.lists(_TEXTS, min_size=1, max_size=3), limit=st.integers(1, 11))
def test_parts_of_any_order_are_the_whole_and_nothing_twice(seeded: World, sort: list[str], limit: int) -> None:
    query = f"fields=name,cpus,memory_bytes&sort={','.join(sort)}"
    whole = seeded.get(f"/nodes?limit=1000&{query}")["items"]
    assert len(whole) == 30
    parts: list[Any] = []
    after = ""
    while after is not None:
        part = seeded.get(f"/nodes?limit={limit}&{query}" + (f"&after={after}" if after else ""))
        parts += part["items"]
        after = part["next"]
    assert parts == whole
    if sort[0] in ("cpus", "-cpus"):
        known = [one["cpus"] for one in whole if one["cpus"] is not None]
        assert known == sorted(known, reverse=sort[0] == "-cpus") and len(known) == 25
        assert all(one["cpus"] is None for one in whole[25:])


def test_a_list_goes_on_where_it_was_whatever_comes_and_goes(seeded: World) -> None:
    def part(after: str = "") -> Any:
        return seeded.get(f"/nodes?limit=10&sort=-mem,name&fields=name{after}")

    first = part()
    last = first["items"][-1]["name"]
    with seeded.services.database.write() as session:
        from sqlalchemy import select

        node = session.scalars(select(Node).where(Node.name == last)).one()
        node.memory_bytes = None
    rest = [one["name"] for one in part(f"&after={first['next']}")["items"]]
    assert not {one["name"] for one in first["items"]} & set(rest)


def test_every_word_and_key_can_be_asked_for_on_this_database(still_world: World) -> None:
    samples = {"annotation": "a=b", "disks": "'1T nvme'", "interfaces": "10G", "devices": "gpu", "state": "new,active,queued"}
    still_world.add_node("m1", zone="z", interfaces=[{"mac": "52:54:00:aa:00:01", "vlan": None}])
    for path, listed in LISTS.items():
        for word, kind in listed.words.items():
            for operator in kind.operators:
                for sample in (samples.get(word, "1"), "1G", "7d", "yes", "default", "amd64", "commission", "ready", "uefi", "none", "on"):
                    answer = still_world.call("GET", f"/{path}?filter={quote(f'-{word}{operator}{sample}')}")
                    assert answer.status_code in (200, 422), answer.text
                    if answer.status_code == 200:
                        break
                else:
                    assert word in ("state", "fabric", "vlan", "subnet", "space", "rack", "disks"), f"{path}: {word}{operator}"
        for key in listed.keys:
            first = still_world.get(f"/{path}?sort=-{key}&limit=1")
            if first["next"]:
                still_world.get(f"/{path}?sort=-{key}&limit=1&after={first['next']}")


def test_moments_are_counted_from_now(still_world: World, clock_at: Callable[..., Any]) -> None:
    still_world.add_node("m1")
    clock_at(hours=2)
    assert _names(still_world, "filter=created_at>=1h") == []
    assert _names(still_world, "filter=created_at<1h") == ["m1"]
    moment = quote((clock.now() - timedelta(hours=3)).isoformat())
    assert _names(still_world, f"filter=created_at>={moment}") == ["m1"]


def test_the_user_guide_has_every_word_and_key() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "user-guide.md").read_text(encoding="utf-8")
    for name, listed in LISTS.items():
        [row] = [line for line in guide.partition("### Filter and sort")[2].splitlines() if line.startswith(f"| {name} |")]
        words, keys = row.split("|")[2:4]
        assert set(re.findall(r"`([a-z_]+)[`:]", words)) == set(listed.words), name
        assert set(re.findall(r"`-?([a-z_]+)`", keys)) == set(listed.keys), name
