"""Real browser windows and a real server process for the tests in this folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHAT = Path(__file__).parents[2] / "examples" / "chat"
LAUNCH = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
#: The page went on while its WebSocket was being opened.
LEFT_EARLY = "WebSocket is closed before the connection is established"
OUTAGE = r"net::ERR_|WebSocket connection to|status of 400"  # 400: the connection of before


class ChatServer:
    """The chat as its users start it: `python main.py`, with its own port and instance folder.

    With `workers`, as `vial serve` runs it in so many processes.
    """

    def __init__(self, instance: Path, workers: int | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.instance = instance
        self.folder = CHAT
        self.settings = {"PORT": str(self.port), "INSTANCE_PATH": str(instance)}
        self.output = instance / "output.txt"
        bind = f"127.0.0.1:{self.port}"
        self.command = [sys.executable, "main.py"]
        if workers:
            serve = ["-m", "vial", "serve", "main.py", "-w", str(workers), "--bind", bind]
            self.command[1:] = serve

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=os.environ | self.settings,
                stdout=output,
                stderr=output,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"the chat does not answer:\n{self.output.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"the chat does not stop on {number.name}:\n{self.output.read_text()}")


class Window:
    """A page in a browser profile of its own, which notes what no page of the chat may do."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.faults: list[str] = []
        self._expected = re.compile(r"(?!)")
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", lambda request: self._check_origin(request.url))
        page.on("websocket", lambda websocket: self._check_origin(websocket.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or LEFT_EARLY in message.text:
            return
        if not self._expected.search(message.text):
            self.faults.append(f"console {message.type}: {message.text}")

    def _check_origin(self, url: str) -> None:
        if not url.replace("ws://", "http://", 1).startswith(self.origin + "/"):
            self.faults.append(f"request to another origin: {url}")

    @contextmanager
    def expecting(self, message: str = OUTAGE) -> Iterator[None]:
        """Inside, what the browser logs may match this pattern; as given, the server is away."""
        self._expected = re.compile(message)
        yield
        self._expected = re.compile(r"(?!)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("the browser tests need Chromium; install the package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=LAUNCH.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    server = ChatServer(tmp_path_factory.mktemp("chat"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_window(browser: Browser, chat: ChatServer) -> Iterator[Callable[..., Window]]:
    """Open a window; at the end none of them may have had an error or left its origin."""
    windows: list[Window] = []

    def open_it(**settings: Any) -> Window:
        context = browser.new_context(base_url=chat.origin, locale="en-GB", **settings)
        context.set_default_timeout(8000)
        windows.append(Window(context.new_page(), chat.origin))
        return windows[-1]

    yield open_it
    for window in windows:
        window.page.context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert not faults, "\n".join(faults)


@pytest.fixture
def snap() -> Callable[[Page, str], None]:
    """Keep a screenshot in the folder that SCREENSHOTS names, if it names one."""
    folder = os.environ.get("SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
