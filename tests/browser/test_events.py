"""A page with an ``EventSource``, in a real browser, and a server that goes away."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect
from serving import Served, serving, wait_for

from .conftest import Window

pytestmark = pytest.mark.browser

PROGRAM = '''
import asyncio, os, time
from vial import EventStream, ServerSentEvent, Vial, request

app = Vial("page", static_folder=None)
connections = []

PAGE = """<!doctype html><title>events</title><link rel="icon" href="data:,"><ul></ul><script>
const source = new EventSource("/%s"), list = document.querySelector("ul");
function show(text) {
  const li = document.createElement("li");
  li.textContent = text;
  list.append(li);
}
source.onopen = () => show("open");
source.onmessage = (event) => show(`${event.lastEventId} ${event.data}`);
source.addEventListener("tick", (event) => show(`tick ${event.lastEventId} ${event.data}`));
</script>"""

@app.get("/ready")
@app.get("/page/<name>")
def page(name="ready"):
    return PAGE % name

@app.get("/seen")
def seen():
    return {"pid": os.getpid(), "connections": connections}

def note():
    last = EventStream.last_event_id()
    connections.append([request.path, last])
    return int(last or 0)

@app.get("/async")
async def from_task():
    last = note()
    async def events():
        yield ServerSentEvent("a\\nb  \\u2028é", id=last + 1)
        yield ServerSentEvent({"pid": os.getpid()}, event="tick", id=last + 2)
        if last < 4:
            return  # the browser comes back
        await asyncio.Event().wait()
    return EventStream(events, retry=30)

@app.get("/sync")
def from_thread():
    last = note()
    def events():
        yield ServerSentEvent("", id=last + 1)
        while True:
            time.sleep(0.05)
            yield None
    return EventStream(events, retry=30)

@app.get("/quiet")
async def quiet():
    async def events():
        await asyncio.Event().wait()
        yield "never"
    return EventStream(events)

@app.get("/over")
async def over():
    if note():
        return "", 204
    return EventStream([ServerSentEvent("all", id=1)], retry=30)
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "main.py").write_text(PROGRAM)
    with serving(folder, "main.py") as server:
        yield server


@pytest.fixture
def window(browser: Browser, server: Served) -> Iterator[Window]:
    context = browser.new_context(base_url=server.url)
    context.set_default_timeout(15_000)
    window = Window(context.new_page(), server.url)
    yield window
    context.close()
    assert window.faults == []


def opened(window: Window, name: str) -> Page:
    window.page.goto(f"/page/{name}")
    return window.page


def shown(page: Page, *lines: str) -> None:
    expect(page.locator("li")).to_have_text(list(lines), timeout=15_000)


def seen(server: Served) -> Any:
    with urlopen(f"{server.url}/seen", timeout=10) as answer:
        return json.load(answer)


def test_a_page_gets_events_and_comes_back_with_the_last_id(window: Window, server: Served) -> None:
    tick = json.dumps({"pid": seen(server)["pid"]})
    page = opened(window, "async")
    lines = []
    for n in (1, 3, 5):
        lines += ["open", f"{n} a b \u2028é", f"tick {n + 1} {tick}"]
    shown(page, *lines)
    assert page.locator("li").nth(1).evaluate("li => li.textContent") == "1 a\nb  \u2028é"
    ids = [last for path, last in seen(server)["connections"] if path == "/async"]
    assert ids == [None, "2", "4"]


def test_a_page_knows_that_it_is_connected_before_there_is_an_event(window: Window) -> None:
    shown(opened(window, "quiet"), "open")


def test_a_page_that_is_told_so_does_not_come_back(window: Window, server: Served) -> None:
    page = opened(window, "over")
    shown(page, "open", "1 all")
    page.wait_for_function("source.readyState === EventSource.CLOSED")
    assert [last for path, last in seen(server)["connections"] if path == "/over"] == [None, "1"]


def test_a_page_outlives_a_worker_that_is_killed(window: Window, server: Served) -> None:
    page = opened(window, "sync")
    shown(page, "open", "1")
    killed = seen(server)["pid"]
    with window.expecting():
        os.kill(killed, signal.SIGKILL)
        shown(page, "open", "1", "open", "2")
    assert seen(server)["pid"] != killed
    assert seen(server)["connections"] == [["/sync", "1"]]


def test_a_server_that_is_told_to_stop_does_not_wait_for_its_streams(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    with serving(tmp_path, "main.py", "--stop-timeout", "600") as server:
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        for name, lines in (("quiet", ["open"]), ("sync", ["open", "1"])):
            page.goto(f"/page/{name}")
            shown(page, *lines)
        other = context.new_page()
        other.goto("/page/quiet")
        shown(other, "open")
        server.process.terminate()
        wait_for("the end of the server", lambda: server.process.poll() is not None)
        context.close()
