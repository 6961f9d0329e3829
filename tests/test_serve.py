"""`vial serve`: what it starts, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from serving import SOON, Served, serving, wait_for

from vial import Vial
from vial.cli import cli
from vial.server.production import interface_of
from vial.socketio import SocketIO

PROGRAM = """
import os, time
from vial import Vial

app = Vial(__name__, static_folder=None)
print("imported", flush=True)

@app.get("/ready")
def ready():
    return str(os.getpid())

@app.get("/slow")
def slow():
    open("slow", "w").close()
    time.sleep(0.5)
    return "done"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    return tmp_path


def refused(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A server that ends by itself, with an error."""
    done = subprocess.run(
        [sys.executable, "-m", "vial", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SOON,
    )
    assert done.returncode != 0, done.stdout
    return done


# Which interface


def wsgi_app() -> Vial:
    app = Vial("app", static_folder=None)
    app.add_url_rule("/", "index", lambda: "Hello")
    return app


def test_sync_views_are_served_by_wsgi() -> None:
    assert interface_of(wsgi_app()) == ("wsgi", "every view is sync")


def test_an_app_that_believes_proxies_is_not_served_by_wsgi() -> None:
    app = wsgi_app()
    app.config["TRUSTED_PROXIES"] = 1
    interface, why = interface_of(app)
    assert interface == "rsgi" and "X_Forwarded_For" in why


def test_an_async_view_is_served_by_rsgi() -> None:
    app = wsgi_app()

    @app.get("/async")
    async def view() -> str:
        return "Hello"

    assert interface_of(app)[0] == "rsgi"


def test_a_websocket_is_served_by_rsgi() -> None:
    app = wsgi_app()
    app.add_url_rule("/ws", "ws", lambda: None, websocket=True)
    assert interface_of(app)[0] == "rsgi"


def test_socketio_is_served_by_rsgi() -> None:
    app = wsgi_app()
    SocketIO(app)
    assert interface_of(app)[0] == "rsgi"


def test_an_app_with_something_around_asgi_alone_is_served_by_asgi() -> None:
    app = wsgi_app()
    inner = app.asgi_app
    app.asgi_app = lambda *args: inner(*args)  # type: ignore[method-assign, assignment]
    assert interface_of(app)[0] == "asgi"


# The command line


@pytest.mark.parametrize(
    "address", ["8000", "host", "host:", ":x", "host:65536", "::1:8000", "host:-1", "host:\uff18"]
)
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    result = CliRunner().invoke(cli, ["serve", "--bind", address])
    assert result.exit_code == 2
    assert (
        f"{address!r} is not 'host:port', such as '0.0.0.0:8000', nor 'unix:path'." in result.output
    )


def test_there_is_at_least_one_worker() -> None:
    result = CliRunner().invoke(cli, ["serve", "-w", "0"])
    assert result.exit_code == 2 and "0 is not in the range" in result.output


# Real servers


def marked(function: Any) -> Any:
    return pytest.mark.slow(pytest.mark.service(function))


@marked
def test_several_workers_answer_and_one_that_is_killed_is_replaced(folder: Path) -> None:
    with serving(folder, "main.py", "-w", "2") as server:
        assert f"Serving on {server.url}/ (2 workers, WSGI)" in server.output
        seen: set[str] = set()
        wait_for("both workers", lambda: seen.add(server.get("/ready")) or len(seen) == 2)
        victim = seen.pop()
        os.kill(int(victim), signal.SIGKILL)
        others = set(seen)

        def is_replaced() -> bool:
            with suppress(OSError):  # its connections were lost with it
                others.add(server.get("/ready"))
            return len(others) == 2

        wait_for("another worker", is_replaced)
        assert victim not in others


@marked
@pytest.mark.parametrize("interface", ["wsgi", "asgi", "rsgi"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished(
    folder: Path, interface: str, number: signal.Signals
) -> None:
    got: list[str] = []
    server = Served(folder, "main.py", "--interface", interface)
    server.wait()
    asking = threading.Thread(target=lambda: got.append(server.get("/slow")))
    asking.start()
    wait_for("the view", (folder / "slow").exists)
    assert server.stop(number) == 0, server.output
    asking.join(SOON)
    assert got == ["done"]
    assert f"(1 worker, {interface.upper()})" in server.output
    assert "Traceback" not in server.output


@marked
def test_a_server_that_is_told_to_stop_while_it_starts_stops(folder: Path) -> None:
    (folder / "main.py").write_text(f"import time\ntime.sleep(0.3)\n{PROGRAM}")
    server = Served(folder, "main.py", "-w", "2", TMPDIR=str(folder))
    wait_for("the workers", lambda: "Serving on" in server.output)
    begun = time.monotonic()
    assert server.stop() == 0, server.output
    assert time.monotonic() - begun < 10  # not the 30 seconds after which a worker is killed
    assert list(folder.glob("vial-*")) == []


@marked
def test_debug_mode_is_refused(folder: Path) -> None:
    by_option = refused(folder, "--debug", "serve", "main.py")
    by_variable = refused(folder, "serve", "main.py", FLASK_DEBUG="1")
    for done in (by_option, by_variable):
        assert "Error: debug mode is for 'vial run'" in done.stderr
        assert "Serving" not in done.stdout


@marked
def test_a_port_in_use_is_an_error_that_names_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = refused(folder, "serve", "main.py", "--bind", f"127.0.0.1:{port}")
    assert f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use." in done.stderr


@marked
def test_a_second_server_does_not_share_the_port_of_the_first(folder: Path) -> None:
    with serving(folder, "main.py") as server:
        done = refused(folder, "serve", "main.py", "--bind", f"127.0.0.1:{server.port}")
        assert "Address already in use" in done.stderr


@marked
def test_a_program_that_cannot_be_loaded_is_said_once(folder: Path) -> None:
    (folder / "main.py").write_text("1 / 0")
    done = refused(folder, "serve", "main.py", "-w", "4")
    assert done.stderr.count("ZeroDivisionError") == 1
    missing = refused(folder, "serve", "other.py")
    assert "There is no file 'other.py'" in missing.stderr
    assert "Traceback" not in missing.stderr


@marked
def test_the_program_is_not_imported_by_the_parent(folder: Path) -> None:
    (folder / "main.py").write_text(f"import os\nprint('in', os.getpid(), flush=True)\n{PROGRAM}")
    with serving(folder, "main.py", "-w", "2") as server:
        wait_for("two imports", lambda: server.output.count("in ") == 2)
        assert f"in {server.process.pid}" not in server.output


@marked
def test_port_0_is_a_free_port_that_all_workers_share(folder: Path) -> None:
    server = Served(folder, "main.py", "-w", "2", port=0)
    wait_for("the address", lambda: "Serving on" in server.output)
    found = re.search(r"http://127\.0\.0\.1:([0-9]+)/", server.output)
    assert found is not None
    server.url = found[0].rstrip("/")
    server.wait()
    seen: set[str] = set()
    wait_for("both workers", lambda: seen.add(server.get("/ready")) or len(seen) == 2)
    assert server.stop() == 0


@marked
def test_a_program_written_for_flask_is_served(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from flask import Flask\n"
        "app = Flask(__name__, static_folder=None)\n"
        "@app.route('/ready')\n"
        "def ready(): return type(app).__mro__[1].__name__\n"
    )
    with serving(tmp_path, "main.py") as server:
        assert server.get("/ready") == "Vial"
