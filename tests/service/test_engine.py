"""Bad days: silent workers, slow steps, cancelled operations. No operation stays, and none is lost."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select, update

from inventory_service import clock
from inventory_service.models import Boot, Operation
from inventory_service.operations.watch import judge
from tests.service.world import KEY, Work, World, facts, until


def _deploying(world: World, node: str = "m1", **claim: Any) -> Work:
    world.image()
    world.ready_node(node)
    world.acquire("web")
    return Work(world, node, **claim)


def _ended(work: Work, seconds: float = 20) -> dict[str, Any]:
    until(lambda: work.show()["ended_at"], seconds)
    return work.show()


def test_operation_of_a_silent_worker_is_queued_again_then_fails(make_world) -> None:
    world = make_world(lease_seconds=1)
    work = _deploying(world)
    work.report("steps", step="boot")
    armed = work.report("arm")
    until(lambda: work.show()["state"] == "queued")
    shown = work.show()
    assert (shown["attempt"], shown["step"], {step["state"] for step in shown["steps"]}) == (2, None, {"pending"})
    assert work.report("heartbeat", expect=409)["type"] == "stale-epoch"
    assert work.report("result", outcome="succeeded", expect=409)["type"] == "stale-epoch"
    work.check_in(armed, expect=403)

    second = Work(world, "m1")
    assert (second.id, second.claim["attempt"]) == (work.id, 2)
    assert second.epoch > work.epoch
    ended = _ended(second)
    assert ended["state"] == "failed"
    assert "fell silent" in ended["reason"]
    assert world.get("/nodes/m1")["state"] == "failed_deploying"
    assert world.get("/allocations/web", token=world.user)["state"] == "failed"


def test_second_attempt_of_another_worker_succeeds(make_world) -> None:
    world = make_world(lease_seconds=1)
    work = _deploying(world)
    until(lambda: work.show()["state"] == "queued")
    assert Work(world, "m1").deploy()["state"] == "succeeded"


def test_heartbeats_keep_an_operation(make_world) -> None:
    world = make_world(lease_seconds=1)
    work = _deploying(world)
    for unused in range(5):
        time.sleep(0.4)
        assert work.report("heartbeat") == {"cancel": False}
    assert work.show()["attempt"] == 1


def test_step_over_its_limit_fails_with_the_step_and_the_limit(make_world) -> None:
    world = make_world(step_limits={"deploy.boot": 1})
    work = _deploying(world)
    assert work.report("steps", step="boot") == {"limit_seconds": 1}
    ended = _ended(work)
    assert ended["reason"] == "step boot exceeded its limit of 1 s"
    assert {step["name"]: step["state"] for step in ended["steps"]}["boot"] == "failed"
    assert work.report("heartbeat", expect=409)["type"] == "operation-ended"
    assert world.post("/allocations/web/deploy", token=world.user, expect=202)["state"] == "queued"


def test_claim_without_a_step_fails(make_world) -> None:
    world = make_world(first_step_seconds=1)
    assert "no step began" in _ended(_deploying(world))["reason"]


def test_operation_that_no_worker_takes_fails(make_world) -> None:
    world = make_world(queue_seconds=1)
    world.add_node("m1")
    operation = world.post("/nodes/m1/operations", {"kind": "commission"})
    until(lambda: world.get(f"/operations/{operation['id']}")["state"] == "failed")
    assert "no worker" in world.get(f"/operations/{operation['id']}")["reason"]
    assert world.get("/nodes/m1")["state"] == "failed_commissioning"


def test_playbook_by_hand_needs_no_heartbeat_and_is_not_started_again(make_world) -> None:
    world = make_world(lease_seconds=1, by_hand_grace_seconds=1, step_limits={"deploy.power_on": 2})
    work = _deploying(world, heartbeat=False, token=world.admin)
    work.report("steps", step="power_on")
    time.sleep(1.5)
    assert work.show()["state"] == "running"
    assert "power_on exceeded" in _ended(work)["reason"]


def test_workers_leave_what_a_playbook_by_hand_asked_for(world: World) -> None:
    world.add_node("m1")
    operation = world.post("/nodes/m1/operations", {"kind": "commission", "by_hand": True})
    claims = f"/racks/{world.settings.default_rack}/claims"
    world.ask("POST", claims, {"ssh_public_key": KEY, "wait": 0}, token=world.worker, expect=204)
    work = Work(world, "m1", heartbeat=False, token=world.admin)
    assert work.id == operation["id"]


def test_only_an_administrator_asks_for_an_operation_by_hand(world: World) -> None:
    world.add_node("m1")
    world.ask("POST", "/nodes/m1/operations", {"kind": "release", "by_hand": True}, token=world.token("eve", "user"), expect=403)


def test_cancel_of_a_queued_operation_is_immediate(world: World) -> None:
    world.add_node("m1")
    operation = world.post("/nodes/m1/operations", {"kind": "commission"})
    cancelled = world.post(f"/operations/{operation['id']}/cancel", expect=202)
    assert cancelled["state"] == "cancelled"
    assert world.get("/nodes/m1")["state"] == "failed_commissioning"
    world.post("/nodes/m1/operations", {"kind": "commission"}, expect=202)


def test_cancel_is_told_by_the_heartbeat(world: World) -> None:
    work = _deploying(world)
    assert world.post(f"/operations/{work.id}/cancel", token=world.user)["cancel_requested"]
    assert work.report("heartbeat") == {"cancel": True}
    assert work.result("failed", "stopped")["state"] == "cancelled"
    assert world.get("/allocations/web", token=world.user)["state"] == "failed"


def test_cancel_ends_even_when_the_worker_does_not(make_world) -> None:
    world = make_world(cancel_grace_seconds=1)
    work = _deploying(world)
    world.post(f"/operations/{work.id}/cancel", token=world.user)
    ended = _ended(work)
    assert ended["state"] == "cancelled"
    assert "did not end it within 1 s" in ended["reason"]


def test_engine_started_late_takes_up_what_is_queued_and_what_is_reported(make_world) -> None:
    world = make_world(engine=False)
    world.add_node("m1")
    world.post("/nodes/m1/operations", {"kind": "commission"})
    work = Work(world, "m1")
    work.report("facts", "PUT", facts=facts())
    with world.services.database.write() as session:
        session.execute(update(Operation).values(outcome="succeeded"))
    world.start_engine()
    assert _ended(work)["state"] == "succeeded"


def test_engine_restarts_in_the_middle_and_gives_workers_time_to_come_back(make_world) -> None:
    world = make_world(lease_seconds=20)
    work = _deploying(world)
    work.report("steps", step="boot")
    world.close()
    world.open()
    with world.services.database.write() as session:
        long_ago = clock.now().replace(year=2020)
        session.execute(
            update(Operation).where(Operation.id == work.id).values(lease_until=long_ago, step_until=long_ago)
        )
    world.start_engine()
    assert work.report("heartbeat") == {"cancel": False}
    assert work.show()["attempt"] == 1
    assert work.deploy()["state"] == "succeeded"


def test_broken_workflow_is_taken_up_again(world: World) -> None:
    from dbos import DBOS

    work = _deploying(world)
    DBOS.cancel_workflow(work.id)
    work.report("steps", step="first_boot")
    work.phone_home()
    work.report("result", outcome="succeeded")
    assert _ended(work)["state"] == "succeeded"


def test_reports_come_twice(world: World) -> None:
    work = _deploying(world)
    work.report("steps", step="boot", message="powering")
    work.report("steps", step="boot", message="powering")
    work.phone_home()
    first = work.result()
    assert work.result()["ended_at"] == first["ended_at"]
    assert work.report("result", outcome="failed", expect=409)["type"] == "operation-ended"


def test_steps_go_forward_only(world: World) -> None:
    work = _deploying(world)
    work.report("steps", step="write_image")
    states = {step["name"]: step["state"] for step in work.show()["steps"]}
    assert (states["power_on"], states["write_image"]) == ("skipped", "running")
    assert work.report("steps", step="boot", expect=422)["allowed"][0] == "write_image"
    assert work.report("steps", step="paint", expect=422)["field"] == "step"


def test_long_poll_answers_on_change(world: World) -> None:
    work = _deploying(world)
    revision = work.show()["revision"]
    began = time.monotonic()
    assert world.get(f"/operations/{work.id}?wait=0.3&after={revision}")["revision"] == revision
    assert 0.25 < time.monotonic() - began < 5
    work.report("log", lines=["one", "two"])
    assert world.get(f"/operations/{work.id}?wait=30&after={revision}")["revision"] > revision
    lines = world.get(f"/operations/{work.id}/log")["items"]
    assert [line["message"] for line in lines][-2:] == ["one", "two"]
    assert world.get(f"/operations/{work.id}/log?after={lines[-2]['seq']}")["items"] == lines[-1:]


def test_ended_operation_closes_its_boots(world: World) -> None:
    work = _deploying(world)
    armed = work.report("arm")
    work.result("failed", "no")
    work.check_in(armed, expect=403)
    with world.services.database.read() as session:
        boots = session.scalars(select(Boot).where(Boot.operation_id == work.id)).all()
        assert [(boot.state, boot.token) for boot in boots] == [("closed", None)]
        assert judge(session, world.settings, work.id).kind == "ended"
