"""vial.login beside Flask-Login: the same names, and in Flask mode the same answers."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask_login
import pytest
from flask import Blueprint, Flask, request, session
from flask_login import config as _config

import vial.login

SUBMODULES = ["", "config", "login_manager", "mixins", "signals", "test_client", "utils"]

#: What Flask-Login has and vial.login has not, or has otherwise.
DIFFERENCES = {
    # Parameters that were added, all for keywords only.
    "login_user": "method=: how it was proved, for fresh_login_required_by()",
    "confirm_login": "method=: the same",
    # Private ones, that nothing outside of Flask-Login has a reason to call.
    "LoginManager._login_disabled": "config LOGIN_DISABLED says it",
}


def theirs_and_ours(submodule: str) -> tuple[Any, Any]:
    dot = f".{submodule}" if submodule else ""
    return (
        importlib.import_module(f"flask_login{dot}"),
        importlib.import_module(f"vial.login{dot}"),
    )


def own_names(module: Any) -> list[str]:
    """Public names that are made there, or for the package made public: not what is imported."""
    package = module.__name__ == "flask_login"
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and (package or is_made_in(module.__name__, name, value))
    ]


def is_made_in(module: str, name: str, value: Any) -> bool:
    if inspect.isfunction(value) or inspect.isclass(value):
        return bool(value.__module__ == module)
    home = "config" if name.isupper() else "utils" if name == "current_user" else "signals"
    return module == f"flask_login.{home}"


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [
        (p.name, p.kind, p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind is not p.KEYWORD_ONLY
    ]


@pytest.mark.parametrize("submodule", SUBMODULES)
def test_every_name_is_there(submodule: str) -> None:
    theirs, ours = theirs_and_ours(submodule)
    assert [n for n in own_names(theirs) if not hasattr(ours, n)] == []


@pytest.mark.parametrize("submodule", SUBMODULES)
def test_functions_take_the_same(submodule: str) -> None:
    theirs, ours = theirs_and_ours(submodule)
    functions = [n for n in own_names(theirs) if inspect.isfunction(getattr(theirs, n))]
    gaps = [n for n in functions if parameters(getattr(theirs, n)) != parameters(getattr(ours, n))]
    assert gaps == []


@pytest.mark.parametrize(
    "name", ["LoginManager", "UserMixin", "AnonymousUserMixin", "FlaskLoginClient"]
)
def test_classes_have_the_same(name: str) -> None:
    theirs, ours = getattr(flask_login, name), getattr(vial.login, name)
    names = [n for n in vars(theirs) if n == "__init__" or not n.startswith("_")]
    assert [n for n in names if not hasattr(ours, n)] == []
    methods = [n for n in names if inspect.isfunction(getattr(theirs, n))]
    methods = [n for n in methods if getattr(theirs, n) is not object.__init__]
    gaps = [n for n in methods if parameters(getattr(theirs, n)) != parameters(getattr(ours, n))]
    assert gaps == []


def test_managers_have_the_same_attributes_and_defaults() -> None:
    theirs, ours = vars(flask_login.LoginManager()), vars(vial.login.LoginManager())
    wanted = {n: v for n, v in theirs.items() if not n.startswith("_") and n != "anonymous_user"}
    assert {n: ours[n] for n in wanted} == wanted


def test_settings_have_the_same_defaults() -> None:
    names = [n for n in dir(_config) if n.isupper()]
    ours = importlib.import_module("vial.login.config")
    assert {n: getattr(ours, n) for n in names} == {n: getattr(_config, n) for n in names}


# -- one program, on both ------------------------------------------------------------------------


class Program:
    """An application for either of the two, and what happens in it."""

    def __init__(self, io: Any, **settings: Any) -> None:
        self.heard: list[Any] = []
        self.app = app = Flask("program", static_folder=None)
        app.secret_key = "the same on both sides"
        app.config.update(settings)
        self.manager = manager = io.LoginManager(app)
        manager.login_view = "login"

        class User(io.UserMixin):
            def __init__(self, id: str) -> None:
                self.id = id
                self.password = f"password of {id}"

        class Shut(User):
            is_active = False

        self.users = {id: User(id) for id in ("ada", "bob")} | {"eve": Shut("eve")}
        manager.user_loader(self.users.get)
        staff = Blueprint("staff", __name__, url_prefix="/staff")
        staff.add_url_rule("/", "home", io.login_required(lambda: "home"))
        app.register_blueprint(staff)

        def login(id: str) -> Any:
            flags = {n: n in request.args for n in ("remember", "force")}
            days = request.args.get("days", type=int)
            duration = None if days is None else timedelta(days=days)
            fresh = "stale" not in request.args
            return str(io.login_user(self.users[id], duration=duration, fresh=fresh, **flags))

        app.add_url_rule("/login", "login", lambda: "who?")
        app.add_url_rule("/login/<id>", "enter", login)
        app.add_url_rule("/logout", "logout", lambda: str(io.logout_user()))
        app.add_url_rule("/me", "me", io.login_required(lambda: io.current_user.id))
        app.add_url_rule("/pay", "pay", io.fresh_login_required(lambda: "paid"))
        app.add_url_rule("/confirm", "confirm", lambda: str(io.confirm_login()))
        app.add_url_rule("/cart", "cart", lambda: str(session.setdefault("cart", [1])))
        asked = (io.login_fresh, io.login_remembered)
        app.add_url_rule(
            "/asked", "asked", lambda: str([io.current_user.get_id(), *[f() for f in asked]])
        )
        for name in dir(io.signals):
            if name.startswith(("user_", "session_")) and name != "user_accessed":
                getattr(io, name).connect(self.hear(name), app, weak=False)

    def hear(self, name: str) -> Callable[..., None]:
        return lambda app, **kwargs: self.heard.append(
            (name, [u.get_id() for u in kwargs.values()])
        )


def visit(program: Program, client: Any, path: str, **options: Any) -> Any:
    """What a response says, what cookies there are then, and what was told."""
    answer = client.get(path, **options)
    token = client.get_cookie("remember_token")
    with client.session_transaction() as kept:
        inside = dict(kept)
    heard, program.heard = program.heard, []
    remember = [
        h.partition("; ")[2].partition("Expires=")[0] + h.partition("GMT")[2]
        for h in answer.headers.getlist("Set-Cookie")
        if h.startswith("remember_token")
    ]
    days = token and token.expires and round((token.expires - _now()).total_seconds() / 86400)
    return (
        (path, answer.status_code, answer.location or answer.text[:40]),
        token and token.value,
        days,
        remember,
        inside,
        heard,
    )


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


OTHER = {"headers": {"User-Agent": "another"}}
PROXY = {"headers": {"X-Forwarded-For": "10.0.0.1, 10.0.0.2"}}
STORIES: dict[str, list[Any]] = {
    "in and out": ["/me?a=b", "/login/ada", "/me", "/cart", "/asked", "/logout", "/me", "/asked"],
    "remembered": [
        "/login/ada?remember",
        "/asked",
        "-session",
        "/me",
        "/asked",
        "/pay",
        "/confirm",
        "/pay",
        "/logout",
        "/me",
    ],
    "for a time": ["/login/ada?remember&days=3", "/asked", "-session", "/me", "/logout"],
    "not fresh": ["/login/ada?stale", "/pay", "/confirm", "/pay", "/asked"],
    "shut": ["/login/eve", "/me", "/login/eve?force", "/me", "/asked"],
    "another": ["/login/ada?remember", "/cart", "/login/bob", "/me", "-session", "/me"],
    "elsewhere": [
        "/cart",
        ("/me", OTHER),
        "/login/ada?remember",
        ("/me", OTHER),
        "/pay",
        "/me",
        ("/logout", OTHER),
    ],
    "proxy": ["/login/ada", ("/pay", PROXY), "/pay"],
    "blueprint": ["/staff/", "/login/ada", "/staff/", "/logout"],
    "forged": ["=ada|0", "/me", "/asked", "=x", "/me", "="],
    "gone": ["/login/ada?remember", "!ada", "/asked", "-session", "/asked", "/me"],
    "old password": ["/login/ada", "%ada", "/me"],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "strong": {"SESSION_PROTECTION": "strong"},
    "none": {"SESSION_PROTECTION": None},
    "session": {"USE_SESSION_FOR_NEXT": True},
    "off": {"LOGIN_DISABLED": True},
    "cookie": {
        "REMEMBER_COOKIE_DURATION": 86400 * 5,
        "REMEMBER_COOKIE_SECURE": False,
        "REMEMBER_COOKIE_HTTPONLY": False,
        "REMEMBER_COOKIE_SAMESITE": "Strict",
    },
}


def told(io: Any, story: list[Any], settings: dict[str, Any]) -> list[Any]:
    program = Program(io, **settings)
    client = program.app.test_client()
    notes: list[Any] = []
    for step in story:
        path, options = step if isinstance(step, tuple) else (step, {})
        if path[0] == "/":
            notes.append(visit(program, client, path, **options))
        elif path[0] == "-":
            client.delete_cookie(path[1:])
        elif path[0] == "=":
            client.set_cookie("remember_token", path[1:])
        elif path[0] == "!":
            del program.users[path[1:]]
        else:
            program.users[path[1:]].password = "another"
    return notes


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("story", STORIES)
def test_in_flask_mode_a_program_sees_the_same(story: str, setting: str) -> None:
    settings = SETTINGS[setting]
    theirs = told(flask_login, STORIES[story], settings)
    assert told(vial.login, STORIES[story], settings) == theirs


@pytest.mark.parametrize("url", ["/login", "https://a.b/login?x=1", "login"])
@pytest.mark.parametrize(
    "back", [None, "http://localhost/x?y=1#z", "https://a.b/c", "/x", "//c.d/x"]
)
@pytest.mark.parametrize("settings", [{}, {"FORCE_HOST_FOR_REDIRECTS": "c.d"}])
def test_urls_are_the_same(url: str, back: Any, settings: Any) -> None:
    made = []
    for io in (flask_login, vial.login):
        with Program(io, **settings).app.test_request_context():
            made.append(io.login_url(url, back))
            made[-1] += io.make_next_param("https://a.b/login", back or "https://a.b/x")
    assert made[0] == made[1]


def test_texts_that_one_signed_the_other_reads() -> None:
    with Program(vial.login).app.app_context():
        for io, other in ((flask_login, vial.login), (vial.login, flask_login)):
            assert other.decode_cookie(io.encode_cookie("é|x")) == "é|x"
            assert other.decode_cookie(io.encode_cookie("x", key="k"), key="k") == "x"


def test_a_session_and_a_cookie_move_from_one_to_the_other() -> None:
    for io, other in ((flask_login, vial.login), (vial.login, flask_login)):
        client = Program(io).app.test_client()
        client.get("/login/ada?remember")
        for name in ("session", "remember_token"):
            moved = Program(other).app.test_client()
            moved.set_cookie(name, client.get_cookie(name).value)  # type: ignore[union-attr]
            assert moved.get("/me").text == "ada"


def test_header_loaders_are_deprecated_on_both() -> None:
    for io in (flask_login, vial.login):
        program = Program(io)
        with pytest.warns(DeprecationWarning):
            program.manager.header_loader(program.users.get)
        client = program.app.test_client()
        assert client.get("/me", headers={"Authorization": "bob"}).text == "bob"
        assert client.get("/me", headers={"Authorization": "x"}).status_code == 302


def test_the_table_of_differences_is_true() -> None:
    for name in DIFFERENCES:
        owner, _, attribute = name.rpartition(".")
        theirs = getattr(flask_login, owner) if owner else flask_login
        ours = getattr(vial.login, owner) if owner else vial.login
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(ours, attribute, None)
        assert hasattr(theirs, attribute)
        if found is not None:
            taken, known = (inspect.signature(getattr(io, attribute)) for io in (ours, theirs))
            assert str(taken) != str(known)
