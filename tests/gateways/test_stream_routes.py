"""Routes that read the body while it comes: ``stream=True``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Ask, Entrance, Wsgi

from vial import Response, Vial, request

EVERY: list[Entrance] = [Wsgi(), Asgi(), Rsgi()]
CHUNKS = [b"one ", b"two ", b"three"]


@pytest.fixture
def app() -> Vial:
    app = Vial("streams", static_folder=None)

    @app.post("/sync", stream=True)
    def sync() -> str:
        return f"{request.stream.read().decode()} {request.content_length}"

    @app.post("/async", stream=True)
    async def in_async() -> str:
        pieces = [piece.decode() async for piece in request.stream]
        return f"{''.join(pieces)} {request.content_length}"

    @app.post("/whole")
    async def whole() -> str:
        return "".join([piece.decode() async for piece in request.stream])

    return app


@pytest.fixture(params=EVERY, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_body_with_a_length_is_read(entrance: Entrance, app: Vial, path: str) -> None:
    assert entrance.ask(app, path, "POST", body=b"body").text == "body 4"


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_chunked_body_is_read(entrance: Entrance, app: Vial, path: str) -> None:
    environ = {"wsgi.input_terminated": True}
    answer = entrance.ask(app, path, "POST", chunks=CHUNKS, environ=environ)
    assert answer.text == "one two three None"


def test_an_empty_body_is_empty(entrance: Entrance, app: Vial) -> None:
    assert entrance.ask(app, "/async", "POST").text == " 0"


def test_a_body_that_was_received_may_be_iterated_as_well(entrance: Entrance, app: Vial) -> None:
    assert entrance.ask(app, "/whole", "POST", body=b"body").text == "body"


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_body_above_the_limit_is_413(entrance: Entrance, app: Vial, path: str) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 8
    environ = {"wsgi.input_terminated": True}
    ask = entrance.ask
    assert ask(app, path, "POST", chunks=CHUNKS, environ=environ).status == 413
    assert ask(app, path, "POST", body=b"".join(CHUNKS)).status == 413
    assert ask(app, path, "POST", body=b"12345678").text == "12345678 8"


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_body_that_is_cut_off_is_400(entrance: Entrance, app: Vial, path: str) -> None:
    environ = {"wsgi.input_terminated": True}
    for options in ({"chunks": CHUNKS}, {"body": b"one", "announced": "9"}):
        answer = entrance.ask(app, path, "POST", cut=True, environ=environ, **options)
        assert answer.status == 400


@pytest.mark.parametrize("entrance", [Asgi(), Rsgi()], ids=["asgi", "rsgi"])
def test_reading_without_waiting_on_the_loop_says_how_to_do_it(
    entrance: Entrance, app: Vial
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.post("/blocking", stream=True)
    async def blocking() -> bytes:
        return request.get_data()

    with pytest.raises(RuntimeError, match="use 'async for chunk in"):
        entrance.ask(app, "/blocking", "POST", body=b"body")


def test_an_answer_may_begin_before_the_body_ended(app: Vial) -> None:
    """A conversation: each piece of the body is answered before the next one is sent."""

    @app.post("/echo", stream=True)
    async def echo() -> Response:
        request_stream = request.stream

        async def answers() -> Any:
            async for piece in request_stream:
                yield piece.upper()

        return Response(answers())

    async def main() -> list[bytes]:
        pieces = iter([b"a", b"b", b"c"])
        answered = asyncio.Semaphore(1)
        got: list[bytes] = []

        async def receive() -> dict[str, Any]:
            await answered.acquire()
            piece = next(pieces, None)
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        async def send(message: dict[str, Any]) -> None:
            if message.get("body"):
                got.append(message["body"])
                answered.release()

        scope = Asgi().scope(Ask("/echo", "POST", chunks=[]))
        await asyncio.wait_for(app(scope, receive, send), 10)
        return got

    assert asyncio.run(main()) == [b"A", b"B", b"C"]


def test_a_client_that_sends_nothing_is_408(app: Vial) -> None:
    app.config["BODY_TIMEOUT"] = 0.01

    async def main() -> list[Any]:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            return {}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(Asgi().scope(Ask("/async", "POST", chunks=[])), receive, send)
        return sent

    start, _ = asyncio.run(main())
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
