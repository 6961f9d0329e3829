"""Mistakes with functions: what they take, what they return, async, contexts; each by trying it."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from hinting import by_asgi, by_wsgi, has, notes_of

from vial import (
    Vial,
    current_app,
    got_request_exception,
    render_template_string,
    request,
    stream_with_context,
    url_for,
    websocket,
)
from vial.testing_websockets import WebSocketRefused


@pytest.fixture
def app(tmp_path: Path) -> Vial:
    app = Vial("app", root_path=str(tmp_path), static_folder=None)
    app.debug = True
    return app


entrances = pytest.mark.parametrize("ask", [by_wsgi, by_asgi], ids=["wsgi", "asgi"])

# -- what functions take -----------------------------------------------------------------------


def takes_nothing() -> str:
    return ""


async def takes_nothing_async() -> str:
    return ""


def takes_id(id: int) -> str:
    return ""


def plain(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return f(*args, **kwargs)

    return wrapper


def narrow(f: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper() -> Any:
        return f()

    return wrapper


@entrances
@pytest.mark.parametrize(
    ("rule", "path", "view", "words"),
    [
        ("/<name>", "/a", takes_nothing, ["passes 'name'", "takes_nothing() -> ", "a parameter"]),
        ("/<name>", "/a", takes_nothing_async, ["passes 'name'", "takes_nothing_async()"]),
        ("/<name>", "/a", plain(takes_nothing), ["passes 'name'", "takes_nothing()"]),
        ("/<name>", "/a", narrow(takes_nothing), ["wrapper()", "(*args, **kwargs)"]),
        ("/", "/", takes_id, ["passes nothing", "takes_id(id", "'<id>' to the rule"]),
        ("/<int:idd>", "/1", takes_id, ["'/<int:idd>'", "'the_view'", "Did you mean 'id'"]),
    ],
    ids=lambda value: None,
)
def test_a_rule_and_a_view_that_do_not_fit(
    app: Vial, ask: Any, rule: str, path: str, view: Callable[..., Any], words: list[str]
) -> None:
    has(notes_of(app, view, TypeError, ask, rule, path), *words)


def test_a_view_that_calls_another_function_wrongly_is_told_nothing_of_rules(app: Vial) -> None:
    assert "rule" not in notes_of(app, lambda: takes_id(), TypeError)  # type: ignore[call-arg]


def test_a_preprocessor_may_take_a_variable_that_the_view_does_not(app: Vial) -> None:
    @app.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, Any] | None) -> None:
        (values or {}).pop("name", None)

    app.get("/<name>")(takes_nothing)
    assert app.test_client().get("/a").status_code == 200


@entrances
@pytest.mark.parametrize(
    ("register", "function", "words"),
    [
        ("before_request", takes_id, ["before_request", "no arguments", "def takes_id()"]),
        ("after_request", takes_nothing, ["after_request", "def takes_nothing(response)"]),
        ("teardown_request", takes_nothing, ["teardown_request", "def takes_nothing(error)"]),
        ("teardown_appcontext", takes_nothing, ["teardown_appcontext", "(error)"]),
        ("url_value_preprocessor", takes_nothing, ["'endpoint', 'values'"]),
        ("context_processor", takes_id, ["context_processor", "no arguments"]),
    ],
    ids=lambda value: None,
)
def test_a_hook_that_does_not_fit(
    app: Vial, ask: Any, register: str, function: Callable[..., Any], words: list[str]
) -> None:
    getattr(app, register)(function)
    app.get("/")(lambda: render_template_string("x"))
    with pytest.raises(TypeError) as caught:
        ask(app, "/")
    has("\n".join(caught.value.__notes__), *words)


def test_an_error_handler_that_does_not_fit(app: Vial) -> None:
    app.errorhandler(ZeroDivisionError)(takes_nothing)
    text = notes_of(app, lambda: str(1 / 0), TypeError)
    has(text, "errorhandler", "def takes_nothing(error)")


def test_a_context_processor_that_returns_nothing(app: Vial) -> None:
    app.context_processor(lambda: None)  # type: ignore[arg-type, return-value]
    text = notes_of(app, lambda: render_template_string("x"), TypeError)
    has(text, "context processor", "test_messages_calls", "return {'name': value}")


def test_variables_of_a_template_in_a_dict(app: Vial) -> None:
    text = notes_of(app, lambda: render_template_string("x", {"a": 1}), TypeError)  # type: ignore[call-arg]
    has(text, "render_template_string(…, name=value)", "**values")


# -- what a view returns -----------------------------------------------------------------------


class Row:
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, ["a bool", "str(…)"]),
        ((404, "x"), ["an int", "The body comes first: return body, 404"]),
        (("x", {"a": "b"}, 404), ["a dict where its status belongs", "(body, status, headers)"]),
        (("x", Row()), ["a Row where its status belongs"]),
        ({1}, ["a set", "list(…)"]),
        (Row(), ["a Row", "a dict or list for JSON"]),
        (Row, ["a type (Row)", "WSGI", "Was Row(…) meant"]),
        (takes_nothing, ["(takes_nothing)", "Was takes_nothing(…) meant, with parentheses?"]),
    ],
    ids=lambda value: None,
)
def test_what_is_no_response(app: Vial, value: Any, words: list[str]) -> None:
    app.get("/")(lambda: value)
    with pytest.raises((TypeError, AttributeError)) as caught:
        app.test_client().get("/")
    has("\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())]), *words)


def test_decorators_without_wraps_give_two_views_one_name(app: Vial) -> None:
    app.get("/a")(narrow(takes_nothing))
    with pytest.raises(AssertionError) as caught:
        app.get("/b")(narrow(takes_nothing))
    has(str(caught.value), "'wrapper'", "inner function of a decorator", "@functools.wraps(f)")


def test_two_lambdas_are_no_decorators(app: Vial) -> None:
    app.get("/a")(lambda: "a")
    with pytest.raises(AssertionError) as caught:
        app.get("/b")(lambda: "b")
    has(str(caught.value), "'<lambda>'", "Rename one function or pass 'endpoint='")


@pytest.mark.parametrize(
    ("name", "meant"), [("number", "int"), ("str", "string"), ("flaot", "float")]
)
def test_a_converter_by_another_name(app: Vial, name: str, meant: str) -> None:
    with pytest.raises(LookupError, match=f"Did you mean '{meant}'"):
        app.get(f"/<{name}:n>")(takes_nothing)


# -- async -------------------------------------------------------------------------------------


async def rows() -> list[int]:
    return [1]


async def awaits_a_value() -> Any:
    return await request.get_json(silent=True)


async def runs_a_loop() -> Any:
    given = rows()
    try:
        return str(asyncio.run(given))
    finally:
        given.close()


async def runs_until_complete() -> Any:
    given = rows()
    try:
        return str(asyncio.get_running_loop().run_until_complete(given))
    finally:
        given.close()


async def uses_a_coroutine() -> Any:
    found = rows()
    return str(found[0])  # type: ignore[index]


async def calls_a_coroutines_method() -> Any:
    found = rows()
    return str(found.count(1))  # type: ignore[attr-defined]


async def returns_a_coroutine() -> Any:
    return rows()


@entrances
@pytest.mark.parametrize(
    ("view", "error", "words"),
    [
        (awaits_a_value, TypeError, ["leave the 'await' out", "request.get_json()"]),
        (runs_a_loop, RuntimeError, ["runs on a loop already", "'await work()'"]),
        (runs_until_complete, RuntimeError, ["'await work()'", "run_until_complete"]),
        (uses_a_coroutine, TypeError, ["'found' is what rows() gave", "'found = await …'"]),
        (calls_a_coroutines_method, AttributeError, ["'found' is what rows() gave"]),
    ],
    ids=lambda value: None,
)
def test_async_used_wrongly(
    app: Vial, ask: Any, view: Callable[..., Any], error: type[Exception], words: list[str]
) -> None:
    has(notes_of(app, view, error, ask), *words)


@entrances
def test_a_view_that_returns_what_it_did_not_await(app: Vial, ask: Any) -> None:
    app.get("/")(returns_a_coroutine)
    with pytest.raises(TypeError) as caught:
        ask(app, "/")
    has(str(caught.value), "returned a coroutine", "'return await rows(…)'")


async def sleeps() -> str:
    if request.args:
        time.sleep(1)
    return ""


async def runs_a_command() -> str:
    return str(subprocess.run(["true"]).returncode) if request.args else ""


async def waits() -> str:
    await asyncio.to_thread(time.sleep, 0)
    await asyncio.sleep(0)

    def later() -> None:
        time.sleep(1)

    return "" if later else "x"


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (sleeps, ["test_messages_calls.sleeps calls time.sleep()", "await asyncio.sleep(…)"]),
        (runs_a_command, ["calls subprocess.run()", "'def'", "no other request"]),
        (waits, []),
    ],
    ids=lambda value: None,
)
@pytest.mark.parametrize("debug", [True, False])
def test_an_async_view_that_blocks(
    app: Vial,
    caplog: pytest.LogCaptureFixture,
    view: Callable[..., Any],
    words: list[str],
    debug: bool,
) -> None:
    app.debug = debug
    app.get("/")(FunctionType(view.__code__, globals(), view.__name__))
    client = app.test_client()
    for _ in range(3):
        client.get("/")
    said = [r.getMessage() for r in caplog.records if r.name == "vial.hints"]
    assert len(said) == bool(words and debug)
    if said:
        has(said[0], *words, f"line {view.__code__.co_firstlineno + (2 if view is sleeps else 1)}")


# -- contexts ----------------------------------------------------------------------------------


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Any]:
    """Runs a program and gives the names it made; its module is no part of the test's."""

    def run(source: str) -> Any:
        names = {"__name__": "script"}
        exec(compile(source, str(tmp_path / "script.py"), "exec"), names)
        return names

    return run


