"""What runs at the start and the end of a worker, and beside its requests."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Ask, Entrance, Wsgi

from vial import Vial, current_app, g, request, session

EVERY: list[Entrance] = [Wsgi(), Asgi(), Rsgi()]


@pytest.fixture
def app() -> Vial:
    app = Vial("life", static_folder=None)
    app.secret_key = "key"
    app.get("/")(lambda: "page")
    return app


@pytest.fixture(params=EVERY, ids=lambda entrance: entrance.name)
def entrance(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_startup_functions_run_once_and_in_order_before_the_first_request(
    app: Vial, entrance: Entrance
) -> None:
    done: list[str] = []

    @app.on_startup
    def first() -> None:
        done.append(f"first of {current_app.name}")

    @app.on_startup
    async def second() -> None:
        await asyncio.sleep(0)
        done.append(f"second of {current_app.name}")

    for _ in range(2):
        assert entrance.ask(app).text == "page"
    assert done == ["first of life", "second of life"]


def test_a_start_that_failed_fails_the_request_and_is_tried_again(
    app: Vial, entrance: Entrance
) -> None:
    failures = [OSError("no database")]

    @app.on_startup
    def start() -> None:
        if failures:
            raise failures.pop()

    with pytest.raises(OSError, match="no database"):
        entrance.ask(app)
    assert entrance.ask(app).text == "page"


def test_nothing_is_registered_after_the_first_request(app: Vial) -> None:
    Wsgi().ask(app)
    with pytest.raises(AssertionError, match="on_startup"):
        app.on_startup(print)


class Lifespan:
    """The lifespan of an ASGI server around what a test does."""

    def __init__(self, app: Vial) -> None:
        self._app = app
        self.answers: list[dict[str, Any]] = []

    async def __aenter__(self) -> Lifespan:
        self._to_app: asyncio.Queue[Any] = asyncio.Queue()
        self._told = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            self.answers.append(message)
            self._told.set()

        scope = {"type": "lifespan"}
        self._task = asyncio.ensure_future(self._app(scope, self._to_app.get, send))
        await self._tell("lifespan.startup")
        return self

    async def _tell(self, event: str) -> None:
        self._told.clear()
        self._to_app.put_nowait({"type": event})
        await asyncio.wait_for(self._told.wait(), 10)

    async def __aexit__(self, *error: object) -> None:
        await self._tell("lifespan.shutdown")
        await self._task


def test_shutdown_functions_run_last_first_and_a_failure_is_logged(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    app.on_startup(lambda: done.append("start"))
    app.on_shutdown(lambda: done.append("last"))

    @app.on_shutdown
    def fails() -> None:
        raise KeyError("gone")

    @app.on_shutdown
    async def first() -> None:
        done.append("first")

    async def live() -> None:
        async with Lifespan(app):
            assert done == ["start"]

    asyncio.run(live())
    assert done == ["start", "first", "last"]
    assert "A function of on_shutdown failed" in caplog.text


def test_an_asgi_server_is_told_that_the_start_failed(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    @app.on_startup
    def fails() -> None:
        raise OSError("no database")

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == [{"type": "lifespan.startup.failed", "message": "OSError: no database"}]
    assert "A function of on_startup failed" in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
def test_background_work_begins_after_the_response_and_sees_the_request(
    app: Vial, is_async: bool
) -> None:
    seen: list[Any] = []
    done = threading.Event()

    def work(*args: Any, **options: Any) -> None:
        seen.append(("work", request.path, session["user"], "mine" in g, args, options))
        done.set()

    async def work_async(*args: Any, **options: Any) -> None:
        await asyncio.sleep(0)
        work(*args, **options)

    @app.get("/work")
    def view() -> str:
        session["user"] = "ada"
        g.mine = True
        app.background(work_async if is_async else work, 1, two=2)
        seen.append("view")
        return "page"

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        seen.append("end")

    async def live() -> None:
        async with Lifespan(app):
            answer = await Asgi().ask_here(app, Ask("/work"))
            assert answer.text == "page"

    asyncio.run(live())
    expected = ("work", "/work", "ada", False, (1,), {"two": 2})
    assert seen == ["view", "end", expected, "end"]


def test_background_work_of_a_wsgi_request_runs_beside_it(app: Vial) -> None:
    done = threading.Event()
    threads: list[Any] = []

    def work() -> None:
        threads.append(threading.current_thread())
        done.set()

    @app.get("/work")
    def view() -> str:
        app.background(work)
        return "page"

    assert Wsgi().ask(app, "/work").text == "page"
    assert done.wait(10)
    assert threads != [threading.current_thread()]


def test_background_work_outside_of_a_request_begins_at_once(app: Vial) -> None:
    done = threading.Event()
    names: list[str] = []

    def work() -> None:
        names.append(current_app.name)
        done.set()

    app.background(work)
    assert done.wait(10)
    assert names == ["life"]


def test_background_work_that_fails_is_logged(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise KeyError("gone")

    @app.get("/work")
    async def view() -> str:
        app.background(work)
        return "page"

    async def live() -> None:
        async with Lifespan(app):
            await Asgi().ask_here(app, Ask("/work"))

    asyncio.run(live())
    assert "Background work failed" in caplog.text
    assert "KeyError: 'gone'" in caplog.text


def test_background_work_that_does_not_end_is_cancelled_and_named(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["BACKGROUND_GRACE"] = 0.01
    cancelled: list[bool] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    @app.get("/work")
    async def view() -> str:
        app.background(for_ever)
        return "page"

    async def live() -> None:
        async with Lifespan(app):
            await Asgi().ask_here(app, Ask("/work"))
            await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(live())
    assert cancelled == [True]
    assert "for_ever" in caplog.text


PROGRAM = """
import time
from vial import Vial
from werkzeug.test import create_environ, run_wsgi_app
app = Vial("app", static_folder=None)
app.on_startup(lambda: print("start"))
app.on_shutdown(lambda: print("end"))
def work():
    time.sleep(0.1)
    print("work")
@app.get("/")
def view():
    app.background(work)
    return "page"
print(b"".join(run_wsgi_app(app, create_environ(), buffered=True)[0]).decode())
"""


def test_a_process_without_a_loop_ends_its_work_and_says_goodbye() -> None:
    run = [sys.executable, "-c", PROGRAM]
    out = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert (out.stdout.split(), out.stderr) == (["start", "page", "work", "end"], "")


def test_a_test_client_waits_for_background_work(app: Vial) -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append("work")

    @app.get("/work")
    def view() -> str:
        app.background(work)
        done.append("view")
        return "page"

    assert app.test_client().get("/work").text == "page"
    assert done == ["view", "work"]
