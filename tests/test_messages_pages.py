"""Mistakes with URLs, templates, methods and limits: each hint, by trying it."""

from __future__ import annotations

from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hinting import has, notes_of
from jinja2 import TemplateAssertionError, TemplateNotFound, TemplateRuntimeError, UndefinedError
from werkzeug.routing import BuildError

from vial import (
    Blueprint,
    Vial,
    redirect,
    render_template,
    render_template_string,
    request,
    send_from_directory,
    url_for,
)


@pytest.fixture
def app(tmp_path: Path) -> Vial:
    app = Vial("app", root_path=str(tmp_path))
    app.debug = True
    return app


def about() -> str:
    return "about"


# -- url_for and redirect ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("abuot", {}, ["No view has the endpoint 'abuot'", "Did you mean 'about'", "vial routes"]),
        ("login", {}, ["belongs to a blueprint", "url_for('auth.login')", "url_for('.login')"]),
        ("auth.lgin", {}, ["The blueprint 'auth' has", "Did you mean 'auth.login'"]),
        ("user.login", {}, ["No blueprint 'user' is registered", "'auth'", "register_blueprint("]),
        ("/about", {}, ["the name of an endpoint, not a URL"]),
        ("show", {"id": 1}, ["'/<int:id>/<name>' lacks 'name'", "url_for('show', id=…, name=…)"]),
        ("show", {"id": 1, "name": None}, ["lacks 'name'", "'name' was given as None"]),
    ],
)
def test_a_url_that_cannot_be_built(
    app: Vial, endpoint: str, values: dict[str, Any], words: list[str]
) -> None:
    auth = Blueprint("auth", "app")
    auth.get("/login", endpoint="login")(about)
    app.register_blueprint(auth)
    app.get("/about")(about)
    app.get("/<int:id>/<name>", endpoint="show")(about)
    text = notes_of(
        app, lambda: url_for(endpoint, **values), BuildError, rule="/view", path="/view"
    )
    has(text, *words)


def test_a_blueprint_that_was_never_registered(app: Vial) -> None:
    text = notes_of(app, lambda: url_for("auth.login"), BuildError)
    has(
        text, "No blueprint 'auth' is registered", "app.register_blueprint(…)", "Blueprint(name, …)"
    )


def test_a_value_that_its_converter_refuses(app: Vial) -> None:
    app.get("/<int:id>", endpoint="show")(about)
    text = notes_of(app, lambda: url_for("show", id="x"), ValueError, rule="/v", path="/v")
    has(text, "url_for('show') was given id='x'", "'/<int:id>'")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: redirect(about), ["the function", "redirect(url_for('the_about'))"]),
        (lambda: url_for(about), ["the function", "url_for('the_about')"]),
        (lambda: redirect(None), ["redirect() takes a URL, and got a NoneType"]),
    ],
    ids=lambda value: None,
)
@pytest.mark.parametrize("flask_mode", [False, True])
def test_a_function_in_place_of_a_text(
    app: Vial, use: Any, words: list[str], flask_mode: bool
) -> None:
    app.config["EXTERNAL_REDIRECTS"] = flask_mode
    app.get("/about", endpoint="the_about")(about)
    try:
        text = notes_of(app, use, Exception)
    except pytest.fail.Exception:  # Werkzeug's redirect writes whatever it is given
        assert flask_mode
        return
    has(text, *words)


# -- templates ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates" / "shop").mkdir(parents=True)
    (tmp_path / "templates" / "index.html").write_text("{{ usr.name }}")
    (tmp_path / "templates" / "shop" / "cart.html").write_text("{% extends 'layuot.html' %}")
    (tmp_path / "templates" / "layout.html").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("indx.html", ["Did you mean 'index.html'"]),
        ("templates/index.html", ["inside of the templates folder: render 'index.html'"]),
        ("cart.html", ["There is 'shop/cart.html'"]),
        ("shop\\cart.html", ["'shop/cart.html'"]),
        ("shop/cart.html", ["Did you mean 'layout.html'"]),  # what it extends
        ("zzz.html", ["The templates are 'index.html', 'layout.html', 'shop/cart.html'"]),
    ],
)
def test_a_template_by_another_name(app: Vial, folder: Path, name: str, words: list[str]) -> None:
    has(notes_of(app, lambda: render_template(name), TemplateNotFound), *words)


