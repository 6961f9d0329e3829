"""Flask-HTTPAuth: views for those who give a password, answer a challenge or have a token."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import Any

import pytest
from flask import Blueprint, Flask, g, jsonify
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth
from werkzeug.datastructures import Authorization
from werkzeug.security import check_password_hash, generate_password_hash

USERS = {
    "ada": generate_password_hash("köln", "pbkdf2:sha1:1"),
    "bob": generate_password_hash("b", "pbkdf2:sha1:1"),
}
TOKENS = {"t-ada": "ada"}


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "k"
    return app


@pytest.fixture
def basic() -> Any:
    auth = HTTPBasicAuth()

    @auth.verify_password
    def verify(username: str, password: str) -> Any:
        if username in USERS and check_password_hash(USERS[username], password):
            return username
        return None

    auth.get_user_roles(lambda user: {"ada": ["admin", "staff"]}.get(user, "staff"))
    return auth


@pytest.fixture
def token() -> Any:
    auth = HTTPTokenAuth()
    auth.verify_token(TOKENS.get)
    return auth


def basically(username: str, password: str) -> tuple[str, str]:
    return "Authorization", f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def bearing(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def test_a_password_opens_a_view(app: Flask, basic: Any, assert_fast: Any, over_asgi: Any) -> None:
    app.add_url_rule("/", "index", basic.login_required(lambda: f"Hello {basic.current_user()}"))
    client = app.test_client()
    assert client.get("/", headers=[basically("ada", "köln")]).text == "Hello ada"
    assert client.get("/", auth=("bob", "b")).text == "Hello bob"
    for headers in ([], [basically("ada", "b")], [("Authorization", "Basic ?")], [bearing("x")]):
        refused = client.get("/", headers=headers)
        assert (refused.status_code, refused.text) == (401, "Unauthorized Access")
        challenge = 'Basic realm="Authentication Required"'
        assert refused.headers["WWW-Authenticate"] == challenge
    assert over_asgi(app, "/", headers=[basically("ada", "köln")]).text == "Hello ada"
    refused = over_asgi(app, "/")
    assert (refused.status, refused["www-authenticate"]) == (401, challenge)
    assert_fast(app)


def test_roles_open_a_view_to_some(app: Flask, basic: Any) -> None:
    for path, role in (
        ("/admin", "admin"),
        ("/any", ["admin", "staff"]),
        ("/both", [["admin", "staff"]]),
    ):
        view = basic.login_required(role=role)(lambda: "in")
        app.add_url_rule(path, path, view)
    client = app.test_client()
    found = {
        (user, path): client.get(path, auth=(user, password)).status_code
        for user, password in (("ada", "köln"), ("bob", "b"))
        for path in ("/admin", "/any", "/both")
    }
    assert found == {
        ("ada", "/admin"): 200,
        ("ada", "/any"): 200,
        ("ada", "/both"): 200,
        ("bob", "/admin"): 403,
        ("bob", "/any"): 200,
        ("bob", "/both"): 403,
    }


def test_who_has_no_password_may_be_let_in_as_nobody(app: Flask, basic: Any) -> None:
    view = basic.login_required(optional=True)(lambda: f"Hello {basic.current_user()}")
    app.add_url_rule("/", "index", view)
    client = app.test_client()
    assert client.get("/").text == "Hello None"
    assert client.get("/", auth=("bob", "b")).text == "Hello bob"


def test_an_error_handler_answers_who_is_refused(app: Flask, basic: Any, over_asgi: Any) -> None:
    @basic.error_handler
    def refuse(status: int) -> Any:
        return jsonify(refused=status), status, {"WWW-Authenticate": "mine"}

    app.add_url_rule("/", "index", basic.login_required(role="admin")(lambda: "in"))
    client = app.test_client()
    for headers, status in (([], 401), ([basically("bob", "b")], 403)):
        refused = client.get("/", headers=headers)
        assert (refused.status_code, refused.json) == (status, {"refused": status})
        assert refused.headers["WWW-Authenticate"] == "mine"
        assert over_asgi(app, "/", headers=headers).body == refused.data


def test_a_token_opens_a_view_also_in_a_header_of_its_own(
    app: Flask, token: Any, assert_fast: Any, over_asgi: Any
) -> None:
    app.add_url_rule("/", "index", token.login_required(lambda: token.current_user()))
    key = HTTPTokenAuth(scheme="ApiKey", realm="mine", header="X-API-Key")
    key.verify_token(lambda given: given == "k")
    app.add_url_rule("/key", "key", key.login_required(lambda: "in"))
    client = app.test_client()
    assert client.get("/", headers=[bearing("t-ada")]).text == "ada"
    for headers in ([], [bearing("t-bob")], [basically("ada", "köln")]):
        refused = client.get("/", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="Authentication Required"'
    assert client.get("/key", headers={"X-API-Key": "k"}).text == "in"
    refused = client.get("/key", headers={"X-API-Key": "x"})
    assert (refused.status_code, str(refused.www_authenticate)) == (401, "Apikey realm=mine")
    assert over_asgi(app, "/", headers=[bearing("t-ada")]).text == "ada"
    assert_fast(app)


def answer(challenge: Any, username: str, password: str, uri: str, **changed: str) -> Any:
    """A digest as RFC 2617 (3.2.2) has it."""

    def hashed(*parts: str) -> str:
        return md5(":".join(parts).encode()).hexdigest()

    given = {
        "username": username,
        "realm": challenge["realm"],
        "nonce": challenge["nonce"],
        "opaque": challenge["opaque"],
        "uri": uri,
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "c",
        **changed,
    }
    secret = hashed(username, given["realm"], password)
    middle = given["nonce"], given["nc"], given["cnonce"], given["qop"]
    given["response"] = hashed(secret, *middle, hashed("GET", uri))
    return Authorization("digest", given)


def test_a_challenge_is_answered_without_sending_the_password(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    auth = HTTPDigestAuth(realm="Colognes")
    auth.get_password({"ada": "köln"}.get)
    app.add_url_rule("/page", "page", auth.login_required(lambda: f"Hello {auth.username()}"))
    client = app.test_client()
    asked = client.get("/page")
    challenge = asked.www_authenticate
    assert (asked.status_code, challenge.type, challenge.realm) == (401, "digest", "Colognes")
    right = answer(challenge, "ada", "köln", "/page")
    assert client.get("/page", auth=right).text == "Hello ada"
    cookie = asked.headers["Set-Cookie"].partition(";")[0]
    headers = [("Cookie", cookie), ("Authorization", right.to_header())]
    assert over_asgi(app, "/page", headers=headers).text == "Hello ada"
    assert app.test_client().get("/page", auth=right).status_code == 401
    assert client.get("/page", auth=answer(challenge, "ada", "x", "/page")).status_code == 401
    replayed = answer(challenge, "ada", "köln", "/page", nonce="other")
    assert client.get("/page", auth=replayed).status_code == 401
    assert_fast(app)


def test_several_ways_open_one_view(app: Flask, basic: Any, token: Any, over_asgi: Any) -> None:
    auth = MultiAuth(basic, token)
    blueprint = Blueprint("b", __name__, url_prefix="/b")
    blueprint.before_request(auth.login_required(lambda: None))
    blueprint.add_url_rule("/", "index", lambda: auth.current_user() + g.flask_httpauth_user)
    app.register_blueprint(blueprint)
    client = app.test_client()
    for header in (basically("ada", "köln"), bearing("t-ada")):
        assert client.get("/b/", headers=[header]).text == "adaada"
        assert over_asgi(app, "/b/", headers=[header]).text == "adaada"
    assert client.get("/b/").headers["WWW-Authenticate"].startswith("Basic ")
    refused = client.get("/b/", headers=[bearing("t-bob")])
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    assert refused.status_code == 401


def test_async_callbacks_and_views_are_awaited(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    auth = HTTPTokenAuth()

    @auth.verify_token
    async def verify(token: str) -> Any:
        return TOKENS.get(token)

    @auth.get_user_roles
    async def roles(user: str) -> Any:
        return [user]

    @auth.error_handler
    async def refuse(status: int) -> Any:
        return "refused", status

    @app.route("/")
    @auth.login_required(role="ada")
    async def index() -> Any:
        return f"Hello {auth.current_user()}"

    client = app.test_client()
    assert client.get("/", headers=[bearing("t-ada")]).text == "Hello ada"
    refused = client.get("/", headers=[bearing("t-bob")])
    assert (refused.status_code, refused.text) == (401, "refused")
    assert over_asgi(app, "/", headers=[bearing("t-ada")]).text == "Hello ada"
    assert over_asgi(app, "/").status == 401
    assert_fast(app)
