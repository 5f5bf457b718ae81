"""``devices``: PCI and USB devices by maker, product, class, driver; GPUs by model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, true
from sqlalchemy.orm import Session

from inventory_service.constraints.condition import Constraint, Least
from inventory_service.constraints.entries import Entry, parse_entries
from inventory_service.constraints.matching import Demand, can_be_met
from inventory_service.constraints.words import one_of, text_of
from inventory_service.models import Device

_device = Device.__table__.c
EXAMPLE = "2 x gpu model=A100, vendor=15b3 product=1017, class=nvme driver=vfio-pci"
_ID = re.compile(r"[0-9a-f]{4}", re.ASCII)
_CLASS = re.compile(r"[0-9a-f]{2}([0-9a-f]{2})?", re.ASCII)
_YES_NO = {"true": True, "yes": True, "false": False, "no": False}
_BUSES = {"pci": "pci", "usb": "usb"}


def _holds(column: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    return func.lower(column).contains(words, autoescape=True)


def _vendor(field: str, value: Any) -> ColumnElement[bool]:
    words = text_of(field, value).lower()
    return or_(_device.vendor_id == words, _holds(_device.vendor, words)) if _ID.fullmatch(words) else _holds(_device.vendor, words)


def _product(field: str, value: Any) -> ColumnElement[bool]:
    words = text_of(field, value).lower()
    by_name = _holds(_device.product, words)
    return or_(_device.product_id == words, by_name) if _ID.fullmatch(words) else by_name


def _model(field: str, value: Any) -> ColumnElement[bool]:
    return _holds(_device.product, text_of(field, value).lower())


def _class(field: str, value: Any) -> ColumnElement[bool]:
    words = text_of(field, value).lower()
    by_name = _holds(_device.class_name, words)
    return or_(_device.pci_class.startswith(words), by_name) if _CLASS.fullmatch(words) else by_name


def _driver(field: str, value: Any) -> ColumnElement[bool]:
    return func.lower(_device.driver) == text_of(field, value).lower()


def _gpu(field: str, value: Any) -> ColumnElement[bool]:
    [wanted, *unused] = one_of(field, str(value) if isinstance(value, bool) else value, _YES_NO)
    return _device.gpu.is_(wanted)


def _bus(field: str, value: Any) -> ColumnElement[bool]:
    return _device.bus.in_(one_of(field, value, _BUSES))


_KEYS: Mapping[str, Callable[[str, Any], ColumnElement[bool]]] = {
    "vendor": _vendor,
    "product": _product,
    "model": _model,
    "class": _class,
    "driver": _driver,
    "gpu": _gpu,
    "bus": _bus,
}
"""Vendor and product by id (four hex digits) or by a part of the name, class by its first digits or a part of the name."""


def _bare(word: str) -> tuple[str, Any] | None:
    return ("gpu", True) if word.lower() in ("gpu", "gpus") else None


def _condition(entry: Entry) -> ColumnElement[bool]:
    return and_(true(), *(_KEYS[key](f"{entry.field}.{key}", value) for key, value in entry.values.items()))


def _are_gpus(entry: Entry) -> bool:
    return str(entry.values.get("gpu")).lower() in ("true", "yes")


def devices(_session: Session, field: str, name: str, value: Any) -> list[Constraint]:
    """The node has different devices for all entries."""
    entries = parse_entries(field, value, _KEYS, _bare, EXAMPLE)
    met = can_be_met(_device.node_id, [Demand(one.count, _condition(one)) for one in entries])
    least = Least(gpus=sum(one.count for one in entries if _are_gpus(one)))
    return [Constraint(name, ", ".join(str(one) for one in entries), met, least)]
