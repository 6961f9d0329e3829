"""A page with everything that vial.bootstrap renders, in Chromium, on a desk and in a hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from processes import Process
from serving import SOON, wait_for

from .conftest import Window

pytestmark = pytest.mark.browser

SAMPLE = Path(__file__).parents[1] / "bootstrap" / "sample"
WIDTHS = [1280, 360]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("sample")
    server = Process(folder, str(SAMPLE / "sample.py"), "{port}")
    try:
        wait_for("the sample answers", server.answers)
        yield server
    finally:
        server.process.terminate()
        server.process.wait(SOON)


@pytest.fixture
def look(browser: Browser, site: Process) -> Iterator[Callable[..., Page]]:
    """Open the sample in a window of so many pixels, with light or dark preferred."""
    windows: list[Window] = []

    def look_at(width: int, scheme: str = "light") -> Page:
        size = {"width": width, "height": 800}
        context = browser.new_context(viewport=size, color_scheme=scheme, base_url=site.origin)  # type: ignore[arg-type]
        context.set_default_timeout(SOON * 1000)
        windows.append(Window(context.new_page(), site.origin))
        windows[-1].page.goto("/")
        return windows[-1].page

    yield look_at
    for window in windows:
        window.page.context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert not faults, "\n".join(faults)


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the window."""
    script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(script))


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_and_has_the_visitors_colours(
    look: Callable[..., Page], snap: Callable[[Page, str], None], width: int, scheme: str
) -> None:
    page = look(width, scheme)
    assert overflow(page) == 0
    assert (background(page) == "rgb(255, 255, 255)") is (scheme == "light")
    snap(page, f"bootstrap-{width}-{scheme}")
    page.locator("form input[type=submit]").first.click()
    page.wait_for_selector(".invalid-feedback")
    assert overflow(page) == 0
    snap(page, f"bootstrap-{width}-{scheme}-errors")


def test_the_menu_opens_on_a_phone_and_is_open_on_a_desk(look: Callable[..., Page]) -> None:
    assert look(1280).locator("#menu").is_visible()
    page = look(360)
    assert not page.locator("#menu").is_visible()
    page.locator(".navbar-toggler").click()
    page.wait_for_selector("#menu.show")
    page.locator("#more").click()
    assert page.locator("#more + .dropdown-menu").is_visible()


def test_the_visitors_choice_of_colours_stays(look: Callable[..., Page]) -> None:
    page = look(1280, "light")
    page.get_by_role("button", name="Colour scheme").click()
    page.get_by_role("button", name="Dark").click()
    assert background(page) != "rgb(255, 255, 255)"
    page.reload()
    assert background(page) != "rgb(255, 255, 255)"


def test_a_message_can_be_closed(look: Callable[..., Page]) -> None:
    page = look(1280)
    alerts = page.locator(".alert-dismissible")
    count = alerts.count()
    page.get_by_label("Close").first.click()
    wait_for("a message is gone", lambda: alerts.count() == count - 1)


def test_the_keyboard_skips_the_menu(look: Callable[..., Page]) -> None:
    page = look(1280)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"


def test_the_summary_of_errors_leads_to_the_field(look: Callable[..., Page]) -> None:
    page = look(1280)
    page.locator("form input[type=submit]").first.click()
    page.locator(".alert a[href='#guests']").click()
    assert page.evaluate("document.activeElement.id") == "guests"
    described = page.locator("#guests").get_attribute("aria-describedby")
    assert page.locator(f"#{described}").inner_text() == "Not a valid integer value."
