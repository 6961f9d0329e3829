"""A directory of its own for each program that is checked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from vial.cli import cli

Checked = Callable[..., list[tuple[str, int, str]]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No trace is left of what a command imports or sets."""
    for name in [n for n in os.environ if n.startswith(("FLASK_", "VIAL_"))]:
        monkeypatch.delenv(name)
    environment, modules = dict(os.environ), set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()
    os.environ.update(environment)
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


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
