"""`vial serve` as its users start it: a process with worker processes, on a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.request import urlopen

import pytest

#: Seconds that anything may take on a busy machine.
SOON = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]  # type: ignore[no-any-return]


def wait_for(what: str, condition: Callable[[], object], seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} seconds: {what}")
        time.sleep(0.02)


class Served:
    """A running server."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        port: int | None = None,
        bind: str | None = None,
        fds: tuple[int, ...] = (),
        **environment: str,
    ) -> None:
        """``bind`` is where it listens, if not on ``port``; ``fds`` are what it inherits."""
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = folder / f"output-{self.port}.txt"
        workers = [] if "-w" in arguments else ["-w", "1"]  # on any machine
        command = [sys.executable, "-m", "vial", "serve", *arguments, *workers]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--bind", bind or f"127.0.0.1:{self.port}"],
                cwd=folder,
                pass_fds=fds,
                env={**os.environ, **environment},
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def get(self, path: str) -> str:
        with urlopen(self.url + path, timeout=SOON) as reply:
            return reply.read().decode()  # type: ignore[no-any-return]

    def wait(self, path: str = "/ready") -> None:
        wait_for(f"an answer of the server\n{self.output}", lambda: self._answers(path))

    def _answers(self, path: str) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the server has ended:\n{self.output}")
        try:
            with urlopen(self.url + path, timeout=5):
                return True
        except OSError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        try:
            return self.process.wait(SOON)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"the server does not end:\n{self.output}")


@contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    """A server that answers, and at the end stops as it should."""
    server = Served(folder, *arguments, **environment)
    try:
        server.wait()
        yield server
    except BaseException:
        server.process.terminate()
        server.process.wait(SOON)
        print(server.output)
        raise
    assert server.stop() == 0, server.output
