"""Boots: who gets which script, and what proof opens the door."""

from __future__ import annotations

import pytest

from tests.service.world import HOST_KEY, KEY, OTHER_HOST_KEY, Work, World


def _work(world: World, **node) -> Work:
    world.add_node("m1", **node)
    world.post("/nodes/m1/operations", {"kind": "commission"})
    return Work(world, "m1")


def _script(world: World, query: str, **more) -> str:
    answer = world.call("GET", f"/boot/ipxe?{query}", token=None, **more)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain")
    assert answer.text.startswith("#!ipxe\n")
    return answer.text


def test_nonce_opens_the_door_once(world: World) -> None:
    work = _work(world)
    armed = work.report("arm")
    assert len(bytes.fromhex(armed["nonce"])) == 12
    assert world.call("GET", f"/operations/{work.id}/checkin?epoch={work.epoch}", token=work.token).status_code == 204
    assert work.check_in(armed) == {"authorized_keys": [KEY]}
    assert work.check_in(armed) == {"authorized_keys": [KEY]}
    shown = world.get(f"/operations/{work.id}/checkin?epoch={work.epoch}&wait=5", token=work.token)
    assert shown == {"boot": armed["boot"], "address": "192.0.2.100", "host_key": HOST_KEY}
    work.check_in(armed, host_key=OTHER_HOST_KEY, expect=403)
    assert len(world.events("security.token-reuse")) == 1


@pytest.mark.parametrize("proof", [{"nonce": "00" * 12}, {"nonce": None}, {"nonce": None, "token": "guess"}])
def test_wrong_or_no_proof_is_refused_and_noted_once(world: World, proof: dict[str, str | None]) -> None:
    work = _work(world)
    armed = work.report("arm")
    for unused in range(3):
        refused = work.check_in(armed, expect=403, **proof)
        assert "authorized_keys" not in refused
        assert armed["nonce"] not in str(refused)
    [event] = world.events("security.checkin-refused")
    assert event["node"] == "m1"
    assert work.check_in(armed)


def test_another_machine_with_the_nonce_is_refused(world: World) -> None:
    work = _work(world, uuid="11111111-2222-3333-4444-555555555555")
    armed = work.report("arm")
    work.check_in(armed, uuid="99999999-2222-3333-4444-555555555555", expect=403)
    work.check_in(armed, macs=["52:54:00:99:99:99"], expect=403)
    work.check_in(armed, uuid="11111111-2222-3333-4444-555555555555")


def test_older_boot_dies_when_the_next_is_armed(world: World) -> None:
    work = _work(world)
    first = work.report("arm")
    second = work.report("arm")
    work.check_in(first, expect=403)
    work.check_in(second)


def test_script_of_an_armed_boot_then_of_the_local_disk(world: World) -> None:
    work = _work(world)
    query = f"mac={work.mac.replace(':', '-')}&platform=efi&buildarch=x86_64"
    armed = work.report("arm")
    script = _script(world, query)
    assert f"metalpool.mode=operation metalpool.boot={armed['boot']}" in script
    assert "kernel /ephemeral/current/vmlinuz initrd=initrd " in script
    assert "initrd --name initrd /ephemeral/current/initrd" in script
    assert armed["nonce"] not in script
    assert "metalpool.token" not in script
    work.check_in(armed)
    assert _script(world, query).split() == ["#!ipxe", "exit"]
    assert "sanboot --no-describe --drive 0x80" in _script(world, query.replace("efi", "pcbios"))


def test_script_of_the_unknown_and_of_the_waiting(world: World) -> None:
    assert "metalpool.mode=enlist" in _script(world, "mac=52:54:00:aa:bb:cc&platform=pcbios")
    node = world.add_node("m1")
    mac = node["interfaces"][0]["mac"]
    assert "metalpool.mode=enlist" in _script(world, f"mac={mac}")
    world.ready_node("m2")
    assert "sanboot" in _script(world, f"mac={world.get('/nodes/m2')['interfaces'][0]['mac']}")


def test_script_names_the_rack_as_the_machine_sees_it(world: World) -> None:
    headers = {"X-Forwarded-Host": "172.30.7.1", "X-Forwarded-Proto": "http", "X-Forwarded-For": "172.30.7.100"}
    assert "metalpool.url=http://172.30.7.1/boot " in _script(world, "mac=52:54:00:aa:bb:cc", headers=headers)
    headers["X-Forwarded-Host"] = "x metalpool.mode=evil\nshell"
    assert "evil" not in _script(world, "mac=52:54:00:aa:bb:cc", headers={**headers, "X-Forwarded-Host": "x evil"})


