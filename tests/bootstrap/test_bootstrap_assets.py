"""The files that are shipped, and the tags that load them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

import vial
from vial import Vial, render_template_string
from vial.bootstrap import Bootstrap5
from vial.bootstrap.assets import INTEGRITY, SHIPPED, STATIC, THEMES

ALL = "{{ bootstrap.load_css() }}{{ bootstrap.load_icon_font_css() }}{{ bootstrap.load_js() }}"


def tags(source: str = ALL, extension: Any = Bootstrap5, **config: Any) -> str:
    app = Vial(__name__, static_folder=None)
    app.config.update(config)
    extension(app)
    with app.test_request_context():
        return render_template_string(source)


def sri(path: Path) -> str:
    return "sha384-" + b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()


@pytest.mark.parametrize("name", INTEGRITY)
def test_a_hash_is_that_of_the_shipped_file(name: str) -> None:
    assert INTEGRITY[name] == sri(STATIC / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_theme_has_its_hash_and_asks_no_other_host(name: str) -> None:
    path = STATIC / "css" / "bootswatch" / name / "bootstrap.min.css"
    assert THEMES[name] == sri(path)
    text = path.read_text()
    assert "@import" not in text and "url(http" not in text and 'url("http' not in text


def test_everything_has_the_notice_of_its_licence() -> None:
    found = {path.stem: path.read_text() for path in (STATIC / "licenses").iterdir()}
    assert found.keys() == {"bootstrap", "bootstrap-icons", "bootswatch", "jquery"}
    assert all("MIT" in text or "Permission is hereby granted" in text for text in found.values())


def test_there_is_one_copy_of_bootstrap_in_the_package() -> None:
    files = Path(vial.__file__).parent.rglob("bootstrap.min.css")
    assert {sri(path) for path in files} == {INTEGRITY["css/bootstrap.min.css"]} | {
        THEMES[name] for name in SHIPPED
    }


def test_by_default_no_other_host_is_asked() -> None:
    assert "//" not in tags()


def test_a_cdn_is_asked_on_demand_and_checked() -> None:
    text = tags(BOOTSTRAP_SERVE_LOCAL=False)
    assert text.count("https://cdn.jsdelivr.net/npm/") == 3
    assert text.count('crossorigin="anonymous"') == 3
    for name in ("css/bootstrap.min.css", "js/bootstrap.bundle.min.js"):
        assert f'/dist/{name}" integrity="{INTEGRITY[name]}"' in text
