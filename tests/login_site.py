"""An app with two users, for the tests of vial.login."""

from __future__ import annotations

from typing import Any

from vial import Vial, render_template_string, request
from vial.login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)

KEY = "a secret of the tests, which is long"


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id
        self.password_hash = f"hash of {id}"


class Site:
    """``/me`` is for users, ``/pay`` for those who just logged in, ``/page`` for everybody."""

    def __init__(self, app: Vial | None = None) -> None:
        self.app = app = Vial("site", static_folder=None) if app is None else app
        app.secret_key = KEY
        app.testing = True
        self.users = {id: User(id) for id in ("ada", "bob")}
        self.loads = 0
        self.manager = LoginManager(app)
        self.manager.login_view = "login"
        self.manager.user_loader(self.load)
        app.add_url_rule("/login", "login", self.login, methods=["GET", "POST"])
        app.add_url_rule("/logout", "logout", lambda: str(logout_user()))
        app.add_url_rule("/me", "me", login_required(lambda: current_user.id))
        app.add_url_rule("/pay", "pay", fresh_login_required(lambda: "paid"))
        app.add_url_rule("/confirm", "confirm", lambda: confirm_login() or "fresh")
        app.add_url_rule("/plain", "plain", lambda: "for everybody")
        source = "{{ current_user.id if current_user.is_authenticated else 'nobody' }}"
        app.add_url_rule("/page", "page", lambda: render_template_string(source))

    def load(self, id: str) -> User | None:
        self.loads += 1
        return self.users.get(id)

    def login(self) -> str:
        if request.method == "GET":
            return "who?"
        return str(login_user(self.users[request.form["id"]], "remember" in request.form))

    def logged_in(self, id: str = "ada", client: Any = None, **form: str) -> Any:
        client = client or self.app.test_client()
        assert client.post("/login", data={"id": id, **form}).text == "True"
        return client

    def remembered(self) -> Any:
        """A client that has the remember cookie only."""
        client = self.logged_in(remember="yes")
        client.delete_cookie("session")
        return client
