"""Applications as their users start them: a command, its processes, and what they run on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

HERE = "127.0.0.1"
SCRIPTS = Path(sys.executable).parent
AID = Path(__file__).parent / "aid"


@dataclass
class Running:
    """A command that runs and answers, with the processes that it started."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def ask(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        """One request, without the proxies of the environment; redirects are not followed."""
        options.setdefault("timeout", 10)
        options.setdefault("allow_redirects", False)
        with requests.Session() as session:
            session.trust_env = False
            # A response that somebody still has keeps its connection open, and for one that may
            # have another request gunicorn waits when it is told to stop.
            session.headers["Connection"] = "close"
            return session.request(method, self.url + path, **options)

    def flasks(self) -> list[dict[str, Any]]:
        """What ``flask`` is in each of the Python processes, by their own report."""
        leader = psutil.Process(self.process.pid)
        pids = [p.pid for p in (leader, *leader.children(recursive=True))]
        files = [file for pid in pids if (file := self.folder / f"{pid}.json").exists()]
        for file in files:
            os.kill(int(file.stem), signal.SIGRTMIN)
        until(lambda: all(file.stat().st_size for file in files), "a process does not report")
        return [json.loads(file.read_text()) for file in files]

    def assert_on_vial(self) -> None:
        """At least one process has made an app, of Vial's class; none can import Flask's files."""
        reports = self.flasks()
        assert any(r["apps"] for r in reports), reports
        for found in reports:
            assert found["app_class"] in ("vial.flask_mode", None), found
            assert not found["flask_on_path"], found
            assert not found["flask_files"], found

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end as a service manager does; what does not end is ended, and an error."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not stop:\n{self.log}")
        finally:
            kill_group(self.process)
        return code


def kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def until(holds: Callable[[], Any], otherwise: str, seconds: float = 30) -> Any:
    """What ``holds`` returns, once that is true."""
    end = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
    return result


def free_port() -> int:
    with socket.create_server((HERE, 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def running(folder: Path, *command: str, ready: str = "/", **env: str) -> Iterator[Running]:
    """Run a command, one of the virtual environment's, until the end of the block.

    In its words ``{port}`` is a free port. It is there when ``ready`` answers with any status
    below 500.
    """
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    reports = folder / f"{words[0]}-{port}"
    reports.mkdir()
    given = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": f"{AID}:{folder}", "VIAL_REPORTS": str(reports)}
    with (reports / "log").open("wb") as log:
        process = subprocess.Popen(
            [SCRIPTS / words[0], *words[1:]],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | given | {k: v.replace("{port}", str(port)) for k, v in env.items()},
            start_new_session=True,
        )
    app = Running(port, process, reports)
    try:
        until(lambda: answers(app, ready), "it does not answer")
        yield app
    except BaseException as e:
        e.add_note(f"The log of {' '.join(words)}:\n{app.log}")
        raise
    finally:
        app.stop() if process.poll() is None else kill_group(process)


def answers(app: Running, path: str) -> bool:
    assert app.process.poll() is None, f"it ended:\n{app.log}"
    try:
        return app.ask(path).status_code < 500
    except requests.ConnectionError:
        return False
