"""64 clients over HTTPS, and ``kill -9`` of the service in their midst: whatever was answered is true afterwards."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from inventory_service.models import Node
from inventory_service.node_records import add_node
from tests.service.databases import Databases
from tests.service.served import Served
from tests.service.storm import SUBNET, Storm, check
from tests.service.world import World

log = logging.getLogger(__name__)
NODES = 40
"""Fewer than there are clients: some are told that nothing is left."""


def _prepare(settings: Any) -> tuple[str, str]:
    """Nodes without disks, so that their release has nothing to erase; the answer is a user's and a worker's token."""
    world = World(settings)
    world.ask("PUT", "/fabrics/f1", {})
    world.ask("PUT", "/vlans/lan", {"fabric": "f1", "vid": 0})
    world.ask("PUT", "/subnets/lan4", SUBNET)
    with world.services.database.write() as session:
        for number in range(NODES):
            interface = {"mac": world.mac(number), "vlan": "lan"}
            values = {"name": f"n{number}", "interfaces": [interface], "arch": "amd64"}
            node: Node = add_node(session, settings, world.services.vault, values, "test")
            session.flush()
            session.execute(Node.__table__.update().where(Node.id == node.id).values(state="ready"))
    world.close()
    return world.user, world.worker


@pytest.mark.parametrize("rounds", [pytest.param(5), pytest.param(100, marks=pytest.mark.long)])
def test_storm_of_clients_and_kills(
    make_settings: Callable[..., Any], databases: Databases, tmp_path: Path, rounds: int
) -> None:
    databases.make_durable()
    settings = make_settings()
    user, worker = _prepare(settings)
    served = Served(settings, log=tmp_path / "service.log")
    engine = create_engine(settings.database)
    storm = Storm(served, user, worker, seed=rounds)
    served.start()
    try:
        seconds = []
        for number in range(rounds):
            seconds.append(storm.round())
            check(engine, storm.told)
            log.info("round %s: %.1f s, %s", number + 1, seconds[-1], dict(storm.told.statuses))
    finally:
        served.stop()
        engine.dispose()
    print(
        f"\n{rounds} kills: {statistics.mean(seconds):.1f} s a round, {len(storm.told.allocations)} allocations,"
        f" answers {dict(sorted(storm.told.statuses.items()))}, {storm.told.replayed} of them again by their key"
    )
    said = (tmp_path / "service.log").read_text()
    assert "Traceback" not in said, said[said.index("Traceback") - 2000 :][:6000]
    assert storm.told.statuses[409] and not storm.told.statuses[500]
    assert storm.told.replayed, "no answer was lost that a key brought back"
