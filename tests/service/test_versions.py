"""ETags and conditional requests: nobody overwrites what he has not read."""

from __future__ import annotations

import re
import threading

import pytest
from werkzeug.routing import Rule

from inventory_service.api.versions import is_versioned
from tests.service.world import Work, World

WITHOUT_VERSION = {
    "audit.export_events",
    "allocation_sets.show_allocation_set",
    "inventory.inventory",
    "keys.whoami",
    "login.list_methods",
    "node_details.show_facts",
    "operations.show_log",
    "operations.show_script_results",
    "transfer.export_inventory",
    "worker_boots.await_check_in",
    "worker_boots.await_phone_home",
}
"""What is read and is no resource that anybody changes by this name."""


def _rules(world: World) -> list[Rule]:
    return [rule for rule in world.app.url_map.iter_rules() if rule.rule.startswith("/api/")]


def test_every_single_resource_carries_its_version(still_world: World) -> None:
    for rule in _rules(still_world):
        if "GET" not in (rule.methods or ()) or rule.endpoint in WITHOUT_VERSION:
            continue
        answers = still_world.app.spec["paths"][re.sub("<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)]["get"]["responses"]
        schema = answers["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        is_list = "next" in still_world.app.spec["components"]["schemas"][schema]["properties"]
        assert is_versioned(still_world.app.view_functions[rule.endpoint]) != is_list, rule.endpoint
        assert ("304" in answers) != is_list, rule.endpoint


def test_every_change_of_a_versioned_resource_is_conditional(still_world: World) -> None:
    readable = {
        rule.rule
        for rule in _rules(still_world)
        if "GET" in (rule.methods or ()) and is_versioned(still_world.app.view_functions[rule.endpoint])
    }
    for rule in _rules(still_world):
        if (rule.methods or set()) & {"PUT", "PATCH", "DELETE"} and rule.rule in readable:
            assert is_versioned(still_world.app.view_functions[rule.endpoint]), rule.endpoint


@pytest.fixture
def tag(still_world: World) -> str:
    still_world.add_node("m1")
    tag: str = still_world.call("GET", "/nodes/m1").headers["ETag"]
    return tag


def test_what_did_not_change_is_not_sent_again(still_world: World, tag: str) -> None:
    assert still_world.call("GET", "/nodes/m1", headers={"If-None-Match": tag}).status_code == 304
    still_world.ask("PATCH", "/nodes/m1", {"comment": "changed"})
    assert still_world.call("GET", "/nodes/m1", headers={"If-None-Match": tag}).status_code == 200


def test_two_writers_cannot_overwrite_each_other(still_world: World, tag: str) -> None:
    first = still_world.call("PATCH", "/nodes/m1", {"comment": "first"}, headers={"If-Match": tag})
    assert first.status_code == 200
    for method, path, body in (
        ("PATCH", "/nodes/m1", {"comment": "second"}),
        ("POST", "/nodes/m1/state", {"verb": "retire", "comment": "x"}),
        ("DELETE", "/nodes/m1", None),
    ):
        refused = still_world.ask(method, path, body, headers={"If-Match": tag}, expect=412)
        assert (refused["type"], refused["field"], refused["value"]) == ("outdated", "If-Match", tag)
    node = still_world.get("/nodes/m1")
    assert (node["comment"], node["state"]) == ("first", "new")
    latest = first.headers["ETag"]
    assert still_world.call("GET", "/nodes/m1", headers={"If-None-Match": latest}).status_code == 304
    for condition in (f'"1.1-no", {latest}', "*"):
        still_world.ask("PATCH", "/nodes/m1", {"comment": condition}, headers={"If-Match": condition})
        latest = still_world.call("GET", "/nodes/m1").headers["ETag"]
    still_world.ask("PATCH", "/nodes/m1", {"comment": "weak"}, headers={"If-Match": f"W/{latest}"}, expect=412)
    still_world.ask("DELETE", "/nodes/m1", headers={"If-Match": latest}, expect=204)


def test_what_is_put_may_have_to_be_new_or_known(still_world: World) -> None:
    still_world.ask("PUT", "/pools/p1", {"description": "x"}, headers={"If-Match": "*"}, expect=412)
    assert [pool["name"] for pool in still_world.get("/pools")["items"]] == ["default"]
    still_world.ask("PUT", "/pools/p1", {"description": "x"}, headers={"If-None-Match": "*"})
    still_world.ask("PUT", "/pools/p1", {"description": "y"}, headers={"If-None-Match": "*"}, expect=412)
    tag = still_world.call("GET", "/pools/p1").headers["ETag"]
    answer = still_world.call("PUT", "/pools/p1", {"description": "y"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.headers["ETag"] != tag) == (200, True)
    still_world.ask("PUT", "/pools/p1", {"description": "z"}, headers={"If-Match": tag}, expect=412)
    assert still_world.get("/pools/p1")["description"] == "y"


def test_hardware_states_and_holders_change_the_version(world: World) -> None:
    world.image()
    world.add_node("m1")
    seen = [world.call("GET", "/nodes/m1").headers["ETag"]]
    world.post("/nodes/m1/operations", {"kind": "commission"})
    seen.append(world.call("GET", "/nodes/m1").headers["ETag"])
    Work(world, "m1").commission()
    seen.append(world.call("GET", "/nodes/m1").headers["ETag"])
    world.acquire("web")
    seen.append(world.call("GET", "/nodes/m1").headers["ETag"])
    assert len(set(seen)) == 4
    web = world.call("GET", "/allocations/web", token=world.user).headers["ETag"]
    Work(world, "m1").deploy()
    world.ask("DELETE", "/allocations/web", token=world.user, headers={"If-Match": web}, expect=412)
    assert world.get("/allocations/web")["state"] == "active"
    web = world.call("GET", "/allocations/web", token=world.user).headers["ETag"]
    world.ask("DELETE", "/allocations/web", token=world.user, headers={"If-Match": web}, expect=202)


def test_of_many_writers_at_once_one_wins(still_world: World, tag: str) -> None:
    statuses: list[int] = []

    def write(number: int) -> None:
        answer = still_world.call("PATCH", "/nodes/m1", {"comment": f"{number}"}, headers={"If-Match": tag})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7
