"""What expressions may speak of, on nodes that were commissioned."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from inventory_service.expressions import CHANGING, NAMES, check_expression, documents
from inventory_service.models import Node
from inventory_service.problems import Invalid
from tests.service.world import GIB, World


def test_a_document_has_every_name(still_world: World) -> None:
    still_world.inventoried_node("m1", cpus=4, memory=8 * GIB, tags=["by-hand"], zone="z1")
    still_world.add_node("m2")
    with still_world.services.database.read() as session:
        ids = session.scalars(select(Node.id).order_by(Node.name)).all()
        found = documents(session, ids, NAMES)
        first, second = [found[one] for one in ids]
    assert set(first) == set(second) == set(NAMES)
    assert (first["cpus"], first["zone"], first["pool"], first["tags"]) == (4, "z1", "default", ["by-hand"])
    assert first["facts"]["memory"]["bytes"] == 8 * GIB
    assert (second["facts"], second["tags"]) == (None, [])
    answers = still_world.services.sandbox.evaluate("facts.memory.bytes > 4", [first, second], 30.0)
    assert [one.matches for one in answers] == [True, False]


def test_names_that_no_node_has_are_refused() -> None:
    check_expression("expression", "cpus > 4 and facts.anything.at.all")
    for expression, without in (("cpu > 4", ()), ("state == 'ready'", CHANGING)):
        with pytest.raises(Invalid) as refused:
            check_expression("expression", expression, without)
        assert "facts" in refused.value.extensions["allowed"]
