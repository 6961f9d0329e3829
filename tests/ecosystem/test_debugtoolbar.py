"""Flask-DebugToolbar: a bar in every page of a debugged app."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask, redirect, render_template, render_template_string, session
from flask_debugtoolbar import DebugToolbarExtension
from flask_debugtoolbar.panels import DebugPanel
from flask_sqlalchemy import SQLAlchemy


def make(debug: bool = True, root_path: str | None = None, **config: Any) -> Flask:
    app = Flask(__name__, root_path=root_path)
    app.debug = debug
    app.config |= {"SECRET_KEY": "k", **config}
    DebugToolbarExtension(app)

    @app.route("/")
    def index() -> str:
        session["seen"] = "yes"
        app.logger.warning("looked at")
        return render_template_string("<html><body>{{ name }}</body></html>", name="Ada")

    app.add_url_rule("/item/<int:number>", "item", lambda number: f"<body>item {number}</body>")
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    app.add_url_rule("/away", "away", lambda: redirect("/"))
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    return app


def test_pages_get_the_toolbar_by_way_of_the_methods_it_replaced(
    assert_by_methods: Any, over_asgi: Any
) -> None:
    app = make()
    text = app.test_client().get("/").text
    assert "<body>Ada" in text and 'id="flDebug"' in text and text.endswith("</body></html>")
    response = app.test_client().get("/item/3")
    assert response.text.startswith("<body>item 3<div")
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert 'id="flDebug"' in over_asgi(app, "/").text
    assert_by_methods(app)


@pytest.mark.parametrize(
    ("panel", "shown"),
    [
        ("Version", "Werkzeug"),
        ("Header", "HTTP_HOST"),
        ("RequestVars", "SESSION Variables"),
        ("Template", "name"),
        ("Logging", "looked at"),
        ("RouteList", "/broken"),
        ("ConfigVars", "DEBUG_TB_ENABLED"),
    ],
)
def test_a_panel_shows_what_it_is_for(panel: str, shown: str) -> None:
    assert shown in content_of(panel, make().test_client().get("/").text)


def content_of(panel: str, text: str) -> str:
    return text.partition(f'id="flDebug{panel}Panel-content"')[2].partition("Panel-content")[0]


def test_the_profiler_runs_the_view_once_its_user_asked_for_it() -> None:
    client = make().test_client()
    assert "in-active" in client.get("/").text
    client.set_cookie("fldt_active", "flDebugProfilerPanel")
    text = client.get("/").text
    assert "<body>Ada" in text
    content = content_of("Profiler", text)
    assert "(render_template_string)" in content and "test_debugtoolbar.py" in content


def test_a_panel_of_ones_own_works_on_the_view_and_the_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Mine(DebugPanel):
        name = "Mine"
        has_content = True

        def process_view(self, request: Any, view: Any, kwargs: Any) -> Any:
            return lambda number: view(number=number + 1)

        def process_response(self, request: Any, response: Any) -> None:
            response.headers["X-Mine"] = request.path

        def content(self) -> str:
            return "of my own"

        nav_title = title = url = lambda self: "mine"

    module = ModuleType("panels_of_mine")
    vars(module)["Mine"] = Mine
    monkeypatch.setitem(sys.modules, module.__name__, module)
    app = make(DEBUG_TB_PANELS=("panels_of_mine.Mine",))
    response = app.test_client().get("/item/3")
    assert response.headers["X-Mine"] == "/item/3"
    assert response.text.startswith("<body>item 4")
    assert "of my own" in content_of("Mine", response.text)


def test_queries_are_listed_and_only_signed_ones_are_looked_at() -> None:
    app = make(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)

    @app.route("/query")
    def query() -> str:
        found = db.session.execute(db.text("select :n + 1"), {"n": 41}).scalar()
        return f"<body>{found}</body>"

    client = app.test_client()
    text = client.get("/query").text
    assert text.startswith("<body>42")
    assert "1 query" in text and "? + 1" in re.sub("<[^>]+>", "", content_of("SQLAlchemy", text))
    forged = "/_debug_toolbar/views/sqlalchemy/sql_select?query=forged&duration=1"
    assert client.get(forged).status_code == 406


def test_templates_can_be_looked_at_tried_out_and_saved(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "hello.html"
    template.write_text("<body>Hello {{ name }}</body>")
    app = make(DEBUG_TB_TEMPLATE_EDITOR_ENABLED=True, root_path=str(tmp_path))
    app.add_url_rule("/hello", "hello", lambda: render_template("hello.html", name="Ada"))
    client = app.test_client()
    url = re.search(r"/_debug_toolbar/views/template/[0-9a-f-]+", client.get("/hello").text)
    assert url is not None
    editor = client.get(url[0]).text
    assert "hello.html" in editor and "Hello {{ name }}" in editor
    assert 'id="flDebug"' not in editor
    assert client.post(url[0], data={"content": "Bye {{ name }}"}).text == "Bye Ada"
    broken = client.post(url[0], data={"content": "{{ 1 / 0 }}"})
    assert (broken.status_code, broken.json["error"]) == (400, "division by zero")
    new = "<body>Bye {{ name }}</body>"
    assert client.post(f"{url[0]}/save", data={"content": new}).text == "ok"
    assert template.read_text() == new


def test_other_answers_stay_as_they_are() -> None:
    app = make()
    assert app.test_client().get("/json").json == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/broken")


def test_a_redirect_is_shown_before_it_is_followed() -> None:
    response = make().test_client().get("/away")
    assert response.status_code == 200
    assert "Location: <a href='/'>" in response.text.replace('"', "'")
    app = make(DEBUG_TB_INTERCEPT_REDIRECTS=False)
    assert app.test_client().get("/away").status_code == 302


def test_the_assets_of_the_toolbar_are_served() -> None:
    client = make().test_client()
    urls = set(re.findall(r'="?(/_debug_toolbar/static/[^"\s>]+)', client.get("/").text))
    assert len(urls) >= 2
    for url in urls:
        with client.get(url) as response:
            assert response.status_code == 200


def test_without_debug_there_is_none_and_nothing_is_replaced(
    assert_fast: Any, over_asgi: Any
) -> None:
    app = make(debug=False)
    assert app.test_client().get("/").text == "<html><body>Ada</body></html>"
    assert over_asgi(app, "/").text == "<html><body>Ada</body></html>"
    assert app.test_client().get("/away").status_code == 302
    assert app.test_client().get("/_debug_toolbar/static/css/toolbar.css").status_code == 404
    assert_fast(app)


def test_others_than_the_hosts_it_is_for_see_none() -> None:
    app = make(DEBUG_TB_HOSTS=("192.0.2.1",))
    assert app.test_client().get("/").text == "<html><body>Ada</body></html>"
    at_host = app.test_client().get("/", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert 'id="flDebug"' in at_host.text


def test_it_asks_for_a_secret_key() -> None:
    with pytest.raises(RuntimeError, match="requires the 'SECRET_KEY' config"):
        make(SECRET_KEY=None)
