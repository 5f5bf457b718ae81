"""What can be listed: the words that filter it and the keys that sort it, as one table for each kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from inventory_service.filters.sorting import Key, Order
from inventory_service.filters.terms import Term, parse_terms
from inventory_service.filters.words import Word
from inventory_service.problems import Invalid


@dataclass(frozen=True)
class Listed:
    """One kind of row.

    :param bare: the word that a value without a word is looked for in
    :param order: how the list is sorted when nothing is said
    :param last: what is sorted behind everything else
    :param shorthands: words that are parameters of the request as well, each the same as ``word=value`` in the filter
    """

    words: Mapping[str, Word]
    keys: Mapping[str, Key]
    bare: str
    order: str
    last: Key
    shorthands: tuple[str, ...]

    def terms(self, text: str | None, short: Mapping[str, str | None]) -> list[Term]:
        """What a request asks for.

        :raises Invalid: it cannot be read
        """
        for name, value in (("filter", text), *short.items()):
            if isinstance(value, str) and "\0" in value:
                raise Invalid(name, value, "it holds a character that no text has", "printable characters")
        said = [Term(word, "=", value, field=word) for word in self.shorthands if (value := short.get(word))]
        return said + parse_terms(text or "", self.bare)

    def where(self, session: Session, terms: Iterable[Term]) -> list[ColumnElement[bool]]:
        """The conditions of terms. Names that who asks (``rights.let_ask``) may not see mean nothing.

        :raises Invalid: an unknown word, or a value that means nothing
        """
        found: list[ColumnElement[bool]] = []
        for term in terms:
            if term.word not in self.words:
                raise Invalid("filter", term.word, f"{term.word!r} is no word to filter by", self.words)
            found += self.words[term.word].where(session, term)
        return found

    def sorted_by(self, text: str | None) -> Order:
        """The order that was asked for.

        :raises Invalid: there is no such order
        """
        return Order(self.keys, text or self.order, self.last)
