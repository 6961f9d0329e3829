"""What proxies say of a client, where an app believes them (``TRUSTED_PROXIES``).

Anyone can send ``X-Forwarded-For`` and its kin. What no believed proxy wrote is taken out of the
request, and what is malformed: what is left can be relied on. ``Forwarded`` (RFC 7239) is not read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Environ = dict[str, Any]

#: In an environ that was looked at: the address of who really sent the request.
PEER = "vial.peer"
#: The most proxies in a row.
_MOST = 32
_FOR, _PROTO = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"
_HOST, _PREFIX = "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PREFIX"
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORT = r"(?::([1-9][0-9]{0,4}))?"
#: RFC 9110 §7.2 through RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 one in brackets.
_A_HOST = re.compile(rf"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\]){_PORT}")
_AN_ADDRESS = re.compile(rf"(?:([0-9.]+)|\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]+)\]){_PORT}")
#: Where a program lives below its host. Two slashes at the start would name another host.
_A_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+/?|/")


class Proxies:
    """Which proxies are believed.

    :param hops: how many proxies are in front, whatever their addresses; each adds its value to
        the right of every header.
    :param networks: or the networks that they are in; ``"unix"`` is a Unix socket.
    """

    def __init__(self, hops: int | None, networks: tuple[str, ...] = ()) -> None:
        self._hops = hops
        self._unix = "unix" in networks
        self._networks = [_network(text) for text in networks if text != "unix"]

    def believed(self, environ: Environ) -> Environ:
        """The environ as the believed proxies tell it; a copy, so that what stands around the app
        sees who really asks."""
        if PEER in environ:
            return environ
        peer = environ.get("REMOTE_ADDR") or ""
        told = self._told(environ) if self._trusts_peer(peer) else {}
        environ = {k: v for k, v in environ.items() if k not in (_FOR, _PROTO, _HOST, _PREFIX)}
        return {**environ, PEER: peer, **told}

    def _told(self, environ: Environ) -> Environ:
        """What changes in the environ."""
        route = self._route(environ.get(_FOR, ""))
        depth = self._hops or len(route) or 1
        told: Environ = {}
        if route:
            told |= {"REMOTE_ADDR": route[-1], _FOR: ", ".join(reversed(route))}
        proto = self._value(environ, _PROTO, depth).lower()
        if proto in _SCHEMES:
            told |= {"wsgi.url_scheme": _SCHEMES[proto], _PROTO: proto}
        host = self._value(environ, _HOST, depth)
        if is_host(host):
            told |= {"HTTP_HOST": host, _HOST: host}
        prefix = self._value(environ, _PREFIX, depth)
        if _A_PREFIX.fullmatch(prefix):
            told |= {"SCRIPT_NAME": prefix.rstrip("/"), _PREFIX: prefix}
        return told

    def _route(self, header: str) -> list[str]:
        """The believed addresses, the client's last; none where the header does not have them."""
        route: list[str] = []
        for text in reversed(header.rsplit(",", _MOST)[-_MOST:]):
            address = _address(text)
            if address is None:
                break
            route.append(str(address))
            if len(route) == self._hops or not (self._hops or self._trusts(address)):
                return route
        return [] if self._hops else route

    def _value(self, environ: Environ, name: str, depth: int) -> str:
        """What the proxy said that the client talked to; one who passes a value on adds none."""
        values = environ.get(name, "").rsplit(",", _MOST)[-_MOST:]
        if len(values) == 1 and not self._hops:
            depth = 1
        return values[-depth].strip(" \t") if len(values) >= depth else ""

    def _trusts_peer(self, peer: str) -> bool:
        if self._hops is not None:
            return True
        if not peer or peer.startswith("unix"):  # servers differ in what they call it
            return self._unix
        address = _address(peer)
        return address is not None and self._trusts(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


_made = lru_cache(maxsize=64)(Proxies)


def proxies_of(setting: Any) -> Proxies | None:
    """Whom a value of ``TRUSTED_PROXIES`` means; :exc:`ValueError` where it means nothing."""
    if setting is None or (setting == 0 and type(setting) is int):
        return None
    if type(setting) is int and 0 < setting <= _MOST:
        return _made(setting)
    if isinstance(setting, list | tuple | set | frozenset):
        return _made(None, tuple(map(str, setting)))
    raise ValueError(
        f"TRUSTED_PROXIES is {setting!r}. Expected None, the number of proxies in front (at most"
        f' {_MOST}), or a list of their networks: ["10.0.0.0/8", "127.0.0.1", "unix"].'
    )


def is_host(text: str) -> bool:
    """Whether this is a host name or an address, with an optional port."""
    match = _A_HOST.fullmatch(text)
    return match is not None and int(match[1] or 0) <= 65535


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as e:
        raise ValueError(
            f"TRUSTED_PROXIES has {text!r}, which is no network ({e}). Write an address, a network"
            ' such as "10.0.0.0/8", or "unix" for a Unix socket.'
        ) from None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port; RFC 7239 §6 has IPv6 in brackets then."""
    text = text.strip(" \t")
    match = _AN_ADDRESS.fullmatch(text)
    if match is not None and int(match[3] or 0) > 65535:
        return None
    try:
        address = ip_address(text if match is None else match[1] or match[2])
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id else address.ipv4_mapped or address
