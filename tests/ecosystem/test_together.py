"""Seven extensions in one app: none takes the work of another."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import brotli
import pytest
from cachelib.file import FileSystemCache
from flask import Flask, request, session
from flask_babel import Babel, format_percent
from flask_caching import Cache
from flask_compress import Compress
from flask_cors import CORS
from flask_limiter import Limiter
from flask_session import Session
from flask_talisman import Talisman

ASKED = {"Origin": "https://front.example", "Accept-Encoding": "br", "Accept-Language": "de"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask(__name__)
    app.config |= {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": FileSystemCache(str(tmp_path))}
    app.config |= {"CACHE_TYPE": "SimpleCache", "COMPRESS_MIN_SIZE": 1}
    Session(app)
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["de", "en"]))
    cache = Cache(app)
    limiter = Limiter(lambda: "all", app=app, storage_uri="memory://", headers_enabled=True)
    Talisman(app, force_https=False, session_cookie_secure=False)
    Compress(app)
    CORS(app, supports_credentials=True)
    numbers = count(1)

    @cache.memoize()
    def number() -> int:
        return next(numbers)

    @app.route("/sync")
    @limiter.limit("2/hour")
    def sync_view() -> str:
        session["seen"] = session.get("seen", 0) + 1
        return f"{number()} {session['seen']} {format_percent(0.5)}"

    @app.route("/async")
    @limiter.limit("2/hour")
    async def async_view() -> str:
        await asyncio.sleep(0)
        session["seen"] = session.get("seen", 0) + 1
        return f"{number()} {session['seen']} {format_percent(0.5)}"

    return app


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_each_of_seven_extensions_does_its_work(app: Flask, path: str, assert_fast: Any) -> None:
    client = app.test_client()
    first, second, third = (client.get(path, headers=ASKED) for _ in range(3))
    assert brotli.decompress(first.data).decode() == "1 1 50\xa0%"
    assert brotli.decompress(second.data).decode() == "1 2 50\xa0%"
    assert (third.status_code, third.headers["X-RateLimit-Remaining"]) == (429, "0")
    for response in (first, second, third):
        assert response.headers["Access-Control-Allow-Origin"] == ASKED["Origin"]
        assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert set(first.vary.as_set()) == {"origin", "accept-encoding", "cookie"}
    assert_fast(app)


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_they_do_it_over_asgi(app: Flask, path: str, over_asgi: Any) -> None:
    headers = [*ASKED.items()]
    first = over_asgi(app, path, headers=headers)
    headers.append(("Cookie", first["set-cookie"].partition(";")[0]))
    second, third = (over_asgi(app, path, headers=headers) for _ in range(2))
    assert brotli.decompress(second.body).decode() == "1 2 50\xa0%"
    assert (second["access-control-allow-origin"], third.status) == (ASKED["Origin"], 429)
