from __future__ import annotations

import importlib
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import DictLoader, TemplateNotFound

from vial.flask_mode import Flask as VialInFlaskMode


@pytest.fixture(params=["flask", "vial"])
def web(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The framework under test, by role: the same case runs on Flask and on Vial."""
    package = importlib.import_module(request.param)
    return SimpleNamespace(
        App=package.Flask if request.param == "flask" else VialInFlaskMode,
        Blueprint=package.Blueprint,
        request=package.request,
        render_template=package.render_template,
        debughelpers=importlib.import_module(f"{request.param}.debughelpers"),
    )


@pytest.fixture
def app(web: SimpleNamespace) -> Any:
    app = web.App("site", root_path=str(Path(__file__).parent), template_folder=None)
    app.debug = True
    return app


def test_a_file_sent_without_multipart_names_the_enctype_to_add(
    web: SimpleNamespace, app: Any
) -> None:
    @app.post("/")
    def upload() -> str:
        with pytest.raises(web.debughelpers.DebugFilesKeyError) as caught:
            web.request.files["photo"]
        assert isinstance(caught.value, KeyError)
        return str(caught.value)

    text = app.test_client().post("/", data={"photo": ["a.png", "b.png"]}).text
    assert "'photo' in the request.files" in text
    assert "'application/x-www-form-urlencoded' instead of 'multipart/form-data'" in text
    assert 'enctype="multipart/form-data"' in text
    assert text.endswith("'a.png', 'b.png'")


def test_a_file_that_is_missing_otherwise_is_the_plain_key_error(
    web: SimpleNamespace, app: Any
) -> None:
    @app.post("/")
    def upload() -> str:
        with pytest.raises(KeyError) as caught:
            web.request.files["photo"]
        assert web.request.files.get("photo") is None
        assert type(web.request.files).__name__ == "ImmutableMultiDict"
        return type(caught.value).__name__

    assert app.test_client().post("/", data={"title": "x"}).text == "BadRequestKeyError"


def test_without_debug_mode_the_enctype_is_not_explained(web: SimpleNamespace, app: Any) -> None:
    app.debug = False
    app.post("/")(lambda: web.request.files["photo"])
    answer = app.test_client().post("/", data={"photo": "a.png"})
    assert answer.status_code == 400
    assert "enctype" not in answer.text


def test_a_form_that_would_lose_its_data_by_a_redirect_is_an_error(
    web: SimpleNamespace, app: Any
) -> None:
    app.post("/form/")(lambda: "ok")
    assert app.test_client().post("/form").status_code == 308  # which keeps the data
    error = web.debughelpers.FormDataRoutingRedirect
    with app.test_request_context("/form", method="POST") as ctx, pytest.raises(error) as caught:
        ctx.request.routing_exception.code = 301
        app.raise_routing_exception(ctx.request)
    text = str(caught.value)
    assert "sent to 'http://localhost/form', but" in text
    assert "canonical URL 'http://localhost/form/'." in text
    assert "trailing slash" in text
    assert "only raised in debug mode" in text


def test_a_redirect_to_another_path_does_not_speak_of_the_slash(
    web: SimpleNamespace, app: Any
) -> None:
    app.add_url_rule("/old", "old", redirect_to="/new", methods=["POST"])
    with app.test_request_context("/old", method="POST") as ctx:
        text = str(web.debughelpers.FormDataRoutingRedirect(ctx.request))
    assert "canonical URL 'http://localhost/new'." in text
    assert "trailing slash" not in text


def test_unicode_errors_are_assertions_too(web: SimpleNamespace) -> None:
    assert issubclass(web.debughelpers.UnexpectedUnicodeError, AssertionError)
    assert issubclass(web.debughelpers.UnexpectedUnicodeError, UnicodeError)


@pytest.fixture
def explained(web: SimpleNamespace, app: Any, caplog: pytest.LogCaptureFixture) -> Any:
    """Renders a template inside of the blueprint and gives what was logged."""
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    app.jinja_loader = DictLoader({"both.html": "app"})
    bp = web.Blueprint("shop", "shop_module", template_folder="shop", root_path="/nowhere")
    bp.jinja_loader = DictLoader({"both.html": "bp", "shop.html": "bp"})
    bp.add_url_rule("/<name>", "show", lambda name: web.render_template(f"{name}.html"))
    app.register_blueprint(bp)

    def explain(path: str) -> str:
        with caplog.at_level(logging.INFO):
            app.test_client().get(path)
        return caplog.records[-1].getMessage()

    return explain


def test_the_search_for_a_template_tells_the_loaders_and_the_match(explained: Any) -> None:
    lines = explained("/shop").splitlines()
    assert lines == [
        "Locating template 'shop.html':",
        "    1: trying loader of application 'site'",
        "       class: jinja2.loaders.DictLoader",
        "       -> no match",
        "    2: trying loader of blueprint 'shop' (shop_module)",
        "       class: jinja2.loaders.DictLoader",
        "       -> found ('<string>')",
    ]


def test_two_matches_are_a_warning_and_name_the_blueprint(explained: Any) -> None:
    text = explained("/both")
    assert "\nWarning: multiple loaders returned a match for the template.\n" in text
    assert "an endpoint that belongs to the blueprint 'shop'." in text


def test_no_match_is_an_error(explained: Any, app: Any) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TemplateNotFound, match=r"none\.html"):
        explained("/none")
    with pytest.raises(TemplateNotFound), app.app_context():
        app.jinja_env.get_template("outside.html")


def test_what_is_known_of_a_loader_is_told(
    web: SimpleNamespace, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    loader = SimpleNamespace(
        searchpath=["/a", "/b"], encoding="utf-8", followlinks=False, _hidden="x", odd=object()
    )
    attempts = [(loader, app, ("source", "/a/x.html", None)), (loader, "somebody", None)]
    with caplog.at_level(logging.INFO):
        web.debughelpers.explain_template_loading_attempts(app, "x.html", attempts)
    assert caplog.records[-1].getMessage().splitlines() == [
        "Locating template 'x.html':",
        "    1: trying loader of application 'site'",
        "       class: types.SimpleNamespace",
        "       encoding: 'utf-8'",
        "       followlinks: False",
        "       searchpath:",
        "         - /a",
        "         - /b",
        "       -> found ('/a/x.html')",
        "    2: trying loader of 'somebody'",
        "       class: types.SimpleNamespace",
        "       encoding: 'utf-8'",
        "       followlinks: False",
        "       searchpath:",
        "         - /a",
        "         - /b",
        "       -> no match",
    ]
