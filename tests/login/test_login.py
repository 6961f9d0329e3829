"""Who is logged in, and who may come in."""

from __future__ import annotations

from typing import Any

import pytest

from vial import Vial, render_template_string, request, session
from vial.login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id
        self.password_hash = f"hash of {id}"


class Site:
    """An app with two users, and what its login manager is."""

    def __init__(self) -> None:
        self.app = app = Vial("site", static_folder=None)
        app.secret_key = "a secret of the tests, which is long"
        self.users = {id: User(id) for id in ("ada", "bob")}
        self.manager = LoginManager(app)
        self.manager.login_view = "login"
        self.manager.user_loader(self.users.get)
        app.add_url_rule("/login", "login", self.login, methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", lambda: str(logout_user()))
        app.add_url_rule("/me", "me", login_required(lambda: current_user.id))
        source = "{{ current_user.id if current_user.is_authenticated else 'nobody' }}"
        app.add_url_rule("/page", "page", lambda: render_template_string(source))

    def login(self) -> str:
        if request.method == "GET":
            return "who?"
        return str(login_user(self.users[request.form["id"]], "remember" in request.form))

    def logged_in(self, id: str = "ada", **form: str) -> Any:
        client = self.app.test_client()
        assert client.post("/login", data={"id": id, **form}).text == "True"
        return client


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_protected_view_sends_strangers_to_the_login_and_back(site: Site) -> None:
    response = site.app.test_client().get("/me?a=b")
    assert (response.status_code, response.location) == (302, "/login?next=%2Fme%3Fa%3Db")
    client = site.logged_in()
    assert client.get("/me").text == client.get("/page").text == "ada"
    assert client.get("/logout").text == "True"
    assert client.get("/me").status_code == 302
    assert client.get("/page").text == "nobody"


def test_a_remembered_user_comes_back(site: Site) -> None:
    client = site.logged_in(remember="yes")
    client.delete_cookie("session")
    assert client.get("/me").text == "ada"
    client.get("/logout")
    assert client.get_cookie("remember_token") is None


def test_a_logout_leaves_nothing_in_the_session(site: Site) -> None:
    client = site.logged_in()
    with client.session_transaction() as kept:
        kept["address"] = "Main Street 1"
    with client:
        client.get("/logout")
        assert dict(session) == {}
