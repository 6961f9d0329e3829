"""A page in Chromium while its program is written: `vial run`, and an editor."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from developing import Development, developing
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """
from vial import Vial, render_template, websocket

app = Vial(__name__)


@app.get("/")
def index():
    return "<title>Shop</title><h1>First</h1>"


@app.get("/page")
def page():
    return render_template("page.html")


@app.websocket("/ws")
async def talk():
    await websocket.receive()
    raise LookupError("no <b>room</b> of that name")
"""
TEMPLATE = """<!doctype html>
<html lang="en">
<head><title>A page</title><link rel="stylesheet" href="/static/page.css"></head>
<body><h1>{}</h1></body>
</html>
"""
STRICT = "default-src 'none'; script-src 'self'; connect-src 'self'"


def shows(page: Page, heading: str) -> None:
    expect(page.locator("h1")).to_have_text(heading, timeout=30_000)


def save(server: Development, program: str) -> None:
    server.edit("shop.py", program)


def test_a_page_follows_what_is_saved(
    browser: Browser, tmp_path: Path, snap: Callable[[Page, str], None]
) -> None:
    for name, text in (
        ("shop.py", PROGRAM),
        ("templates/page.html", TEMPLATE.format("First")),
        ("static/page.css", "h1 { color: rgb(255, 0, 0) }"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with developing(tmp_path, "shop.py") as server:
        context = browser.new_context(base_url=server.origin, locale="en-GB")
        context.set_default_timeout(30_000)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto("/")
        shows(page, "First")

        # a view
        save(server, PROGRAM.replace("First", "Second"))
        shows(page, "Second")

        # broken, and broken in another way
        save(server, PROGRAM.replace("def index()", "def index("))
        shows(page, "SyntaxError")
        assert page.locator(".here").inner_text().strip().endswith("def index(:")
        snap(page, "syntax-error")
        save(server, "import shop_of_nobody\n" + PROGRAM)
        shows(page, "ModuleNotFoundError")
        hostile = "raise ValueError('</pre><script>document.title = 1</script><img src=x>')\n"
        save(server, PROGRAM + "\n\ndef create():\n    " + hostile + "\n\ncreate()\n")
        shows(page, "ValueError")
        snap(page, "value-error")
        assert page.locator("img").count() == 0 and "<img src=x>" in page.inner_text("main")
        assert page.title().startswith("ValueError: </pre>")

        # mended
        save(server, PROGRAM.replace("First", "Third"))
        shows(page, "Third")

        # a template, and a style: nothing is started for them
        page.goto("/page")
        shows(page, "First")
        starts = server.output.count("starting again")
        server.edit("templates/page.html", TEMPLATE.format("Other words"))
        shows(page, "Other words")
        server.edit("static/page.css", "h1 { color: rgb(0, 0, 255) }")
        expect(page.locator("h1")).to_have_css("color", "rgb(0, 0, 255)", timeout=30_000)
        assert server.output.count("starting again") == starts

        # an error that has no page of its own
        page.evaluate(
            "() => { const socket = new WebSocket(`ws://${location.host}/ws`);"
            " socket.onopen = () => socket.send('hello'); }"
        )
        note = page.locator("vial-live [role=alert]")
        expect(note).to_contain_text("LookupError: no <b>room</b> of that name")
        expect(note).to_contain_text("The terminal has the traceback.")
        snap(page, "websocket-error")
        note.get_by_label("Close").click()
        expect(note).to_have_count(0)

        # a policy that lets in nothing but the site's own scripts
        policy = f"    return 'Strict', 200, {{'Content-Security-Policy': {STRICT!r}}}\n"
        strict = PROGRAM + '\n\n@app.get("/strict")\ndef strict():\n' + policy
        page.goto("about:blank")  # a page that loads itself again would get in the way
        save(server, strict)
        server.answers(lambda status, text: status == 200, "/strict")
        page.goto("/strict")
        expect(page.locator("body")).to_have_text("Strict")
        save(server, strict.replace("'Strict'", "'Stricter'"))
        expect(page.locator("body")).to_have_text("Stricter")

        assert faults == []
        context.close()
        assert server.stop(signal.SIGINT) == 0
        assert " /__vial__/" not in server.output


def test_a_page_waits_for_a_program_that_was_broken_from_the_start(
    browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(PROGRAM.replace("def index()", "def index("))
    with developing(tmp_path, "shop.py") as server:
        page = browser.new_page()
        response = page.goto(server.origin)
        assert response is not None and response.status == 500
        shows(page, "SyntaxError")
        save(server, PROGRAM)
        shows(page, "First")
        page.close()
