"""Keeps the tags that expressions define: for a node when it changed, for all nodes when a definition changed.

The work is done in batches: read, evaluate outside any transaction, write. What is to do stands in the database
(``tag.evaluated_at`` is null, ``node.rules_due_at`` is not), so that it is done after a crash too. A node that changed
while an expression was evaluated is not decided about on what was: it is due again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.events import record
from inventory_service.expressions import documents
from inventory_service.models import Node, NodeTag, Tag
from inventory_service.problems import Problem
from inventory_service.sandbox import Answer, names
from inventory_service.services import Services
from inventory_service.tags import RULES_DUE, count_change, rules_due

log = logging.getLogger(__name__)

BATCH = 200
LOOK_SECONDS = 5.0
_REASONS = 500


class _Seen(NamedTuple):
    """A node as it was when its document was read."""

    id: int
    name: str
    version: int


@dataclass(frozen=True)
class _Decided:
    """What one expression says of some nodes."""

    tag: str
    expression: str
    answers: Mapping[int, Answer]


def _seen(session: Session, *conditions: Any) -> list[_Seen]:
    query = select(Node.id, Node.name, Node.version).where(*conditions).order_by(Node.id).limit(BATCH)
    return [_Seen(*row) for row in session.execute(query)]


def _decide(services: Services, rules: Mapping[str, str], docs: Mapping[int, dict[str, Any]]) -> list[_Decided]:
    decided: list[_Decided] = []
    for tag, expression in rules.items():
        try:
            answers = services.sandbox.evaluate(expression, list(docs.values()), services.settings.tag_seconds)
        except Problem as problem:
            answers = [Answer(False, problem.detail)] * len(docs)
        decided.append(_Decided(tag, expression, dict(zip(docs, answers, strict=True))))
    return decided


def _apply(session: Session, nodes: Sequence[_Seen], decided: Sequence[_Decided]) -> set[int]:
    """Give and take tags; the answer is which nodes were decided about: those that are as they were read."""
    ids = [node.id for node in nodes]
    now = {row.id: row for row in session.scalars(select(Node).where(Node.id.in_(ids)).with_for_update())}
    as_read = [node for node in nodes if node.id in now and now[node.id].version == node.version]
    for node in nodes:
        if node.id in now and node not in as_read:
            rules_due(session, now[node.id])
    current = dict(
        session.execute(select(Tag.name, Tag.expression).where(Tag.name.in_([one.tag for one in decided]))).all()
    )
    rows = {
        (row.node_id, row.tag): row
        for row in session.scalars(select(NodeTag).where(NodeTag.node_id.in_(ids), NodeTag.tag.in_(current)))
    }
    changed: list[int] = []
    for node in as_read:
        added, removed = [], []
        for one in decided:
            answer, row = one.answers.get(node.id), rows.get((node.id, one.tag))
            if answer is None or current.get(one.tag) != one.expression:
                continue
            if answer.matches and row is None:
                session.add(NodeTag(node_id=node.id, tag=one.tag, by_rule=True))
                added.append(one.tag)
            elif answer.matches and row is not None:
                row.by_rule = True
            elif row is not None and answer.error is None:
                session.delete(row)
                removed.append(one.tag)
        if added or removed:
            changed.append(node.id)
            record(session, "node.tags-changed", "engine", node=node, added=added, removed=removed, why="expression")
    count_change(session, changed)
    return {node.id for node in as_read}


def evaluate_tag(services: Services, name: str) -> bool:
    """Decide about all nodes by one tag's expression; False when it was changed meanwhile and has to be begun again."""
    with services.database.read() as session:
        expression = session.scalar(select(Tag.expression).where(Tag.name == name))
    if expression is None:
        return True
    last, given, failed, reasons = 0, 0, 0, ""
    while True:
        if services.changes.closed:
            return False
        with services.database.read() as session:
            nodes = _seen(session, Node.id > last)
            docs = documents(session, [node.id for node in nodes], names(expression), by_rule=False)
        if not nodes:
            break
        decided = _decide(services, {name: expression}, docs)
        with services.database.write() as session:
            if session.scalar(select(Tag.expression).where(Tag.name == name)) != expression:
                return False
            _apply(session, nodes, decided)
        last = nodes[-1].id
        for node in nodes:
            answer = decided[0].answers.get(node.id, Answer(False))
            given += answer.matches
            failed += answer.error is not None
            reasons = reasons or (f"node {node.name}: {answer.error}" if answer.error else "")
        if all(answer.error for answer in decided[0].answers.values()):
            reasons += " (given up after the first batch without any answer)"
            break
    with services.database.write() as session:
        tag = session.scalar(select(Tag).where(Tag.name == name, Tag.expression == expression))
        if tag is None:
            return False
        tag.evaluated_at = clock.now()
        tag.error = f"{failed} nodes could not be decided about; {reasons}"[:_REASONS] if failed else None
        record(session, "tag.evaluated", "engine", tag=name, nodes=given, errors=failed, error=tag.error)
    return True


def evaluate_due_nodes(services: Services) -> int:
    """Decide about a batch of nodes that changed, by all expressions; the answer is how many were due."""
    with services.database.read() as session:
        nodes = _seen(session, Node.rules_due_at.is_not(None))
        rows = session.execute(select(Tag.name, Tag.expression)).all()
        rules = {name: expression for name, expression in rows if expression is not None}
        used = frozenset().union(*(names(expression) for expression in rules.values()))
        docs = documents(session, [node.id for node in nodes], used, by_rule=False) if rules else {}
    if not nodes:
        return 0
    decided = _decide(services, rules, docs)
    with services.database.write() as session:
        done = _apply(session, nodes, decided)
        table = Node.__table__
        session.execute(update(table).where(table.c.id.in_(done)).values(rules_due_at=None))  # type: ignore[arg-type]
    return len(nodes)


def work(services: Services) -> bool:
    """Do some of what is to do; False when nothing was."""
    with services.database.read() as session:
        pending = Tag.expression.is_not(None) & Tag.evaluated_at.is_(None)
        name = session.scalar(select(Tag.name).where(pending).order_by(Tag.id).limit(1))
    if name is not None:
        evaluate_tag(services, name)
        return True
    return evaluate_due_nodes(services) > 0


class Keeper:
    """The thread that keeps tags up to date, beside the engine."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tags", daemon=True)

    def start(self) -> None:
        """Take up what was left to do, and go on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch that is under way."""
        self._stop.set()
        self._services.changes.announce([RULES_DUE])
        if self._thread.is_alive():
            self._thread.join(timeout=LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                while not self._stop.is_set() and work(self._services):
                    pass
                self._services.changes.wait_until(RULES_DUE, self._look, LOOK_SECONDS)
            except Exception:
                log.exception("tags could not be kept up to date; it is tried again")
                self._stop.wait(LOOK_SECONDS)
            if self._services.changes.closed:
                return

    def _look(self) -> bool | None:
        if self._stop.is_set():
            return True
        with self._services.database.read() as session:
            pending = session.scalar(select(Tag.id).where(Tag.expression.is_not(None), Tag.evaluated_at.is_(None)).limit(1))
            due = session.scalar(select(Node.id).where(Node.rules_due_at.is_not(None)).limit(1))
        return True if pending is not None or due is not None else None
