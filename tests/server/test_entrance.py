"""The lines that the development server writes for requests."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import pytest

from vial.server.entrance import UNLOGGED, ByStatus, Entrance

HOSTILE = '\x1b[2J\x1b]0;title\x07\r\nGET "x\x00\x9b31m\u202e'


def scope(**other: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "headers": [],
        **other,
    }


def line(caplog: pytest.LogCaptureFixture, scope: dict[str, Any], accepts: bool = True) -> str:
    """What is logged for one request or WebSocket."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404})
        elif accepts:
            await send({"type": "websocket.accept"})

    async def send(message: Any) -> None:
        pass

    caplog.clear()
    caplog.set_level(logging.INFO, "werkzeug")
    asyncio.run(Entrance(app)(scope, send, send))  # type: ignore[arg-type]
    return "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "part",
    [
        {"method": HOSTILE},
        {"path": HOSTILE, "raw_path": b""},
        {"raw_path": HOSTILE.encode()},
        {"query_string": HOSTILE.encode()},
        {"http_version": HOSTILE},
        {"client": (HOSTILE, 1)},
        {"headers": [(b"user-agent", HOSTILE.encode()), (b"x-forwarded-for", HOSTILE.encode())]},
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_line_has_nothing_that_a_terminal_obeys(
    kind: str, part: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    logged = line(caplog, scope(type=kind, **part))
    assert logged.isascii() and logged.isprintable()
    assert logged.count('"') == 2
    assert logged.endswith('" 404 -' if kind == "http" else '" 101 -')


def test_a_peer_without_an_address_is_a_dash(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, scope(client=None)).startswith("- - - [")


def test_a_refused_websocket_has_a_status_too(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, scope(type="websocket"), accepts=False).endswith('"GET / HTTP/1.1" 403 -')


def test_the_servers_own_requests_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, scope(**{UNLOGGED: True})) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "status", "shown"),
    [
        (Terminal(), {}, 200, "x"),
        (Terminal(), {}, 302, "\x1b[36mx\x1b[0m"),
        (Terminal(), {}, 404, "\x1b[33mx\x1b[0m"),
        (Terminal(), {}, 500, "\x1b[1;31mx\x1b[0m"),
        (Terminal(), {"NO_COLOR": "1"}, 500, "x"),
        (Terminal(), {"TERM": "dumb"}, 500, "x"),
        (io.StringIO(), {}, 500, "x"),
    ],
)
def test_a_terminal_shows_the_status_by_colour(
    stream: io.StringIO,
    environment: dict[str, str],
    status: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    record = logging.makeLogRecord({"msg": "x", "status": status})
    assert ByStatus(stream).format(record) == shown
