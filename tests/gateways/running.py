"""Real servers with the site of ``cases.site``, each a process on a free port, and a client."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cases.entrances import Answer, Ask
from cases.gateways import SiteCases

HERE = "127.0.0.1"
APP = "cases.site:app"
#: Each server, with the interface that it asks the app by. "{port}" is filled in.
COMMANDS: dict[str, tuple[str, str]] = {
    "gunicorn": ("wsgi", f"-m gunicorn --no-control-socket -b {HERE}:{{port}} {APP}"),
    "gunicorn-threads": (
        "wsgi",
        f"-m gunicorn --no-control-socket -k gthread --threads 8 -b {HERE}:{{port}} {APP}",
    ),
    "waitress": ("wsgi", f"-m waitress --listen={HERE}:{{port}} {APP}"),
    "granian-wsgi": ("wsgi", f"-m granian --interface wsgi --host {HERE} --port {{port}} {APP}"),
    "granian-asgi": ("asgi", f"-m granian --interface asgi --host {HERE} --port {{port}} {APP}"),
    "granian-rsgi": ("rsgi", f"-m granian --interface rsgi --host {HERE} --port {{port}} {APP}"),
    "uvicorn": ("asgi", f"-m uvicorn --host {HERE} --port {{port}} {APP}"),
    # Asked for "cases.site:app" hypercorn would take an object that is both for a WSGI app.
    "hypercorn": ("asgi", f"-m hypercorn --graceful-timeout 1 -b {HERE}:{{port}} asgi:{APP}"),
    "vial": (
        "asgi",
        f"-c from%werkzeug.utils%import%import_string%as%of;of('{APP}').run('{HERE}',{{port}})",
    ),
}
#: What a server cannot do whatever the app does. What granian's WSGI lacks, its ASGI has.
WITHOUT: dict[str, set[str]] = {
    "granian-wsgi": {
        "chunks",  # one that is cut off looks whole, so the gateway takes none
        "latin-1",  # a request header that is not ASCII arrives empty, ours leave as UTF-8
        "underscores",  # X_Name becomes the variable of X-Name
    },
    "granian-rsgi": {"latin-1"},  # a request header that is not ASCII is left out
    "uvicorn": {"streams for HTTP/1.0"},  # its httptools protocol sends chunks
    "waitress": {"early answers"},  # it reads the whole body before it calls the app
}
#: What servers add or decide by themselves.
OF_THE_SERVER = {"date", "server", "connection", "transfer-encoding", "keep-alive"}


@dataclass
class Server:
    """A server that runs."""

    name: str
    interface: str
    port: int
    process: subprocess.Popen[bytes]
    log_file: Path
    #: Seconds that an answer may take.
    patience: float = 10

    def needs(self, *abilities: str) -> None:
        """Skip the test where the server cannot do what it is about."""
        missing = WITHOUT.get(self.name, set()) & set(abilities)
        if missing:
            pytest.skip(f"{self.name} cannot do: {', '.join(missing)}")

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def connect(self, data: bytes = b"", timeout: float = 5) -> socket.socket:
        client = socket.create_connection((HERE, self.port), timeout=timeout)
        client.sendall(data)
        return client

    def talk(self, data: bytes, timeout: float = 5) -> bytes:
        """What comes back until the server closes, or is silent for a while."""
        with self.connect(data, timeout) as client:
            return receive(client)

    def ask(self, target: str = "/", method: str = "GET", **options: Any) -> Answer:
        """One request on a connection of its own."""
        ask = Ask(target, method, host=f"{HERE}:{self.port}", **options)
        connection = http.client.HTTPConnection(HERE, self.port, timeout=self.patience)
        connection.connect()
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in ask.all_headers():
            connection.putheader(name, value.encode("latin-1"))
        with suppress(
            OSError
        ):  # it answers, and closes, before it has read a body that is too long
            connection.endheaders(ask.body or None)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        own = [(name, value) for name, value in headers if name not in OF_THE_SERVER]
        return Answer(response.status, own, [body])

    def stop(self) -> None:
        """Ask it to end; what has not ended after some seconds is ended, and an error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"{self.name} did not stop:\n{self.log}") from None
        assert group_ends(self.process.pid), f"{self.name} left processes behind"


def group_ends(leader: int) -> bool:
    """Whether the processes that the leader started end within some seconds after it."""
    for _ in range(200):
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    os.killpg(leader, signal.SIGKILL)
    return False


def receive(client: socket.socket, silence: float = 0.1) -> bytes:
    """All that comes; an empty byte string where the server closed without a word."""
    received = b""
    try:
        while data := client.recv(65536):
            received += data
            client.settimeout(silence)
    except TimeoutError:
        assert received, "the server neither answered nor closed"
    except ConnectionResetError:
        pass
    return received


def start(name: str, folder: Path, app: str = APP) -> Server:
    interface, command = COMMANDS[name]
    command = command.replace(APP, app)
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    log_file = folder / f"{name}.log"
    words = [w.replace("%", " ").replace("{port}", str(port)) for w in command.split()]
    tests = Path(__file__).parents[1]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(tests), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    server = Server(name, interface, port, process, log_file)
    try:
        wait_until_it_answers(server)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return server


def wait_until_it_answers(server: Server) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            assert server.ask("/sync/hello").status == 200
            return
        except OSError:
            assert server.process.poll() is None, f"{server.name} ended:\n{server.log}"
            assert time.monotonic() < end, f"{server.name} does not answer:\n{server.log}"
            time.sleep(0.02)


@contextmanager
def with_site(name: str, folder: Path) -> Iterator[Server]:
    """A server with the site, which at its end logged no error but those of its views."""
    server = start(name, folder)
    try:
        yield server
    finally:
        server.stop()
    errors = server.log.split("Traceback (most recent call last)")[1:]
    assert [e for e in errors if "/vial/" in e and "the view failed" not in e] == []


class ServedSiteCases(SiteCases):
    """The cases of the site, as far as the server can do what they are about."""

    def test_response_headers_and_cookies_arrive(self, ask: Any, lane: str, server: Server) -> None:
        server.needs("latin-1")
        super().test_response_headers_and_cookies_arrive(ask, lane)

    def test_headers_are_latin_1(self, ask: Any, lane: str, server: Server) -> None:
        server.needs("latin-1")
        super().test_headers_are_latin_1(ask, lane)
