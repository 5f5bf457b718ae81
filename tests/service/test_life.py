"""A machine's life through the API, with the worker's part played by the test."""

from __future__ import annotations

import pytest

from tests.service.world import GIB, HOST_KEY, KEY, Work, World


def test_whole_life(world: World) -> None:
    world.image()
    node = world.ready_node("m1", disks=[("D1", "nvme", 6)], tags=["fast"])
    assert (node["cpus"], node["memory_bytes"], node["root_disk"]) == (2, 2 * GIB, "D1")

    allocation = world.acquire("web", constraints={"mem": "2G"})
    assert allocation["state"] == "deploying"
    assert allocation["node"] == "m1"
    work = Work(world, "m1")
    assert work.claim["credentials"]["ssh_keys"] == [KEY]
    assert work.claim["credentials"]["user"] == "debian"
    assert work.claim["parameters"]["root_disk"] == "D1"
    assert work.claim["node"]["bmc"]["password"] == "factory"
    work.boot()
    assert work.deploy()["state"] == "succeeded"

    allocation = world.get("/allocations/web", token=world.user)
    assert allocation["state"] == "active"
    assert (allocation["address"], allocation["ssh_user"]) == ("192.0.2.101", "debian")
    assert allocation["host_keys"] == [HOST_KEY]
    [host] = world.get("/inventory", token=world.user)["hosts"]
    assert (host["name"], host["ansible_host"], host["tags"]) == ("web", "192.0.2.101", ["fast"])
    assert world.get("/nodes/m1")["owner"] == "alice"

    operation = world.ask("DELETE", "/allocations/web", token=world.user, expect=202)
    assert operation["kind"] == "release"
    assert world.ask("DELETE", "/allocations/web", token=world.user, expect=202)["id"] == operation["id"]
    assert Work(world, "m1").release()["state"] == "succeeded"
    assert world.get("/nodes/m1")["state"] == "ready"
    assert world.get("/allocations/web", token=world.user)["state"] == "released"
    world.ask("DELETE", "/allocations/web", token=world.user, expect=204)
    [erasure] = world.get("/nodes/m1/erasures")["items"]
    assert (erasure["serial"], erasure["verified"]) == ("D1", True)


