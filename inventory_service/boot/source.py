"""Who really asks, seen through the rack's nginx; and how often one source may ask."""

from __future__ import annotations

import re
from ipaddress import ip_address

from flask import current_app, request

from inventory_service.api.authentication import services
from inventory_service.problems import TooMany
from inventory_service.rates import Rates, SharedRates
from inventory_service.services import Services

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,39}\](:\d{1,5})?", re.ASCII)
_LIMITER = "metalpool limiter"


def source_address() -> str:
    """The address of the machine that asks: a trusted proxy's word, else the connection's."""
    peer = request.remote_addr or ""
    if peer in services().settings.trusted_proxies:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")[-1].strip() or request.headers.get(
            "X-Real-IP", ""
        )
        try:
            return str(ip_address(forwarded.strip()))
        except ValueError:
            return peer
    return peer


def boot_base_url() -> str:
    """The URL of the boot endpoints as the machine reaches them, through its rack."""
    settings = services().settings
    if settings.boot_url:
        return settings.boot_url.rstrip("/")
    host, scheme = request.host, request.scheme
    if (request.remote_addr or "") in settings.trusted_proxies:
        host = request.headers.get("X-Forwarded-Host", host)
        scheme = request.headers.get("X-Forwarded-Proto", scheme)
    if scheme not in ("http", "https"):
        scheme = "http"
    return f"{scheme}://{host}/boot" if _HOST.fullmatch(host) else "/boot"


def open_limiter(extensions: dict[str, object], services: Services) -> None:
    """Give an application its counters: on PostgreSQL those of all processes."""
    extensions[_LIMITER] = Rates() if services.settings.is_sqlite else SharedRates(services.database)


def limit(what: str, per_minute: int) -> None:
    """Count a request of this source.

    :raises TooMany: it was one too many in this minute
    """
    limiter = current_app.extensions[_LIMITER]
    if not limiter.allow(f"{what} {source_address()}", per_minute):
        raise TooMany(f"more than {per_minute} requests in a minute", 30)
