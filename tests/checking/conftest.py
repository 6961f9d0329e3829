"""A directory of its own for each program that is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from isolating import isolated

from vial.cli import cli

Checked = Callable[..., list[tuple[str, int, str]]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No trace is left of what a command imports or sets."""
    with isolated(monkeypatch, tmp_path):
        yield


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Writes files, runs ``vial check app.py`` and gives file, line and code of what it found."""

    def run(files: dict[str, str], *args: str) -> list[tuple[str, int, str]]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        result = CliRunner().invoke(cli, ["check", "app.py", "--json", *args])
        findings = json.loads(result.stdout)["findings"]
        assert result.exit_code == bool(findings), result.output
        return [(found["file"], found["line"], found["code"]) for found in findings]

    return run
