"""An app that shows what a gateway makes of a request; every view is there sync and async."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from hashlib import sha256
from typing import Any

from werkzeug.exceptions import HTTPException

from vial import (
    Response,
    Vial,
    abort,
    jsonify,
    make_response,
    redirect,
    request,
    session,
    stream_with_context,
    url_for,
)

LANES = ("/sync", "/async")


class Site(Vial):
    """``@site.both(rule)`` registers a view below ``/sync`` and, as a coroutine, ``/async``."""

    def both(self, rule: str, **options: Any) -> Callable[[Any], Any]:
        def decorator(view: Any) -> Any:
            @wraps(view)
            async def async_view(**args: Any) -> Any:
                return view(**args)

            name = view.__name__
            self.add_url_rule(f"/sync{rule}", f"{name}_sync", view, **options)
            self.add_url_rule(f"/async{rule}", f"{name}_async", async_view, **options)
            return view

        return decorator


def make_site(cls: type[Any] = Site) -> Site:
    site: Site = cls("site", static_folder=None)
    site.secret_key = "a key for tests only"
    site.config.update(MAX_CONTENT_LENGTH=4 * 1024 * 1024, BODY_TIMEOUT=1)
    add_requests(site)
    add_responses(site)
    add_streams(site)
    add_truncation(site)
    add_waiting(site)
    return site


def add_requests(site: Site) -> None:
    @site.both("/facts/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
    def facts(rest: str) -> Any:
        return {
            "method": request.method,
            "path": request.path,
            "rest": rest,
            "root": request.root_path,
            "args": request.args.to_dict(flat=False),
            "query": request.query_string.decode("latin-1"),
            "host": request.host,
            "scheme": request.scheme,
            "x": request.headers.get("X-Test"),
            "cookies": request.cookies.to_dict(flat=False),
            "length": request.content_length,
            "url": request.url,
            "link": url_for("facts_sync", rest="é b", q="ü"),
        }

    @site.both("/form", methods=["POST"])
    def form() -> Any:
        files = {name: digest(file.read()) for name, file in request.files.items()}
        return {"form": request.form.to_dict(flat=False), "files": files}

    @site.both("/json", methods=["POST"])
    def json() -> Any:
        return {"got": request.get_json()}

    @site.both("/data", methods=["GET", "POST"])
    def data() -> Any:
        return digest(request.get_data())

    @site.both("/unread", methods=["POST"])
    def unread() -> str:
        return "not read"

    @site.both("/count")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])


def digest(data: bytes) -> list[Any]:
    return [len(data), sha256(data).hexdigest()]


def add_responses(site: Site) -> None:
    @site.both("/hello")
    def hello() -> str:
        return "Hello"

    @site.both("/headers")
    def headers() -> Response:
        response = make_response("headers", 202)
        response.headers["X-Latin"] = "é"
        response.headers.add("X-Twice", "1")
        response.headers.add("X-Twice", "2")
        response.set_cookie("a", "1")
        response.set_cookie("b", "é", httponly=True)
        return response

    @site.both("/json-list")
    def json_list() -> Any:
        return jsonify([1, "é"])

    @site.both("/status/<int:code>")
    def status(code: int) -> Any:
        return "body", code

    @site.both("/abort/<int:code>")
    def aborted(code: int) -> Any:
        abort(code)

    @site.both("/crash")
    def crash() -> Any:
        raise ZeroDivisionError("the view failed")

    @site.both("/away")
    def away() -> Any:
        return redirect("/sync/hello?é=1")

    @site.both("/large")
    def large() -> bytes:
        return b"x" * 1_000_000


def add_streams(site: Site) -> None:
    @site.both("/stream")
    def stream() -> Any:
        return iter(["a", b"b", "", "é"])

    @site.both("/stream-async")
    def stream_async() -> Any:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            yield "é"

        return pieces()

    @site.both("/stream-context/<name>")
    def stream_context(name: str) -> Any:
        @stream_with_context
        def pieces() -> Iterator[str]:
            yield name
            yield request.args["q"]

        return pieces()

    @site.both("/echo", methods=["POST"])
    def echo() -> Any:
        return Response(stream_with_context(iter(lambda: request.stream.read(100_000), b"")))

    @site.both("/endless/<key>")
    def endless(key: str) -> Any:
        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x" * 10_000
                    time.sleep(0.001)
            finally:
                site.config.setdefault("SEEN", {})[key] = "closed"

        return pieces()


def add_waiting(site: Site) -> None:
    seen: dict[str, Any] = site.config.setdefault("SEEN", {})

    @site.get("/wait/<key>")
    async def wait(key: str) -> str:
        seen[key] = "waits"
        try:
            await asyncio.sleep(60)
        finally:
            seen[key] = "cancelled"
        return "never"

    @site.teardown_request
    def note_end(error: BaseException | None) -> None:
        if (request.view_args or {}).get("key") and isinstance(error, asyncio.CancelledError):
            seen["ends"] = seen.get("ends", 0) + 1

    @site.get("/late/<key>")
    def late(key: str) -> str:
        site.background(seen.__setitem__, key, "background")
        return "answered"


def add_truncation(site: Site) -> None:
    """``/whole/<key>`` notes what its view saw of the body, ``/seen/<key>`` tells it."""
    seen: dict[str, Any] = site.config.setdefault("SEEN", {})

    @site.both("/whole/<key>", methods=["POST"])
    def whole(key: str) -> str:
        try:
            seen[key] = len(request.get_data())
        except HTTPException as e:
            seen[key] = f"error {e.code}"
            raise
        return f"whole: {seen[key]}"

    @site.get("/seen/<key>")
    def tell(key: str) -> Any:
        return {"seen": seen.get(key)}


app = make_site()