@pytest.mark.parametrize("query", ["", "mac=banana", "uuid=1%0Ashell"])
def test_script_for_nonsense_is_refused(world: World, query: str) -> None:
    assert world.ask("GET", f"/boot/ipxe?{query}", token=None, expect=422)["status"] == 422


def _token_of(script: str) -> str:
    return script.split("metalpool.token=")[1].split()[0]


def test_weak_policy_hands_out_a_token_that_works_once(world: World) -> None:
    work = _work(world, weak_boot_token=True, bmc=None)
    armed = work.report("arm")
    token = _token_of(_script(world, f"mac={work.mac}"))
    assert _token_of(_script(world, f"mac={work.mac}")) == token
    assert work.check_in(armed, nonce=None, token=token) == {"authorized_keys": [KEY]}
    work.check_in(armed, nonce=None, token=token, host_key=OTHER_HOST_KEY, expect=403)
    assert [event["detail"]["why"] for event in world.events("security.token-reuse")] == [
        "second use with another host key"
    ]
    work.result("failed", "end")
    work.check_in(armed, nonce=None, token=token, expect=403)


def test_weak_policy_of_a_pool(world: World) -> None:
    world.ask("PUT", "/pools/old", {"weak_boot_token": True})
    work = _work(world, pool="old")
    work.report("arm")
    assert _token_of(_script(world, f"mac={work.mac}"))


def test_phone_home_is_for_one_system(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    work = Work(world, "m1")
    path = work.phone_home()
    world.ask("POST", path, {"host_keys": [HOST_KEY], "address": "192.0.2.101"}, token=None, expect=204)
    world.ask("POST", path, {"host_keys": [OTHER_HOST_KEY], "address": "192.0.2.6"}, token=None, expect=403)
    assert world.events("security.token-reuse")
    shown = world.get(f"/operations/{work.id}/phone-home?epoch={work.epoch}&wait=5", token=work.token)
    assert shown == {"address": "192.0.2.101", "host_keys": [HOST_KEY]}
    world.ask("POST", "/boot/phone-home/unknown", {"host_keys": [HOST_KEY]}, token=None, expect=403)
    world.ask("POST", path, {"host_keys": []}, token=None, expect=422)


def test_phone_home_as_cloud_init_posts_it(world: World) -> None:
    world.image()
    world.ready_node("m1")
    world.acquire("web")
    work = Work(world, "m1")
    path = work.report("phone-home-token")["url_path"]
    form = {"pub_key_ed25519": f"{HOST_KEY} root@web", "hostname": "web", "instance_id": "i"}
    answer = world.call("POST", path, token=None, data=form, headers={"X-Forwarded-For": "192.0.2.77"})
    assert answer.status_code == 204
    shown = world.get(f"/operations/{work.id}/phone-home?epoch={work.epoch}", token=work.token)
    assert shown == {"address": "192.0.2.77", "host_keys": [HOST_KEY]}


def test_boot_endpoints_are_limited_by_source(make_world, clock_at) -> None:
    clock_at()
    world = make_world(engine=False, boot_requests_per_minute=5)
    query = "/boot/ipxe?mac=52:54:00:aa:bb:cc"
    far = {"X-Forwarded-For": "192.0.2.1"}
    codes = [world.call("GET", query, token=None, headers=far).status_code for unused in range(7)]
    assert codes == [200] * 5 + [429] * 2
    refused = world.call("GET", query, token=None, headers=far)
    assert refused.headers["Retry-After"]
    assert world.call("GET", query, token=None, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 200
    assert world.call("GET", query, token=None, source="203.0.113.9", headers=far).status_code == 200


def test_machine_without_a_uuid_is_not_the_node_without_one(world: World) -> None:
    world.ready_node("m1")
    assert world.get("/nodes/m1")["uuid"] is None
    assert "metalpool.mode=enlist" in _script(world, "mac=52:54:00:aa:bb:cc&uuid=00000000-0000-0000-0000-000000000000")


def test_machine_may_not_say_too_much_nor_name_a_host_as_its_address(world: World) -> None:
    work = _work(world)
    armed = work.report("arm")
    assert work.check_in(armed, address="evil.example", expect=422)["field"] == "address"
    world.ask("POST", "/boot/enlist", {"serial": "x" * 70_000}, token=None, expect=413)
