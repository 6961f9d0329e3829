"""Which pages may talk to the Socket.IO server."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..gateways.origins import own_origins

Environ: TypeAlias = dict[str, Any]
#: What ``cors_allowed_origins`` may be.
AllowedOrigins: TypeAlias = "str | Iterable[str] | Callable[..., bool] | None"


class Origins:
    """Which pages may connect: those of this server, and those that the program names.

    :param allowed: ``None`` for none but its own, ``"*"`` for all, an origin or several
        (``"https://example.com"``), or a function of the origin (and the environ, if it takes
        two) that tells.
    :param credentials: whether pages of other sites may send cookies; never with ``"*"``.
    """

    def __init__(self, allowed: AllowedOrigins, credentials: bool = True) -> None:
        self._credentials = credentials
        self._judge = _of_two(allowed) if callable(allowed) else None
        names = [] if allowed is None or callable(allowed) else allowed
        self._names = {n.lower() for n in ([names] if isinstance(names, str) else names)}
        self.all = "*" in self._names

    def allow(self, environ: Environ) -> bool:
        """Whether a request may be answered. One without ``Origin`` is not from a foreign page."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or self.all:
            return True
        if origin.lower() in self._names or origin.lower() in _own_origins(environ):
            return True
        return self._judge is not None and bool(self._judge(origin, environ))

    def headers(self, environ: Environ) -> list[tuple[str, str]]:
        """CORS headers for an allowed request (Fetch standard, CORS protocol)."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return []
        if self.all:
            # Never together with credentials: any site could then act as the visitor.
            headers = [("Access-Control-Allow-Origin", "*")]
        else:
            headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
            if self._credentials:
                headers.append(("Access-Control-Allow-Credentials", "true"))
        if environ["REQUEST_METHOD"] == "OPTIONS":
            headers.append(("Access-Control-Allow-Methods", "OPTIONS, GET, POST"))
            if "HTTP_ACCESS_CONTROL_REQUEST_HEADERS" in environ:
                headers.append(("Access-Control-Allow-Headers", "content-type"))
        return headers


def _of_two(judge: Callable[..., bool]) -> Callable[[str, Environ], bool]:
    try:
        inspect.signature(judge).bind("origin", {})
    except TypeError:
        return lambda origin, environ: judge(origin)
    return judge


def _own_origins(environ: Environ) -> set[str]:
    return own_origins(environ.get("HTTP_HOST", ""), environ["wsgi.url_scheme"] == "https")
