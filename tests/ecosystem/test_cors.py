"""Flask-CORS: cross-origin headers for an app, for some of its URLs, and for one view."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint, Flask, jsonify
from flask_cors import CORS, cross_origin

FRONT = {"Origin": "https://front.example"}


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/api/users", "users", lambda: jsonify([1]), methods=["GET", "PUT"])
    app.add_url_rule("/page", "page", lambda: "page")
    return app


def preflight(app: Flask, path: str, method: str = "PUT", **headers: str) -> Any:
    asked = {"Access-Control-Request-Method": method, **FRONT}
    asked |= {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().options(path, headers=asked)


def test_every_url_of_an_app_answers_other_origins(app: Flask, assert_fast: Any) -> None:
    CORS(app)
    response = app.test_client().get("/page", headers=FRONT)
    assert response.headers["Access-Control-Allow-Origin"] == FRONT["Origin"]
    assert "Origin" in response.vary
    assert app.test_client().get("/none", headers=FRONT).status_code == 404
    assert_fast(app)


def test_a_preflight_names_methods_and_headers(app: Flask, over_asgi: Any) -> None:
    CORS(app, methods=["GET", "PUT"], max_age=600)
    response = preflight(app, "/api/users", Access_Control_Request_Headers="X-Token, Content-Type")
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Methods"] == "GET, PUT"
    assert response.headers["Access-Control-Allow-Headers"] == "Content-Type, X-Token"
    assert response.headers["Access-Control-Max-Age"] == "600"
    asked = [*FRONT.items(), ("Access-Control-Request-Method", "PUT")]
    answer = over_asgi(app, "/api/users", "OPTIONS", headers=asked)
    assert answer["access-control-allow-methods"] == "GET, PUT"


def test_resources_limit_it_to_some_urls_and_origins(app: Flask) -> None:
    CORS(app, resources={r"/api/*": {"origins": "https://front.example"}})
    client = app.test_client()
    allowed = client.get("/api/users", headers=FRONT)
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://front.example"
    for path, origin in (("/page", FRONT["Origin"]), ("/api/users", "https://evil.example")):
        response = client.get(path, headers={"Origin": origin})
        assert response.status_code == 200
        assert "Access-Control-Allow-Origin" not in response.headers


def test_credentials_and_exposed_headers_are_announced(app: Flask) -> None:
    CORS(app, supports_credentials=True, origins=[r"https://.*\.example"], expose_headers="X-Page")
    response = app.test_client().get("/page", headers=FRONT)
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Access-Control-Allow-Origin"] == FRONT["Origin"]
    assert response.headers["Access-Control-Expose-Headers"] == "X-Page"


def test_a_decorated_view_answers_its_own_preflight(app: Flask, over_asgi: Any) -> None:
    @app.route("/shared", methods=["POST"])
    @cross_origin(origins="*", send_wildcard=True)
    def shared() -> str:
        return "shared"

    response = preflight(app, "/shared", "POST")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert app.test_client().post("/shared", headers=FRONT).text == "shared"
    assert "Access-Control-Allow-Origin" not in app.test_client().get("/page").headers
    answer = over_asgi(app, "/shared", "POST", headers=[*FRONT.items()])
    assert (answer.text, answer["access-control-allow-origin"]) == ("shared", "*")


def test_errors_carry_the_headers_too(app: Flask) -> None:
    CORS(app)
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    app.logger.disabled = True
    response = app.test_client().get("/broken", headers=FRONT)
    app.logger.disabled = False
    assert response.status_code == 500
    assert response.headers["Access-Control-Allow-Origin"] == FRONT["Origin"]


def test_a_blueprint_has_its_own_rules(app: Flask) -> None:
    bp = Blueprint("bp", __name__, url_prefix="/bp")
    bp.add_url_rule("/", "index", lambda: "bp")
    CORS(bp, origins=["https://front.example"])
    app.register_blueprint(bp)
    client = app.test_client()
    allowed = client.get("/bp/", headers=FRONT)
    assert allowed.headers["Access-Control-Allow-Origin"] == FRONT["Origin"]
    assert "Access-Control-Allow-Origin" not in client.get("/page", headers=FRONT).headers


def test_a_view_may_answer_options_by_the_default_or_by_itself(app: Flask) -> None:
    @app.route("/default", methods=["PUT"])
    @cross_origin(automatic_options=False)
    def default() -> str:
        return "default"

    @app.route("/own", methods=["PUT", "OPTIONS"])
    @cross_origin(automatic_options=False)
    def own() -> str:
        return "own"

    by_default, by_itself = preflight(app, "/default"), preflight(app, "/own")
    assert by_default.allow == {"PUT", "OPTIONS"}
    assert "Access-Control-Allow-Origin" not in by_default.headers
    assert by_itself.text == "own"
    assert by_itself.headers["Access-Control-Allow-Origin"] == FRONT["Origin"]
