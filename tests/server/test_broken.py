"""What browsers and terminals are told of a program that does not load."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from server.test_live import asked, scope

from vial.server.broken import Broken, Failure, page

#: What the page is made of.
OWN_TAGS = {"html", "head", "meta", "link", "title", "style", "body", "main", "h1", "p"}
OWN_TAGS |= {"section", "h2", "pre", "span", "b", "footer"}
HOSTILE = "</pre></title><script>alert(1)</script><svg onload=alert(1)>"


def loaded(tmp_path: Path, source: str) -> Failure:
    """Why a program with this source does not load."""
    path = tmp_path / "shop<b>.py"
    path.write_text(source)
    try:
        exec(compile(source, str(path), "exec"), {})
    except BaseException as e:
        return Failure(e)
    raise AssertionError(source)


@pytest.mark.parametrize(
    "source",
    [
        f"raise ValueError({HOSTILE!r})",
        f"x = 1\nx = = {HOSTILE!r}",
        f"import sys; sys.exit({HOSTILE!r})",
        f"e = KeyError(1); e.add_note({HOSTILE!r}); raise e",
        f"class A{'{'}{'}'}: {HOSTILE}",
    ],
)
def test_a_page_is_inert_whatever_it_tells(source: str, tmp_path: Path) -> None:
    failure = loaded(tmp_path, source)
    headers, body = asked(Broken(failure, True), scope(accept="text/html"))
    text = body.decode()
    assert set(re.findall(r"<(\w+)", text)) <= OWN_TAGS
    assert "&lt;svg onload" in text and "<svg" not in text and "shop<b>" not in text
    policy = headers["content-security-policy"]
    [nonce] = re.findall(r"style-src 'nonce-([^']+)'", policy)
    assert f'<style nonce="{nonce}">' in text
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert headers["content-length"] == str(len(body))


def test_the_line_that_failed_is_shown_with_its_neighbours(tmp_path: Path) -> None:
    text = page(loaded(tmp_path, "\n".join(f"x = {n}" for n in range(20)) + "\nx.y\n"), "n")
    shown = re.findall(r'<span class="code( here)?"><b>(\d+)</b>', text)
    assert shown == [*(("", str(n)) for n in range(17, 21)), (" here", "21")]


def test_only_frames_of_the_program_are_told(tmp_path: Path) -> None:
    source = "import json\ndef f(_):\n    return 1 / 0\njson.loads('1', parse_int=f)\n"
    failure = loaded(tmp_path, source)
    path = str(tmp_path / "shop<b>.py")
    files = re.findall(r'File "([^"]+)", line (\d+)', failure.text)
    # This test is a program of its own, too.
    assert [line for file, line in files if file == path] == ["4", "3"]
    assert not [file for file, _ in files if "json" in file]
    assert failure.text.endswith("ZeroDivisionError: division by zero\n")
    assert path in failure.files()


def test_who_reads_no_html_gets_text(tmp_path: Path) -> None:
    failure = loaded(tmp_path, "1 / 0")
    headers, body = asked(Broken(failure, True), scope(accept="application/json"))
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert body.decode() == failure.text
    assert asked(Broken(failure, True), scope(method="HEAD"))[1] == b""


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_without_debug_mode_nothing_is_told(accept: str, tmp_path: Path) -> None:
    _, body = asked(Broken(loaded(tmp_path, "secret = 1 / 0"), False), scope(accept=accept))
    assert b"The terminal says why" in body
    assert b"secret" not in body and b"Zero" not in body and b"shop" not in body


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    assert len(page(loaded(tmp_path, "raise ValueError('x' * 10**7)"), "n")) < 100_000


@pytest.mark.slow
def test_this_part_of_the_reloader_says_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vial.server"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and "a part of 'vial run'" in done.stderr


def test_a_websocket_is_refused(tmp_path: Path) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = Broken(loaded(tmp_path, "1 / 0"), True)
    asyncio.run(app({"type": "websocket", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1011, "reason": "not loaded"}]
