"""Tags by hand and by expression: kept up to date, by whoever changes what, and after a crash."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from inventory_service.models import NodeTag, Tag
from inventory_service.tag_rules import evaluate_due_nodes, evaluate_tag, work
from tests.service.world import GIB, World, until


def _tags(world: World, node: str) -> list[str]:
    tags: list[str] = world.get(f"/nodes/{node}")["tags"]
    return tags


def _do_all(world: World) -> None:
    while work(world.services):
        pass


def _define(world: World, name: str, expression: str | None, **more: Any) -> Any:
    return world.ask("PUT", f"/tags/{name}", {"expression": expression}, **more)


def test_nodes_get_and_lose_a_tag_with_its_definition(still_world: World) -> None:
    still_world.inventoried_node("big", cpus=32, memory=64 * GIB)
    still_world.inventoried_node("small", cpus=2)
    still_world.add_node("unknown")
    tag = _define(still_world, "large", "cpus >= 16 and facts.memory.bytes > 2 ** 30")
    assert (tag["evaluated_at"], tag["nodes"]) == (None, 0)
    _do_all(still_world)
    assert {node: _tags(still_world, node) for node in ("big", "small", "unknown")} == {
        "big": ["large"], "small": [], "unknown": [],
    }  # fmt: skip
    tag = still_world.get("/tags/large")
    assert tag["evaluated_at"] and tag["error"] is None and tag["nodes"] == 1
    (given,) = still_world.events("node.tags-changed")
    assert (given["node"], given["actor"], given["detail"]["added"]) == ("big", "engine", ["large"])
    _define(still_world, "large", "cpus < 16")
    _do_all(still_world)
    assert (_tags(still_world, "big"), _tags(still_world, "small")) == ([], ["large"])
    still_world.ask("DELETE", "/tags/large", expect=204)
    assert _tags(still_world, "small") == []
    still_world.get("/tags/large", expect=404)
    assert [one["kind"] for one in still_world.events() if one["kind"].startswith("tag.")] == [
        "tag.added", "tag.changed", "tag.evaluated", "tag.changed", "tag.evaluated", "tag.deleted",
    ]  # fmt: skip


def test_a_node_is_decided_about_when_its_facts_are_stored_or_it_is_changed(still_world: World) -> None:
    _define(still_world, "large", "cpus >= 16")
    _define(still_world, "upstairs", "zone == 'attic'")
    _define(still_world, "marked", "'by-hand' in tags")
    _do_all(still_world)
    work_of = still_world.inventoried_node("m1", cpus=32)
    _do_all(still_world)
    assert _tags(still_world, "m1") == ["large"]
    before = still_world.call("GET", "/nodes/m1").headers["ETag"]
    still_world.ask("PATCH", "/nodes/m1", {"zone": "attic", "tags": ["by-hand"]})
    _do_all(still_world)
    assert _tags(still_world, "m1") == ["by-hand", "large", "marked", "upstairs"]
    assert still_world.call("GET", "/nodes/m1").headers["ETag"] != before
    assert work_of.id


def test_a_name_belongs_to_people_or_to_its_expression(still_world: World) -> None:
    still_world.inventoried_node("m1", cpus=32, tags=["gpu", "old"])
    still_world.inventoried_node("m2", cpus=2, tags=["gpu"])
    assert [(one["name"], one["nodes"]) for one in still_world.get("/tags")["items"]] == [("gpu", 2), ("old", 1)]
    _define(still_world, "gpu", "cpus > 16")
    refused = still_world.ask("PATCH", "/nodes/m2", {"tags": ["gpu", "new"]}, expect=200)
    _do_all(still_world)
    assert (_tags(still_world, "m1"), _tags(still_world, "m2")) == (["gpu", "old"], ["new"])
    refused = still_world.ask("PATCH", "/nodes/m2", {"tags": ["gpu", "new"]}, expect=422)
    assert (refused["field"], refused["value"]) == ("tags", "gpu")
    still_world.ask("PATCH", "/nodes/m1", {"tags": []})
    assert _tags(still_world, "m1") == ["gpu"], "only what people gave is theirs to take"
    _define(still_world, "gpu", None)
    _do_all(still_world)
    assert _tags(still_world, "m1") == ["gpu"]
    still_world.ask("PATCH", "/nodes/m1", {"tags": []})
    assert _tags(still_world, "m1") == []


@pytest.mark.parametrize("expression", ["cpus >", "{{ cpus }}", "state == 'ready'", "cpu > 4", "x" * 4001])
def test_a_definition_that_means_nothing_is_refused(still_world: World, expression: str) -> None:
    assert _define(still_world, "bad", expression, expect=422)["field"] == "expression"
    assert still_world.get("/tags")["items"] == []


def test_what_cannot_be_decided_is_shown_and_nothing_is_taken(still_world: World) -> None:
    still_world.inventoried_node("m1", cpus=4, tags=["odd"])
    still_world.inventoried_node("m2", cpus=2)
    _define(still_world, "odd", "(cpus > 2 and vendor > 4) or cpus == 2")
    _do_all(still_world)
    tag = still_world.get("/tags/odd")
    assert tag["error"].startswith("1 nodes could not be decided about; node m1: TypeError")
    assert tag["evaluated_at"]
    assert (_tags(still_world, "m1"), _tags(still_world, "m2")) == (["odd"], ["odd"])


def test_an_endless_definition_is_given_up(make_world: Any) -> None:
    world = make_world(engine=False, tag_seconds=0.3)
    for number in range(3):
        world.add_node(f"m{number}", comment="a" * 40 + "b")
    _define(world, "endless", "comment is match('(a+)+$')")
    assert evaluate_tag(world.services, "endless")
    assert "longer than 0.3 s" in world.get("/tags/endless")["error"]


def test_a_node_that_changed_meanwhile_is_due_again(still_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    still_world.add_node("m1", zone="cellar")
    _do_all(still_world)
    _define(still_world, "upstairs", "zone == 'attic'")
    evaluate = still_world.services.sandbox.evaluate

    def meanwhile(*asked: Any) -> Any:
        answers = evaluate(*asked)
        still_world.ask("PATCH", "/nodes/m1", {"zone": "attic"})
        return answers

    monkeypatch.setattr(still_world.services.sandbox, "evaluate", meanwhile)
    assert evaluate_tag(still_world.services, "upstairs")
    assert _tags(still_world, "m1") == []
    monkeypatch.undo()
    assert evaluate_due_nodes(still_world.services) == 1
    assert _tags(still_world, "m1") == ["upstairs"]
    assert evaluate_due_nodes(still_world.services) == 0


def test_the_engine_takes_up_what_was_left(still_world: World) -> None:
    still_world.inventoried_node("m1", cpus=32)
    _define(still_world, "large", "cpus >= 16")
    still_world.start_engine()
    until(lambda: _tags(still_world, "m1") == ["large"])
    still_world.inventoried_node("m2", cpus=64)
    until(lambda: _tags(still_world, "m2") == ["large"])
    until(lambda: still_world.get("/tags/large")["evaluated_at"])
    with still_world.services.database.write() as session:
        session.execute(update(Tag).values(evaluated_at=None))
        session.execute(update(NodeTag).values(by_rule=False))
    until(lambda: still_world.get("/tags/large")["evaluated_at"])
    with still_world.services.database.read() as session:
        assert all(session.scalars(select(NodeTag.by_rule)))
