"""`vial run` as people who write a program start it: with a folder, whose files are edited."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from serving import SOON, wait_for


class Development:
    """A server that was started in a folder, on a free port."""

    def __init__(self, folder: Path, command: list[str], **popen: Any) -> None:
        self.folder = folder
        self._output = folder / "output.txt"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FLASK_", "VIAL_", "WERKZEUG_", "PYTHONDONTWRITE"))
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                **{"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, **popen},
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def port(self) -> int:
        found = self.printed(r" \* Running on http://[^\n]*:(\d+)/\n")
        return int(found[1])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def printed(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until the output has it so often; the last match."""

        def found() -> list[re.Match[str]]:
            return list(re.finditer(pattern, self.output))

        def is_there() -> bool:
            if len(found()) < times and self.process.poll() is not None:
                pytest.fail(f"the server has ended:\n{self.output}")
            return len(found()) >= times

        try:
            wait_for(f"{pattern!r}, {times} times", is_there)
        except BaseException:
            print(self.output)
            raise
        return found()[-1]

    def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SOON)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self, condition: Callable[[int, str], bool], path: str = "/") -> str:
        """Ask until the answer is as wanted; its body. No request may be refused."""
        last: list[tuple[int, str]] = []

        def is_so() -> bool:
            try:
                last.append(self.ask(path))
            except (ConnectionResetError, OSError) as e:
                if isinstance(e, ConnectionRefusedError):
                    raise
                return False  # it was in flight when the program was started again
            return condition(*last[-1])

        try:
            wait_for("the answer", is_so)
        except BaseException:
            print(last[-1:], re.sub(r".* HTTP/1.1.*\n", "", self.output))
            raise
        return last[-1][1]

    def edit(self, name: str, text: str) -> None:
        """Save a file as editors do: another one in its place."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.tmp")
        new.write_text(text)
        os.replace(new, path)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, as a terminal does to all processes if there is a group; exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        try:
            return self.process.wait(SOON)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the server does not end:\n{self.output}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def developing(folder: Path, *arguments: str, **popen: Any) -> Iterator[Development]:
    """`vial run` with these arguments, in debug mode; ended by Ctrl-C, leaving nothing behind."""
    command = ["-m", "vial", "run", "--debug", "--port", "0", *arguments]
    with started(folder, command, **popen) as server:
        yield server


@contextmanager
def started(folder: Path, command: list[str], **popen: Any) -> Iterator[Development]:
    """The same for any Python program that serves."""
    server = Development(folder, command, **popen)
    try:
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0, server.output
    finally:
        if server.process.poll() is None:
            server.kill()
