"""The debugger's page in a real browser, from a real `vial run --debug`."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from processes import Process, running
from serving import SOON

from .conftest import Window

pytestmark = pytest.mark.browser

PROGRAM = """
from vial import Vial, render_template_string, request, session

app = Vial("shop", static_folder=None)
app.secret_key = "a key that the page must not show"


@app.get("/ready")
def ready():
    return "ready"


def total(cart):
    return sum(cart["prices"]) / len(cart["coupons"])


@app.route("/", methods=["GET", "POST"])
def checkout():
    session["visits"] = 1
    name = request.args.get("name", "<svg onload=document.title='owned'>")
    cart = {"prices": [3, 4], "coupons": []}
    try:
        return str(total(cart))
    except ZeroDivisionError as e:
        e.add_note("An empty list of coupons counts as none.")
        raise RuntimeError(f"The cart of {name} could not be added up.") from e


@app.get("/async")
async def waits():
    answer = 41
    raise LookupError("in an async view")


@app.get("/template")
def template():
    return render_template_string("<ul>\\n{% for x in y.z %}\\n{% endfor %}</ul>")
"""
FAILS = r"status of (500|403|404)"


def debugging(folder: Path, host: str = "127.0.0.1") -> AbstractContextManager[Process]:
    (folder / "program.py").write_text(PROGRAM)
    command = ("-m", "vial", "run", "program.py", "--debug", "--host", host, "--port", "{port}")
    return running(folder, *command, VIAL_ENV="")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with debugging(tmp_path_factory.mktemp("debugged")) as server:
        yield server


@pytest.fixture
def open_page(browser: Browser, server: Process) -> Iterator[Callable[..., Page]]:
    """Open a page that fails; at the end none may have had an error of its own."""
    windows: list[Window] = []

    def open_it(path: str = "/", **settings: Any) -> Page:
        context = browser.new_context(base_url=server.origin, locale="en-GB", **settings)
        context.set_default_timeout(SOON * 1000)
        window = Window(context.new_page(), server.origin)
        window._expected = re.compile(FAILS)
        windows.append(window)
        window.page.goto(path)
        return window.page

    yield open_it
    for window in windows:
        window.page.context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert not faults, "\n".join(faults)


def pin_of(server: Process) -> str:
    return re.findall(r"Debugger PIN: ([\d-]+)", server.output)[-1]  # type: ignore[no-any-return]


def enter(page: Page, text: str, frame: int = 0) -> None:
    place = page.locator(".place").nth(frame)
    field = place.get_by_label("Python code")
    if not field.is_visible():
        place.get_by_role("button", name="Console").click()
    field.fill(text)
    field.press("Enter")


def unlock(page: Page, pin: str) -> None:
    page.get_by_label("PIN").locator("visible=true").fill(pin)
    page.get_by_role("button", name="Unlock").locator("visible=true").click()


def test_an_exception_is_read_and_its_frames_are_asked(
    open_page: Callable[..., Page], server: Process, snap: Callable[[Page, str], None]
) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("RuntimeError")
    expect(page.locator(".message").first).to_contain_text("The cart of <svg onload=")
    expect(page.get_by_text("which was caused by")).to_be_visible()
    expect(page.locator(".exception").nth(1).locator("tr.current").first).to_contain_text(
        'len(cart["coupons"])'
    )
    expect(page.get_by_text("An empty list of coupons counts as none.").first).to_be_visible()
    enter(page, "cart['prices'][0] + 40")
    unlock(page, "000-000-00x")
    expect(page.get_by_text("Wrong PIN; 9 more tries.").locator("visible=true")).to_be_visible()
    unlock(page, pin_of(server))
    output = page.locator(".output").first
    expect(output).to_have_text(">>> cart['prices'][0] + 4043")
    enter(page, "for item in cart:")
    expect(page.locator(".prompt").first).to_have_text("...")
    enter(page, "  print(item)")
    enter(page, "")
    expect(output).to_contain_text("prices\ncoupons")
    enter(page, "__import__('vial').request.path + '!'")
    expect(output).to_contain_text("'/!'")
    enter(page, "'<svg onload=alert(1)>'")
    expect(output).to_contain_text("'<svg onload=alert(1)>'")
    assert page.title().startswith("RuntimeError") and page.locator("svg").count() == 0
    [cookie] = page.context.cookies(server.origin + "/__vial_debugger__")
    assert cookie.get("httpOnly") and cookie.get("sameSite") == "Strict"
    snap(page, "debugger-console")
    page.goto("/async")
    enter(page, "answer + 1")
    expect(page.locator(".output").first).to_have_text(">>> answer + 142")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_fits_the_window(
    open_page: Callable[..., Page], snap: Callable[[Page, str], None], width: int, scheme: Any
) -> None:
    settings: Any = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for path in ("/", "/template"):
        page = open_page(path, **settings)
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        snap(page, f"debugger-{path.strip('/') or 'page'}-{width}-{scheme}")


def test_without_scripts_the_page_still_tells_everything(open_page: Callable[..., Page]) -> None:
    page = open_page("/template", java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("jinja2.exceptions.UndefinedError")
    expect(page.locator(".template tr.current")).to_contain_text("{% for x in y.z %}")
    expect(page.locator("#plain")).to_contain_text("'y' is undefined")


def test_the_console_answers_the_page_on_this_machine_only(
    open_page: Callable[..., Page], server: Process, tmp_path: Path
) -> None:
    page = open_page()
    enter(page, "1")
    unlock(page, pin_of(server))
    expect(page.locator(".output").first).to_have_text(">>> 11")
    [cookie] = page.context.cookies(server.origin + "/__vial_debugger__")
    right = {
        "Origin": server.origin,
        "Sec_Fetch_Site": "same-origin",
        "X_Vial_Debugger": page.evaluate("document.body.dataset.secret"),
        "Cookie": f"{cookie['name']}={cookie['value']}",
    }
    frame = page.locator(".place").first.get_attribute("data-frame")
    command = json.dumps({"frame": frame, "code": "6 * 7"})

    def sent(to: Process = server, host: str = "127.0.0.1", **headers: str) -> Any:
        headers = {**right, **headers}
        return to.ask("/__vial_debugger__", "POST", host, command, **headers)[:2]

    assert sent() == (200, '{"text": "42", "more": false}')
    assert sent(Host="evil.example", Origin="http://evil.example")[0] == 404
    assert sent(Host=f"127.0.0.1.evil.example:{server.port}")[0] == 404
    assert sent(X_Vial_Debugger="")[0] == 404
    assert sent(Cookie="")[0] == 403
    assert sent(Sec_Fetch_Site="cross-site")[0] == 404
    assert sent(X_Forwarded_For="127.0.0.1")[0] == 404
    (tmp_path / "wide").mkdir()
    with debugging(tmp_path / "wide", "0.0.0.0") as wide:
        assert "pages without a console; the server listens on 0.0.0.0" in wide.output
        for host in ("127.0.0.1", address_of_this_machine()):
            _, shown, _ = wide.ask("/", host=host, Accept="text/html")
            assert "RuntimeError" in shown and "data-secret" not in shown
            assert "No console: the server listens on 0.0.0.0" in shown
            assert sent(wide, host, Origin=f"http://{host}:{wide.port}")[0] == 404
    serve = ("-m", "vial", "serve", "program.py", "--bind", "127.0.0.1:{port}")
    with running(tmp_path / "wide", *serve) as production:
        assert sent(production, Origin=production.origin)[0] == 404
        status, shown, _ = production.ask("/", Accept="text/html")
        assert status == 500 and "RuntimeError" not in shown and "program.py" not in shown


def address_of_this_machine() -> str:
    """An address that is not the loopback's, or that one where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]  # type: ignore[no-any-return]
