"""``where``: an expression over a node's columns and facts, evaluated outside of transactions.

The columns narrow the candidates first. They are evaluated in the order in which they would be picked, a batch at a time,
until enough match; the pick then takes one of those, if it is still what was evaluated (``node.version``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import Session

from inventory_service import expressions, sandbox
from inventory_service.auth import Caller
from inventory_service.constraints import EXPRESSION
from inventory_service.explain import ByExpression
from inventory_service.models import Node
from inventory_service.pick import Request, best, understand
from inventory_service.problems import Invalid
from inventory_service.services import Services
from inventory_service.wanted import Wanted

FIELD = f"constraints.{EXPRESSION}"
_BATCH = 100
_SPARE = 8
"""How many more than needed have to match before it is tried to take them: others may be quicker."""

_IN_TRANSACTION = 1.0
"""Seconds for an expression inside a transaction, where others wait for it."""


class NoneLeft(Exception):
    """Of the nodes that a pick was narrowed to none was left: what its transaction did is undone."""


def expression_of(wanted: Wanted) -> str | None:
    """The expression of a request."""
    return str(wanted.constraints.get(EXPRESSION) or "") or None


class Search:
    """The search for nodes that an expression is true of.

    :param needed: how many nodes are wanted
    :param whole: whether to evaluate all candidates first, because the choice depends on all of them
    """

    def __init__(self, services: Services, caller: Caller, wanted: Wanted, needed: int = 1, whole: bool = False) -> None:
        self._services = services
        self._caller = caller
        self._wanted = wanted
        self._enough = None if whole else needed + _SPARE
        self._left = services.settings.expression_seconds
        self._rejected = 0
        self._error: str | None = None

    def narrowings(self) -> Iterator[Sequence[ColumnElement[bool]]]:
        """What a pick has to meet besides, again and again with more nodes until no candidate is left; once nothing at
        all when there is no expression. There is at least one: whoever asks may hold what was asked for already.

        :raises Invalid: the expression takes too long
        """
        expression = expression_of(self._wanted)
        if expression is None:
            yield ()
            return
        with self._services.database.read() as session:
            request = understand(session, self._caller, self._wanted)
            candidates = list(session.scalars(best(request, limit=None)))
        matching: list[tuple[int, int]] = []
        tried = 0
        for start in range(0, len(candidates), _BATCH):
            matching += self._evaluate(expression, candidates[start : start + _BATCH])
            if self._enough is not None and len(matching) - tried >= self._enough:
                yield _these(matching)
                tried = len(matching)
        if len(matching) > tried or not tried:
            yield _these(matching)

    def excluded(self) -> ByExpression | None:
        """What the expression excluded, for the explanation of a no."""
        expression = expression_of(self._wanted)
        return ByExpression(expression, self._rejected, self._error) if expression else None

    def _evaluate(self, expression: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Id and version of the nodes that match."""
        with self._services.database.read() as session:
            versions: dict[int, int] = dict(session.execute(select(Node.id, Node.version).where(Node.id.in_(ids))).all())
            known = expressions.documents(session, ids, sandbox.names(expression))
        ids = [one for one in ids if one in known]
        began = time.monotonic()
        with self._services.running.away():
            answers = self._services.sandbox.evaluate(expression, [known[one] for one in ids], self._left, FIELD)
        self._left -= time.monotonic() - began
        if self._left <= 0:
            seconds = self._services.settings.expression_seconds
            raise Invalid(FIELD, expression, f"to evaluate it for all nodes that fit otherwise takes longer than {seconds:g} s")
        matching = []
        for node_id, answer in zip(ids, answers, strict=True):
            if answer.matches:
                matching.append((node_id, versions[node_id]))
            else:
                self._rejected += 1
                self._error = self._error or answer.error
        return matching


def _these(matching: Sequence[tuple[int, int]]) -> tuple[ColumnElement[bool]]:
    return (tuple_(Node.id, Node.version).in_(matching),)


def narrowed(
    session: Session, services: Services, wanted: Wanted, request: Request, *more: ColumnElement[bool]
) -> Sequence[ColumnElement[bool]]:
    """What a pick has to meet besides, for whoever gives away what a transaction is just setting free.

    Only in this transaction are the nodes what they will be, so the expression is evaluated in it: for few nodes, and for
    no more than a second.
    """
    expression = expression_of(wanted)
    if expression is None:
        return ()
    ids = list(session.scalars(best(request, *more, limit=_BATCH)))
    known = expressions.documents(session, ids, sandbox.names(expression))
    answers = services.sandbox.evaluate(expression, [known[one] for one in ids], _IN_TRANSACTION, FIELD)
    return (Node.id.in_([one for one, answer in zip(ids, answers, strict=True) if answer.matches]),)
