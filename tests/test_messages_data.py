"""Mistakes with what a request brings and with values that cannot be sent: each hint, by trying it.

The exceptions keep Flask's class and text; what is added are their notes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from vial import Vial, current_app, g, jsonify, request, send_file, session


@pytest.fixture
def app(tmp_path: Path) -> Vial:
    app = Vial("app", root_path=str(tmp_path))
    app.secret_key = "k"
    app.debug = True
    return app


def hint_of(app: Vial, view: Callable[[], Any], error: type[Exception], **asked: Any) -> str:
    """What is noted on the exception that a view raises."""
    app.add_url_rule("/", "the_view", view, methods=["GET", "POST"])
    with pytest.raises(error) as caught:
        app.test_client().open("/", **asked)
    return "\n".join(caught.value.__notes__)


def has(text: str, *words: str) -> None:
    assert [word for word in words if word not in text] == [], text


FORM = {"method": "POST", "data": {"user_name": "x"}}
JSON = {"method": "POST", "json": {"name": 1}}


@pytest.mark.parametrize(
    ("view", "asked", "words"),
    [
        (
            lambda: request.form["username"],
            FORM,
            ["'username'", "Did you mean 'user_name'", "get("],
        ),
        (lambda: request.form["name"], JSON, ["body is JSON", "request.get_json()"]),
        (lambda: request.form["a"], {"query_string": {"a": "1"}}, ["as request.args['a']"]),
        (lambda: request.args["user_name"], FORM, ["as request.form['user_name']"]),
        (lambda: request.form["a"], {"method": "GET"}, ["is a GET", 'method="post"']),
        (lambda: request.form["a"], {"method": "POST"}, ["No form was sent", "no body"]),
        (
            lambda: request.form["a"],
            {"method": "POST", "data": "a=1", "content_type": "text/plain"},
            ["'text/plain'", "x-www-form-urlencoded", "name attributes"],
        ),
        (lambda: request.files["photo"], {"method": "POST"}, ["enctype=", 'name="photo"']),
        (
            lambda: request.files["photo"],
            {"method": "POST", "data": {"foto": (BytesIO(b"x"), "a.png")}},
            ["request.files has no 'photo'", "Did you mean 'foto'"],
        ),
        (lambda: request.cookies["seen"], {}, ["request.cookies has no 'seen'", "It is empty"]),
    ],
    ids=lambda value: None,
)
def test_a_field_that_is_not_there(
    app: Vial, view: Callable[[], Any], asked: dict[str, Any], words: list[str]
) -> None:
    has(hint_of(app, view, KeyError, **asked), *words)


def test_a_file_of_a_form_without_enctype(app: Vial) -> None:
    app.post("/up")(lambda: request.files["photo"])
    with pytest.raises(KeyError, match=r'enctype="multipart/form-data"'):
        app.test_client().post("/up", data={"photo": "a.png"})


def test_a_missing_field_is_400_without_a_word_in_production(app: Vial) -> None:
    app.debug = False
    app.post("/")(lambda: request.form["username"])
    answer = app.test_client().post("/", data={"secret_field": "x"})
    assert answer.status_code == 400
    assert "secret_field" not in answer.text
    assert "username" not in answer.text


@pytest.mark.parametrize(
    ("view", "error", "words"),
    [
        (lambda: request.headers["X-Token"], KeyError, ["no header 'X-Token'", "headers.get("]),
        (lambda: request.json["nam"], KeyError, ["request.get_json() has no 'nam'", "mean 'name'"]),
        (lambda: session["user"], KeyError, ["session has no 'user'", "session.get('user')"]),
        (
            lambda: current_app.config["SECRETKEY"],
            KeyError,
            ["app.config has no 'SECRETKEY'", "mean 'SECRET_KEY'"],
        ),
        (lambda: g.user, AttributeError, ["Nothing has set g.user", "before_request", "g.get("]),
        (lambda: request.get("x"), AttributeError, ["request.args.get", "request.form.get"]),
        (lambda: request.fom, AttributeError, ["'fom'", "Did you mean 'form'"]),
        (lambda: session.user, AttributeError, ["session['user']"]),
        (lambda: request.json(), TypeError, ["request.json is a value", "no parentheses"]),
        (lambda: request.args.get["x"], TypeError, ["call it with parentheses"]),
    ],
    ids=lambda value: None,
)
def test_a_name_that_is_not_there(
    app: Vial, view: Callable[[], Any], error: type[Exception], words: list[str]
) -> None:
    has(hint_of(app, view, error, **JSON), *words)


def test_json_that_was_silently_none(app: Vial) -> None:
    def view() -> Any:
        return request.get_json(silent=True)["name"]

    has(hint_of(app, view, TypeError, **FORM), "gave None", "'application/x-www-form-urlencoded'")


# -- JSON and sessions -------------------------------------------------------------------------


class Row:
    pass


async def work() -> None:
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"users": [{"row": Row()}]}, ["value['users'][0]['row'] is a Row", "app.json.default"]),
        ([{1, 2}], ["value[0] is a set", "sorted("]),
        ({"a": b"x"}, ["value['a'] is bytes", "base64"]),
        ({"a": work}, ["value['a'] is the function work", "parentheses"]),
        ({"a": {(1, 2): 3}}, ["A key of value['a'] is a tuple"]),
        ({"a": 1, 2: 3}, ["keys of value are of several types (int, str)", "sort_keys"]),
    ],
    ids=lambda value: None,
)
def test_a_value_that_json_has_no_type_for(app: Vial, value: Any, words: list[str]) -> None:
    text = hint_of(app, lambda: jsonify(value), TypeError)
    has(text, *words)
    assert text.count("Hint:") == 1


def test_a_coroutine_in_json_is_a_missing_await(app: Vial) -> None:
    text = hint_of(app, lambda: {"rows": work()}, TypeError)
    has(text, "value['rows'] is a coroutine", "'await' is missing")


def test_a_ring_in_a_value_does_not_keep_the_search_busy(app: Vial) -> None:
    ring: list[Any] = []
    ring.append(ring)
    has(hint_of(app, lambda: jsonify({"b": ring, "a": Row()}), TypeError), "value['a'] is a Row")


def test_a_value_in_the_session_that_json_has_no_type_for(app: Vial) -> None:
    def view() -> str:
        session["user"] = {"row": [Row()]}
        return ""

    has(hint_of(app, view, TypeError), "session['user']['row'][0] is a Row", "id of a row")


def test_a_session_too_large_for_a_cookie_names_its_largest_keys(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    def view() -> str:
        session.update(name="x", cart="".join(map(str, range(5000))))
        return ""

    app.debug = False
    app.add_url_rule("/", "i", view)
    with pytest.warns(UserWarning, match="too large"):
        app.test_client().get("/")
    (text,) = [r.getMessage() for r in caplog.records if r.name == "vial.hints"]
    has(text, "at most 4093", "Largest, before compression: 'cart' (18892 bytes), 'name'")
    assert "123456789" not in text


# -- files -------------------------------------------------------------------------------------


def test_a_relative_path_for_send_file(
    app: Vial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "report.pdf").touch()
    monkeypatch.chdir(here)
    text = hint_of(app, lambda: send_file("report.pdf"), FileNotFoundError)
    has(text, f"app.root_path, {str(tmp_path)!r}", f"pass {str(here / 'report.pdf')!r}")


def test_a_file_that_is_not_there_but_one_of_nearly_its_name(app: Vial, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").touch()
    has(hint_of(app, lambda: send_file("raport.pdf"), FileNotFoundError), "mean 'report.pdf'")


def test_a_relative_path_for_open(
    app: Vial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.txt").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = hint_of(app, lambda: open("words.txt"), FileNotFoundError)  # noqa: SIM115
    has(text, "current directory", "elsewhere", "app.open_resource('words.txt')")


# -- hints themselves --------------------------------------------------------------------------


@pytest.mark.parametrize("propagate", [None, False])
def test_hints_are_in_the_log_and_never_in_the_answer_of_production(
    app: Vial, caplog: pytest.LogCaptureFixture, propagate: bool | None
) -> None:
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    app.get("/")(lambda: session["user"])
    answer = app.test_client().get("/")
    assert answer.status_code == 500
    assert "session" not in answer.text
    has(caplog.text, "Hint: session has no 'user'")


def test_a_hint_that_fails_hides_nothing(app: Vial) -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("not this one")

    def view() -> Any:
        current_app.json.dumps({"a": [Odd(x=Row())]})

    app.add_url_rule("/", "i", view)
    with pytest.raises(RuntimeError, match="not this one"):
        app.test_client().get("/")


def test_names_from_clients_are_compared_and_listed_within_bounds(app: Vial) -> None:
    fields = {"n" * 10_000: "1", **{f"field{i}": "1" for i in range(900)}}
    text = hint_of(app, lambda: request.form["fieldx"], KeyError, method="POST", data=fields)
    assert len(text) < 700
    has(text, "and 891 more")


def test_a_request_that_goes_well_loads_no_hints() -> None:
    program = (
        "import sys, vial; app = vial.Vial('a', static_folder=None); app.get('/')(lambda: 'x');"
        "c = app.test_client(); assert c.get('/').text == 'x' and c.get('/no').status_code == 404;"
        "assert 'vial.hints.explain' not in sys.modules and 'vial.hints.http' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
