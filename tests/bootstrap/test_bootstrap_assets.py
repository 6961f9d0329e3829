"""The files that are shipped, and the tags that load them."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from html_tree import parse

from vial import Vial, render_template_string, url_for
from vial.bootstrap import Bootstrap, Bootstrap4, Bootstrap5
from vial.bootstrap.assets import INTEGRITY, SHIPPED, STATIC, THEMES
from vial.bootstrap.colors import contrast

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
    files = STATIC.parents[1].rglob("bootstrap.min.css")
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


def test_only_what_is_shipped_is_checked_on_a_cdn() -> None:
    source = "{{ bootstrap.load_css('5.1.0') }}{{ bootstrap.load_js('5.1.0') }}"
    text = tags(source, BOOTSTRAP_SERVE_LOCAL=False)
    assert text.count("bootstrap@5.1.0") == 2 and "integrity" not in text
    text = tags("{{ bootstrap.load_css('5.1.0', 'sha384-x') }}", BOOTSTRAP_SERVE_LOCAL=False)
    assert 'integrity="sha384-x"' in text


def test_a_hash_of_the_program_is_for_bootstrap_without_popper() -> None:
    source = "{{ bootstrap.load_js(bootstrap_sri='sha384-b', popper_sri='sha384-p') }}"
    first, second = tags(source, BOOTSTRAP_SERVE_LOCAL=False).splitlines()
    assert 'popper.min.js" integrity="sha384-p"' in first
    assert 'js/bootstrap.min.js" integrity="sha384-b"' in second
    source = "{{ bootstrap.load_js(bootstrap_sri='sha384-b', with_popper=False) }}"
    assert "popper" not in tags(source, BOOTSTRAP_SERVE_LOCAL=False)


@pytest.mark.parametrize("extension", [Bootstrap, Bootstrap4, Bootstrap5])
@pytest.mark.filterwarnings("ignore:Vial has Bootstrap 5")
def test_jquery_comes_for_old_programs_only(extension: Any) -> None:
    text = tags("{{ bootstrap.load_js() }}", extension)
    assert ("jquery" in text) is (extension is not Bootstrap5)
    assert "jquery" not in tags("{{ bootstrap.load_js(with_jquery=False) }}", extension)
    text = tags("{{ bootstrap.load_js() }}", extension, BOOTSTRAP_SERVE_LOCAL=False)
    assert (INTEGRITY["js/jquery.min.js"] in text) is (extension is not Bootstrap5)


def test_bootstrap_4_says_what_it_is() -> None:
    with pytest.warns(UserWarning, match="Bootstrap4 renders its macros with that. Use Bootstrap5"):
        Bootstrap4()


def test_tags_have_the_nonce_of_the_app_or_of_the_call() -> None:
    app = Vial(__name__)
    Bootstrap5(app)
    app.jinja_env.globals["csp_nonce"] = lambda: 'a"b'
    with app.test_request_context():
        assert 'nonce="a&#34;b"' in render_template_string("{{ bootstrap.load_js() }}")
        assert 'nonce="a&#34;b"' in render_template_string("{{ bootstrap.load_css() }}")
        assert 'nonce="c"' in render_template_string("{{ bootstrap.load_js(nonce='c') }}")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_theme_is_local(name: str) -> None:
    text = tags("{{ bootstrap.load_css() }}", BOOTSTRAP_BOOTSWATCH_THEME=name.title())
    assert f"/bootstrap/static/css/bootswatch/{name}/bootstrap.min.css?v=" in text


def test_another_theme_is_on_the_cdn_and_checked() -> None:
    text = tags("{{ bootstrap.load_css(bootswatch_theme='lumen') }}")
    assert "https://cdn.jsdelivr.net/npm/bootswatch@5.3.8/dist/lumen/bootstrap.min.css" in text
    assert THEMES["lumen"] in text


def test_another_theme_is_refused_where_all_must_be_local() -> None:
    settings: dict[str, Any] = {"BOOTSTRAP_BOOTSWATCH_THEME": "lumen"}
    with pytest.raises(RuntimeError, match=r"'lumen' is not shipped.* be False, or unset"):
        tags("{{ bootstrap.load_css() }}", BOOTSTRAP_SERVE_LOCAL=True, **settings)


def test_an_unknown_theme_is_refused_when_the_program_starts() -> None:
    app = Vial(__name__)
    app.config["BOOTSTRAP_BOOTSWATCH_THEME"] = "../x"
    with pytest.raises(RuntimeError, match=r"Bootswatch has no theme '../x'.*cerulean"):
        Bootstrap5(app)


def test_a_url_names_the_content_and_may_be_kept_for_a_year() -> None:
    app = Vial(__name__)
    Bootstrap5(app)
    with app.test_request_context():
        url = url_for("bootstrap.static", filename="css/vial.css")
    client = app.test_client()
    path, _, version = url.partition("?v=")
    assert path == "/bootstrap/static/css/vial.css" and len(version) == 24
    with client.get(url) as kept, client.get(path) as asked, client.get(f"{path}?v=1") as other:
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert asked.headers["Cache-Control"] == other.headers["Cache-Control"] == "no-cache"
        assert kept.status_code == 200 and kept.mimetype == "text/css"


@pytest.mark.parametrize("path", ["js/bootstrap.min.js", "jquery.min.js", "css/bootstrap.css"])
def test_paths_of_the_originals_are_found(path: str) -> None:
    app = Vial(__name__)
    Bootstrap5(app)
    with app.test_client().get(f"/bootstrap/static/{path}") as response:
        assert response.status_code == 200 and len(response.data) > 10_000


@pytest.mark.parametrize("path", ["../assets.py", "nothing.css", "css/", "%2e%2e/assets.py"])
def test_nothing_else_is_sent(path: str) -> None:
    app = Vial(__name__)
    Bootstrap5(app)
    with app.test_client().get(f"/bootstrap/static/{path}") as response:
        assert response.status_code == 404


def test_colours_of_the_settings_are_a_style_sheet() -> None:
    app = Vial(__name__)
    app.config["BOOTSTRAP_COLORS"] = {"primary": "#6610F2", "warning": "#ffc107"}
    Bootstrap5(app)
    with app.test_request_context():
        text = render_template_string("{{ bootstrap.load_css() }}")
    first, second = [tag.partition('"')[0] for tag in text.split('href="')[1:]]
    assert "css/bootstrap.min.css" in first and "css/colors.css" in second
    client = app.test_client()
    response = client.get(second)
    assert response.mimetype == "text/css" and "immutable" in response.headers["Cache-Control"]
    assert "--bs-primary: #6610f2; --bs-primary-rgb: 102, 16, 242;" in response.text
    assert ".btn-primary { --bs-btn-color: #ffffff; --bs-btn-bg: #6610f2;" in response.text
    assert ".btn-warning { --bs-btn-color: #000000; --bs-btn-bg: #ffc107;" in response.text
    etag = response.headers["ETag"]
    assert client.get(second, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("colors", [{"primary": "red"}, {"main": "#123456"}, {"info": "#1}{x"}])
def test_what_is_no_colour_is_refused_when_the_program_starts(colors: dict[str, str]) -> None:
    app = Vial(__name__)
    app.config["BOOTSTRAP_COLORS"] = colors
    with pytest.raises(RuntimeError, match=r"Expected is a colour such as '#6610f2'"):
        Bootstrap5(app)


@pytest.mark.parametrize("mode", ["light", "dark", "auto"])
def test_the_page_is_light_or_dark(mode: str) -> None:
    source = "{% extends 'bootstrap5/base.html' %}"
    page = parse(tags(source, BOOTSTRAP_COLOR_MODE=mode, SECRET_KEY="k")).one("html")
    assert page.attributes["data-bs-theme"] == ("light" if mode == "auto" else mode)
    assert page.attributes["data-vb-mode"] == mode


def test_a_base_page_has_no_inline_script_or_style() -> None:
    for name in ("bootstrap5/base.html", "bootstrap/base.html"):
        page = parse(tags(f"{{% extends '{name}' %}}", SECRET_KEY="k"))
        assert not page.all("style") and len(page.all("script")) >= 2
        assert all(not script.text and script.attributes["src"] for script in page.all("script"))
        assert not [e for e in page if any(a == "style" or a[:2] == "on" for a in e.attributes)]


@pytest.mark.parametrize("name", ["bootstrap5/base.html", "bootstrap/base.html"])
def test_everything_that_a_base_page_loads_has_the_nonce(name: str) -> None:
    app = Vial(__name__)
    app.config["SECRET_KEY"] = "k"
    Bootstrap(app)
    app.jinja_env.globals["csp_nonce"] = lambda: "once"
    with app.test_request_context():
        page = parse(render_template_string(f"{{% extends '{name}' %}}"))
    loaded = [*page.all("script"), *page.all("link", rel="stylesheet")]
    assert [e.attributes.get("nonce") for e in loaded] == ["once"] * len(loaded) and loaded


def test_a_button_can_be_read_on_any_colour() -> None:
    for color in ("#000000", "#ffffff", "#ffc107", "#0d6efd", "#767676", "#777777"):
        rgb = tuple(int(color[n : n + 2], 16) for n in (1, 3, 5))
        text = contrast(rgb)  # type: ignore[arg-type]
        assert text in ((0, 0, 0), (255, 255, 255)) and text != rgb
    assert contrast((118, 118, 118)) == (255, 255, 255) and contrast((255, 193, 7)) == (0, 0, 0)
