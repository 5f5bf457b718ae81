"""What a user asks of a node: the one place where the words of constraints are parsed and turned into SQL."""

from inventory_service.constraints.condition import Constraint, Least, Quantity
from inventory_service.constraints.grammar import EXPRESSION, NAMES, parse, parse_preferences
from inventory_service.constraints.words import ARCHITECTURES, listed, parse_arch, parse_tags

__all__ = [
    "ARCHITECTURES",
    "EXPRESSION",
    "NAMES",
    "Constraint",
    "Least",
    "Quantity",
    "listed",
    "parse",
    "parse_arch",
    "parse_preferences",
    "parse_tags",
]
