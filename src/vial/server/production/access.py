"""The lines of the access log, on standard output.

What a client sent is never written as it is: a control character of it could change what a terminal
shows, and a line feed would forge a line (CVE-2020-7694 was that in another server).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

#: The header by which a proxy, and the answer, tell the id of a request. What is no plain word is
#: not taken over from a client: it would be in the log, and in the answer.
ID_HEADER = "x-request-id"
_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
#: Characters of a part of a line that are logged, and as many as they are of a line that would be
#: longer than what a pipe takes in one piece (``PIPE_BUF`` of Linux), with every one escaped.
_LONGEST, _SHORTER = 1000, 80
_PIECE = 4096


class Request(NamedTuple):
    """What is logged of a request; ``path`` is percent-encoded."""

    id: str
    client: str
    method: str
    path: str
    query: str
    version: str
    referer: str | None
    agent: str | None


#: Given a request, the status, the size in bytes where it is known, and the time in seconds.
Log = Callable[[Request, int, "str | None", float], None]


def id_of(given: str | None) -> str:
    """The id that a proxy gave the request, where it is one, else a new one."""
    return given if given is not None and _ID.fullmatch(given) else secrets.token_hex(8)


def access_log(kind: str | None) -> Log | None:
    """What writes the lines of a kind, ``"common"`` or ``"json"``; of none, ``None``."""
    if kind is None:
        return None
    line = {"common": common, "json": as_json}[kind]

    def log(request: Request, status: int, size: str | None, seconds: float) -> None:
        text = line(_cut(request, _LONGEST), status, size, seconds)
        if len(text) > _PIECE:
            text = line(_cut(request, _SHORTER), status, size, seconds)
        # One write for a line: those of several workers and threads are not mixed.
        with suppress(OSError):  # nobody reads them any more
            os.write(1, text.encode("ascii"))

    return log


def _cut(request: Request, longest: int) -> Request:
    return Request._make(value and value[:longest] for value in request)


def common(request: Request, status: int, size: str | None, seconds: float) -> str:
    """The Common Log Format, with the time in milliseconds and the id of the request after it."""
    now = time.strftime("%d/%b/%Y:%H:%M:%S %z")
    query = f"?{_safe(request.query)}" if request.query else ""
    line = f"{_safe(request.method)} {request.path}{query} HTTP/{request.version}"
    return (
        f'{_safe(request.client) or "-"} - - [{now}] "{line}" {status} {size or "-"}'
        f" {seconds * 1000:.1f}ms {request.id}\n"
    )


def as_json(request: Request, status: int, size: str | None, seconds: float) -> str:
    """One JSON object in a line; ``time`` is when the answer was over, in UTC."""
    return (
        json.dumps(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "id": request.id,
                "client": request.client,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "http": request.version,
                "status": status,
                "bytes": int(size) if size and size.isdecimal() else None,
                "ms": round(seconds * 1000, 1),
                "referer": request.referer or None,
                "agent": request.agent or None,
                "pid": os.getpid(),
            }
        )
        + "\n"
    )


def _safe(text: str) -> str:
    """Printable ASCII without quotation marks and backslashes; the rest as ``\\xhh``."""
    if not _PLAIN.fullmatch(text):
        text = ascii(text)[1:-1].replace("\\'", "'").replace('"', "\\x22")
    return text
