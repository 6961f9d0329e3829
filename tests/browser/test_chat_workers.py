"""The same with four worker processes: nobody can tell which of them has whom."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import ChatServer, Window
from .test_chat import (
    enter,
    messages,
    person,
    say,
    test_a_restart_of_the_server_loses_and_doubles_nothing,
    test_two_people_talk_and_see_each_other_come_and_go,
    wait_for_websocket,
)

pytestmark = pytest.mark.browser
__all__ = [
    "test_a_restart_of_the_server_loses_and_doubles_nothing",
    "test_two_people_talk_and_see_each_other_come_and_go",
]


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    server = ChatServer(tmp_path_factory.mktemp("chat"), workers=4)
    server.start()
    yield server
    server.stop(signal.SIGTERM)


def test_a_killed_worker_is_missed_by_nobody(
    chat: ChatServer, open_window: Callable[..., Window]
) -> None:
    windows = [open_window() for _ in range(3)]
    names = ["Ada", "Ben", "Cyd"]
    pages = [enter(window, name, "workers") for window, name in zip(windows, names, strict=True)]
    for _ in range(20):  # until they are at several workers
        if len({worker_of(page) for page in pages}) > 1:
            break
        pages[0].reload()
        expect(person(pages[0], "Cyd")).to_be_attached()
    assert len({worker_of(page) for page in pages}) > 1
    say(pages[0], "one")
    for page in pages:
        expect(messages(page)).to_have_text(["one"])
        expect(page.locator("#people-list bdi")).to_have_text(names)
    with windows[0].expecting(), windows[1].expecting(), windows[2].expecting():
        for worker in workers(chat)[:3]:
            os.kill(worker, signal.SIGKILL)
        for page in pages:
            expect(page.get_by_role("status")).to_be_empty()
        say_in_the_end(pages[1], "two")
        for page in pages:
            # A message that was lost on its way is sent again after five seconds.
            expect(messages(page)).to_have_text(["one", "two"], timeout=20000)
            expect(page.locator("#people-list bdi")).to_have_text(names)


def say_in_the_end(page: Page, text: str) -> None:
    """Send a message, which stays in its box while the page is not connected."""
    say(page, text)
    for _ in range(200):
        if not page.get_by_label("Message to").input_value():
            return
        page.wait_for_timeout(100)
        page.get_by_role("button", name="Send").click()
    raise AssertionError("not connected after twenty seconds")


def worker_of(page: Page) -> str:
    wait_for_websocket(page)
    return str(page.evaluate("socket.io.engine.id")).partition(".")[0]


def workers(chat: ChatServer) -> list[int]:
    children = Path(f"/proc/{chat.process.pid}/task/{chat.process.pid}/children")
    return [int(number) for number in children.read_text().split()]
