"""`vial serve` while clients ask without pause: nothing that it does on purpose loses a request."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from loading import Load, loading
from serving import Served, serving, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.service]

PROGRAM = """
import os
from vial import Vial

app = Vial(__name__, static_folder=None)
seen = os.open(f"seen-{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
VERSION = "1"

@app.get("/ready")
def ready():
    return VERSION

@app.get("/ask/<id>")
def ask(id):
    os.write(seen, f"{id}\\n".encode())
    return str(os.getpid())
"""
GROW = """
kept = []

@app.get("/grow")
def grow():
    kept.append(b"x" * 2**28)
    return ""
"""


@pytest.fixture(params=["wsgi", "asgi", "rsgi"])
def interface(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(PROGRAM)
    return tmp_path


def seen(folder: Path) -> dict[str, str]:
    """The requests that views were called for, each with its worker."""
    files = folder.glob("seen-*")
    return {
        id: file.name.removeprefix("seen-") for file in files for id in file.read_text().split()
    }


def workers_of(load: Load, since: int) -> set[str]:
    return set(list(load.answered.values())[since:])


def more_answers(load: Load) -> None:
    now = len(load.answered)
    wait_for("more answers", lambda: len(load.answered) > now + 100)


def test_replacing_all_workers_loses_no_request(folder: Path, interface: str) -> None:
    with serving(folder, "main.py", "-w", "4", "--interface", interface) as server:
        with loading(("127.0.0.1", server.port)) as load:
            for turn in (1, 2):
                more_answers(load)
                before = workers_of(load, 0)
                server.process.send_signal(signal.SIGHUP)
                wait_for("it", lambda: server.output.count("workers are replaced") == turn)  # noqa: B023
                now = len(load.answered)
                more_answers(load)
                assert not workers_of(load, now + 20) & before
        assert load.lost == [] and load.refused == 0


def test_no_request_that_came_to_a_view_is_lost_at_the_end(folder: Path, interface: str) -> None:
    with Served(folder, "main.py", "-w", "4", "--interface", interface) as server:
        server.wait()
        with loading(("127.0.0.1", server.port)) as load:
            more_answers(load)
            assert server.stop() == 0, server.output
            assert load.refused or not load.lost
    assert not {lost.id for lost in load.lost} & set(seen(folder))
    assert all(lost.worker is None for lost in load.lost)  # connections that nobody had taken


def test_a_killed_worker_takes_nothing_along_but_what_it_had(folder: Path) -> None:
    with serving(folder, "main.py", "-w", "4") as server:
        with loading(("127.0.0.1", server.port)) as load:
            killed: set[str] = set()
            for _ in range(8):  # in quick succession
                more_answers(load)
                victim = list(load.answered.values())[-1]
                if victim not in killed:
                    killed.add(victim)
                    os.kill(int(victim), signal.SIGKILL)
            wait_for("others", lambda: server.output.count("takes its place") == len(killed))
            now = len(load.answered)
            wait_for("others", lambda: len(workers_of(load, now) - killed) == 4)
        assert load.refused == 0
        assert len(killed) >= 3
        by = seen(folder)
        for lost in load.lost:
            assert by.get(lost.id, lost.worker) in {*killed, None}, lost
        assert len(load.lost) <= 8 * len(killed)


def test_workers_that_are_replaced_by_requests_lose_none(folder: Path) -> None:
    with serving(folder, "main.py", "-w", "2", "--max-requests", "300") as server:
        with loading(("127.0.0.1", server.port)) as load:
            wait_for("six workers", lambda: len(set(load.answered.values())) >= 6)
        assert load.lost == [] and load.refused == 0


def test_a_worker_with_too_much_memory_is_replaced_and_loses_no_request(folder: Path) -> None:
    (folder / "main.py").write_text(PROGRAM + GROW)
    with serving(folder, "main.py", "-w", "1", "--max-memory", "256") as server:
        with loading(("127.0.0.1", server.port), 2) as load:
            wait_for("an answer", lambda: load.answered)
            before = workers_of(load, 0)
            server.get("/grow")
            wait_for("another worker", lambda: workers_of(load, 0) - before)
        assert "MiB of memory: it is replaced" in server.output
        assert load.lost == [] and load.refused == 0


def test_new_code_that_does_not_start_leaves_the_old_workers(folder: Path) -> None:
    with serving(folder, "main.py", "-w", "2") as server:
        with loading(("127.0.0.1", server.port)) as load:
            wait_for("both", lambda: len(set(load.answered.values())) == 2)
            before = workers_of(load, 0)
            (folder / "main.py").write_text("1 / 0")
            server.process.send_signal(signal.SIGHUP)
            wait_for("word of it", lambda: "the old workers stay" in server.output)
            more_answers(load)
            assert workers_of(load, 0) == before
            (folder / "main.py").write_text(PROGRAM.replace('"1"', '"2"'))
            server.process.send_signal(signal.SIGHUP)
            wait_for("new workers", lambda: "The workers are replaced" in server.output)
            assert server.get("/ready") == "2"
        assert server.output.count("ZeroDivisionError") == 1
        assert load.lost == [] and load.refused == 0
