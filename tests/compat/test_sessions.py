"""The session cookie and flashed messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from markupsafe import Markup

from .harness import Web, same


def session_app(web: Web, **config: Any) -> Any:
    app = web.app(**{"SECRET_KEY": "k", **config})

    def change(**values: Any) -> str:
        web.session.update(values)
        return "changed"

    app.add_url_rule("/set", "set", lambda: change(a=1))
    app.add_url_rule("/get", "get", lambda: repr(dict(web.session)))
    app.add_url_rule("/clear", "clear", lambda: web.session.clear() or "cleared")
    app.add_url_rule("/pop", "pop", lambda: str(web.session.pop("a", "none")))
    app.add_url_rule("/quiet", "quiet", lambda: "quiet")
    app.add_url_rule(
        "/permanent", "permanent", lambda: setattr(web.session, "permanent", True) or "p"
    )
    app.add_url_rule("/flags", "flags", lambda: _flags(web.session))
    return app


def _flags(session: Any) -> str:
    return f"{session.new} {session.permanent} {session.modified} {session.accessed}"


@same
def test_a_session_is_written_read_and_deleted(web: Web) -> None:
    session_app(web)
    web.every("/get", "/set", "/get", "/quiet", "/pop", "/get", "/set", "/clear", "/get", "/pop")


@same
def test_permanent_sessions_are_sent_again_each_time(web: Web) -> None:
    session_app(web)
    web.every("/permanent", "/quiet", "/flags", "/none", "/clear", "/quiet")


@same
def test_permanent_sessions_without_refresh(web: Web) -> None:
    session_app(web, SESSION_REFRESH_EACH_REQUEST=False, PERMANENT_SESSION_LIFETIME=60)
    web.every("/permanent", "/quiet", "/set", "/flags")


@same
def test_settings_of_the_cookie(web: Web) -> None:
    session_app(
        web,
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN="example.org",
        SESSION_COOKIE_PATH="/x",
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PARTITIONED=True,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=1),
    )
    web.every("/set", "/permanent", "/clear", base_url="https://example.org")


@same
def test_without_a_secret_key_a_session_reads_but_does_not_write(web: Web) -> None:
    session_app(web, SECRET_KEY=None)
    web.every("/get", "/quiet", "/set", "/flags", "/permanent", "/clear", "/pop")


@pytest.mark.parametrize("value", ["garbage", "", "a.b.c", "eyJhIjoxfQ.ZVKRAA.AAAA"])
@same
def test_a_cookie_that_is_not_ours_gives_an_empty_session(web: Web, value: str) -> None:
    session_app(web)
    for path in ("/get", "/set", "/quiet"):
        web.get(path, headers={"Cookie": f"session={value}"})


@same
def test_keys_rotate(web: Web) -> None:
    app = session_app(web)
    web.get("/set")
    app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["k"])
    web.every("/get", "/set", "/get")
    app.config["SECRET_KEY_FALLBACKS"] = None
    web.get("/get")
    app.secret_key = "another"
    web.get("/get")


@same
def test_a_change_inside_of_a_value_is_not_seen(web: Web) -> None:
    app = session_app(web)
    app.add_url_rule("/list", "list", lambda: web.session.update(l=[]) or "list")
    app.add_url_rule("/append", "append", lambda: web.session["l"].append(1) or "appended")

    @app.route("/modified")
    def modified() -> str:
        web.session["l"].append(2)
        web.session.modified = True
        return "modified"

    web.every("/list", "/append", "/get", "/modified", "/get")


@same
def test_hooks_use_the_session(web: Web) -> None:
    app = session_app(web)
    app.before_request(lambda: web.note("before", web.session.get("a")))

    @app.after_request
    def after(response: Any) -> Any:
        web.session["after"] = response.status_code
        return response

    app.teardown_request(lambda e: web.note("teardown", sorted(web.session)))
    web.every("/set", "/get", "/none")


@same
def test_errors_keep_the_session(web: Web) -> None:
    app = session_app(web)

    @app.route("/fail")
    def fail() -> str:
        web.session["before"] = "error"
        raise ZeroDivisionError

    web.every("/fail", "/get")


@same
def test_the_client_changes_a_session(web: Web) -> None:
    app = session_app(web)
    client = app.test_client()
    with client.session_transaction() as session:
        web.note(dict(session), session.new)
        session["a"] = 1
        session.permanent = True
    web.note(client.get("/get").data)
    with client.session_transaction() as session:
        web.note(dict(session))
        del session["a"]
    web.note(client.get("/get").data, sorted(c.key for c in client._cookies.values()))
    with client.session_transaction("/x", base_url="http://other.example") as session:
        web.note(dict(session))
    without = app.test_client(use_cookies=False)
    web.attempt(lambda: without.session_transaction().__enter__())


@same
def test_flashed_messages(web: Web) -> None:
    app = session_app(web)

    def send() -> str:
        web.flash("one")
        web.flash(Markup("<b>two</b>"), "error")
        web.flash("three", "error")
        return "flashed"

    def show() -> str:
        return repr(
            [
                web.get_flashed_messages(),
                web.get_flashed_messages(with_categories=True),
                web.get_flashed_messages(category_filter=["error"]),
                web.get_flashed_messages(True, ["message", "none"]),
            ]
        )

    source = "{% for c, m in get_flashed_messages(true) %}{{ c }} {{ m }};{% endfor %}"
    app.add_url_rule("/send", "send", send)
    app.add_url_rule("/show", "show", show)
    app.add_url_rule("/both", "both", lambda: send() + show())
    app.add_url_rule("/page", "page", lambda: web.render_template_string(source))
    web.listen("message_flashed")
    web.every("/send", "/quiet", "/show", "/show", "/both", "/show", "/send", "/page", "/page")


@same
def test_a_session_interface_of_ones_own(web: Web) -> None:
    store: dict[str, Any] = {}

    class Session(dict, web.sessions.SessionMixin):  # type: ignore[misc, name-defined]
        pass

    class Interface(web.sessions.SessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            web.note("open", request.path)
            if request.args.get("null"):
                return None
            return Session(store.get(request.cookies.get("sid", ""), {}))

        def save_session(self, app: Any, session: Any, response: Any) -> None:
            web.note("save", dict(session))
            store["1"] = dict(session)
            response.set_cookie("sid", "1")

    app = session_app(web)
    app.session_interface = Interface()
    app.before_request(web.noting("before"))
    web.every("/quiet", "/set", "/get", "/none", "/get?null=1", "/set?null=1")


@same
def test_the_cookie_interface_with_one_method_changed(web: Web) -> None:
    cls = web.sessions.SecureCookieSessionInterface

    class Opening(cls):  # type: ignore[misc, valid-type]
        def open_session(self, app: Any, request: Any) -> Any:
            web.note("open")
            return super().open_session(app, request)

    class Saving(cls):  # type: ignore[misc, valid-type]
        def save_session(self, app: Any, session: Any, response: Any) -> None:
            web.note("save", dict(session))
            super().save_session(app, session, response)

    class Setting(cls):  # type: ignore[misc, valid-type]
        def should_set_cookie(self, app: Any, session: Any) -> bool:
            return True

        def get_cookie_name(self, app: Any) -> str:
            return "other"

        def get_expiration_time(self, app: Any, session: Any) -> Any:
            return None

    for own in (Opening, Saving, Setting):
        app = session_app(web)
        app.session_interface = own()
        web.every("/quiet", "/set", "/quiet", "/none", "/get")


@same
def test_a_serializer_of_ones_own(web: Web) -> None:
    class Interface(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        salt = "own"
        key_derivation = "django-concat"

        class session_class(web.sessions.SecureCookieSession):  # type: ignore[misc, name-defined]
            own = True

    app = session_app(web)
    app.session_interface = Interface()
    app.add_url_rule("/own", "own", lambda: f"{web.session.own}")
    web.every("/set", "/get", "/own")


@same
def test_session_values_keep_their_types(web: Web) -> None:
    app = session_app(web)
    value = {"t": (1, 2), "b": b"x", "m": Markup("<b>"), "n": None, "d": {"x": [1.5, True]}}
    app.add_url_rule("/types", "types", lambda: web.session.update(value) or "set")
    web.every("/types", "/get")


@same
def test_reading_in_any_way_varies_by_the_cookie(web: Web) -> None:
    app = session_app(web)
    ways: dict[str, Any] = {
        "get": lambda s: s.get("x"),
        "in": lambda s: "x" in s,
        "len": len,
        "bool": bool,
        "iter": lambda s: list(s),
        "keys": lambda s: list(s.keys()),
        "items": lambda s: list(s.items()),
        "pop": lambda s: s.pop("x", None),
        "setdefault": lambda s: s.setdefault("a", 1),
        "copy": lambda s: s.copy(),
        "repr": repr,
        "equal": lambda s: s == {},
        "permanent": lambda s: s.permanent,
        "modified": lambda s: s.modified,
        "accessed": lambda s: s.accessed,
        "vary": lambda s: (
            web.after_this_request(lambda r: r.vary.add("Accept") or r) and s.get("x")
        ),
    }
    for name, way in ways.items():
        app.add_url_rule(f"/way/{name}", f"way {name}", lambda way=way: str(way(web.session))[:20])
    web.every(*(f"/way/{name}" for name in ways))


@same
def test_a_session_store_is_asked_before_anything_of_the_request_runs(web: Web) -> None:
    class Store(web.sessions.SecureCookieSessionInterface):  # type: ignore[misc, name-defined]
        def open_session(self, app: Any, request: Any) -> Any:
            web.note("open", request.path)
            return super().open_session(app, request)

        def save_session(self, app: Any, session: Any, response: Any) -> None:
            web.note("save", response.status)

    app = web.app(SECRET_KEY="key")
    app.session_interface = Store()
    app.url_value_preprocessor(web.noting("preprocess"))

    def receiver(sender: Any, **extra: Any) -> None:
        web.note("started")
        if "fail" in web.request.args:
            raise ValueError

    web.hear("request_started", receiver)
    web.every("/", "/?fail")
