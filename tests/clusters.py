"""A PostgreSQL of a test's own, which may be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from serving import free_port

#: Where distributions put the programs that are not on PATH.
_HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class Cluster:
    """One that runs on a port of 127.0.0.1; nothing that it keeps survives the test."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-N", "-U", "postgres")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c unix_socket_directories= -c fsync=off -c max_connections=60"
        self._control("start", "-w", "-o", options, "-l", f"{self._folder}/log")

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def kill(self) -> None:
        """As a machine that fails: its clients are told nothing."""
        file = self._folder / "data" / "postmaster.pid"
        pid = int(file.read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
        for number in (pid, *map(int, children.stdout.split())):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        file.unlink()

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", f"{self._folder}/data", *words)

    def _run(self, program: str, *words: str) -> None:
        command = [_program(program), *words]
        if os.getuid() == 0:  # PostgreSQL does not run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"


def _program(name: str) -> str:
    found = shutil.which(name) or next((str(h / name) for h in _HOMES if (h / name).exists()), None)
    return found or pytest.fail(f"PostgreSQL's {name} is not installed")


@contextmanager
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="vial-postgresql-") as folder:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        running = Cluster(Path(folder))
        try:
            yield running
        finally:
            with suppress(AssertionError):  # the test may have killed it
                running.stop()
