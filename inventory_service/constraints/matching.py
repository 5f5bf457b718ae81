"""Several entries must be met by different parts: exact, by Hall's theorem, in one subquery.

Demands can be met together if and only if, for every subset of the entries, at least as many parts match any entry of
the subset as the subset asks for (P. Hall, 1935, with each entry counted as often as it asks for).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ColumnElement, and_, func, or_, select, type_coerce

from inventory_service.models import NODE, NODES


class Demand(NamedTuple):
    """So many parts that meet a condition over their own table."""

    parts: int
    condition: ColumnElement[bool]


def can_be_met(owner: ColumnElement[Any], demands: Sequence[Demand]) -> ColumnElement[bool]:
    """Whether a node's parts meet all demands, no part serving two.

    :param owner: the column of the parts' table that names their node
    """
    tests = [
        func.count().filter(or_(*(one.condition for one in some))) >= sum(one.parts for one in some)
        for size in range(1, len(demands) + 1)
        for some in combinations(demands, size)
    ]
    counted = select(and_(*tests)).where(owner == NODE.id).correlate(NODES).scalar_subquery()
    return type_coerce(counted, Boolean)


def still_met(matches: Sequence[Sequence[bool]], counts: Sequence[int], without: int) -> bool:
    """Whether demands can be met by parts when one of the parts is not to be had.

    :param matches: for each part, which of the demands it meets
    :param counts: how many parts each demand asks for
    """
    return all(
        sum(any(part[one] for one in some) for index, part in enumerate(matches) if index != without)
        >= sum(counts[one] for one in some)
        for size in range(1, len(counts) + 1)
        for some in combinations(range(len(counts)), size)
    )
