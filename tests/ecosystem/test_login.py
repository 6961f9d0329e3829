"""Flask-Login: who is it, also after the browser was closed."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, render_template_string, request, session
from flask_login import (
    AnonymousUserMixin,
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
    user_logged_in,
)


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "k"
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(lambda id: User(id) if id in ("ada", "bob") else None)

    @manager.request_loader
    def by_token(asked: Any) -> User | None:
        return User("bob") if asked.headers.get("X-Token") == "bob's" else None

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        if request.method == "GET":
            return "who?"
        return str(login_user(User(request.form["id"]), remember="remember" in request.form))

    app.add_url_rule("/logout", "logout", lambda: str(logout_user()))
    app.add_url_rule("/me", "me", login_required(lambda: current_user.id))
    app.add_url_rule("/pay", "pay", fresh_login_required(lambda: "paid"))
    app.add_url_rule("/confirm", "confirm", lambda: confirm_login() or "fresh")
    source = "{{ current_user.id if current_user.is_authenticated else 'nobody' }}"
    app.add_url_rule("/page", "page", lambda: render_template_string(source))
    return app


def logged_in(app: Flask, **form: str) -> Any:
    client = app.test_client()
    assert client.post("/login", data={"id": "ada", **form}).text == "True"
    return client


def test_a_protected_view_sends_strangers_to_the_login_and_back(
    app: Flask, assert_fast: Any
) -> None:
    response = app.test_client().get("/me?a=b")
    assert (response.status_code, response.location) == (302, "/login?next=%2Fme%3Fa%3Db")
    client = logged_in(app)
    assert client.get("/me").text == client.get("/page").text == "ada"
    assert client.get("/logout").text == "True"
    assert client.get("/me").status_code == 302
    assert client.get("/page").text == "nobody"
    assert_fast(app)


def test_a_remembered_user_comes_back_but_is_not_fresh(app: Flask) -> None:
    client = logged_in(app, remember="yes")
    assert client.get("/pay").text == "paid"
    client.delete_cookie("session")
    assert client.get("/me").text == "ada"
    assert client.get("/pay").status_code == 401
    client.get("/confirm")
    assert client.get("/pay").text == "paid"
    client.get("/logout")
    assert client.get_cookie("remember_token") is None


def test_a_forged_remember_token_is_nobody(app: Flask) -> None:
    client = logged_in(app, remember="yes")
    client.delete_cookie("session")
    client.set_cookie("remember_token", "ada|" + "0" * 128)
    assert client.get("/me").status_code == 302


def test_a_request_can_say_who_it_is_by_a_header(app: Flask, over_asgi: Any) -> None:
    assert app.test_client().get("/me", headers={"X-Token": "bob's"}).text == "bob"
    assert over_asgi(app, "/me", headers=[("X-Token", "bob's")]).text == "bob"
    assert over_asgi(app, "/me").status == 302


def test_a_strong_protected_session_ends_in_another_browser(app: Flask) -> None:
    app.config["SESSION_PROTECTION"] = "strong"
    client = logged_in(app)
    assert client.get("/me").text == "ada"
    assert client.get("/me", headers={"User-Agent": "another"}).status_code == 302
    assert client.get("/me").status_code == 302


def test_signals_handlers_and_another_anonymous_user(app: Flask) -> None:
    class Guest(AnonymousUserMixin):
        id = "guest"

    manager = app.login_manager  # type: ignore[attr-defined]
    manager.anonymous_user = Guest
    manager.unauthorized_handler(lambda: (f"no, {current_user.id}", 401))
    heard = []
    with user_logged_in.connected_to(lambda sender, user: heard.append((sender, user.id)), app):
        logged_in(app)
    assert heard == [(app, "ada")]
    response = app.test_client().get("/me")
    assert (response.status_code, response.text) == (401, "no, guest")


def test_the_test_client_can_be_logged_in(app: Flask) -> None:
    app.test_client_class = FlaskLoginClient
    with app.test_client(user=User("bob"), fresh_login=False) as client:
        assert client.get("/me").text == "bob"
        assert session["_user_id"] == "bob"
        assert current_user.id == "bob"
        assert client.get("/pay").status_code == 401


def test_async_views_are_protected_too(app: Flask, over_asgi: Any) -> None:
    @app.route("/async")
    @login_required
    async def view() -> str:
        return str(current_user.id)

    assert logged_in(app).get("/async").text == "ada"
    assert over_asgi(app, "/async", headers=[("X-Token", "bob's")]).text == "bob"
    assert over_asgi(app, "/async").status == 302
