"""Requests that the service makes of others' servers, where a user's words say which: nothing inside its own host is reached.

A name is looked up once, every address that it has is judged, and the connection is made to the address that was judged; a
redirect is an answer like others.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from inventory_service.problems import Invalid

URL_RULE = "http:// or https://, a host, optionally a port and a path; no user or password, no fragment"
CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0


class Unreachable(Exception):
    """The other server did not answer, or may not be asked; the text says why, in words that may be shown."""


@dataclass(frozen=True)
class Outbound:
    """How requests leave this host.

    :param local: whether this host itself, and what is on its own links only, may be asked
    :param ca_file: whose certificates are believed; those of the system when it is empty
    """

    local: bool = False
    ca_file: str = ""

    def check(self, field: str, url: str) -> None:
        """Whether a URL can be asked at all; names are looked up only when it is.

        :raises Invalid: it cannot
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Invalid(field, url, "it is no URL", URL_RULE) from None
        if parts.username or parts.password:
            raise Invalid(field, None, "it holds a user or a password, which would be shown to whoever reads it", URL_RULE)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or port == 0 or not url.isprintable():
            raise Invalid(field, url, "it is no such URL", URL_RULE)
        try:
            address = ipaddress.ip_address(parts.hostname)
        except ValueError:
            return
        if not self._allowed(address):
            raise Invalid(field, url, f"{address} is on this host or its links", "an address elsewhere, or the setting webhook_local")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that is answered; what else is answered is not looked at.

        :raises Unreachable: nothing is answered
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = self._address_of(host, port)
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        pool: HTTPConnectionPool
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_file or None)
            pool = HTTPSConnectionPool(
                address, port, timeout=timeout, ssl_context=context, server_hostname=host, assert_hostname=host, retries=False
            )
        else:
            pool = HTTPConnectionPool(address, port, timeout=timeout, retries=False)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with pool:
                answer = pool.urlopen(
                    "POST", target, body=body, headers={**headers, "Host": parts.netloc}, redirect=False, preload_content=False,
                    assert_same_host=False,
                )  # fmt: skip
                status = answer.status
                answer.close()
                return status
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(type(error).__name__) from error

    def _address_of(self, host: str, port: int) -> str:
        try:
            found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the name {host} is not found") from error
        for one in found:
            if not self._allowed(ipaddress.ip_address(one.partition("%")[0])):
                raise Unreachable(f"{host} is {one}, on this host or its links, which the setting webhook_local does not allow")
        return found[0]

    def _allowed(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address):
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
            if inner is not None and not self._allowed(inner):
                return False
        if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
            return False
        return self.local or not (address.is_loopback or address.is_link_local or address in _THIS_NETWORK)


_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
