"""Export and import: what goes out comes back, an import says what it changes, and a fault changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from inventory_service.cli import main
from tests.service.databases import Databases
from tests.service.world import World

MAC = "52:54:00:12:34:56"
MADE = 18
"""How many records ``full`` makes."""
ALL = MADE + 8
"""With the default zone and pool, the rack, and the users that are always there."""


@pytest.fixture
def full(still_world: World) -> World:
    """Something of every kind."""
    world = still_world
    world.ask("PUT", "/spaces/inside", {"description": "all that may talk"})
    world.ask("PUT", "/fabrics/f1", {})
    world.ask("PUT", "/vlans/lan", {"fabric": "f1", "vid": 0, "space": "inside"})
    world.ask("PUT", "/subnets/lan4", {
        "vlan": "lan", "cidr": "192.0.2.0/24", "gateway": "192.0.2.1", "dns_servers": ["9.9.9.9"], "assign": True,
        "ranges": [{"kind": "boot", "first": "192.0.2.100", "last": "192.0.2.199", "comment": "dnsmasq"}],
    })  # fmt: skip
    world.ask("PUT", "/zones/z", {"description": "row 7"})
    world.ask("PUT", "/pools/lab", {"erase_methods": ["overwrite"], "wait_in_ephemeral": True})
    world.ask("PUT", "/groups/team", {"members": ["alice", "bob"]})
    world.ask("PUT", "/grants", {"group": "team", "pool": "lab", "role": "operator"})
    world.ask("PUT", "/grants", {"user": "bob", "role": "viewer"})
    world.add_node("m1", zone="z", pool="lab", tags=["no", "gpu"], serial="0017", comment="yes: it is\n", annotations={"unit": "17"},
                   interfaces=[{"mac": MAC, "name": "eth0", "vlan": "lan", "tags": ["fast"]}])  # fmt: skip
    world.add_node("m2")
    world.ask("PUT", "/quotas/lab", {"nodes": 2})
    world.ask("PUT", "/quotas/lab/bob", {"nodes": 3, "memory_bytes": 1 << 40})
    world.ask("PUT", "/tags/big", {"expression": "cpus > 8"})
    world.ask("PUT", "/subnets/lan4/addresses/192.0.2.9", {"interface": MAC, "comment": "by contract"})
    world.ask("PUT", "/subnets/lan4/addresses/192.0.2.10", {"comment": "printer"})
    return world


def export(world: World) -> dict[str, Any]:
    answer = world.call("GET", "/inventory-export")
    assert (answer.status_code, answer.content_type) == (200, "application/yaml")
    document: dict[str, Any] = yaml.safe_load(answer.text)
    return document


def bring(world: World, document: Any, expect: int = 200, query: str = "dry_run=false") -> Any:
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    answer = world.call("POST", f"/inventory-import?{query}", data=text, content_type="application/yaml")
    assert answer.status_code == expect, answer.text
    return answer.get_json()


def told(answer: dict[str, Any]) -> list[tuple[str, str, str, list[str]]]:
    return [(one["kind"], one["key"], one["change"], one["fields"]) for one in answer["changes"]]


def test_the_export_says_everything_but_secrets(full: World) -> None:
    document = export(full)
    assert document["subnets"][0]["ranges"][0]["first"] == "192.0.2.100"
    node = document["nodes"][0]
    assert (node["tags"], node["serial"], node["comment"], node["annotations"]) == (["gpu", "no"], "0017", "yes: it is\n", {"unit": "17"})
    assert node["interfaces"] == [{"mac": MAC, "name": "eth0", "vlan": "lan", "tags": ["fast"]}]
    assert node["bmc"] == {"kind": "ipmi", "address": "192.0.2.1", "port": 623, "username": "admin"}
    assert document["reserved_addresses"][0] == {"subnet": "lan4", "ip": "192.0.2.9", "interface": MAC, "comment": "by contract"}
    assert "factory" not in yaml.safe_dump(document)
    as_json = full.call("GET", "/inventory-export", headers={"Accept": "application/json"})
    assert json.loads(as_json.text) == document


def test_importing_the_own_export_changes_nothing(full: World) -> None:
    events, nodes = full.events(), full.get("/nodes")
    for text in (full.call("GET", "/inventory-export").text, json.dumps(export(full))):
        for query in ("dry_run=true", "dry_run=false", "dry_run=false&prune=true"):
            answer = bring(full, text, query=query)
            assert (answer["changes"], answer["left_out"], answer["counts"]["unchanged"]) == ([], [], ALL)
    assert (full.events(), full.get("/nodes")) == (events, nodes)


def test_what_says_nothing_new_does_not_wait_for_who_writes(full: World, databases: Databases) -> None:
    document = export(full)
    if not full.services.database.is_sqlite:
        pytest.skip("a writer keeps nobody from writing something else")
    with databases.away(full.settings):
        assert bring(full, document)["changes"] == []


def test_an_empty_service_becomes_the_exported_one(full: World, make_world: Any) -> None:
    document = export(full)
    for node in document["nodes"]:
        node["bmc"]["password"] = "factory"
    other = make_world(engine=False)
    planned = bring(other, document, query="dry_run=true")
    assert other.get("/nodes")["items"] == [] and other.get("/subnets")["items"] == []
    done = bring(other, document)
    assert done == planned | {"dry_run": False}
    assert done["counts"] == {"added": MADE, "changed": 0, "removed": 0, "unchanged": ALL - MADE}
    assert export(other) == export(full)
    assert other.events("inventory.imported")[0]["detail"]["added"] == MADE
    assert other.events("node.added")[0]["actor"] == "root"
    other.post("/nodes/m1/operations", {"kind": "commission"})
    claim = other.post("/racks/local/claims", {"node": "m1", "ssh_public_key": None}, token=other.worker)
    assert claim["node"]["bmc"]["password"] == "factory"


def test_an_import_tells_what_it_would_change_then_changes_it(full: World) -> None:
    document = {
        "version": 1,
        "zones": [{"name": "z", "description": "row 8"}, {"name": "y"}],
        "subnets": [{"name": "lan4", "gateway": None}],
        "nodes": [{"name": "m1", "zone": "y", "annotations": {"shelf": "3"}, "interfaces": [{"mac": MAC, "tags": []}],
                   "bmc": {"password": "changed"}}, {"name": "m2", "comment": ""}],
    }  # fmt: skip
    expected = [
        ("subnets", "lan4", "changed", ["gateway"]),
        ("zones", "y", "added", []),
        ("zones", "z", "changed", ["description"]),
        ("nodes", "m1", "changed", ["annotations", "zone", "interfaces", "bmc.password"]),
    ]
    before = export(full)
    assert told(bring(full, document, query="")) == expected, "nothing is done unless it is said"
    assert export(full) == before
    assert told(bring(full, document)) == expected
    after = export(full)
    assert (after["nodes"][0]["zone"], after["nodes"][0]["annotations"]) == ("y", {"shelf": "3"})
    assert after["nodes"][0]["interfaces"][0]["vlan"] == "lan", "what is left out stays"
    assert bring(full, document)["changes"] == []
    assert [event["detail"]["name"] for event in full.events("zone.changed")] == ["z"]


def test_only_prune_removes_and_only_of_the_kinds_that_are_there(full: World) -> None:
    document = export(full)
    document["nodes"].pop(1)
    document["reserved_addresses"] = []
    del document["zones"]
    assert bring(full, document)["changes"] == []
    expected = [("nodes", "m2", "removed", []), ("reserved_addresses", "lan4 192.0.2.10", "removed", []),
                ("reserved_addresses", "lan4 192.0.2.9", "removed", [])]  # fmt: skip
    assert told(bring(full, document, query="prune=true")) == expected
    assert told(bring(full, document, query="prune=true&dry_run=false")) == expected
    assert export(full)["zones"] and full.events("node.deleted")[0]["node"] == "m2"
    document["vlans"] = []
    answer = bring(full, document, 409, query="prune=true&dry_run=false")
    assert answer["field"] == "vlans (lan is not in the document)" and answer["used_by"] == {"subnet": ["lan4"]}


@pytest.mark.parametrize(
    ("document", "field", "status"),
    [
        ("version: 1\nnodes: [", "document", 422),
        ("- a", "document", 422),
        ("version: 1\nzones: &a []\nfabrics: *a", "document", 422),
        ({"version": 2}, "version", 422),
        ({"version": 1, "machines": []}, "machines", 422),
        ({"version": 1, "nodes": {}}, "nodes", 422),
        ({"version": 1, "nodes": ["m1"]}, "nodes.0", 422),
        ({"version": 1, "nodes": [{"name": "new", "interfaces": [{"mac": "x"}]}]}, "nodes.0.interfaces.0.mac", 422),
        ({"version": 1, "nodes": [{"name": "new", "interfaces": [{"mac": MAC}]}]}, "nodes.0", 409),
        ({"version": 1, "nodes": [{"name": "m1"}, {"name": "m2", "interfaces": [{"mac": "52:54:00:00:00:02", "vlan": "x"}]}]},
         "nodes.1.interfaces.0.vlan", 422),
        ({"version": 1, "nodes": [{"name": "m1", "colour": "red"}]}, "nodes.0.colour", 422),
        ({"version": 1, "nodes": [{"name": "m1", "bmc": {"port": 0}}]}, "nodes.0.bmc.port", 422),
        ({"version": 1, "nodes": [{"name": "m1"}, {"name": "m1"}]}, "nodes.1", 422),
        ({"version": 1, "vlans": [{"name": "new", "fabric": "f1", "vid": 0}]}, "vlans.0", 409),
        ({"version": 1, "subnets": [{"name": "lan4", "ranges": [{"kind": "boot", "first": "1", "last": "2"}]}]},
         "subnets.0.ranges.0.first", 422),
        ({"version": 1, "grants": [{"user": "bob", "role": "king"}]}, "grants.0.role", 422),
        ({"version": 1, "grants": [{"user": "nobody", "role": "user"}]}, "grants.0.user", 422),
        ({"version": 1, "grants": [{"role": "user"}]}, "grants.0.user", 422),
        ({"version": 1, "groups": [{"name": "team", "members": ["nobody"]}]}, "groups.0.members", 422),
        ({"version": 1, "quotas": [{"pool": "lab", "user": "nobody"}]}, "quotas.0.user", 422),
        ({"version": 1, "reserved_addresses": [{"subnet": "lan4", "ip": "192.0.2.150"}]}, "reserved_addresses.0.ip", 422),
    ],
)  # fmt: skip
def test_a_fault_names_its_place_and_changes_nothing(full: World, document: Any, field: str, status: int) -> None:
    before = export(full), full.events()
    if isinstance(document, dict):
        document = document | {"zones": [{"name": "made-before-the-fault"}]}
    answer = bring(full, document, status)
    assert answer["field"] == field, answer
    assert (export(full), full.events()) == before


def test_unquoted_words_mean_what_people_mean(full: World) -> None:
    text = "version: 1\nnodes:\n- name: m3\n  interfaces:\n  - mac: 52:54:00:12:34:57\n  tags: [no, on]\n  comment: ~\n"
    answer = bring(full, text.replace("comment: ~", "comment: 10:30"))
    assert told(answer) == [("tags", "on", "added", []), ("nodes", "m3", "added", [])]
    node = full.get("/nodes/m3")
    assert (node["interfaces"][0]["mac"], node["tags"], node["comment"]) == ("52:54:00:12:34:57", ["no", "on"], "10:30")


def test_what_is_known_after_commissioning_only_is_left_out_and_said(full: World) -> None:
    document = {"version": 1, "nodes": [{"name": "m3", "interfaces": [{"mac": "52:54:00:12:34:57"}], "root_disk": "D1",
                                         "disks": [{"disk": "D1", "tags": ["boot"]}]}]}  # fmt: skip
    assert len(bring(full, document)["left_out"]) == 2
    assert full.get("/nodes/m3")["root_disk"] is None


def test_users_neither_export_nor_import(full: World) -> None:
    full.get("/inventory-export", token=full.user, expect=403)
    assert full.call("POST", "/inventory-import", data="version: 1", token=full.user).status_code == 403


def test_the_command_does_the_same(full: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALPOOL_STATE_DIR", str(full.settings.state_dir))
    monkeypatch.setenv("METALPOOL_DATABASE_URL", full.settings.database_url)
    file = tmp_path / "inventory.yml"

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["inventory", *words])
        assert result.exit_code == 0, result.output
        return result.output

    run("export", "--output", str(file))
    assert yaml.safe_load(file.read_text()) == export(full)
    file.write_text(file.read_text().replace("row 7", "row 9"))
    assert "changed: zones z (description)" in run("import", str(file))
    assert full.get("/zones/z")["description"] == "row 7"
    run("import", "--apply", str(file))
    assert full.get("/zones/z")["description"] == "row 9"
    file.write_text("version: 1\nvlans: [{name: x}]")
    result = CliRunner().invoke(main, ["inventory", "import", str(file)])
    assert (result.exit_code, "vlans.0.fabric" in result.output) == (1, True)
