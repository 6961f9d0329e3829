"""Flask-Session: the session on the server, in files, Redis or a database."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cachelib.file
import pytest
from cachelib.file import FileSystemCache
from flask import Flask, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from redis import Redis

LIFETIME = timedelta(hours=2)
KINDS = ["filesystem", "cachelib", pytest.param("redis", marks=pytest.mark.service), "sqlalchemy"]


def make(kind: str, folder: Path) -> Flask:
    app = Flask(__name__)
    app.config |= {"SESSION_KEY_PREFIX": f"{folder}:", "PERMANENT_SESSION_LIFETIME": LIFETIME}
    if kind == "filesystem":
        app.config |= {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": str(folder)}
    elif kind == "cachelib":
        app.config |= {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": FileSystemCache(str(folder))}
    elif kind == "redis":
        app.config |= {"SESSION_TYPE": "redis", "SESSION_REDIS": Redis("127.0.0.1", db=15)}
    else:
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder / 'sessions.db'}"
        app.config |= {"SESSION_TYPE": "sqlalchemy", "SESSION_SQLALCHEMY": SQLAlchemy(app)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the kind "filesystem"
        Session(app)

    @app.route("/add/<item>")
    def add(item: str) -> Any:
        session.setdefault("items", []).append(item)
        session.modified = True
        return session["items"]

    app.add_url_rule("/read", "read", lambda: session.get("items", []))
    app.add_url_rule("/clear", "clear", lambda: session.clear() or "cleared")

    @app.route("/until-the-browser-closes")
    def temporary() -> str:
        session.permanent = False
        return "temporary"

    @app.route("/new-id")
    def new_id() -> str:
        app.session_interface.regenerate(session)  # type: ignore[attr-defined]
        return "another"

    return app


@pytest.fixture(params=KINDS)
def app(request: Any, tmp_path: Path) -> Flask:
    return make(request.param, tmp_path)


def test_what_a_client_stored_is_there_for_it_alone(app: Flask, assert_fast: Any) -> None:
    ada, bob = app.test_client(), app.test_client()
    ada.get("/add/apple")
    bob.get("/add/pear")
    assert ada.get("/add/plum").json == ["apple", "plum"]
    assert bob.get("/read").json == ["pear"]
    assert app.test_client().get("/read").json == []
    assert_fast(app)


def test_the_cookie_has_an_id_and_not_the_data(app: Flask) -> None:
    client = app.test_client()
    response = client.get("/add/secret-thing")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("session=") and "HttpOnly" in cookie
    assert "secret-thing" not in cookie and len(client.get_cookie("session").value) < 60
    assert client.get("/read").headers["Vary"] == "Cookie"


def test_a_cleared_session_is_gone_from_the_server(app: Flask) -> None:
    client = app.test_client()
    client.get("/add/apple")
    stolen = client.get_cookie("session").value
    client.get("/clear")
    thief = app.test_client()
    thief.set_cookie("session", stolen)
    assert thief.get("/read").json == []


def test_a_new_id_makes_the_old_one_worthless(app: Flask) -> None:
    client = app.test_client()
    client.get("/add/apple")
    fixed = client.get_cookie("session").value
    client.get("/new-id")
    assert client.get_cookie("session").value != fixed
    assert client.get("/read").json == ["apple"]
    thief = app.test_client()
    thief.set_cookie("session", fixed)
    assert thief.get("/read").json == []


def test_sessions_work_over_asgi(app: Flask, over_asgi: Any) -> None:
    cookie = over_asgi(app, "/add/apple")["set-cookie"].partition(";")[0]
    over_asgi(app, "/add/pear", headers=[("Cookie", cookie)])
    assert over_asgi(app, "/read", headers=[("Cookie", cookie)]).text == '["apple","pear"]\n'


def test_the_cookie_lives_as_long_as_the_session_unless_it_is_of_the_browser(app: Flask) -> None:
    client = app.test_client()
    client.get("/add/apple")
    cookie = client.get_cookie("session")
    assert cookie.expires - datetime.now(UTC) <= LIFETIME
    client.get("/until-the-browser-closes")
    assert client.get_cookie("session").expires is None
    assert client.get("/read").json == ["apple"]


def test_a_session_that_is_too_old_is_not_given_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    client.get("/add/apple")
    if app.config["SESSION_TYPE"] == "redis":
        redis = app.config["SESSION_REDIS"]
        (key,) = redis.keys(f"{app.config['SESSION_KEY_PREFIX']}*")
        assert LIFETIME.total_seconds() - 60 < redis.ttl(key) <= LIFETIME.total_seconds()
        redis.expire(key, 0)
    elif app.config["SESSION_TYPE"] == "sqlalchemy":
        grow_old(app)
    else:
        now = cachelib.file.time()
        later = now + LIFETIME.total_seconds()
        monkeypatch.setattr(cachelib.file, "time", lambda: later - 60)
        assert client.get("/read").json == ["apple"]
        monkeypatch.setattr(cachelib.file, "time", lambda: later + 60 + LIFETIME.total_seconds())
    assert client.get("/read").json == []


def grow_old(app: Flask) -> None:
    database = app.config["SESSION_SQLALCHEMY"]
    with app.app_context():
        row = database.session.query(app.session_interface.sql_session_model).one()  # type: ignore[attr-defined]
        assert row.expiry - datetime.now(UTC).replace(tzinfo=None) <= LIFETIME
        row.expiry -= LIFETIME
        database.session.commit()


def test_a_command_removes_old_sessions_from_the_database(tmp_path: Path) -> None:
    app = make("sqlalchemy", tmp_path)
    app.test_client().get("/add/apple")
    grow_old(app)
    assert app.test_cli_runner().invoke(args=["session_cleanup"]).exit_code == 0
    with app.app_context():
        model = app.session_interface.sql_session_model  # type: ignore[attr-defined]
        assert app.config["SESSION_SQLALCHEMY"].session.query(model).count() == 0
