"""The development server, in a thread of this process and as a program that gets signals."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vial import Vial, request
from vial.server import run, serve
from vial.server.embedded import EmbeddedServer
from vial.server.lifespan import StartupError

HELLO = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def target(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application whose paths are ways to keep a server busy."""
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan here")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["path"] == "/hang":
        await asyncio.sleep(60)
    if scope["path"] == "/crash":
        raise ZeroDivisionError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"hello"})


class Running:
    """A server in a thread, with clients that are closed at the end."""

    def __init__(self, app: Any, **options: Any) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.clients: list[socket.socket] = []
        ready = threading.Event()
        self.server = EmbeddedServer(app, listener, on_ready=ready.set, **options)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        assert ready.wait(2)

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=2)
        self.clients.append(client)
        client.sendall(data)
        return client

    def ask(self, data: bytes) -> bytes:
        return self.connect(data).recv(4096)

    def stop(self) -> float:
        """Stop; how many seconds it took."""
        start = time.monotonic()
        self.server.stop()
        self.thread.join(3)
        assert not self.thread.is_alive()
        return time.monotonic() - start

    def close(self) -> None:
        self.stop()
        for client in self.clients:
            client.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(app: Any = target, **options: Any) -> Running:
        started.append(Running(app, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


def until_closed(client: socket.socket) -> bytes:
    received = b""
    while data := client.recv(4096):
        received += data
    return received


def test_a_request_is_answered(serving: Callable[..., Running]) -> None:
    answer = serving().ask(HELLO)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"hello")


def test_one_port_serves_websockets_too(serving: Callable[..., Running]) -> None:
    assert serving().ask(UPGRADE).startswith(b"HTTP/1.1 101 ")


@pytest.mark.slow
def test_stopping_closes_every_kind_of_connection_within_a_second(
    serving: Callable[..., Running], capfd: pytest.CaptureFixture[str]
) -> None:
    server = serving()
    requests = [b"", HELLO, UPGRADE, HELLO.replace(b"/", b"/hang", 1)]
    clients = [server.connect(request) for request in requests]
    stream = server.connect(HELLO.replace(b"/", b"/stream", 1))
    for client in (*clients[1:3], stream):
        assert client.recv(64)
    assert server.stop() < 1
    assert [until_closed(client)[-5:] for client in clients[:2]] == [b"", b"hello"]
    assert until_closed(clients[2]).endswith(b"\x03\xe9server is stopping")  # close code 1001
    until_closed(clients[3])
    until_closed(stream)
    with pytest.raises(OSError):
        server.connect()
    assert "Traceback" not in capfd.readouterr().err


def test_a_request_that_ends_soon_is_finished_while_stopping(
    serving: Callable[..., Running],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await asyncio.sleep(0.1)
        await target({**scope, "path": "/"}, receive, send)

    entered = threading.Event()
    server = serving(app)
    entered.clear()
    client = server.connect(HELLO)
    assert entered.wait(2)
    server.stop()
    assert until_closed(client).endswith(b"hello")


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = EmbeddedServer(target, listener)
    server.stop()
    server.run()
    server.stop()


def test_one_line_is_logged_per_request(
    serving: Callable[..., Running], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "werkzeug")
    server = serving()
    for data in (HELLO.replace(b"/", b"/%1b[31m?a=%0a", 1), HELLO.replace(b"/", b"/crash", 1)):
        server.ask(data)
    server.connect(UPGRADE)
    server.stop()
    lines = [re.sub(r"\[.*?\] ", "", r.getMessage(), count=1) for r in caplog.records]
    assert [line for line in lines if line.startswith("127.")] == [
        '127.0.0.1 - - "GET /%1b[31m?a=%0a HTTP/1.1" 200 -',
        '127.0.0.1 - - "GET /crash HTTP/1.1" 500 -',
        '127.0.0.1 - - "GET /ws HTTP/1.1" 101 -',
    ]


def test_the_werkzeug_logger_silences_the_access_log(
    serving: Callable[..., Running], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "werkzeug")
    serving().ask(HELLO)
    assert caplog.records == []


def test_handlers_of_the_program_keep_their_files(
    serving: Callable[..., Running], tmp_path: Path
) -> None:
    # logging.config.dictConfig(), which granian calls, closes every handler by default.
    handler = logging.FileHandler(tmp_path / "log", mode="w")
    try:
        serving()
        handler.emit(logging.makeLogRecord({"msg": "still there"}))
    finally:
        handler.close()
    assert (tmp_path / "log").read_text() == "still there\n"


def test_lifespan_runs_before_the_first_and_after_the_last_request(
    serving: Callable[..., Running],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            events.append("request")
            await target(scope, receive, send)
            return
        for event in ("lifespan.startup", "lifespan.shutdown"):
            assert (await receive())["type"] == event
            events.append(event)
            await send({"type": f"{event}.complete"})

    events: list[str] = []
    server = serving(app)
    server.ask(HELLO)
    server.stop()
    assert events == ["lifespan.startup", "request", "lifespan.shutdown"]


async def refuses_to_start(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "lifespan.startup.failed", "message": "no database"})


def test_a_failed_startup_raises() -> None:
    server = EmbeddedServer(refuses_to_start, socket.create_server(("127.0.0.1", 0)))
    with pytest.raises(StartupError, match="no database"):
        server.run()


def failure(capsys: pytest.CaptureFixture[str], call: Callable[[], None]) -> str:
    """What `call` prints when it gives up."""
    with pytest.raises(SystemExit) as stopped:
        call()
    assert stopped.value.code == 1
    return capsys.readouterr().err


def test_a_failed_startup_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    printed = failure(capsys, lambda: serve(refuses_to_start, "127.0.0.1", 0))
    assert printed == "Error: the application could not start: no database.\n"


def test_a_port_in_use_is_named_with_the_cure(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        printed = failure(capsys, lambda: serve(target, "127.0.0.1", port))
    assert printed == (
        f"Error: port {port} on 127.0.0.1 is in use by another program. Stop that program, or"
        f" choose another port: app.run(port={port + 1}) or 'vial run --port {port + 1}'."
        " With '--auto-port' the next free one is taken.\n"
    )


def test_another_granian_on_the_port_is_noticed(
    serving: Callable[..., Running], capsys: pytest.CaptureFixture[str]
) -> None:
    server = serving()
    printed = failure(capsys, lambda: serve(target, "127.0.0.1", server.port))
    assert f"port {server.port} on 127.0.0.1 is in use" in printed


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("127.0.0.1", 70000, "port 70000 does not exist. Choose one from 1 to 65535"),
        ("no-such-host.invalid", 0, "cannot listen on no-such-host.invalid port 0: Name"),
        ("192.0.2.1", 0, "cannot listen on 192.0.2.1 port 0: Cannot assign requested address."),
    ],
)
def test_an_impossible_address_is_explained(
    host: str, port: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in failure(capsys, lambda: serve(target, host, port))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do it")
def test_a_low_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    printed = failure(capsys, lambda: serve(target, "127.0.0.1", 80))
    assert "port 80 needs special rights" in printed


@pytest.mark.parametrize("context", [object(), ("cert.pem", None), "self-made"])
def test_an_unusable_ssl_context_is_explained(
    context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = failure(capsys, lambda: serve(target, "127.0.0.1", 0, ssl_context=context))
    assert "ssl_context must be a pair of PEM file names (certificate, key) or 'adhoc'" in printed


def test_a_missing_certificate_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    files = ("no-cert.pem", "no-key.pem")
    printed = failure(capsys, lambda: serve(target, "127.0.0.1", 0, ssl_context=files))
    assert "no-cert.pem" in printed


def ran(monkeypatch: pytest.MonkeyPatch, app: Vial, *args: Any, **options: Any) -> tuple[Any, ...]:
    """The address that `run` would serve."""
    served: list[tuple[Any, ...]] = []
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)
    monkeypatch.setattr(
        "vial.server.development.serve", lambda app, host, port, **_: served.append((host, port))
    )
    run(app, *args, load_dotenv=False, **options)
    return served[0]


@pytest.mark.parametrize(
    ("server_name", "args", "address"),
    [
        (None, (), ("127.0.0.1", 5000)),
        (None, ("0.0.0.0", 80), ("0.0.0.0", 80)),
        (None, (None, "8080"), ("127.0.0.1", 8080)),
        (None, (None, 0), ("127.0.0.1", 0)),
        ("chat.example:8000", (), ("chat.example", 8000)),
        ("chat.example", (), ("chat.example", 5000)),
        ("chat.example:8000", ("::1", 1), ("::1", 1)),
    ],
)
def test_the_address_comes_from_arguments_then_server_name(
    server_name: str | None,
    args: tuple[Any, ...],
    address: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Vial("hello", root_path="/")
    app.config["SERVER_NAME"] = server_name
    assert ran(monkeypatch, app, *args) == address


def test_run_sets_debug_and_says_what_it_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Vial("hello", root_path="/")
    ran(monkeypatch, app, debug=True, use_debugger=True, threaded=True, processes=1)
    assert app.debug is True
    assert capsys.readouterr().out == " * Serving Vial app 'hello'\n * Debug mode: on\n"


def test_run_does_nothing_in_a_program_that_the_command_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    run(Vial("hello", root_path="/"))
    assert "Ignoring a call to 'app.run()'" in capsys.readouterr().err


def test_run_reads_the_environment_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLASK_DEBUG=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_DEBUG", "0")  # restored at the end, whatever the file sets
    monkeypatch.delenv("FLASK_DEBUG")
    monkeypatch.delenv("FLASK_RUN_FROM_CLI", raising=False)
    monkeypatch.setattr("vial.server.development.serve", lambda *args, **options: None)
    app = Vial("hello", root_path="/")
    run(app)
    assert app.debug is True


class Program:
    """A Python program that serves; its output is read line by line."""

    def __init__(self, source: str, tmp_path: Path) -> None:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source))
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if not k.startswith("FLASK_")},
        )

    def port(self) -> int:
        """Wait for the banner."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.fullmatch(r" \* Running on http://.*:(\d+)/\n", line):
                return int(found[1])
        raise AssertionError(self.process.communicate())

    def end(self, number: int) -> tuple[int, str, float]:
        """Send a signal; exit code, standard error without the access log, seconds."""
        start = time.monotonic()
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=5)
        took = time.monotonic() - start
        errors = "".join(line for line in errors.splitlines(True) if " HTTP/1.1" not in line)
        return self.process.returncode, errors, took


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    started: list[Program] = []

    def start(source: str) -> Program:
        started.append(Program(source, tmp_path))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


SLEEPERS = """
    import asyncio, time
    from vial import Vial
    app = Vial(__name__)
    @app.get("/async")
    async def asleep():
        await asyncio.sleep(60)
    @app.get("/sync")
    def blocked():
        time.sleep(60)
    @app.get("/loop")
    async def blocks_the_loop():
        time.sleep(60)
    app.run(port=0)
    print("after app.run()", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("path", ["async", "sync", "loop"])
def test_a_signal_stops_a_program_with_a_hanging_view(
    number: int, path: str, program: Callable[[str], Program]
) -> None:
    running = program(SLEEPERS)
    with socket.create_connection(("127.0.0.1", running.port()), timeout=2) as client:
        client.sendall(HELLO.replace(b"/", f"/{path}".encode(), 1))
        time.sleep(0.2)
        code, errors, took = running.end(number)
        until_closed(client)
    assert (code, errors) == (0, "")
    assert took < 2  # 0.8 s on an idle machine


@pytest.mark.slow
def test_an_ipv6_address_is_printed_in_brackets(program: Callable[[str], Program]) -> None:
    running = program("from vial import Vial\nVial(__name__).run('::1', 0)")
    assert running.process.stdout is not None
    lines = [running.process.stdout.readline() for _ in range(4)]
    assert lines[:2] == [" * Serving Vial app 'program'\n", " * Debug mode: off\n"]
    assert re.fullmatch(r" \* Running on http://\[::1\]:\d+/\n", lines[2])
    assert lines[3] == "Press CTRL+C to quit\n"


@pytest.mark.slow
def test_all_addresses_are_printed_as_ones_that_a_browser_opens(
    program: Callable[[str], Program],
) -> None:
    running = program("from vial import Vial\nVial(__name__).run('0.0.0.0', 0)")
    assert running.process.stdout is not None
    lines = [running.process.stdout.readline() for _ in range(4)]
    assert lines[2] == " * Running on all addresses (0.0.0.0)\n"
    assert re.fullmatch(r" \* Running on http://127.0.0.1:\d+/\n", lines[3])


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"Content-Length: 3\r\n\r\nabc", b"200"),
        (b"Content-Length: 3\r\n\r\nab", b""),  # the client is gone: nobody to answer
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"200"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nX\r\n", b"400"),
    ],
)
def test_a_view_never_sees_a_broken_body_as_complete(
    body: bytes, answer: bytes, serving: Callable[..., Running]
) -> None:
    seen: list[bytes] = []
    app = Vial("upload", root_path="/")

    @app.post("/")
    def upload() -> str:
        seen.append(request.get_data())
        return "ok"

    server = serving(app)
    client = server.connect(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + body)
    if answer:
        assert client.recv(4096)[9:12] == answer
    client.close()
    server.stop()
    assert seen == ([b"abc"] if answer == b"200" else [])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_a_certificate_makes_it_https(serving: Callable[..., Running], tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    make = "req -x509 -nodes -newkey rsa:2048 -subj /CN=localhost -days 1"
    files = ["-out", names[0], "-keyout", names[1]]
    subprocess.run(["openssl", *make.split(), *files], check=True, capture_output=True)
    server = serving(ssl_files=(names[0], names[1]))
    context = ssl.create_default_context(cafile=names[0])
    with context.wrap_socket(server.connect(), server_hostname="localhost") as client:
        client.sendall(HELLO)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_startup_that_hangs_can_be_stopped() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.sleep(60)

    begun = threading.Event()
    server = EmbeddedServer(app, socket.create_server(("127.0.0.1", 0)))
    thread = threading.Thread(target=server.run)
    thread.start()
    assert begun.wait(2)
    server.stop()
    thread.join(2)
    assert not thread.is_alive()


def test_a_thread_leaves_the_signal_handlers_alone(serving: Callable[..., Running]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    serving()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_main_thread_gets_its_signal_handlers_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit):
        serve(refuses_to_start, "127.0.0.1", 0)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