def test_a_templates_folder_beside_the_package(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").touch()
    app = Vial("app", root_path=str(tmp_path / "package"))
    app.debug = True
    text = notes_of(app, lambda: render_template("page.html"), TemplateNotFound)
    has(text, str(tmp_path / "templates"), f"Move it to {str(tmp_path / 'package/templates')!r}")


def test_a_folder_called_template_and_none_at_all(app: Vial, tmp_path: Path) -> None:
    text = notes_of(app, lambda: render_template("page.html"), TemplateNotFound)
    has(text, f"no folder {str(tmp_path / 'templates')!r}: create it")
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "page.html").touch()
    text = notes_of(app, lambda: render_template("page.html"), TemplateNotFound)
    has(text, str(tmp_path / "template"), "Move it to")


def test_a_blueprint_without_its_templates_folder(app: Vial, tmp_path: Path) -> None:
    (tmp_path / "shop" / "templates").mkdir(parents=True)
    (tmp_path / "shop" / "templates" / "cart.html").touch()
    app.register_blueprint(Blueprint("shop", "app", root_path=str(tmp_path / "shop")))
    text = notes_of(app, lambda: render_template("cart.html"), TemplateNotFound)
    has(text, "beside the blueprint 'shop'", "template_folder='templates'")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (
            "{{ usr.name }}",
            UndefinedError,
            ["'usr'", "Did you mean 'user'", "It has 'nothing', 'user'"],
        ),
        ("{{ url_fro('x') }}", UndefinedError, ["Did you mean 'url_for'"]),
        ("{{ user.nmae.x }}", UndefinedError, ["default("]),
        ("{{ nothing.name.x }}", UndefinedError, ["The value is None"]),
        ("{{ 1|uper }}", TemplateAssertionError, ["no filter 'uper'", "Did you mean 'upper'"]),
        ("{% if 1 is evn %}{% endif %}", TemplateRuntimeError, ["no test 'evn'", "'even'"]),
        ("{{ url_for('the_veiw') }}", BuildError, ["Did you mean 'the_view'"]),
    ],
)
def test_a_mistake_in_a_template(
    app: Vial, source: str, error: type[Exception], words: list[str]
) -> None:
    def view() -> str:
        return render_template_string(source, user={"name": 1}, nothing=None)

    has(notes_of(app, view, error), *words)


def test_an_undefined_variable_names_its_template(app: Vial, folder: Path) -> None:
    text = notes_of(app, lambda: render_template("index.html", user=1), UndefinedError)
    has(text, "the template 'index.html'", "Did you mean 'user'")


# -- answers that are errors -------------------------------------------------------------------


def said(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(r.getMessage() for r in caplog.records if r.name == "vial.hints")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/abuot", ["No rule fits '/abuot'", "Did you mean '/about'"]),
        ("/about/", ["The rule is '/about', without a slash at the end"]),
        ("/cart", ["There is '/shop/cart'", "prefix"]),
        ("/the_cart", ["'the_cart' is the name of an endpoint", "url_for('the_cart')"]),
        ("/usr/bob", ["No rule fits '/usr/bob'", "Did you mean '/user/bob'"]),
        ("/item/bob", ["The rule '/item/<int:id>' does not take '/item/bob'"]),
        ("/static/styles.css", ["no file 'styles.css'", "Did you mean 'style.css'"]),
        ("/files/a.txt", ["no folder", "app.root_path"]),
    ],
)
def test_a_url_that_is_not_found(
    app: Vial, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, words: list[str]
) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "style.css").touch()
    app.get("/about")(about)
    app.get("/shop/cart", endpoint="the_cart")(about)
    app.get("/user/<name>", endpoint="u")(about)
    app.get("/item/<int:id>", endpoint="i")(about)
    app.get("/files/<name>", endpoint="f")(lambda name: send_from_directory("files", name))
    page = app.test_client().get(path)
    assert page.status_code == 404
    has(said(caplog), f"404 for GET {path!r}", *words)
    has(unescape(page.text), *words, "debug mode only")
    app.debug = False
    assert words[0] not in unescape(app.test_client().get(path).text)


