"""Export and import of the whole inventory.

An import is done in one transaction and told by what is different afterwards; a dry run takes it back. So a dry run cannot
say anything else than what would happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from inventory_service.events import record
from inventory_service.problems import Invalid, Problem
from inventory_service.services import Services
from inventory_service.transfer.kind import Entry, Key, Kind, Work
from inventory_service.transfer.kinds import KINDS

VERSION = 1
_EXACT = ("annotations",)
"""Fields that are what the entry says; of other mappings, what is left out stays."""
_Rows = dict[str, dict[Key, Entry]]


def export_document(session: Session) -> dict[str, Any]:
    """Everything that an import can set. No secrets."""
    return {"version": VERSION} | {kind.name: kind.read(session) for kind in KINDS}


def import_document(
    services: Services, document: Mapping[str, Any], actor: str, *, prune: bool, dry_run: bool
) -> dict[str, Any]:
    """Make the inventory what the document says; kinds and fields that it leaves out stay.

    What says nothing new keeps nobody from writing: it is only read.

    :param prune: of the kinds that are in the document, delete what it does not name
    :param dry_run: tell what would change, and change nothing
    :returns: changes (kind, key, change, fields), counts, left_out
    :raises Problem: with the place in the document; nothing is changed then
    """
    said = _parse(document)
    with services.database.read() as session:
        now = _read(session)
    if not _says_more(said, now, prune=prune):
        return _told(now, [], [], dry_run=dry_run)
    with services.database.write() as session:
        work = Work(session, services, actor)
        with session.begin_nested() as everything:
            before = _read(session)
            for kind in KINDS:
                _write(work, kind, said.get(kind.name, []), before[kind.name])
            for kind in reversed(KINDS):
                if prune and kind.name in said and kind.remove is not None:
                    _prune(work, kind, said[kind.name], before[kind.name])
            session.flush()
            session.expire_all()
            changes = _changes(before, _read(session), work.secrets)
            told = _told(before, changes, work.left_out, dry_run=dry_run)
            if dry_run:
                everything.rollback()
        if changes and not dry_run:
            record(session, "inventory.imported", actor, **told["counts"])
    return told


def _told(
    before: _Rows, changes: list[dict[str, Any]], left_out: Sequence[str], *, dry_run: bool
) -> dict[str, Any]:
    counts = dict.fromkeys(("added", "changed", "removed"), 0) | Counter(one["change"] for one in changes)
    counts["unchanged"] = sum(map(len, before.values())) - counts["changed"] - counts["removed"]
    return {"dry_run": dry_run, "changes": changes, "counts": counts, "left_out": left_out}


def _read(session: Session) -> _Rows:
    return {kind.name: {kind.key_of(one): one for one in kind.read(session)} for kind in KINDS}


def _parse(document: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """The entries by kind, each with what it says and nothing else.

    :raises Invalid: with the place of what is wrong
    """
    known = {kind.name: kind for kind in KINDS}
    if document.get("version") != VERSION:
        raise Invalid("version", document.get("version"), "this document is of no known version", str(VERSION))
    found: dict[str, list[Entry]] = {}
    for name, items in document.items():
        if name == "version" or items is None:
            continue
        if name not in known:
            raise Invalid(name, None, f"{name!r} is no part of an inventory", ("version", *known))
        if not isinstance(items, list):
            raise Invalid(name, None, "it has to be a list")
        found[name] = [_entry(known[name], index, one) for index, one in enumerate(items)]
        first: dict[Key, int] = {}
        for index, one in enumerate(found[name]):
            key = known[name].key_of(one)
            if first.setdefault(key, index) != index:
                raise Invalid(f"{name}.{index}", " ".join(key), f"it stands in {name}.{first[key]} already")
    return found


def _entry(kind: Kind, index: int, said: Any) -> Entry:
    try:
        return kind.entry.model_validate(said).model_dump(exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, (kind.name, index, *first["loc"])))
        value = first["input"] if isinstance(first["input"], (str, int, float, bool, type(None))) else None
        raise Invalid(place, value, first["msg"]) from None


def _says_more(said: Mapping[str, Sequence[Entry]], now: _Rows, *, prune: bool) -> bool:
    """Whether the inventory is not what the document says."""
    for kind in KINDS:
        entries = said.get(kind.name, [])
        rows = now[kind.name]
        if any((old := rows.get(kind.key_of(one))) is None or _new_in(kind, one, old) for one in entries):
            return True
        if prune and kind.name in said and kind.remove is not None and len(rows) > len(entries):
            return True
    return False


def _new_in(kind: Kind, entry: Entry, old: Entry | None) -> Entry:
    """The fields of an entry that say something else than what is."""
    return {
        name: value
        for name, value in entry.items()
        if name not in kind.key and (old is None or not _covers(old.get(name), value, name))
    }


def _write(work: Work, kind: Kind, said: Sequence[Entry], before: Mapping[Key, Entry]) -> None:
    for index, entry in enumerate(said):
        old = before.get(kind.key_of(entry))
        changed = _new_in(kind, entry, old)
        if changed or old is None:
            with _at(f"{kind.name}.{index}"):
                kind.write(work, entry, changed, old)
                work.session.flush()


def _prune(work: Work, kind: Kind, said: Sequence[Entry], before: Mapping[Key, Entry]) -> None:
    named = {kind.key_of(entry) for entry in said}
    for key, entry in before.items():
        if key not in named and kind.remove is not None:
            with _at(f"{kind.name} ({' '.join(key)} is not in the document)"):
                kind.remove(work, entry)
                work.session.flush()


def _covers(old: Any, new: Any, name: str) -> bool:
    """Whether what is says all that an entry says."""
    if isinstance(new, dict) and isinstance(old, dict) and name not in _EXACT:
        return all(key in old and _covers(old[key], value, key) for key, value in new.items())
    if isinstance(new, list) and isinstance(old, list):
        return len(old) == len(new) and all(_covers(one, other, name) for one, other in zip(old, new, strict=True))
    return bool(old == new)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Say where in the document a problem is."""
    try:
        yield
    except Problem as problem:
        field = problem.extensions.get("field")
        inside = f"{place}.{field}" if isinstance(problem, Invalid) and field else place
        problem.detail = f"{inside}: {problem.detail.removeprefix(f'{field}: ')}"
        problem.extensions["field"] = inside
        raise


def _changes(before: _Rows, after: _Rows, secrets: Sequence[tuple[str, Key, str]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind in KINDS:
        old, new = before[kind.name], after[kind.name]
        for key in sorted(old.keys() | new.keys()):
            was, now = old.get(key), new.get(key)
            fields = [name for name in now or {} if was is not None and now is not None and was.get(name) != now[name]]
            fields += [field for name, one, field in secrets if (name, one) == (kind.name, key)]
            change = "added" if was is None else "removed" if now is None else "changed" if fields else None
            if change:
                found.append({"kind": kind.name, "key": " ".join(key), "change": change, "fields": fields})
    return found
