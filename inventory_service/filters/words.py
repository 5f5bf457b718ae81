"""The kinds of words that tables of filters are made of: what may stand between a word and its value, and what it means.

Values and units are read by the parsers of constraints, so that ``64G`` is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, true
from sqlalchemy.orm import Session

from inventory_service import clock
from inventory_service.constraints.columns import Number, Parser, within
from inventory_service.constraints.places import ids_of
from inventory_service.constraints.words import Range, Unit, listed, one_of, parse_range
from inventory_service.durations import DURATION_RULE, MOMENT_RULE, parse_duration, parse_moment
from inventory_service.filters.terms import Term
from inventory_service.problems import Invalid

Conditions = list[ColumnElement[bool]]
Column = ColumnElement[Any]
_IS, _COMPARES, _CONTAINS = ("=",), (">=", "<=", ">", "<"), ("~",)
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Word:
    """One word of a filter.

    :param operators: what may stand between it and its value
    :param conditions: all of which a row meets that the term means; negated, none of them
    """

    operators: tuple[str, ...]
    conditions: Callable[[Session, Term], Conditions]

    def where(self, session: Session, term: Term) -> Conditions:
        """The conditions of a term.

        :raises Invalid: what stands between word and value, or the value, means nothing
        """
        if term.operator not in self.operators:
            raise Invalid(term.field, f"{term.operator}{term.text}", f"{term.operator!r} cannot follow {term.word!r}", self.operators)
        found = self.conditions(session, term)
        # What is unknown is not so: IS NOT TRUE, where NOT would leave out the rows of which it is unknown.
        return [one.is_not(true()) for one in found] if term.negated else found


def number(column: Column, unit: Unit) -> Word:
    """A number: ``=`` is exactly, or any of several, or a range."""

    def amount(term: Term, typed: str) -> int:
        try:
            return unit.read(typed)
        except ValueError as error:
            raise Invalid(term.field, term.text, str(error), unit.allowed) from None

    def span(term: Term, typed: str) -> Range:
        exactly = None if ".." in typed else amount(term, typed)
        return parse_range(term.field, typed, unit) if exactly is None else Range(exactly, exactly)

    def conditions(_session: Session, term: Term) -> Conditions:
        if term.operator == "=":
            return [or_(*(within(column, *span(term, one)) for one in listed(term.field, term.text, "number")))]
        return [_compare(column, term.operator, amount(term, term.text))]

    return Word(_IS + _COMPARES, conditions)


def as_asked(parser: Number) -> Word:
    """The number that a constraint is about."""
    return number(parser.column, parser.unit)


def as_constraint(parser: Parser) -> Word:
    """What a constraint of that word means."""
    return Word(_IS, lambda session, term: [one.condition for one in parser(session, term.field, term.word, term.text)])


def text(column: Column) -> Word:
    """A text: any of several, or what contains one of several, in any case."""

    def conditions(_session: Session, term: Term) -> Conditions:
        words = listed(term.field, term.text, "word")
        if term.operator == "=":
            return [column.in_(words)]
        return [or_(*(func.lower(column).contains(one.lower(), autoescape=True) for one in words))]

    return Word(_IS + _CONTAINS, conditions)


def choice(column: Column, allowed: Iterable[str]) -> Word:
    """Any of several of what there can be."""
    known = {one: one for one in allowed}
    return Word(_IS, lambda _session, term: [column.in_(one_of(term.field, term.text, known))])


def flag(condition: ColumnElement[bool]) -> Word:
    """``yes`` or ``no``."""

    def conditions(_session: Session, term: Term) -> Conditions:
        wanted = one_of(term.field, term.text, _YES_NO)
        return [condition if wanted[0] else condition.is_not(true())]

    return Word(_IS, conditions)


def named(column: Column, table: type[Any], what: str) -> Word:
    """Any of several things by name."""
    return Word(_IS, lambda session, term: [column.in_(ids_of(session, table, what, term.field, term.text))])


def linked(column: Column, names: Column, ids: Select[Any]) -> Word:
    """What belongs to something else, which is found by a text.

    :param names: the column of that text
    :param ids: what ``column`` has to be one of, without the condition on the names
    """
    inner = text(names)
    return Word(inner.operators, lambda session, term: [column.in_(ids.where(*inner.conditions(session, term)))])


def moment(column: Column) -> Word:
    """Before or after a moment, or longer or less long ago than a duration: ``created_at>=7d`` is in the last seven days."""

    def conditions(_session: Session, term: Term) -> Conditions:
        return [_compare(column, term.operator, _moment(term))]

    return Word(_COMPARES, conditions)


def _moment(term: Term) -> datetime:
    try:
        return parse_moment(term.field, term.text)
    except Invalid:
        pass
    try:
        return clock.now() - parse_duration(term.field, term.text)
    except Invalid:
        allowed = f"{MOMENT_RULE}; or how long ago: {DURATION_RULE}"
        raise Invalid(term.field, term.text, f"{term.text!r} is no moment", allowed) from None


def _compare(column: Column, operator: str, value: Any) -> ColumnElement[bool]:
    comparisons: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
        ">=": column.__ge__, "<=": column.__le__, ">": column.__gt__, "<": column.__lt__
    }  # fmt: skip
    return comparisons[operator](value)
