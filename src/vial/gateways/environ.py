"""A WSGI environ (PEP 3333) for a request that came by another protocol.

Extensions and views read ``request.environ`` wherever the request came from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import IO, Any

_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def from_scope(scope: dict[str, Any], body: IO[bytes], length: int | None) -> dict[str, Any]:
    """The environ of an ASGI HTTP scope whose body, ``length`` bytes, was read into ``body``."""
    root, path = split_path(scope)
    name, port = scope.get("server") or ("", None)
    client = scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": _wsgi(root),
        "PATH_INFO": _wsgi(path),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": name or "localhost",
        "SERVER_PORT": "" if port is None else str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_SOFTWARE": "Vial",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "asgi.scope": scope,
    }
    if scope.get("raw_path") is not None:
        environ["REQUEST_URI"] = environ["RAW_URI"] = _raw_uri(scope)
    add_headers(environ, scope.get("headers", ()))
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:  # the chunks were put together
        environ.pop("CONTENT_LENGTH", None)  # RFC 9112 §6.3: it does not count beside chunks
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def as_asgi(scope: Any) -> dict[str, Any]:
    """The ASGI scope that has what a RSGI scope has."""
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in scope.headers.items()]
    if scope.authority and "host" not in scope.headers:  # HTTP/2
        headers.append((b"host", scope.authority.encode("latin-1")))
    return {
        "type": "http",
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": scope.path,
        "query_string": scope.query_string.encode("utf-8"),
        "headers": headers,
        "client": _address(scope.client),
        "server": _address(scope.server),
    }


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


def split_path(scope: dict[str, Any]) -> tuple[str, str]:
    """The root path and the path below it; by the ASGI specification ``path`` has both."""
    root: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return root, path


def _raw_uri(scope: dict[str, Any]) -> str:
    raw: bytes = scope["raw_path"].partition(b"?")[0]
    query: bytes = scope.get("query_string", b"")
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _wsgi(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def add_headers(environ: dict[str, Any], headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Add headers as CGI variables; repeated ones are joined (RFC 9110 §5.2).

    A name with an underscore is dropped: it would be the same variable as one with a hyphen, and
    so could pretend to be a header that a proxy sets (CVE-2026-3902).
    """
    repeated: dict[str, list[str]] = {}  # joined at the end: once, however many there are
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if "_" in name:
            continue
        key = _PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_")
        if key in environ:
            repeated.setdefault(key, [environ[key]]).append(value)
        else:
            environ[key] = value
    for key, values in repeated.items():
        environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(values)