@pytest.mark.parametrize("name", ["request.args", "session['a']", "current_app.name", "g.x"])
def test_what_is_used_while_the_program_is_imported(
    script: Callable[[str], Any], name: str
) -> None:
    with pytest.raises(RuntimeError) as caught:
        script(f"from vial import *\n\n{name}\n")
    has(str(caught.value), "Working outside of", "line 3 of 'script.py'", "is imported")


def test_a_request_in_a_thread(app: Vial) -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            request.path
        except RuntimeError as e:
            seen.append(str(e))

    def view() -> str:
        thread = threading.Thread(target=work, name="mailer")
        thread.start()
        thread.join()
        return ""

    app.get("/")(view)
    app.test_client().get("/")
    words = ["in the thread 'mailer'", "app.background(", "copy_current_request_context"]
    has(seen[0], "Working outside of request context", *words)


def test_a_request_in_a_generator_that_is_streamed(app: Vial) -> None:
    def lines() -> Iterator[str]:
        yield request.path

    app.get("/", endpoint="bad")(lambda: lines())
    app.get("/good", endpoint="good")(lambda: stream_with_context(lines()))
    client = app.test_client()
    assert client.get("/good").text == "/good"
    with pytest.raises(RuntimeError) as caught:
        client.get("/")
    has(str(caught.value), "generator 'lines'", "stream_with_context(lines())")


def test_outside_of_everything_in_a_function_the_message_is_the_plain_one() -> None:
    for use in (lambda: request.path, lambda: current_app.name, lambda: url_for("x")):
        with pytest.raises(RuntimeError) as caught:
            use()
        assert "It was used in" not in str(caught.value)


@pytest.mark.parametrize("method", ["receive", "receive_json"])
def test_a_websocket_message_that_is_not_awaited(app: Vial, method: str) -> None:
    seen: list[BaseException] = []

    def note(sender: Any, exception: BaseException, **extra: Any) -> None:
        seen.append(exception)

    @app.websocket("/ws")
    async def talk() -> None:
        message = getattr(websocket, method)()
        await websocket.send(message.upper())

    with (
        got_request_exception.connected_to(note, app),
        pytest.raises(WebSocketRefused),
        app.test_client().websocket("/ws"),
    ):
        pass
    has("\n".join(seen[0].__notes__), "An 'await' is missing", "'message'")
