"""Flask-Caching: views, functions and template fragments that are computed once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from flask import Flask, Response, make_response, render_template_string, request
from flask_caching import Cache
from flask_caching.utils import make_template_fragment_key

BACKENDS = {
    "simple": {"CACHE_TYPE": "SimpleCache"},
    "files": {"CACHE_TYPE": "FileSystemCache"},
    "redis": {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": "redis://127.0.0.1:6379/15"},
}


@pytest.fixture(params=["simple", "files", pytest.param("redis", marks=pytest.mark.service)])
def cache(request: Any, tmp_path: Any) -> Iterator[Cache]:
    app = Flask(__name__)
    config = {**BACKENDS[request.param], "CACHE_DIR": str(tmp_path)}
    config["CACHE_KEY_PREFIX"] = f"vial-{uuid.uuid4()}"
    cache = Cache(app, config=config)
    yield cache
    with app.app_context():
        cache.clear()


def counting(cache: Cache) -> tuple[Flask, Callable[[], int]]:
    numbers = count(1)
    return cache.app, lambda: next(numbers)


def test_a_cached_view_runs_once(cache: Cache, assert_fast: Any, over_asgi: Any) -> None:
    app, number = counting(cache)

    @app.route("/<name>")
    @cache.cached(timeout=60)
    def view(name: str) -> str:
        return f"{name} {number()}"

    client = app.test_client()
    assert [client.get(path).text for path in ("/a", "/b", "/a")] == ["a 1", "b 2", "a 1"]
    assert over_asgi(app, "/b").text == "b 2"
    assert_fast(app)


def test_the_query_string_can_be_part_of_the_key(cache: Cache) -> None:
    app, number = counting(cache)

    @app.route("/")
    @cache.cached(timeout=60, query_string=True, unless=lambda: request.args.get("q") == "no")
    def view() -> str:
        return f"{request.args.get('q')} {number()}"

    client = app.test_client()
    asked = ["/?q=1&a=2", "/?a=2&q=1", "/?q=2", "/?q=no", "/?q=no"]
    assert [client.get(p).text for p in asked] == ["1 1", "1 1", "2 2", "no 3", "no 4"]


def test_a_memoized_function_remembers_by_arguments_until_told_to_forget(
    cache: Cache,
) -> None:
    app, number = counting(cache)

    @cache.memoize(60)
    def add(a: int, b: int = 1) -> int:
        return a + b + 100 * number()

    with app.app_context():
        first = add(1)
        assert add(1, 1) == add(a=1) == first
        other = add(2)
        assert other != first
        cache.delete_memoized(add, 1)
        assert add(1) != first
        assert add(2) == other


def test_values_are_set_read_and_deleted_by_hand(cache: Cache) -> None:
    app, _ = counting(cache)
    with app.app_context():
        assert cache.get("key") is None
        cache.set("key", {"a": [1, None]}, timeout=60)
        assert cache.get("key") == {"a": [1, None]}
        cache.set_many({"x": 1, "y": 2})
        assert cache.get_many("x", "y") == [1, 2]
        assert not cache.add("x", 3)
        cache.delete("key")
        assert not cache.has("key")


def test_a_fragment_of_a_template_is_rendered_once(cache: Cache) -> None:
    app, number = counting(cache)
    source = "{% cache 60, 'fragment' %}{{ number() }}{% endcache %} {{ number() }}"

    @app.route("/")
    def view() -> str:
        return render_template_string(source, number=number)

    client = app.test_client()
    assert [client.get("/").text for _ in range(2)] == ["1 2", "1 3"]
    with app.app_context():
        cache.delete(make_template_fragment_key("fragment"))
    assert client.get("/").text == "4 5"


def test_a_cached_view_is_forgotten_or_made_again_when_asked(cache: Cache) -> None:
    app, number = counting(cache)

    @app.route("/")
    @cache.cached(timeout=60, forced_update=lambda: "fresh" in request.args)
    def view() -> str:
        return str(number())

    client = app.test_client()
    assert [client.get(path).text for path in ("/", "/", "/?fresh", "/")] == ["1", "1", "2", "2"]
    with app.app_context():
        cache.delete("view//")
    assert client.get("/").text == "3"


def test_a_cached_response_keeps_its_status_and_headers_and_errors_are_not_cached(
    cache: Cache,
) -> None:
    app, number = counting(cache)

    @app.route("/<int:status>")
    @cache.cached(timeout=60, response_filter=lambda response: response.status_code < 400)
    def view(status: int) -> Response:
        return make_response(str(number()), status, {"X-Made": "yes"})

    client = app.test_client()
    answers = [client.get(path) for path in ("/201", "/201", "/400", "/400")]
    assert [answer.text for answer in answers] == ["1", "1", "2", "3"]
    assert (answers[1].status_code, answers[1].headers["X-Made"]) == (201, "yes")


def test_an_async_view_is_cached_too(cache: Cache, over_asgi: Any) -> None:
    app, number = counting(cache)

    @app.route("/")
    @cache.cached(timeout=60)
    async def view() -> str:
        await asyncio.sleep(0)
        return f"{request.path} {number()}"

    assert [over_asgi(app, "/").text for _ in range(2)] == ["/ 1", "/ 1"]
    assert app.test_client().get("/").text == "/ 1"
