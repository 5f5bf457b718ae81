"""How a filter is written: ``state=ready mem>=64G tag:gpu -zone=a,b name~web``. It knows no words, see the tables."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inventory_service.problems import Invalid

MOST = 50
RULE = "terms with spaces between them: word=value, word:value, >=, <=, >, <, ~ (contains), != or a - before the word (not)"
_PART = re.compile(r'(?:[^\s"]|"[^"]*")+')
_TERM = re.compile(r"(-?)([a-z_]+)(!=|>=|<=|[=:<>~])(.*)", re.DOTALL)
_NEGATED = "!="


@dataclass(frozen=True)
class Term:
    """One condition, as it was typed.

    :param operator: ``=`` (also for ``:``), ``>=``, ``<=``, ``>``, ``<`` or ``~``
    :param field: what errors call it
    """

    word: str
    operator: str
    text: str
    negated: bool = False
    field: str = "filter"


def parse_terms(text: str, bare: str) -> list[Term]:
    """The terms of a filter.

    :param bare: the word that a value without a word is looked for in
    :raises Invalid: it cannot be read
    """
    if text.count('"') % 2:
        raise Invalid("filter", text, "a quotation mark is not closed", RULE)
    parts = [part.replace('"', "") for part in _PART.findall(text)]
    if len(parts) > MOST:
        raise Invalid("filter", text[:200], f"{len(parts)} terms are too many", f"at most {MOST}")
    return [_term(part, bare) for part in parts]


def _term(part: str, bare: str) -> Term:
    match = _TERM.fullmatch(part)
    if match is None:
        negated = part.startswith("-")
        return Term(bare, "~", part[negated:], negated, f"filter.{bare}")
    minus, word, operator, value = match.groups()
    negated = bool(minus) != (operator == _NEGATED)
    return Term(word, "=" if operator in (":", _NEGATED) else operator, value, negated, f"filter.{word}")
