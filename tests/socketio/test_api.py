"""Names and signatures, compared with the Flask-SocketIO that is installed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import flask_socketio
import pytest
from flask_socketio.test_client import SocketIOTestClient as TheirTestClient

import vial.socketio
from vial import Vial
from vial.socketio import Namespace, SocketIO, SocketIOTestClient
from vial.socketio.options import check

#: What ``vial.socketio`` has and Flask-SocketIO does not.
MORE = {"InvalidArguments"}
#: What is in the namespace of the package there without being its API.
NOT_API = {"has_request_context", "run_with_reloader"}
#: Attributes of the peer's objects that its documentation does not name.
UNDOCUMENTED = {"_handle_event", "_set_socketio"}
#: Methods whose defaults or order differ, each with the reason.
DIFFERENT = {
    # Keywords only, since what follows the message is read from kwargs there.
    "send": "json and to are named",
}


def public(module: Any) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and name not in NOT_API
    }


def methods(kind: type) -> dict[str, Any]:
    found = inspect.getmembers(kind, callable)
    return {
        name: method
        for name, method in found
        if not name.startswith("__") and name not in UNDOCUMENTED
    }


def documented(function: Any) -> set[str]:
    """The arguments that a docstring of the peer describes."""
    return set(re.findall(r":param \*?(\w+):", inspect.getdoc(function) or ""))


def takes(function: Any, name: str) -> bool:
    parameters = inspect.signature(function).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return name in parameters or (name == "kwargs" and inspect.Parameter.VAR_KEYWORD in kinds)


def test_every_name_of_the_package_is_here() -> None:
    theirs = {
        name
        for name in public(flask_socketio)
        if getattr(flask_socketio, name).__module__.startswith(("flask_socketio", "socketio"))
    }
    assert theirs - set(vial.socketio.__all__) == set()
    assert set(vial.socketio.__all__) - theirs == MORE


@pytest.mark.parametrize(
    "name", ["emit", "send", "call", "join_room", "leave_room", "close_room", "rooms", "disconnect"]
)
def test_functions_take_every_documented_argument(name: str) -> None:
    ours, theirs = getattr(vial.socketio, name), getattr(flask_socketio, name)
    wanted = (
        documented(theirs) | {"room"} if name in ("emit", "send", "call") else documented(theirs)
    )
    through = inspect.signature(ours).parameters.get("kwargs") is not None
    target = vial.socketio.emit if through else ours
    assert [a for a in sorted(wanted) if not takes(ours, a) and not takes(target, a)] == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SocketIO, flask_socketio.SocketIO),
        (Namespace, flask_socketio.Namespace),
        (SocketIOTestClient, TheirTestClient),
    ],
)
def test_classes_have_every_method_with_its_arguments(ours: type, theirs: type) -> None:
    for name, their_method in methods(theirs).items():
        assert hasattr(ours, name), name
        if not inspect.isfunction(their_method):
            continue
        theirs_parameters = inspect.signature(their_method).parameters
        our_method = getattr(ours, name)
        named = [p for p in theirs_parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        for parameter in named:
            assert takes(our_method, parameter.name), f"{name}({parameter.name})"
        if name not in DIFFERENT:
            same_order(our_method, [p.name for p in named], name)
        defaults = {p.name: p.default for p in named if p.default is not p.empty}
        for argument, default in defaults.items():
            mine = inspect.signature(our_method).parameters[argument].default
            assert mine == default, f"{name}({argument}={default!r})"


def same_order(method: Any, names: list[str], where: str) -> None:
    """What can be given by position there can be given by position here."""
    by_position = [
        p.name
        for p in inspect.signature(method).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    assert by_position[: len(names)] == names, where


@pytest.mark.parametrize(
    "name", ["__init__", "init_app", "emit", "send", "call", "close_room", "on", "run", "on_event"]
)
def test_methods_take_every_documented_argument(name: str) -> None:
    ours, theirs = getattr(SocketIO, name), getattr(flask_socketio.SocketIO, name)
    open_ended = takes(ours, "kwargs")
    missing = [a for a in sorted(documented(theirs)) if not takes(ours, a) and a != "args"]
    assert missing == [] or open_ended, missing


def test_every_documented_option_is_known() -> None:
    described = documented(flask_socketio.SocketIO) - {"app", "kwargs"}
    assert len(described) >= 20
    numbers = dict.fromkeys(("max_http_buffer_size", "ping_interval", "ping_timeout"), 25)
    check({**dict.fromkeys(described), **numbers})


def test_arguments_of_run_reach_the_server(monkeypatch: Any) -> None:
    """What belongs to other servers is dropped, and the reloader's options are spread."""
    app = Vial("chat", static_folder=None)
    seen: list[Any] = []
    monkeypatch.setattr(Vial, "run", lambda self, **kwargs: seen.append(kwargs))
    SocketIO(app).run(
        app,
        "localhost",
        8000,
        debug=True,
        use_reloader=False,
        log_output=True,
        allow_unsafe_werkzeug=True,
        extra_files=["a"],
        reloader_options={"reloader_type": "stat", "exclude_patterns": ["*.tmp"]},
        ssl_context="adhoc",
    )
    assert seen == [
        {
            "host": "localhost",
            "port": 8000,
            "debug": True,
            "use_reloader": False,
            "extra_files": ["a"],
            "reloader_type": "stat",
            "exclude_patterns": ["*.tmp"],
            "ssl_context": "adhoc",
        }
    ]


PROGRAM = """
from flask import Flask, request, session
from flask_socketio import (
    ConnectionRefusedError, Namespace, SocketIO, SocketIOTestClient, call, close_room, disconnect,
    emit, join_room, leave_room, rooms, send,
)

app = Flask(__name__)
app.config["SECRET_KEY"] = "secret!"
socketio = SocketIO(app, async_mode="threading", cors_allowed_origins="*")


@app.route("/login")
def login():
    session["user"] = "ada"
    return "welcome"


@socketio.on("connect")
def connect(auth):
    if auth == "no":
        raise ConnectionRefusedError("unauthorized!")
    emit("my response", {"data": session.get("user")})


@socketio.on("my event")
def handle(data: str):  # an annotation that is wrong
    join_room("tea")
    emit("my response", {"count": len(data), "rooms": len(rooms())}, to="tea")
    return "one", 2


class Chat(Namespace):
    def on_connect(self):
        pass

    def on_say(self, text):
        self.emit("said", text)


socketio.on_namespace(Chat("/chat"))


@socketio.on_error_default
def error(e):
    return str(e)


@socketio.on("fail")
def fail():
    raise ValueError("oops")


http = app.test_client()
http.get("/login")
client = socketio.test_client(app, flask_test_client=http)
assert isinstance(client, SocketIOTestClient)
print(client.get_received())
print(client.emit("my event", [1, 2, 3], callback=True))
print(client.get_received())
print(client.emit("fail", callback=True))
client.connect("/chat")
client.emit("say", "hi", namespace="/chat")
print(client.get_received("/chat"))
print(socketio.test_client(app, auth="no").is_connected())
print(request.__class__.__name__, SocketIO.__module__.split(".")[0])
"""


@pytest.mark.slow
def test_a_program_runs_unmodified_where_flask_means_vial(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    install = "import vial; vial.install_as_flask(batteries=True); import program"
    outputs = []
    for code in ("import program", install):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    theirs, ours = outputs
    assert ours[:-1] == theirs[:-1] and len(ours) == 7
    assert (theirs[-1].split()[1], ours[-1].split()[1]) == ("flask_socketio", "vial")
