"""Pages that load themselves again: what is added to which response, and what a page is told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from vial import Blueprint, Vial
from vial.server.development import _entrance
from vial.server.live import SCRIPT_PATH, STREAM_PATH, Live, Problems, live_pages, page_folders
from vial.server.options import Options

DOCUMENT = b"<!DOCTYPE html>\n<html><body><p>Hello</p></body>\n</html>\n"
HTML = "text/html; charset=utf-8"


def scope(path: str = "/", method: str = "GET", **headers: str) -> dict[str, Any]:
    encoded = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    return {"type": "http", "path": path, "method": method, "headers": encoded}


def responds(body: bytes, status: int = 200, parts: int = 1, **headers: str) -> Any:
    """An application with one response, sent in so many parts."""
    headers = {"content_type": HTML, "content_length": str(len(body)), **headers}
    encoded = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        for part in range(parts):
            more = part < parts - 1
            await send({"type": "http.response.body", "body": body, "more_body": more})

    return app


def asked(app: Any, request: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Headers and body of the response."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    asyncio.run(app(request, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return headers, b"".join(message["body"] for message in sent[1:])


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (DOCUMENT, {}),
        (b"<!-- x -->\n<html><p>no end", {}),
        (b"<h1>Hello</h1>", {"sec_fetch_dest": "document"}),
        (DOCUMENT, {"sec_fetch_dest": "document"}),
    ],
)
def test_a_page_gets_the_script_and_the_right_length(body: bytes, headers: dict[str, str]) -> None:
    live = Live(responds(body, etag='"1"'))
    got, after = asked(live, scope(**headers))
    tag = re.sub(rb"<script [^>]*></script>", b"", after)
    assert tag == body
    assert f'<script src="{SCRIPT_PATH}" data-stamp="{live.stamp}"></script>' in after.decode()
    assert got["content-length"] == str(len(after)) and "etag" not in got
    assert after.endswith((b"</script></body>\n</html>\n", b"</script>"))


@pytest.mark.parametrize(
    ("app", "request_"),
    [
        (responds(b"<p>a part</p>"), scope()),
        (responds(DOCUMENT), scope(sec_fetch_dest="empty")),
        (responds(DOCUMENT), scope(sec_fetch_dest="iframe")),
        (responds(DOCUMENT), scope(method="PUT")),
        (responds(DOCUMENT, parts=2), scope()),
        (responds(DOCUMENT, content_type="application/xhtml+xml"), scope()),
        (responds(DOCUMENT, content_type="text/plain"), scope()),
        (responds(DOCUMENT, content_type="text/html; charset=UTF-16"), scope()),
        (responds(DOCUMENT, content_encoding="br"), scope(sec_fetch_dest="document")),
        (responds(DOCUMENT, status=206), scope()),
        (responds(DOCUMENT, content_disposition="attachment; filename=x"), scope()),
    ],
)
def test_what_is_no_whole_page_is_left_as_it_is(app: Any, request_: dict[str, Any]) -> None:
    plain = asked(app, dict(request_))
    assert asked(Live(app), dict(request_)) == plain


def test_a_head_request_does_not_promise_another_length() -> None:
    headers, body = asked(Live(responds(b"", content_length="55")), scope(method="HEAD"))
    assert "content-length" not in headers and body == b""


@pytest.mark.parametrize(
    ("policy", "mark"),
    [
        ("script-src 'nonce-a1+/=_-' 'strict-dynamic'; style-src 'nonce-b'", ' nonce="a1+/=_-"'),
        ("default-src 'nonce-c'", ' nonce="c"'),
        ("script-src 'self'; default-src 'nonce-c'", ""),
        ("SCRIPT-SRC-ELEM 'nonce-d', script-src 'nonce-e'", ' nonce="d"'),
        ("script-src 'nonce-\"><b>'", ""),
    ],
)
def test_the_script_has_the_nonce_of_the_policy(policy: str, mark: str) -> None:
    _, body = asked(Live(responds(DOCUMENT, content_security_policy=policy)), scope())
    assert re.findall(rb'data-stamp="[^"]*"([^>]*)>', body) == [mark.encode()]


def test_the_answer_to_a_form_is_marked() -> None:
    assert b" data-sent>" in asked(Live(responds(DOCUMENT)), scope(method="POST"))[1]
    assert b" data-broken>" in asked(Live(responds(DOCUMENT), is_broken=True), scope())[1]


def test_the_script_is_served_from_the_servers_own_path() -> None:
    request = scope(SCRIPT_PATH)
    headers, body = asked(Live(responds(b"")), request)
    assert headers["content-type"].startswith("text/javascript") and b"EventSource" in body
    assert request["vial.unlogged"]


def streamed(live: Live, act: Callable[[], Awaitable[None]], events: int) -> list[str]:
    """What a stream has got once it has so many events."""

    async def main() -> list[str]:
        got: list[str] = []
        enough, left = asyncio.Event(), asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            got.append(message.get("body", b"").decode())
            if len([part for part in got if "event:" in part]) == events:
                enough.set()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        task = asyncio.create_task(live(scope(STREAM_PATH), receive, send))
        while len(got) < 2:
            await asyncio.sleep(0)
        await act()
        await asyncio.wait_for(enough.wait(), 30)
        left.set()
        await asyncio.wait_for(task, 30)
        return [part for part in got if part]

    return asyncio.run(main())


def test_a_stream_tells_of_changes_and_of_errors() -> None:
    live = Live(responds(b""))
    before = live.stamp

    async def act() -> None:
        live.changed()
        await asyncio.to_thread(live.report, "On /ws", "KeyError: 'a\nb'")

    first, second, third = streamed(live, act, 3)
    assert first == f"retry: 300\nevent: stamp\ndata: {before}\n\n"
    assert second == f"event: stamp\ndata: {live.stamp}\n\n" and live.stamp != before
    data = third.removeprefix("event: problem\ndata: ").removesuffix("\n\n")
    assert json.loads(data) == {"title": "On /ws", "text": "KeyError: 'a\nb'"}
    assert not live._streams


def test_a_stream_ends_when_the_server_stops() -> None:
    live = Live(responds(b""))

    async def act() -> None:
        live.stop()

    assert len(streamed(live, act, 1)) == 1


def test_a_logged_exception_is_shown_once() -> None:
    live, logger = Live(responds(b"")), logging.getLogger("vial.tests.live")
    told: list[tuple[str, str]] = []
    live.report = lambda *words: told.append(words)  # type: ignore[method-assign, assignment]
    handler = Problems(live)
    logger.addHandler(handler)
    try:
        for _ in range(2):
            logger.error("no exception")
        error = ValueError("first\nlast line")
        for _ in range(2):
            logger.error("Exception on %s", "/ws", exc_info=error)
    finally:
        logger.removeHandler(handler)
    assert told == [("Exception on /ws", "ValueError: first\nlast line")]


@pytest.mark.parametrize(
    ("debug", "config", "options", "is_live"),
    [
        (True, {}, {}, True),
        (False, {}, {}, False),
        (True, {"LIVE_RELOAD": False}, {}, False),
        (True, {}, {"live_reload": False}, False),
    ],
)
def test_only_debug_mode_has_it_and_it_can_be_left_out(
    debug: bool, config: dict[str, Any], options: dict[str, Any], is_live: bool
) -> None:
    app = Vial("shop", root_path="/", static_folder=None, template_folder=None)
    app.debug = debug
    app.config.update(config)
    with ExitStack() as closing:
        entrance, _ = _entrance(app, "127.0.0.1", Options(**options), closing)
        assert isinstance(entrance, Live) is is_live


def test_templates_and_static_files_are_watched(tmp_path: Path) -> None:
    for name in ("templates", "static", "part/pages", "part/files"):
        (tmp_path / name).mkdir(parents=True)
    app = Vial("shop", root_path=str(tmp_path))
    part = Blueprint(
        "part",
        __name__,
        root_path=str(tmp_path / "part"),
        template_folder="pages",
        static_folder="files",
    )
    app.register_blueprint(part)
    names = {str(Path(folder).relative_to(tmp_path)) for folder in page_folders(app)}
    assert names == {"templates", "static", "part/pages", "part/files"}
    handlers = len(app.logger.handlers)
    with live_pages(app, responds(b"")) as live:
        before = live.stamp
        assert len(app.logger.handlers) == handlers + 1
    assert len(app.logger.handlers) == handlers and live.stamp == before
