"""Bodies that are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .harness import Web, same


@same
def test_a_generator_is_sent_chunk_by_chunk(web: Web) -> None:
    app = web.app()

    @app.route("/")
    def index() -> Iterator[str]:
        web.note("view")
        for chunk in ("a", "", "ü", "c"):
            web.note("chunk", chunk)
            yield chunk

    app.after_request(lambda r: web.note("after", r.is_streamed, r.headers.get("X")) or r)
    web.get("/")
    response = app.test_client().get("/", buffered=False)
    web.note(list(response.iter_encoded()))
    response.close()


@same
def test_a_generator_without_context_sees_no_request(web: Web) -> None:
    app = web.app()

    def generate() -> Iterator[str]:
        yield f"{web.has_request_context()} {web.has_app_context()}"

    app.add_url_rule("/", "i", generate)
    app.add_url_rule("/response", "r", lambda: web.Response(generate()))
    web.every("/", "/response")


@same
def test_stream_with_context_keeps_request_session_and_g(web: Web) -> None:
    app = web.app(SECRET_KEY="k")

    @app.route("/generator")
    def generator() -> Any:
        web.g.x = "g"
        web.session["s"] = "s"

        def generate() -> Iterator[str]:
            yield web.request.args["a"]
            yield web.g.x
            yield web.session["s"]
            yield web.url_for("generator")

        return web.Response(web.stream_with_context(generate()), mimetype="text/plain")

    @app.route("/decorated")
    def decorated() -> Any:
        @web.stream_with_context
        def generate(word: str) -> Iterator[str]:
            yield word
            yield web.request.path

        return generate("word ")

    web.every("/generator?a=1", "/decorated")
    web.open("/generator?a=1", method="HEAD")


@same
def test_stream_with_context_outside_of_a_request(web: Web) -> None:
    web.attempt(lambda: next(iter(web.stream_with_context(iter("ab")))))
    app = web.app()
    with app.app_context():
        web.attempt(lambda: next(iter(web.stream_with_context(iter("ab")))))
    with app.test_request_context("/x"):
        web.attempt(lambda: list(web.stream_with_context(web.request.path + c for c in "ab")))


@same
def test_a_stream_that_the_client_leaves_is_closed(web: Web) -> None:
    app = web.app()

    def generate() -> Iterator[str]:
        try:
            yield "first"
            yield "second"
        finally:
            web.note("closed", web.has_request_context() and web.request.path)

    app.add_url_rule("/with", "with", lambda: web.stream_with_context(generate()))
    app.add_url_rule("/without", "without", generate)
    for path in ("/with", "/without"):
        response = app.test_client().get(path)
        web.note(next(iter(response.response)))
        response.close()
        web.note(web.has_request_context())


@same
def test_a_stream_that_fails_before_and_after_its_first_chunk(web: Web) -> None:
    app = web.app()

    def early() -> Iterator[str]:
        raise KeyError("early")
        yield ""

    def late() -> Iterator[str]:
        yield "first"
        raise ValueError("late")

    for name, generate in {"early": early, "late": late}.items():
        app.add_url_rule(f"/{name}", name, generate)
        view = lambda generate=generate: web.stream_with_context(generate())  # noqa: E731
        app.add_url_rule(f"/context/{name}", f"context {name}", view)
    web.every("/early", "/late", "/context/early", "/context/late")


@same
def test_two_streams_of_one_response(web: Web) -> None:
    app = web.app()

    @app.route("/")
    def index() -> Any:
        inner = web.stream_with_context(f"{web.request.path}{n}" for n in "ab")
        return web.stream_with_context(x.upper() + web.request.method for x in inner)

    web.get("/")


@same
def test_work_at_the_end_of_a_response(web: Web) -> None:
    app = web.app()

    @app.route("/")
    def index() -> Any:
        response = web.Response(iter("ab"))
        response.call_on_close(web.noting("first", web.request.path))
        response.call_on_close(web.noting("second"))
        return response

    app.teardown_request(web.noting("teardown"))
    web.get("/")
