"""What ``app.run()`` takes besides an address."""

from __future__ import annotations

import inspect
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import run_simple

from vial import Vial
from vial.server import serve
from vial.server.development import _entrance
from vial.server.listening import listen
from vial.server.options import Options, options_of
from vial.server.reloader import reload


async def unused(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError


def test_every_option_of_werkzeugs_server_is_taken_with_its_default() -> None:
    theirs = inspect.signature(run_simple).parameters
    ours = inspect.signature(Options).parameters
    for name in theirs.keys() - {"hostname", "port", "application"}:
        if name != "threaded":  # Flask's default
            assert ours[name].default == theirs[name].default, name


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"use_reload": True}, TypeError, "no option 'use_reload'. Did you mean 'use_reloader'?"),
        ({"x": 1}, TypeError, "app.run() has no option 'x'. It takes use_reloader, "),
        ({"extra_files": "a"}, TypeError, "extra_files must be a list of strings"),
        ({"exclude_patterns": "*"}, TypeError, "exclude_patterns must be a list of strings"),
        ({"reloader_type": "inotify"}, ValueError, "must be one of 'auto', 'stat', 'watchdog'"),
        ({"reloader_interval": 0}, ValueError, "must be a number of seconds above 0, not 0"),
    ],
)
def test_a_wrong_option_is_explained(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        serve(unused, "127.0.0.1", 0, **options)
    assert words in str(raised.value)


@pytest.mark.parametrize("port", ["x", object(), "5000a"])
def test_a_port_that_is_no_number_is_explained(port: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)
    with pytest.raises(TypeError, match="port must be a number from 0 to 65535, not"):
        Vial("shop", root_path="/").run(port=port, load_dotenv=False)


def test_an_option_without_a_meaning_is_said_to_have_none() -> None:
    options = options_of(
        {"threaded": False, "processes": 2, "request_handler": int, "passthrough_errors": True}
    )
    names = ["threaded", "processes", "request_handler", "passthrough_errors"]
    said = options.without_meaning()
    assert [sentence.split(" has no effect: ")[0] for sentence in said] == names
    assert "vial serve --workers" in said[1]
    assert options_of({"threaded": True}).without_meaning() == []


def test_polling_is_for_who_asks_for_it() -> None:
    assert options_of({"reloader_type": "stat", "reloader_interval": 2}).polls == 2
    assert options_of({"reloader_interval": 2}).polls is None


def test_static_files_go_before_the_application(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a file")
    app = Vial("shop", root_path="/", static_folder=None)
    app.get("/")(lambda: "the app")
    with ExitStack() as closing:
        _entrance(app, "127.0.0.1", Options(static_files={"/files": str(tmp_path)}), closing)
    client = app.test_client()
    assert client.get("/").text == "the app"
    with client.get("/files/x.txt") as response:
        assert response.text == "a file"
    with pytest.raises(TypeError, match="static_files goes with an application of Vial's"):
        serve(unused, "127.0.0.1", 0, static_files={"/files": "."})


def test_the_next_free_port_is_taken_where_that_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port, auto_port=True) as second:
            other = second.getsockname()[1]
    assert port < other <= port + 100
    assert capsys.readouterr().out == (
        f" * Port {port} is in use by another program: {other} is taken instead.\n"
    )


def test_the_last_port_has_no_next_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as last:
        try:
            last.bind(("127.0.0.1", 65535))
        except OSError:
            pass  # somebody has it, which does as well
        else:
            last.listen()
        with pytest.raises(SystemExit):
            listen("127.0.0.1", 65535, auto_port=True)
    assert "port 65535 on 127.0.0.1 and the" in capsys.readouterr().err


def test_the_reloader_wants_the_main_thread() -> None:
    raised: list[BaseException] = []

    def target() -> None:
        try:
            reload("127.0.0.1", 0, Options(), True)
        except RuntimeError as e:
            raised.append(e)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    [error] = raised
    assert "app.run(use_reloader=False)" in str(error)
