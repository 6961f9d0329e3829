"""Flask-Security: registration, login, roles and tokens on a database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    current_user,
    hash_password,
    roles_required,
    user_registered,
)
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, ForeignKey, Table

ADA = {"email": "ada@example.com", "password": "an engine of brass"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask(__name__, root_path=str(tmp_path))
    app.config |= {
        "SECRET_KEY": "k",
        "SECURITY_PASSWORD_SALT": "146585145368132386173505678016728509634",
        "SECURITY_PASSWORD_HASH": "pbkdf2_sha512",
        "SECURITY_HASHING_SCHEMES": ["sha256_crypt"],
        "SECURITY_DEPRECATED_HASHING_SCHEMES": [],
        "SECURITY_REGISTERABLE": True,
        "SECURITY_SEND_REGISTER_EMAIL": False,
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'app.db'}",
        "WTF_CSRF_ENABLED": False,
    }
    db = SQLAlchemy(app)
    links = Table(
        "roles_users",
        db.metadata,
        Column("user_id", ForeignKey("user.id")),
        Column("role_id", ForeignKey("role.id")),
    )

    class Role(db.Model, RoleMixin):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80), unique=True)

    class User(db.Model, UserMixin):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        email = db.Column(db.String(255), unique=True)
        password = db.Column(db.String(255))
        active = db.Column(db.Boolean)
        fs_uniquifier = db.Column(db.String(64), unique=True)
        roles = db.relationship("Role", secondary=links, backref="users")

    store = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, store)
    with app.app_context():
        db.create_all()
        boss = store.find_or_create_role("boss")
        store.create_user(email="boss@example.com", password=hash_password("secret"), roles=[boss])
        store.create_user(email="cid@example.com", password=hash_password("secret"))
        db.session.commit()
    app.add_url_rule("/", "home", auth_required()(lambda: current_user.email))
    app.add_url_rule("/boss", "boss", roles_required("boss")(lambda: "boss"))
    app.add_url_rule("/api", "api", auth_required("token")(lambda: current_user.email))
    return app


def test_someone_registers_logs_out_and_in(app: Flask, assert_fast: Any) -> None:
    heard = []
    client = app.test_client()
    assert "Register" in client.get("/register").text
    with user_registered.connected_to(lambda sender, user, **_: heard.append(user.email), app):
        client.post("/register", data={**ADA, "password_confirm": ADA["password"]})
    assert heard == [ADA["email"]]
    assert client.get("/").text == ADA["email"]
    client.post("/logout")
    assert client.get("/").location == "/login?next=/"
    assert client.post("/login", data=ADA).status_code == 302
    assert client.get("/").text == ADA["email"]
    assert_fast(app)


def test_a_wrong_password_and_a_taken_address_are_told(app: Flask) -> None:
    client = app.test_client()
    wrong = {"email": "boss@example.com", "password": "wrong"}
    assert "Invalid password" in client.post("/login", data=wrong).text
    assert client.get("/").status_code == 302
    taken = {"email": "boss@example.com", "password": "long enough"}
    page = client.post("/register", data={**taken, "password_confirm": "long enough"})
    assert "already associated" in page.text


def test_a_role_opens_a_view(app: Flask) -> None:
    client = app.test_client()
    client.post("/register", data={**ADA, "password_confirm": ADA["password"]})
    assert client.get("/boss").status_code == 403
    client.post("/logout")
    client.post("/login", data={"email": "boss@example.com", "password": "secret"})
    assert client.get("/boss").text == "boss"


def test_json_clients_get_a_token(app: Flask, over_asgi: Any) -> None:
    client = app.test_client()
    login = {"email": "boss@example.com", "password": "secret"}
    answer = client.post("/login?include_auth_token", json=login).json
    token = answer["response"]["user"]["authentication_token"]
    stranger = app.test_client()
    assert stranger.get("/api", headers={"Authentication-Token": token}).text == login["email"]
    refused = stranger.get("/api", headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json["meta"]["code"]) == (401, 401)
    assert over_asgi(app, "/api", headers=[("Authentication-Token", token)]).text == login["email"]


def test_the_app_says_what_the_unauthorized_see(app: Flask) -> None:
    security = app.extensions["security"]

    @security.unauthz_handler
    def no(name: str, params: list[str]) -> Any:
        return f"{request.path} is for {name} {params}", 403

    @security.unauthn_handler
    def who(mechanisms: list[str], headers: Any = None) -> Any:
        return f"{request.path} wants {mechanisms}", 401

    client = app.test_client()
    assert client.get("/api").text == "/api wants ['token']"
    client.post("/login", data={"email": "cid@example.com", "password": "secret"})
    assert client.get("/boss").text == "/boss is for roles_required ['boss']"


def test_its_templates_are_extended_and_replaced(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "security"
    folder.mkdir(parents=True)
    app.extensions["security"].login_context_processor(lambda: {"shop": "Brass & Co"})
    source = "{{ shop }} {{ login_user_form.email.label.text }} {{ url_for_security('login') }}"
    (folder / "login_user.html").write_text(source)
    client = app.test_client()
    assert client.get("/login").text == "Brass &amp; Co Email Address /login"
    assert "Brass" not in client.get("/register").text


def test_a_form_without_its_csrf_token_is_refused(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    client = app.test_client()
    login = {"email": "boss@example.com", "password": "secret"}
    assert "The CSRF token is missing" in client.post("/login", data=login).text
    (token,) = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").text)
    assert client.post("/login", data={**login, "csrf_token": token}).status_code == 302
    assert client.get("/boss").text == "boss"


def test_users_are_made_on_the_command_line(app: Flask) -> None:
    run = app.test_cli_runner().invoke
    words = ["users", "create", "--password", "a long password", "-a", "eve@example.com"]
    result = run(args=words)
    assert result.exit_code == 0, result.output
    assert "User created successfully" in result.output
    assert run(args=["roles", "add", "eve@example.com", "boss"]).exit_code == 0
    client = app.test_client()
    client.post("/login", data={"email": "eve@example.com", "password": "a long password"})
    assert client.get("/boss").text == "boss"
    assert run(args=["users", "deactivate", "eve@example.com"]).exit_code == 0
    assert client.get("/").location == "/login?next=/"
