"""Servers as their users start them, by any command, and plain requests to them."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving import SOON, free_port, wait_for


class Process:
    """A server of this Python: ``-m vial run …``. "{port}" is filled in."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self._file = folder / f"output-{self.port}.txt"
        command = [argument.replace("{port}", str(self.port)) for argument in arguments]
        with self._file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", *command],
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self._file.read_text()

    def ask(
        self,
        path: str,
        method: str = "GET",
        host: str = "127.0.0.1",
        body: str | None = None,
        **headers: str,
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """One request on a connection of its own. Underscores of headers become hyphens."""
        connection = http.client.HTTPConnection(host, self.port, timeout=SOON)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return self.ask("/ready")[0] == 200
        except OSError:
            return False


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    """A server that answers ``/ready``, ended when it is not needed any more."""
    server = Process(folder, *arguments, **environment)
    try:
        wait_for("an answer of the server", server.answers)
        yield server
    except BaseException:
        print(server.output)
        raise
    finally:
        server.process.terminate()
        try:
            server.process.wait(SOON)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()
