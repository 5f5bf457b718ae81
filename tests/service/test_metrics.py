"""What Prometheus is told, who may read it, and that the dashboard and the alerts ask for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from inventory_service import metrics
from inventory_service.db import after
from tests.service.world import Work, World

MONITORING = Path(__file__).parents[2] / "monitoring"
_SAMPLE = re.compile(r"^(metalpool_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_NAME = re.compile(r"\bmetalpool_\w+")


def read(world: World) -> dict[str, float]:
    """All samples, by name and labels as they are written."""
    text = world.call("GET", "/metrics").text
    return {f"{name}{{{labels}}}" if labels else name: float(value) for name, labels, value in _SAMPLE.findall(text)}


def _more(world: World, before: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in read(world).items() if value != before.get(name, 0)}


def test_nobody_but_administrators_and_prometheus_reads_metrics(still_world: World) -> None:
    world = still_world
    token = world.token("prometheus", "metrics")
    assert world.call("GET", "/metrics", token=token).content_type.startswith("text/plain; version=0.0.4")
    for other in (world.user, world.worker):
        assert world.call("GET", "/metrics", token=other).status_code == 403
    for path in ("/nodes", "/allocations", "/operations", "/events", "/pools", "/whoami", "/inventory-export", "/users"):
        assert world.call("GET", path, token=token).status_code == 403, path
    world.post("/allocations", {"image": "x"}, token=token, expect=403)


def test_what_is_so_is_read_and_what_happens_is_counted(world: World) -> None:
    before = read(world)
    world.image()
    world.ready_node("m1")
    world.ready_node("m2")
    world.acquire("web", deploy=False)
    waits = world.acquire("big", deploy=False, expect=409, constraints={"cpus": 999})
    assert waits["type"] == "nothing-fits"
    more = _more(world, before)
    assert more['metalpool_nodes{pool="default",state="ready"}'] == 1
    assert more['metalpool_nodes{pool="default",state="allocated"}'] == 1
    assert more['metalpool_allocations{state="allocated"}'] == 1
    assert more['metalpool_operation_seconds_count{kind="commission",result="succeeded"}'] == 2
    assert more['metalpool_operation_queue_seconds_count{kind="commission"}'] == 2
    assert more['metalpool_allocation_wait_seconds_count{how="at_once"}'] == 1
    assert more['metalpool_http_requests_total{method="POST",route="/api/v1/allocations",status="409"}'] == 1
    assert more['metalpool_http_request_seconds_count{method="POST",route="/api/v1/allocations"}'] == 2
    assert not any("m1" in name or "web" in name for name in more)


def test_failures_are_counted_by_step_and_those_of_bmcs_by_themselves(world: World) -> None:
    before = read(world)
    for name, step in (("m1", "power_on"), ("m2", "inventory")):
        world.add_node(name)
        world.post(f"/nodes/{name}/operations", {"kind": "commission"})
        work = Work(world, name)
        work.report("steps", step=step)
        work.result("failed", "it did not work")
    more = _more(world, before)
    assert more['metalpool_operation_failed_steps_total{kind="commission",step="power_on"}'] == 1
    assert more['metalpool_operation_failed_steps_total{kind="commission",step="inventory"}'] == 1
    bmc = {name: value for name, value in more.items() if name.startswith("metalpool_bmc_errors_total")}
    assert bmc == {'metalpool_bmc_errors_total{kind="commission",step="power_on"}': 1}


def test_who_waits_in_line_is_counted_when_served(world: World) -> None:
    before = read(world)
    world.ready_node("m1")
    world.acquire("web", deploy=False, image=None)
    world.acquire("next", deploy=False, image=None, wait=True, token=world.other, expect=202)
    assert _more(world, before)['metalpool_allocations{state="waiting"}'] == 1
    work = world.ask("DELETE", "/allocations/web", token=world.user)
    assert work["kind"] == "release"
    Work(world, "m1").release()
    more = _more(world, before)
    assert more['metalpool_allocation_wait_seconds_count{how="in_line"}'] == 1
    assert 'metalpool_allocations{state="waiting"}' not in more


def _fail(world: World, done: list[str]) -> None:
    with world.services.database.write() as session:
        after(session, lambda: done.append("never"))
        raise ZeroDivisionError


def test_what_is_rolled_back_is_not_counted(still_world: World) -> None:
    done: list[str] = []
    with pytest.raises(ZeroDivisionError):
        _fail(still_world, done)
    with still_world.services.database.write() as session:
        after(session, lambda: done.append("once"))
    assert done == ["once"]


def _known(world: World) -> set[str]:
    """Every name that can be asked for."""
    figures = set(_NAME.findall(world.call("GET", "/metrics").text))
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return figures | {one.name + end for one in metrics.counted() for end in ends[one.type]}


def test_the_dashboard_and_the_alerts_ask_for_what_there_is(still_world: World) -> None:
    known = _known(still_world)
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    asked: list[str] = [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    asked += [variable["query"] for variable in dashboard["templating"]["list"]]
    alerts: Any = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    asked += [rule["expr"] for rule in rules]
    names = {name for one in asked for name in _NAME.findall(one)}
    assert names <= known, names - known
    described = {one.removesuffix("_total").removesuffix("_bucket").removesuffix("_count") for one in names}
    assert {one.name for one in metrics.counted()} <= described, "what is measured is shown"
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in Debian's package prometheus")
def test_promtool_accepts_rules_queries_and_metrics(still_world: World) -> None:
    def promtool(*words: str, said: str = "") -> None:
        ended = subprocess.run(["promtool", *words], input=said, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    promtool("check", "rules", str(MONITORING / "alerts.yml"))
    still_world.get("/nodes")
    promtool("check", "metrics", said=still_world.call("GET", "/metrics").text)


def test_metrics_of_all_processes_are_added_up(still_world: World, tmp_path: Path) -> None:
    """Each counts in a file of its own; the connections of one that was killed are in use no more."""
    program = (
        "import os, sys, pathlib\n"
        "from inventory_service.shared_metrics import share\n"
        "share(pathlib.Path(sys.argv[1]))\n"
        "from inventory_service import metrics\n"
        "def work():\n"
        "    metrics.REQUESTS.labels('GET', '/x', 200).inc()\n"
        "    metrics.CONNECTIONS.inc(3)\n"
        "if os.fork() == 0:\n"
        "    work(); os.kill(os.getpid(), 9)\n"
        "os.wait(); work()\n"
        "print(metrics.exposition([]).decode())\n"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path / "m")], capture_output=True, text=True, check=True).stdout
    assert 'metalpool_http_requests_total{method="GET",route="/x",status="200"} 2.0' in said
    assert "metalpool_database_connections 3.0" in said
