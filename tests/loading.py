"""Clients that ask a server without pause, and know what became of each request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple, Self

from serving import SOON


class Lost(NamedTuple):
    """A request that was not answered in full."""

    id: str
    #: The worker that answered the request before it on the same connection; None for the first.
    worker: str | None
    why: str


class Connection:
    """One connection to a server, over TCP or, by a path, a Unix socket."""

    def __init__(self, address: Any) -> None:
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(SOON)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, timeout=SOON)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, path: str, keep: bool = True) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer."""
        close = "" if keep else "Connection: close\r\n"
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n".encode())
        status = self._line().split()[1]
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers["content-length"])
        body = self._file.read(length)
        if len(body) != length:
            raise EOFError("a part of the body")
        return int(status), headers, body.decode()

    def _line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"only {line!r}")
        return line.strip().decode("latin-1")


class Load:
    """Some clients, of which every second one keeps its connection.

    Each request has an id in its path; the app answers with the process id of its worker.
    """

    def __init__(self, address: Any, clients: int = 8) -> None:
        self.answered: dict[str, str] = {}
        self.lost: list[Lost] = []
        #: Connections that the server had not taken.
        self.refused = 0
        self._address, self._ids = address, count()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(n % 2 == 0,)) for n in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(SOON)

    def _run(self, keep: bool) -> None:
        while not self._over.is_set():
            try:
                connection = Connection(self._address)
            except OSError:
                self.refused += 1
                self._over.wait(0.02)
                continue
            with connection:
                self._talk(connection, keep)

    def _talk(self, connection: Connection, keep: bool) -> None:
        worker = None
        while not self._over.is_set():
            id = str(next(self._ids))
            try:
                status, headers, worker_now = connection.ask(f"/ask/{id}", keep)
                assert status == 200, status
            except (OSError, EOFError, IndexError, AssertionError) as e:
                self.lost.append(Lost(id, worker, repr(e)))
                return
            self.answered[id] = worker = worker_now
            if not keep or headers.get("connection") == "close":
                return


@contextmanager
def loading(address: Any, clients: int = 8) -> Iterator[Load]:
    load = Load(address, clients)
    load.start()
    try:
        yield load
    finally:
        load.stop()
