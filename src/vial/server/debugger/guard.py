"""Who may use the console: a browser on this machine, on the page of the debugger, by its name.

Each rule keeps out an attack that is known: other machines, pages of other sites that send requests
to this server (GHSA-2g68-c3qc-8985), names that point here (DNS rebinding), proxies that make every
client look like this machine, and servers that are not for development.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from .seen import Seen

#: Servers that never have a console, by the packages that run on their stacks.
_SERVERS = {
    *("gunicorn", "uvicorn", "hypercorn", "waitress", "daphne", "uwsgi", "mod_wsgi"),
    *("cheroot", "bjoern", "meinheld"),
}
#: The same by module, where the package has parts that development uses.
_PRODUCTION = ("granian.server.mp", "granian.server.mt", "vial.server.production")
#: Headers of proxies, besides those that start with "X-Forwarded".
_FORWARDED = {
    *("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"),
    *("x-original-forwarded-for", "x-original-host", "x-original-url", "x-rewrite-url"),
    *("cf-connecting-ip", "fly-client-ip", "fastly-client-ip", "x-envoy-external-address"),
    "x-proxyuser-ip",
}


class Guard:
    """The rules, for a server that listens on ``host``.

    :param host: the address; ``None``, not known, is taken for one that others reach.
    """

    def __init__(self, host: str | None) -> None:
        self._host = host
        self._process = os.getpid()

    def why_never(self) -> str | None:
        """Why there is no console for anybody; ``None`` if there is one for some."""
        if os.environ.get("VIAL_ENV", "").strip().lower() == "production":
            return "VIAL_ENV is 'production'"
        if self._host is None:
            return "the address that the server listens on is not known"
        if not _is_loopback(self._host):
            return f"the server listens on {self._host}, which other machines can reach"
        if os.getpid() != self._process:
            return "the server has several processes"
        server = next(_servers(), None)
        return server and f"{server} is no development server"

    def why_not(self, seen: Seen) -> str | None:
        """Why the sender of this request has no console; ``None`` if it has."""
        why = self.why_never()
        if why is not None:
            return why
        if not _is_loopback(seen.peer or ""):
            return "you are on another machine"
        forwarded = next(filter(_is_forwarded, (name for name, _ in seen.headers)), None)
        if forwarded is not None:
            return f"the request came through a proxy (header {forwarded})"
        hosts = seen.headers.getlist("Host")
        if len(hosts) != 1 or not _is_local_name(hosts[0]):
            return "the Host is not localhost or 127.0.0.1"
        return None


def is_same_origin(seen: Seen) -> bool:
    """Whether a page of this very server sent the request, by what only browsers can set."""
    origins, sites = seen.headers.getlist("Origin"), seen.headers.getlist("Sec-Fetch-Site")
    if not origins and not sites:
        return False
    own = f"{seen.scheme}://{seen.headers.get('Host', '')}".lower()
    return all(o.lower() == own for o in origins) and all(s == "same-origin" for s in sites)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _is_forwarded(name: str) -> bool:
    name = name.lower()
    return name in _FORWARDED or name.startswith("x-forwarded")


def _is_local_name(host: str) -> bool:
    if any(c in host for c in "/\\@?#, \t"):
        return False
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    return name in ("localhost", "127.0.0.1", "::1") or name.endswith(".localhost")


def _servers() -> Iterator[str]:
    """Production servers that run in this process: their code is on the stack of a thread."""
    if "gunicorn" in os.environ.get("SERVER_SOFTWARE", ""):
        yield "gunicorn"
    for frame in sys._current_frames().values():
        for at, _ in traceback.walk_stack(frame):
            module = str(at.f_globals.get("__name__", ""))
            package = module.partition(".")[0]
            if package in _SERVERS or module in _PRODUCTION:
                yield package
