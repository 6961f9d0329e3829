"""A page in a real Chromium, by the protocol of its developer tools.

Playwright is not for this virtual environment: its greenlet and httpbin's exclude each other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from ecosystem.running import HERE, kill_group, until

LAUNCH = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-port=0"
)


class Page:
    """A page, and what it complained of."""

    def __init__(self, address: str) -> None:
        # Chromium refuses a client that says from which page it is.
        self._socket = websocket.create_connection(address, timeout=20, suppress_origin=True)
        self._number = 0
        #: Uncaught errors and messages of level error.
        self.faults: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv())).get("id") != self._number:
            self._note(answer.get("method"), answer.get("params"))
        assert "error" not in answer, answer
        return answer["result"]

    def _note(self, event: str | None, params: Any) -> None:
        is_error = event == "Log.entryAdded" and params["entry"]["level"] == "error"
        logged = event == "Runtime.consoleAPICalled" and params["type"] == "error"
        if is_error or logged or event == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params))

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, selector: str) -> str | None:
        """The text of an element, None where there is none."""
        return self.run(f"document.querySelector({selector!r})?.textContent")  # type: ignore[no-any-return]

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element has a text."""
        until(lambda: self.text(selector) == text, f"{selector} does not show {text!r}")

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element, once it is there."""
        until(lambda: self.text(selector) is not None, f"{selector} is not there")
        box = self.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
        where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)

    def write(self, selector: str, text: str) -> None:
        """Replace the text of a field by typing."""
        self.click(selector)
        self.run(f"document.querySelector({selector!r}).select()")
        self._call("Input.insertText", text=text)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A page of a new Chromium, which ends with the block."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("the browser tests need Chromium; install the package `chromium`")
    address = folder / "DevToolsActivePort"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [executable, *LAUNCH.split(), f"--user-data-dir={folder}", "about:blank"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        port = until(lambda: address.exists() and address.read_text(), "no Chromium").split()[0]
        with requests.Session() as session:
            session.trust_env = False
            pages = session.get(f"http://{HERE}:{port}/json/list", timeout=10).json()
        (page,) = [page for page in pages if page["type"] == "page"]
        yield Page(page["webSocketDebuggerUrl"])
    finally:
        kill_group(process)
