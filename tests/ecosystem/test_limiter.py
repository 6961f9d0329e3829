"""Flask-Limiter: so many requests in so much time, then 429."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from flask import Blueprint, Flask, jsonify, make_response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address


def make(**options: Any) -> tuple[Flask, Limiter]:
    app = Flask(__name__)
    options.setdefault("storage_uri", "memory://")
    limiter = Limiter(get_remote_address, app=app, **options)
    return app, limiter


def statuses(app: Flask, *paths: str, **options: Any) -> list[int]:
    client = app.test_client()
    return [client.get(path, **options).status_code for path in paths]


def test_default_limits_hold_for_each_view_but_exempt_ones(assert_fast: Any) -> None:
    app, limiter = make(default_limits=["2 per hour"])

    @app.route("/a")
    def a() -> str:
        return "a"

    @app.route("/b")
    def b() -> str:
        return "b"

    @app.route("/free")
    @limiter.exempt
    def free() -> str:
        return "free"

    assert statuses(app, "/a", "/a", "/b", "/a", "/b") == [200, 200, 200, 429, 200]
    assert statuses(app, *["/free"] * 4) == [200] * 4
    assert_fast(app)


def test_a_view_has_its_own_limit_by_its_own_key(over_asgi: Any) -> None:
    app, limiter = make()

    @app.route("/")
    @limiter.limit("1/day", key_func=lambda: request.headers.get("X-User", ""))
    def view() -> str:
        return "view"

    assert statuses(app, "/", "/", headers={"X-User": "ada"}) == [200, 429]
    assert statuses(app, "/", headers={"X-User": "bob"}) == [200]
    assert over_asgi(app, "/", headers=[("X-User", "bob")]).status == 429


def test_a_shared_limit_counts_several_views_together() -> None:
    app, limiter = make()
    together = limiter.shared_limit("2/hour", scope="together")
    app.add_url_rule("/a", "a", together(lambda: "a"))
    app.add_url_rule("/b", "b", together(lambda: "b"))
    assert statuses(app, "/a", "/b", "/a", "/b") == [200, 200, 429, 429]


def test_headers_tell_what_is_left_and_an_error_handler_answers() -> None:
    app, limiter = make(headers_enabled=True)
    app.add_url_rule("/", "view", limiter.limit("2/minute")(lambda: "view"))

    @app.errorhandler(429)
    def too_many(e: Any) -> Any:
        return jsonify(error=f"ratelimit exceeded {e.description}"), 429

    client = app.test_client()
    assert client.get("/").headers["X-RateLimit-Remaining"] == "1"
    assert client.get("/").headers["X-RateLimit-Remaining"] == "0"
    refused = client.get("/")
    assert refused.json == {"error": "ratelimit exceeded 2 per 1 minute"}
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_limits_of_a_blueprint_and_conditions() -> None:
    app, limiter = make()
    bp = Blueprint("bp", __name__, url_prefix="/bp")
    bp.add_url_rule("/", "index", lambda: "bp")
    limiter.limit("1/hour", exempt_when=lambda: "admin" in request.args)(bp)
    app.register_blueprint(bp)
    app.add_url_rule("/", "index", lambda: "app")
    assert statuses(app, "/bp/", "/bp/", "/bp/?admin", "/", "/") == [200, 429, 200, 200, 200]


def test_a_condition_decides_what_counts_and_a_cost_how_much() -> None:
    app, limiter = make()

    @app.route("/login")
    @limiter.limit("1/hour", deduct_when=lambda response: response.status_code == 401)
    def login() -> Any:
        return "", int(request.args.get("status", 200))

    @app.route("/heavy")
    @limiter.limit("10/hour", cost=lambda: int(request.args["cost"]))
    def heavy() -> str:
        return "heavy"

    wrong = "/login?status=401"
    assert statuses(app, "/login", "/login", wrong, wrong, "/login") == [200, 200, 401, 429, 429]
    assert statuses(app, "/heavy?cost=8", "/heavy?cost=2", "/heavy?cost=1") == [200, 200, 429]


def test_a_filter_lets_requests_through_and_a_block_is_limited_by_itself() -> None:
    app, limiter = make(default_limits=["1/hour"])
    limiter.request_filter(lambda: request.headers.get("X-Internal") == "yes")
    app.add_url_rule("/", "view", lambda: "view")

    @app.route("/mails")
    @limiter.exempt
    def mails() -> str:
        with limiter.limit("1/hour", scope="mail"):
            return "sent"

    assert statuses(app, "/", "/", headers={"X-Internal": "yes"}) == [200, 200]
    assert statuses(app, "/", "/", "/mails", "/mails") == [200, 429, 200, 429]


def test_a_breach_may_have_its_own_answer() -> None:
    app, limiter = make(on_breach=lambda limit: make_response(f"over {limit.limit}", 420))
    app.add_url_rule("/", "view", limiter.limit("1/hour")(lambda: "view"))
    assert statuses(app, "/") == [200]
    refused = app.test_client().get("/")
    assert (refused.status_code, refused.text) == (420, "over 1 per 1 hour")


def test_an_async_view_is_limited_too(over_asgi: Any) -> None:
    app, limiter = make()

    @app.route("/")
    @limiter.limit("2/hour")
    async def view() -> str:
        await asyncio.sleep(0)
        return request.path

    assert statuses(app, "/") == [200]
    assert [over_asgi(app, "/").status for _ in range(2)] == [200, 429]


@pytest.mark.service
def test_redis_keeps_the_count_for_several_apps() -> None:
    prefix = str(uuid.uuid4())
    apps = []
    for _ in range(2):
        app, limiter = make(storage_uri="redis://127.0.0.1:6379/15", key_prefix=prefix)
        app.add_url_rule("/", "view", limiter.limit("2/minute")(lambda: "view"))
        apps.append(app)
    assert [statuses(app, "/") for app in (apps * 2)] == [[200], [200], [429], [429]]
