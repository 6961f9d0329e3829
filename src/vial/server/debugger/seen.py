"""A request and an answer as the debugger sees them, whatever gateway they go through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from werkzeug.datastructures import Headers

from ...gateways.environ import split_path


@dataclass(slots=True)
class Seen:
    """A request: its head, and who sent it."""

    method: str
    #: Decoded, without the root path.
    path: str
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    #: The address of the peer; ``None`` where the server does not tell.
    peer: str | None = None
    scheme: str = "http"
    root: str = ""


def seen_in(scope: dict[str, Any]) -> Seen:
    """The request of an ASGI scope."""
    root, path = split_path(scope)
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    query = scope.get("query_string", b"").decode("latin-1")
    peer = (scope.get("client") or (None,))[0]
    scheme = scope.get("scheme", "http")
    return Seen(scope["method"], path, query, Headers(headers), peer, scheme, root)


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
