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
