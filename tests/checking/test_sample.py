"""A program with fifty mistakes, each marked in its line, and programs without any."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vial.checking import CODES
from vial.cli import cli

SAMPLE = Path(__file__).parents[1] / "data/check"
EXAMPLES = Path(__file__).parents[2] / "examples"
MARK = re.compile(r"expect: (V\d+)")


def marked(folder: Path) -> set[tuple[str, int, str]]:
    """What the comments of the sample say must be found."""
    return {
        (path.relative_to(folder).as_posix(), number, code)
        for path in folder.rglob("*")
        if path.suffix in (".py", ".html")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for code in MARK.findall(line)
    }


def test_every_seeded_mistake_is_found_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path, dirs_exist_ok=True)
    result = CliRunner().invoke(cli, ["check", "main.py", "--production", "--json"])
    report = json.loads(result.stdout)
    found = {(f["file"], f["line"], f["code"]) for f in report["findings"]}
    assert len(found) >= 30 and found == marked(tmp_path)
    assert len(report["findings"]) == len(found)  # none twice
    assert result.exit_code == 1
    assert {code for _, _, code in found} == CODES.keys() - {"V501", "V502"}
    assert report["checked"]["routes"] > 20 and report["skipped"] == []


@pytest.mark.slow
@pytest.mark.parametrize("program", [path.parent.name for path in EXAMPLES.glob("*/main.py")])
def test_nothing_is_found_in_the_examples(program: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / program, tmp_path / program)
    done = subprocess.run(
        [sys.executable, "-m", "vial", "check", "main.py"],
        cwd=tmp_path / program,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("0 findings") and done.returncode == 0, done.stdout
