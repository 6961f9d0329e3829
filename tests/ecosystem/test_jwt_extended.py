"""Flask-JWT-Extended: signed tokens in headers and cookies, that end, are renewed and revoked."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, jsonify, render_template_string, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    decode_token,
    get_csrf_token,
    get_jwt,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)

LONG = "a key that is long enough for every algorithm"


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.config["JWT_SECRET_KEY"] = LONG
    return app


@pytest.fixture
def jwt(app: Flask) -> Any:
    @app.post("/login")
    def login() -> Any:
        name = request.json["name"]
        if request.json.get("password") != "secret":
            return jsonify(msg="Bad username or password"), 401
        fresh = create_access_token(name, fresh=True)
        return jsonify(access_token=fresh, refresh_token=create_refresh_token(name))

    @app.post("/refresh")
    @jwt_required(refresh=True)
    def refresh() -> Any:
        return jsonify(access_token=create_access_token(get_jwt_identity(), fresh=False))

    @app.get("/who")
    @jwt_required()
    def who() -> Any:
        return jsonify(who=get_jwt_identity())

    @app.get("/fresh")
    @jwt_required(fresh=True)
    def fresh() -> Any:
        return jsonify(fresh=get_jwt()["fresh"])

    return JWTManager(app)


def bearing(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


def token_for(app: Flask, *args: Any, **kwargs: Any) -> str:
    with app.app_context():
        return create_access_token(*args, **kwargs)


def test_a_token_of_the_login_opens_views(
    app: Flask, jwt: Any, assert_fast: Any, over_asgi: Any
) -> None:
    client = app.test_client()
    assert client.post("/login", json={"name": "ada"}).status_code == 401
    tokens = client.post("/login", json={"name": "ada", "password": "secret"}).json
    who = client.get("/who", headers=bearing(tokens["access_token"]))
    assert (who.status_code, who.json) == (200, {"who": "ada"})
    assert over_asgi(app, "/who", headers=bearing(tokens["access_token"])).body == who.data
    missing = client.get("/who")
    assert (missing.status_code, missing.json) == (401, {"msg": "Missing Authorization Header"})
    assert over_asgi(app, "/who").status == 401
    assert_fast(app)


def test_tokens_that_are_not_the_apps_are_refused(app: Flask, jwt: Any, over_asgi: Any) -> None:
    other = Flask("other")
    other.config["JWT_SECRET_KEY"] = LONG[::-1]
    JWTManager(other)
    forged = token_for(other, "ada")
    with app.app_context():
        refreshing = create_refresh_token("ada")
    for token, status, message in (
        (forged, 422, "Signature verification failed"),
        ("nonsense", 422, "Not enough segments"),
        (refreshing, 422, "Only non-refresh tokens are allowed"),
    ):
        refused = app.test_client().get("/who", headers=bearing(token))
        assert (refused.status_code, refused.json) == (status, {"msg": message})
        assert over_asgi(app, "/who", headers=bearing(token)).body == refused.data


def test_a_token_ends(app: Flask, jwt: Any) -> None:
    ended = token_for(app, "ada", expires_delta=timedelta(seconds=-1))
    client = app.test_client()
    refused = client.get("/who", headers=bearing(ended))
    assert (refused.status_code, refused.json) == (401, {"msg": "Token has expired"})

    @jwt.expired_token_loader
    def ended_says(header: Any, payload: Any) -> Any:
        return jsonify(ended=payload["sub"], by=header["alg"]), 410

    refused = client.get("/who", headers=bearing(ended))
    assert (refused.status_code, refused.json) == (410, {"ended": "ada", "by": "HS256"})


def test_a_refreshed_token_is_not_fresh(app: Flask, jwt: Any, assert_fast: Any) -> None:
    client = app.test_client()
    tokens = client.post("/login", json={"name": "ada", "password": "secret"}).json
    fresh = client.get("/fresh", headers=bearing(tokens["access_token"]))
    assert fresh.json == {"fresh": True}
    assert client.post("/refresh", headers=bearing(tokens["access_token"])).status_code == 422
    renewed = client.post("/refresh", headers=bearing(tokens["refresh_token"])).json
    assert client.get("/who", headers=bearing(renewed["access_token"])).json == {"who": "ada"}
    refused = client.get("/fresh", headers=bearing(renewed["access_token"]))
    assert (refused.status_code, refused.json) == (401, {"msg": "Fresh token required"})
    assert_fast(app)


def test_a_revoked_token_is_refused(app: Flask, jwt: Any, over_asgi: Any) -> None:
    revoked: set[str] = set()
    jwt.token_in_blocklist_loader(lambda header, payload: payload["jti"] in revoked)

    @app.delete("/logout")
    @jwt_required(verify_type=False)
    def logout() -> Any:
        revoked.add(get_jwt()["jti"])
        return jsonify(revoked=get_jwt()["type"])

    headers = bearing(token_for(app, "ada"))
    client = app.test_client()
    assert client.get("/who", headers=headers).status_code == 200
    assert client.delete("/logout", headers=headers).json == {"revoked": "access"}
    refused = client.get("/who", headers=headers)
    assert (refused.status_code, refused.json) == (401, {"msg": "Token has been revoked"})
    assert over_asgi(app, "/who", headers=headers).body == refused.data


def test_the_user_of_a_token_is_loaded(app: Flask, assert_fast: Any, over_asgi: Any) -> None:
    jwt = JWTManager(app, add_context_processor=True)
    users = {"1": {"id": 1, "name": "Ada"}}
    jwt.user_identity_loader(lambda user: str(user["id"]))
    jwt.user_lookup_loader(lambda header, payload: users.get(payload["sub"]))

    @app.get("/me")
    @jwt_required()
    def me() -> Any:
        return jsonify(dict(current_user))

    @app.get("/page")
    @jwt_required(optional=True)
    def page() -> Any:
        return render_template_string("Hello {{ current_user.name or 'you' }}")

    client = app.test_client()
    headers = bearing(token_for(app, users["1"]))
    assert client.get("/me", headers=headers).json == users["1"]
    assert client.get("/page", headers=headers).text == "Hello Ada"
    assert client.get("/page").text == "Hello you"
    assert over_asgi(app, "/page", headers=headers).text == "Hello Ada"
    gone = client.get("/me", headers=bearing(token_for(app, {"id": 2})))
    assert (gone.status_code, gone.json) == (401, {"msg": "Error loading the user 2"})
    assert_fast(app)


def test_claims_and_headers_are_added_and_verified(app: Flask) -> None:
    jwt = JWTManager(app)
    jwt.additional_claims_loader(lambda identity: {"by": identity, "admin": False})
    jwt.additional_headers_loader(lambda identity: {"kid": "k"})
    jwt.token_verification_loader(lambda header, payload: header["kid"] == "k")
    day, number = date(2024, 5, 6), UUID(int=7)

    @app.get("/claims")
    @jwt_required()
    def claims() -> Any:
        return get_jwt()

    given = {"admin": True, "day": day, "number": number}
    token = token_for(app, "ada", additional_claims=given)
    found = app.test_client().get("/claims", headers=bearing(token)).json
    assert (found["by"], found["admin"], found["sub"]) == ("ada", True, "ada")
    # Written by the app's JSON provider, as in an answer.
    assert (found["day"], found["number"]) == ("Mon, 06 May 2024 00:00:00 GMT", str(number))
    other = token_for(app, "ada", additional_headers={"kid": "x"})
    refused = app.test_client().get("/claims", headers=bearing(other))
    assert (refused.status_code, refused.json["msg"]) == (400, "User claims verification failed")


@pytest.fixture
def cookies(app: Flask) -> Flask:
    app.config.update(JWT_TOKEN_LOCATION=["cookies"], JWT_COOKIE_SAMESITE="Lax")
    app.config["JWT_SESSION_COOKIE"] = False
    JWTManager(app)

    @app.post("/login")
    def login() -> Any:
        response = jsonify(msg="in")
        set_access_cookies(response, create_access_token("ada"))
        set_refresh_cookies(response, create_refresh_token("ada"))
        return response

    @app.after_request
    def renew(response: Any) -> Any:
        if request.args.get("renew"):
            verify_jwt_in_request()
            set_access_cookies(response, create_access_token(get_jwt_identity()))
        return response

    @app.post("/logout")
    def logout() -> Any:
        response = jsonify(msg="out")
        unset_jwt_cookies(response)
        return response

    @app.route("/who", methods=["GET", "POST"])
    @jwt_required()
    def who() -> Any:
        return jsonify(who=get_jwt_identity(), by=get_jwt_request_location())

    return app


def test_cookies_carry_tokens_and_writing_takes_the_csrf_one(
    cookies: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    client = cookies.test_client()
    entered = client.post("/login").headers.getlist("Set-Cookie")
    (access,) = (c for c in entered if c.startswith("access_token_cookie="))
    assert "HttpOnly; Path=/; SameSite=Lax" in access
    csrf = client.get_cookie("csrf_access_token").value
    assert client.get("/who").json == {"who": "ada", "by": "cookies"}
    refused = client.post("/who")
    assert (refused.status_code, refused.json) == (401, {"msg": "Missing CSRF token"})
    wrong = client.post("/who", headers={"X-CSRF-TOKEN": "x"})
    assert wrong.json == {"msg": "CSRF double submit tokens do not match"}
    assert client.post("/who", headers={"X-CSRF-TOKEN": csrf}).status_code == 200
    headers = [("Cookie", access.partition(";")[0]), ("X-CSRF-TOKEN", csrf)]
    assert json.loads(over_asgi(cookies, "/who", "POST", headers=headers).text)["who"] == "ada"
    assert over_asgi(cookies, "/who", "POST", headers=headers[:1]).status == 401
    assert_fast(cookies)


def test_cookies_are_renewed_after_a_request_and_taken_away(cookies: Flask) -> None:
    client = cookies.test_client()
    client.post("/login")
    first = client.get_cookie("access_token_cookie").value
    assert client.get("/who?renew=1").status_code == 200
    second = client.get_cookie("access_token_cookie").value
    with cookies.app_context():
        assert decode_token(first)["jti"] != decode_token(second)["jti"]
        assert get_csrf_token(second) == client.get_cookie("csrf_access_token").value
    client.post("/logout")
    assert client.get_cookie("access_token_cookie") is None
    assert client.get_cookie("refresh_token_cookie", path="/") is None
    assert client.get("/who").json == {"msg": 'Missing cookie "access_token_cookie"'}


def test_an_async_view_and_other_places_of_a_token(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    app.config["JWT_TOKEN_LOCATION"] = ["headers", "json", "query_string"]
    JWTManager(app)

    @app.route("/later", methods=["GET", "POST"])
    @jwt_required()
    async def later() -> Any:
        return {"who": get_jwt_identity(), "by": get_jwt_request_location()}

    token = token_for(app, "ada")
    client = app.test_client()
    for answer, place in (
        (client.get("/later", headers=bearing(token)), "headers"),
        (client.post("/later", json={"access_token": token}), "json"),
        (client.get("/later", query_string={"jwt": token}), "query_string"),
    ):
        assert (answer.status_code, answer.json) == (200, {"who": "ada", "by": place})
    found = over_asgi(app, f"/later?jwt={token}")
    assert json.loads(found.text) == {"who": "ada", "by": "query_string"}
    assert client.get("/later").json["msg"].startswith("Missing JWT in headers, json or query_")
    assert_fast(app)