def test_asking_again_by_name_changes_nothing(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.ready_node("m2")
    first = world.acquire("web")
    again = world.acquire("web", expect=200)
    assert again["node"] == first["node"]
    assert again["operation"] == first["operation"]
    assert world.ask("POST", "/allocations", {"name": "web", "image": "debian-12"}, token=world.other, expect=409)


def test_allocate_now_deploy_later_and_again(world: World) -> None:
    world.image()
    world.ready_node("m1")
    assert world.acquire("web", deploy=False)["state"] == "allocated"
    assert world.post("/allocations/web/deploy", token=world.user, expect=202)["kind"] == "deploy"
    assert Work(world, "m1").deploy()["state"] == "succeeded"
    world.post("/allocations/web/deploy", {"image": "debian-12"}, token=world.user, expect=202)
    assert Work(world, "m1").deploy()["state"] == "succeeded"
    assert world.get("/nodes/m1")["state"] == "deployed"


def test_failed_deploy_keeps_the_allocation_and_can_be_retried(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    assert Work(world, "m1").result("failed", "the checksum of the image is wrong")["state"] == "failed"
    allocation = world.get("/allocations/web", token=world.user)
    assert (allocation["state"], allocation["reason"]) == ("failed", "deploy: the checksum of the image is wrong")
    node = world.get("/nodes/m1")
    assert (node["state"], node["owner"]) == ("failed_deploying", "alice")
    world.post("/allocations/web/deploy", token=world.user, expect=202)
    assert Work(world, "m1").deploy()["state"] == "succeeded"
    assert world.get("/allocations/web", token=world.user)["state"] == "active"


def test_deploy_succeeds_only_when_the_system_phoned_home(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    ended = Work(world, "m1").result()
    assert ended["state"] == "failed"
    assert "phone home" in ended["reason"]


@pytest.mark.parametrize("erased", [[], ["D1"], ["D1", "D2 unverified"]])
def test_release_without_proof_for_every_disk_is_refused(world: World, erased: list[str]) -> None:
    world.image()
    world.ready_node("m1", disks=[("D1", "nvme", 6), ("D2", "hdd", 8)])
    world.acquire("web")
    Work(world, "m1").deploy()
    world.ask("DELETE", "/allocations/web", token=world.user, expect=202)
    work = Work(world, "m1")
    for disk in erased:
        work.erase(disk.split()[0], verified="unverified" not in disk)
    ended = work.result()
    assert ended["state"] == "failed"
    assert "D2" in ended["reason"]
    node = world.get("/nodes/m1")
    assert (node["state"], node["allocation"]) == ("failed_releasing", "web")
    world.ask("DELETE", "/allocations/web", token=world.user, expect=202)
    assert Work(world, "m1").release("D1", "D2")["state"] == "succeeded"
    assert world.get("/nodes/m1")["state"] == "ready"


def test_commission_succeeds_only_with_an_inventory(world: World) -> None:
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"}, expect=202)
    assert "inventory" in Work(world, "m1").result()["reason"]
    assert world.get("/nodes/m1")["state"] == "failed_commissioning"


def test_a_node_that_held_a_user_is_erased_before_anything_else(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    Work(world, "m1").deploy()
    world.ask("DELETE", "/allocations/web", token=world.user)
    Work(world, "m1").result("failed", "the disk does not answer")
    world.post("/nodes/m1/state", {"verb": "set_aside", "comment": "dead disk"})
    assert world.get("/allocations/web", token=world.user)["state"] == "released"
    refused = world.post("/nodes/m1/operations", {"kind": "commission"}, expect=409)
    assert "release it first" in refused["detail"]
    world.post("/nodes/m1/operations", {"kind": "release"}, expect=202)
    Work(world, "m1").release()
    assert world.get("/nodes/m1")["state"] == "ready"


def test_one_operation_at_a_time(world: World) -> None:
    world.image()
    world.ready_node("m1")
    allocation = world.acquire("web")
    for method, path in (("POST", "/allocations/web/deploy"), ("DELETE", "/allocations/web")):
        refused = world.ask(method, path, {} if method == "POST" else None, token=world.user, expect=409)
        assert refused["type"] == "operation-running"
        assert refused["operation"] == allocation["operation"]


def test_bmc_account_is_pending_until_it_is_proved(world: World) -> None:
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    account = {"address": "192.0.2.1", "port": 623, "username": "metalpool", "password": "made-in-band"}
    work.report("bmc", "PUT", state="pending", **account)
    work.result("failed", "cut")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    assert work.claim["node"]["bmc"]["password"] == "factory"
    assert work.claim["node"]["bmc_pending"]["password"] == "made-in-band"
    work.report("bmc", "PUT", state="proved", **account)
    work.commission()
    world.post("/nodes/m1/operations", {"kind": "commission"})
    claim = Work(world, "m1").claim
    assert (claim["node"]["bmc"]["password"], claim["node"]["bmc_pending"]) == ("made-in-band", None)
    assert claim["node"]["facts_summary"]["firmware"]["kind"] == "uefi"


def test_secrets_stand_in_no_answer(world: World) -> None:
    world.image()
    world.ready_node("m1")
    hashed = "$6$salt$" + "h" * 60
    world.acquire("web", credentials={"ssh_keys": [KEY], "password_hash": hashed, "user_data": "#cloud-config s3cr3t"})
    work = Work(world, "m1")
    work.report("bmc", "PUT", state="proved", address="192.0.2.1", port=623, username="u", password="made-in-band")
    work.deploy()
    pages = [f"/nodes/m1{part}" for part in ("", "/facts", "/events", "/erasures")]
    pages += [
        "/nodes",
        "/events",
        "/allocations",
        f"/operations/{work.id}",
        f"/operations/{work.id}/log",
        "/operations",
    ]
    pages += ["/inventory", "/pools", "/images"]
    for path in pages:
        text = world.call("GET", path).text
        for secret in ("factory", "made-in-band", hashed, "s3cr3t"):
            assert secret not in text, path
    stored = world.stored()
    for secret in (b"factory", b"made-in-band", hashed.encode(), b"s3cr3t"):
        assert secret not in stored


def test_two_disks_with_one_serial_are_told_apart_by_path(world: World) -> None:
    world.image()
    world.ready_node("m1", disks=[("D1", "nvme", 6), ("N", "nvme", 8), ("N", "nvme", 8)])
    world.acquire("web")
    Work(world, "m1").deploy()
    world.ask("DELETE", "/allocations/web", token=world.user)
    work = Work(world, "m1")
    work.erase("D1")
    proof = {"serial": "N", "method": "overwrite", "verified": True, "detail": "zeros"}
    work.report("erasures", items=[proof | {"path": "/dev/sd1"}])
    assert work.result()["state"] == "failed"
    world.ask("DELETE", "/allocations/web", token=world.user)
    work = Work(world, "m1")
    work.erase("D1")
    work.report("erasures", items=[proof | {"path": "/dev/sd1"}, proof | {"path": "/dev/sd2"}])
    assert work.result()["state"] == "succeeded"


def test_deploy_by_the_nodes_name_is_checked_like_any(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web", deploy=False)
    body = {"kind": "deploy", "parameters": {"credentials": {"ssh_keys": ["nonsense"]}}}
    assert world.post("/nodes/m1/operations", body, token=world.user, expect=422)["field"] == "credentials.ssh_keys.0"
    body = {"kind": "release", "parameters": {"skip": "erase"}}
    world.post("/nodes/m1/operations", body, token=world.user, expect=403)
    world.post("/nodes/m1/operations", {"kind": "deploy"}, token=world.user, expect=202)
    assert Work(world, "m1").claim["credentials"]["ssh_keys"] == [KEY]