def test_a_page_that_is_a_websocket(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    app.websocket("/talk")(lambda: None)
    assert app.test_client().get("/talk").status_code == 400
    has(said(caplog), "400 for GET '/talk'", "a page and a WebSocket")


def test_a_404_of_a_view_and_one_without_anything_near_say_nothing(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/about")(about)
    assert "debug" not in app.test_client().get("/favicon.ico").text
    assert said(caplog) == ""


def test_an_app_without_routes(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    app.test_client().get("/")
    has(said(caplog), "The app has no routes", "imported", "registered")


def test_a_method_that_no_rule_of_the_url_takes(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/about")(about)
    app.post("/save", endpoint="save")(about)
    client = app.test_client()
    has(client.post("/about").text, "GET, HEAD, OPTIONS, not POST", "debug mode only")
    has(client.get("/save").text, "OPTIONS, POST, not GET", "A browser that opens a URL")
    has(said(caplog), "'/about' (endpoint 'about')", "methods=['GET', 'POST']")
    app.debug = False
    assert "OPTIONS" not in client.post("/about").text


def test_a_post_that_is_redirected_to_the_slash(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.post("/form/")(about)
    assert app.test_client().post("/form").status_code == 308
    has(said(caplog), "308 for POST '/form'", "'http://localhost/form/'", "url_for()")
    caplog.clear()
    app.test_client().get("/form")
    assert "308" not in said(caplog)


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MAX_CONTENT_LENGTH", 10, ["The body has ", " bytes, which is over", "LENGTH, 10 bytes"]),
        ("MAX_FORM_MEMORY_SIZE", 10, ["MAX_FORM_MEMORY_SIZE = 10", "sent as a file"]),
        ("MAX_FORM_PARTS", 1, ["MAX_FORM_PARTS = 1"]),
    ],
)
def test_a_body_that_is_too_large(
    app: Vial, caplog: pytest.LogCaptureFixture, limit: str, value: int, words: list[str]
) -> None:
    app.config[limit] = value
    app.post("/")(lambda: request.form["a"])
    data = {"a": "x" * 100, "f": (BytesIO(b"x"), "a.txt")}
    page = app.test_client().post("/", data=data)
    assert page.status_code == 413
    has(page.text, *words)
    has(said(caplog), *words)
    app.debug = False
    data = {"a": "x" * 100, "f": (BytesIO(b"x"), "a.txt")}
    assert limit not in app.test_client().post("/", data=data).text


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"data": {"a": "1"}}, ["a form was sent, read request.form"]),
        ({"data": "{}"}, ["'absent'", "JSON.stringify(data)", "force=True"]),
        ({"data": "{'a': 1}", "content_type": "application/json"}, ["begins", "double quotes"]),
        ({"data": "", "content_type": "application/json"}, ["The body is empty"]),
    ],
)
def test_a_body_that_is_no_json(
    app: Vial, caplog: pytest.LogCaptureFixture, sent: dict[str, Any], words: list[str]
) -> None:
    app.post("/")(lambda: request.get_json())
    assert app.test_client().post("/", **sent).status_code in (400, 415)
    has(said(caplog), *words)


def test_a_path_from_a_client_stays_on_one_line_of_the_log(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/about")(about)
    app.test_client().get("/about%0A/")
    app.test_client().get("/abou%0Ax")
    assert len(caplog.records) == 2
    assert [r for r in caplog.records if not r.getMessage().isprintable()] == []
