from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

pytestmark = pytest.mark.slow


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_one_request_of_each_kind_gives_the_same_answer_and_is_timed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run("dispatch.py", "--quick", "--only", "vial,wsgi,flask", "--json", str(report))
    assert done.returncode == 0, done.stderr
    medians = json.loads(report.read_text())["median"]
    assert list(medians) == ["hello", "JSON", "<int:id>", "template", "session", "form", "404"]
    for case, row in medians.items():
        assert min(row["wsgi"], row["vial"], row["flask"]) > 0, case
        assert f"| {case:<8} |" in done.stdout


def test_a_page_of_rows_is_the_same_for_all_and_is_timed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ("--quick", "--sqlite-only", "--only", "vial,floor", "--json", str(report))
    done = run("database.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["median"]["sqlite"]["vial"] > 0


def test_an_unknown_peer_is_named(tmp_path: Path) -> None:
    done = run("dispatch.py", "--only", "vial,cherry")
    assert done.returncode == 2
    assert "cherry is not one of vial, wsgi, falcon" in done.stderr


def test_the_import_line_is_timed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run("imports.py", "--rounds", "3", "--json", str(report))
    assert done.returncode == 0, done.stderr
    medians = json.loads(report.read_text())["median"]
    assert min(medians["bare"], medians["vial"], medians["flask"]) > 0


@pytest.mark.parametrize(
    ("script", "only"),
    [
        ("async_hello.py", "bare,vial,vial-asgi,bare-asgi"),
        ("sync_beside_loop.py", "vial,vial-asgi"),
        ("websocket_echo.py", "bare,bare-asgi"),
    ],
)
def test_servers_are_started_and_loaded(script: str, only: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    quick = ("--seconds", "0.2", "--rounds", "1", "--clients", "4", "--only", only)
    done = run(script, *quick, "--json", str(report))
    assert done.returncode == 0, done.stderr
    for rows in json.loads(report.read_text()).values():
        assert list(rows) == only.split(",")
        assert all(row["rate"] > 0 and row["p99"] >= row["p50"] > 0 for row in rows.values())


def test_a_chat_is_timed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    quick = ("--seconds", "0.3", "--rounds", "1", "--clients", "5", "--only")
    done = run("fanout.py", *quick, "vial,vial-sync,vial-asgi", "--json", str(report))
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())["Fan-out"]
    assert list(rows) == ["vial", "vial-sync", "vial-asgi"]
    assert all(r["rate"] > 0 and r["cpu"] > 0 and r["p99"] >= r["p50"] > 0 for r in rows.values())


def test_silent_and_chatting_clients_are_held(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    quick = ("--clients", "30", "--chatting", "10", "--seconds", "1", "--every", "1")
    done = run("idle_connections.py", *quick, "--only", "vial", "--json", str(report))
    assert done.returncode == 0, done.stderr
    last = json.loads(report.read_text())["vial"]["samples"][-1]
    assert last["lost"] == 0 and last["memory"] > 0
    assert last["heard"] == last["told"] > 0
