"""Flask-Principal: who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g, request
from flask_principal import (
    AnonymousIdentity,
    Identity,
    ItemNeed,
    Permission,
    PermissionDenied,
    Principal,
    RoleNeed,
    UserNeed,
    identity_changed,
    identity_loaded,
)

ADMIN = Permission(RoleNeed("admin"))


@pytest.fixture
def app() -> Any:
    app = Flask(__name__)
    app.secret_key = "k"
    Principal(app)

    def provide(sender: Flask, identity: Identity) -> None:
        if identity.id == "ada":
            identity.provides.add(RoleNeed("admin"))
        if identity.id:
            identity.provides |= {UserNeed(identity.id), ItemNeed("edit", 1, "post")}

    @app.route("/login/<name>")
    def login(name: str) -> str:
        identity_changed.send(app, identity=Identity(name))
        return name

    @app.route("/logout")
    def logout() -> str:
        identity_changed.send(app, identity=AnonymousIdentity())
        return "nobody"

    app.add_url_rule("/admin", "admin", ADMIN.require(403)(lambda: f"hello {g.identity.id}"))
    app.add_url_rule("/raises", "raises", ADMIN.require()(lambda: "never"))
    app.errorhandler(PermissionDenied)(lambda e: ("denied", 401))

    @app.route("/posts/<int:id>")
    def post(id: int) -> str:
        edit = Permission(ItemNeed("edit", id, "post"))
        with edit.require(403):
            return f"{request.path} {edit.can()} {ADMIN.can()}"

    with identity_loaded.connected_to(provide, app):
        yield app


def test_a_permission_guards_a_view(app: Flask, assert_fast: Any) -> None:
    client = app.test_client()
    assert client.get("/admin").status_code == 403
    client.get("/login/ada")
    assert client.get("/admin").text == "hello ada"
    client.get("/login/bob")
    assert client.get("/admin").status_code == 403
    assert_fast(app)


def test_the_identity_ends_with_the_logout(app: Flask) -> None:
    client = app.test_client()
    client.get("/login/ada")
    client.get("/logout")
    assert client.get("/admin").status_code == 403


def test_a_permission_guards_one_item_as_a_context(app: Flask) -> None:
    client = app.test_client()
    client.get("/login/bob")
    assert client.get("/posts/1").text == "/posts/1 True False"
    assert client.get("/posts/2").status_code == 403


def test_without_a_status_the_error_is_the_applications(app: Flask, over_asgi: Any) -> None:
    assert app.test_client().get("/raises").status_code == 401
    assert over_asgi(app, "/raises").text == "denied"


def test_an_identity_is_loaded_from_where_the_app_says(over_asgi: Any) -> None:
    app = Flask(__name__)
    principal = Principal(app, use_sessions=False, skip_static=True)
    app.add_url_rule("/me", "me", lambda: str(g.identity.id))
    saved = []
    app.add_url_rule("/be", "be", lambda: principal.set_identity(Identity("bob")) or "ok")
    principal.identity_saver(lambda identity: saved.append(identity.id))

    @principal.identity_loader
    def by_header() -> Identity | None:
        name = request.headers.get("X-Name")
        return Identity(name) if name else None

    assert app.test_client().get("/me", headers={"X-Name": "ada"}).text == "ada"
    assert over_asgi(app, "/me", headers=[("X-Name", "ada")]).text == "ada"
    assert over_asgi(app, "/me").text == "None"
    assert app.test_client().get("/static/none.css").status_code == 404
    app.test_client().get("/be")
    assert saved == ["ada", "ada", "bob"]


def test_permissions_are_combined() -> None:
    either = ADMIN.union(Permission(RoleNeed("editor")))
    assert either.needs == {RoleNeed("admin"), RoleNeed("editor")}
    assert ADMIN.issubset(either)
    assert ADMIN.reverse().excludes == {RoleNeed("admin")}
