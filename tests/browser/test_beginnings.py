"""What people begin with, in a real browser: the site of the tutorial, and `vial new --login`."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect
from serving import Served

from vial.cli.new import new_command

from .conftest import Window

pytestmark = pytest.mark.browser

SITE = Path(__file__).parents[2] / "examples" / "site"
SIZES = {"desktop": {"width": 1280, "height": 720}, "phone": {"width": 360, "height": 640}}
PRODUCTION = {
    "SECRET_KEY": secrets.token_hex(),
    "VIAL_CONFIG": "production",
    "DATABASE_URL": "sqlite:///club.db",
}
Snap = Callable[[Page, str], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Served]]:
    """Start `vial serve` in a folder, as in production."""
    with ExitStack() as stack:

        def start(folder: Path) -> Served:
            server = stack.enter_context(Served(folder, **PRODUCTION))
            server.wait("/")
            return server

        yield start


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[Served, str], Window]]:
    """Open a window; none may have had an error or asked another site for anything."""
    windows: list[Window] = []

    def open_it(server: Served, size: str) -> Window:
        context = browser.new_context(base_url=server.url, viewport=SIZES[size], locale="en-GB")
        context.set_default_timeout(30_000)
        windows.append(Window(context.new_page(), server.url))
        return windows[-1]

    yield open_it
    for window in windows:
        window.page.context.close()
    assert [fault for window in windows for fault in window.faults] == []


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("size", SIZES)
def test_the_site_of_the_tutorial(
    serve: Callable[[Path], Served],
    visit: Callable[[Served, str], Window],
    snap: Snap,
    tmp_path: Path,
    size: str,
) -> None:
    shutil.copytree(SITE, tmp_path / "site")
    window = visit(serve(tmp_path / "site"), size)
    page = window.page
    page.goto("/")
    expect(page.get_by_text("Your first time here?")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You have been on this page 2 times.")).to_be_visible()
    page.get_by_role("link", name="See our teas").click()
    page.get_by_label("Show").select_option("green")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert fits(page)
    snap(page, f"site-{size}")
    page.get_by_role("link", name="Jasmine").click()
    expect(page.get_by_role("heading", name="Jasmine")).to_be_visible()
    with window.expecting("status of 404"):
        page.goto("/teas/coffee")
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert fits(page)


@pytest.mark.parametrize("size", SIZES)
def test_the_accounts_of_a_new_project(
    serve: Callable[[Path], Served],
    visit: Callable[[Served, str], Window],
    snap: Snap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
) -> None:
    server = serve(project(tmp_path, monkeypatch))
    page = visit(server, size).page
    page.goto("/profile")
    expect(page.get_by_text("Please log in to access this page.")).to_be_visible()
    page.goto("/register")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill("a long password")
    page.get_by_label("Once more").fill("another password")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("This is not the same.")).to_be_visible()
    assert fits(page)
    snap(page, f"register-{size}")
    page.get_by_label("Password").fill("a long password")
    page.get_by_label("Once more").fill("a long password")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="ada")).to_be_visible()
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Log out").click()
    page.goto("/login?next=https://evil.example/")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="ada")).to_be_visible()
    assert page.url == f"{server.url}/profile"


def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project with accounts, and its database."""
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(new_command, ["club", "--login"])
    assert result.exit_code == 0, result.output
    command = [sys.executable, "-m", "vial", "db", "upgrade"]
    variables = os.environ | PRODUCTION
    subprocess.run(command, cwd=folder / "club", env=variables, check=True, timeout=60)
    return folder / "club"
