"""What clients send, compared with what handlers take."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, Union

import pytest

from vial import Vial
from vial.flask_mode import Flask
from vial.socketio import InvalidArguments, Namespace, SocketIO
from vial.socketio.payloads import Arguments
from vial.socketio.shapes import Mismatch, shape_of


class Auth(TypedDict):
    token: str


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Place(TypedDict):
    x: int
    y: NotRequired[int]


@dataclass
class Item:
    name: str
    price: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    items: list[Item]
    place: Place | None = None

    def __post_init__(self) -> None:
        if not self.items:
            raise ValueError("at least one item")


@dataclass
class Tree:
    children: list[Tree]


UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("hint", "value", "taken"),
    [
        (str, "a", "a"),
        (int, 3, 3),
        (float, 1.5, 1.5),
        (float, 2, 2),
        (bool, True, True),
        (bytes, b"\x01", b"\x01"),
        (None, None, None),
        (UserId, 7, 7),
        (Annotated[int, "a note"], 7, 7),
        (list, [1, "a"], [1, "a"]),
        (list[int], [1, 2], [1, 2]),
        (Sequence[str], ["a"], ["a"]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (tuple, ["a"], ("a",)),
        (dict, {"a": [1]}, {"a": [1]}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Mapping[str, list[int]], {"a": [1]}, {"a": [1]}),
        (int | None, None, None),
        (Union[int, str], "a", "a"),  # noqa: UP007
        (Optional[str], None, None),  # noqa: UP045
        (Literal["on", 1], 1, 1),
        (Colour, "blue", Colour.BLUE),
        (Place, {"x": 1}, {"x": 1}),
        (Place, {"x": 1, "y": 2, "more": "?"}, {"x": 1, "y": 2, "more": "?"}),
        (Item, {"name": "tea"}, Item("tea")),
        (Item, {"name": "tea", "price": 2, "tags": ["hot"]}, Item("tea", 2, ["hot"])),
        (
            Order,
            {"items": [{"name": "tea"}], "place": {"x": 1}},
            Order([Item("tea")], {"x": 1}),
        ),
        (Tree, {"children": [{"children": []}]}, Tree([Tree([])])),
    ],
)
def test_a_value_of_the_annotated_type_is_taken(hint: Any, value: Any, taken: Any) -> None:
    shape = shape_of(hint)
    assert shape is not None
    assert shape.take(value, "it") == taken
    assert type(shape.take(value, "it")) is type(taken)


@pytest.mark.parametrize(
    ("hint", "value", "message"),
    [
        (str, 1, "it: expected a string, got an integer"),
        (int, "1", "it: expected an integer, got a string"),
        (int, True, "it: expected an integer, got a boolean"),
        (int, 1.0, "it: expected an integer, got a number"),
        (float, True, "it: expected a number, got a boolean"),
        (float, float("nan"), "it: expected a number, got one that JSON has not"),
        (float, float("inf"), "it: expected a number, got one that JSON has not"),
        (bool, 0, "it: expected a boolean, got an integer"),
        (bytes, "a", "it: expected bytes, got a string"),
        (str, b"a", "it: expected a string, got bytes"),
        (None, 0, "it: expected null, got an integer"),
        (list[int], {"a": 1}, "it: expected a list, got an object"),
        (list[int], [1, "a"], "it[1]: expected an integer, got a string"),
        (tuple[int, str], [1], "it: expected a list of 2, got a list of 1"),
        (tuple[int, str], [1, 2], "it[1]: expected a string, got an integer"),
        (dict[str, int], [1], "it: expected an object, got a list"),
        (dict[str, int], {"a": None}, "it.a: expected an integer, got null"),
        (int | None, "a", "it: expected an integer or null, got a string"),
        (Literal["on", "off"], "x", "it: expected 'on' or 'off', got another"),
        (Literal["on", 1], True, "it: expected 'on' or 1, got a boolean"),
        (Colour, "green", "it: expected 'red' or 'blue', got another"),
        (Place, {"y": 1}, "it.x: expected an integer, got nothing"),
        (Place, {"x": 1, "y": "a"}, "it.y: expected an integer, got a string"),
        (Item, "tea", "it: expected an object, got a string"),
        (Item, {}, "it.name: expected a string, got nothing"),
        (Item, {"name": "tea", "size": 1}, "it.size: expected no such field, got one"),
        (Order, {"items": []}, "it: expected at least one item, got an object"),
        (Order, {"items": [{"name": 1}]}, "it.items[0].name: expected a string, got an integer"),
        (Order | None, {"items": [{}]}, "it.items[0].name: expected a string, got nothing"),
    ],
)
def test_another_value_is_refused_with_the_place_and_without_the_value(
    hint: Any, value: Any, message: str
) -> None:
    shape = shape_of(hint)
    assert shape is not None
    with pytest.raises(Mismatch) as caught:
        shape.take(value, "it")
    assert str(caught.value) == message


@pytest.mark.parametrize("hint", [Any, object, Vial, set[int], int | Vial, "text", type])
def test_what_is_no_type_of_json_says_nothing(hint: Any) -> None:
    assert shape_of(hint) is None


def test_invalid_arguments_are_answered(app: Vial, socketio: SocketIO, caplog: Any) -> None:
    @socketio.on("add")
    def add(a: int, b: int = 1, *more: int) -> int:
        return a + b + sum(more)

    client = socketio.test_client(app)
    assert client.emit("add", 1, callback=True) == 2
    assert client.emit("add", 1, 2, 3, 4, callback=True) == 10
    with caplog.at_level(logging.INFO):
        answer = client.emit("add", "secret", 2, None, callback=True)
    assert answer == {
        "error": "invalid arguments",
        "problems": [
            {"argument": "a", "expected": "an integer", "got": "a string"},
            {"argument": "more[0]", "expected": "an integer", "got": "null"},
        ],
    }
    (record,) = [r for r in caplog.records if "invalid arguments" in r.getMessage()]
    assert record.exc_info is None and record.levelno == logging.INFO
    assert "'add': a: expected an integer, got a string; more[0]" in record.getMessage()
    assert "secret" not in record.getMessage()
    assert client.get_received() == []  # the answer was asked for, so there is no event


def test_who_asked_for_no_answer_gets_an_event(app: Vial, socketio: SocketIO) -> None:
    @socketio.on("say", namespace="/chat")
    async def say(text: str) -> None:
        raise AssertionError("never called")

    client = socketio.test_client(app, "/chat")
    client.emit("say", 1, namespace="/chat")
    (event,) = client.get_received("/chat")
    assert event["name"] == "error"
    assert event["args"] == [
        {
            "error": "invalid arguments",
            "problems": [{"argument": "text", "expected": "a string", "got": "an integer"}],
            "event": "say",
        }
    ]
    assert client.is_connected("/chat")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ((), {"argument": "text", "expected": "a string", "got": "nothing"}),
        (("a", 1, 2), {"argument": "3", "expected": "at most 2 arguments", "got": "3"}),
    ],
)
def test_a_wrong_number_of_arguments_is_answered_in_any_app(sent: Any, problem: Any) -> None:
    for make in (Vial, Flask):
        app = make("chat", static_folder=None)
        socketio = SocketIO(app)

        @socketio.on("say")
        def say(text: str, times: Any = 1) -> None:
            raise AssertionError("never called")

        answer = socketio.test_client(app).emit("say", *sent, callback=True)
        expected = problem["expected"].replace(
            "a string", "a value" if make is Flask else "a string"
        )
        assert answer["problems"] == [{**problem, "expected": expected}]


def test_a_handler_without_arguments_says_so(app: Vial, socketio: SocketIO) -> None:
    socketio.on("x")(lambda: 1)
    answer = socketio.test_client(app).emit("x", 1, callback=True)
    assert answer["problems"] == [{"argument": "1", "expected": "no arguments", "got": "1"}]


def test_annotations_mean_nothing_in_flask_mode_unless_it_is_wanted() -> None:
    def double(value: str) -> Any:
        return value * 2

    for make, options, is_checked in (
        (Vial, {}, True),
        (Vial, {"validate": False}, False),
        (Flask, {}, False),
        (Flask, {"validate": True}, True),
    ):
        app = make("chat", static_folder=None)
        socketio = SocketIO(app, **options)
        socketio.on("x")(double)
        answer = socketio.test_client(app).emit("x", 4, callback=True)
        assert (answer != 8) == is_checked


def test_a_dataclass_is_made_for_the_handler(app: Vial, socketio: SocketIO) -> None:
    @socketio.on("order")
    async def order(order: Order) -> Any:
        return [order.items[0].name, order.items[0].price]

    client = socketio.test_client(app)
    assert client.emit("order", {"items": [{"name": "tea"}]}, callback=True) == ["tea", 0]
    answer = client.emit("order", {"items": []}, callback=True)
    assert answer["problems"][0]["expected"] == "at least one item"


def test_methods_of_a_namespace_are_checked(app: Vial, socketio: SocketIO) -> None:
    class Chat(Namespace):
        def on_say(self, text: str) -> str:
            return text

    socketio.on_namespace(Chat("/chat"))
    client = socketio.test_client(app, "/chat")
    assert client.emit("say", "a", callback=True, namespace="/chat") == "a"
    assert "problems" in client.emit("say", 1, callback=True, namespace="/chat")
    assert "problems" in client.emit("say", callback=True, namespace="/chat")


def test_an_error_handler_gets_them_first(app: Vial, socketio: SocketIO) -> None:
    @socketio.on_error_default
    def on_error(error: Exception) -> Any:
        assert isinstance(error, TypeError)  # as where Flask-SocketIO calls the handler
        return ["mine", error.answer] if isinstance(error, InvalidArguments) else None

    socketio.on("x")(lambda a: a)
    answer = socketio.test_client(app).emit("x", callback=True)
    problem = {"argument": "a", "expected": "a value", "got": "nothing"}
    assert answer == ["mine", {"error": "invalid arguments", "problems": [problem]}]


def test_a_type_error_inside_of_a_handler_is_an_ordinary_one(app: Vial, socketio: SocketIO) -> None:
    socketio.on("x")(lambda a: len(a))
    with pytest.raises(TypeError, match="has no len"):
        socketio.test_client(app).emit("x", 1, callback=True)


def test_authentication_is_checked(app: Vial, socketio: SocketIO) -> None:
    @socketio.on("connect")
    def connect(auth: Auth) -> None:
        assert auth["token"]

    assert socketio.test_client(app, auth={"token": "t"}).is_connected()
    assert not socketio.test_client(app, auth={"token": 1}).is_connected()
    assert not socketio.test_client(app).is_connected()


def test_a_decorator_hides_what_it_wraps(app: Vial, socketio: SocketIO) -> None:
    from functools import wraps

    def with_user(function: Any) -> Any:
        @wraps(function)
        def wrapper(*args: Any) -> Any:
            return function("ada", *args)

        return wrapper

    @socketio.on("x")
    @with_user
    def x(user: str, number: int) -> Any:
        return [user, number]

    assert socketio.test_client(app).emit("x", 1, callback=True) == ["ada", 1]


def test_an_annotation_that_cannot_be_found_is_named_once(
    app: Vial, socketio: SocketIO, caplog: Any
) -> None:
    def x(a: Unknown, b: int) -> Any:  # type: ignore[name-defined]  # noqa: F821
        return [a, b]

    socketio.on("x")(x)
    client = socketio.test_client(app)
    assert client.emit("x", {}, 1, callback=True) == [{}, 1]
    assert client.emit("x", {}, "1", callback=True)["problems"][0]["argument"] == "b"
    (record,) = [r for r in caplog.records if r.name == "vial.socketio"]
    assert "as 'a' of the handler " in record.getMessage()
    assert "name 'Unknown' is not defined" in record.getMessage()


def test_a_default_of_none_takes_null(app: Vial, socketio: SocketIO) -> None:
    @socketio.on("x")
    def x(a: str = None) -> Any:  # type: ignore[assignment]  # noqa: RUF013
        return ["got", a]

    client = socketio.test_client(app)
    assert client.emit("x", None, callback=True) == ["got", None]
    assert "problems" in client.emit("x", 1, callback=True)


def test_data_nested_too_deeply_is_refused_and_not_an_error() -> None:
    def x(tree: Tree) -> None: ...

    value: Any = {"children": []}
    for _ in range(sys.getrecursionlimit()):
        value = {"children": [value]}
    with pytest.raises(InvalidArguments, match="tree: expected less nesting, got more"):
        Arguments(x).of((value,), True)


def test_what_a_client_names_is_escaped_and_bounded() -> None:
    def x(numbers: dict[str, int], *more: int) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        Arguments(x).of(({"a\nb" + "c" * 999: "1"},), True)
    (problem,) = caught.value.problems
    assert problem["argument"] == f"numbers['a\\nb{'c' * 37}']"
    with pytest.raises(InvalidArguments) as caught:
        Arguments(x).of(({}, *"abcdefghijklmnopqrstuvwxyz"), True)
    assert len(caught.value.problems) == 10


def test_acknowledgements_of_clients_are_checked() -> None:
    def answered(text: str) -> None: ...

    assert Arguments(answered).of(("a",), True) == ("a",)
    with pytest.raises(InvalidArguments, match="text: expected a string, got nothing"):
        Arguments(answered).of((), True)


def test_functions_without_a_signature_take_what_comes() -> None:
    assert Arguments(max).of((1, 2, 3), True) == (1, 2, 3)
