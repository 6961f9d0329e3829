"""The example site: it is what the tutorial ends with, and it needs nothing that Flask has not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "examples" / "site"
FILE = re.compile(r"```[\w+]+\n(?:# |\{# |/\* |<!-- )(\S+\.\w+).*\n((?s:.*?))```\n")
TRY = """
import test_app
for name, test in vars(test_app).items():
    if name.startswith("test_"):
        test()
        print(name)
"""
AS_FLASK = "import vial; vial.install_as_flask()\n"


def site() -> dict[str, str]:
    """The files of the example but its README, by path."""
    files = [p for p in SITE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    texts = {p.relative_to(SITE).as_posix(): p.read_text() for p in files}
    del texts["README.md"]
    return texts


def test_the_tutorial_ends_with_the_example() -> None:
    assert dict(FILE.findall((ROOT / "docs/tutorial.md").read_text())) == site()


@pytest.mark.parametrize(
    ("name", "start"),
    [("Vial", ""), ("Flask", AS_FLASK), ("Flask", "")],
    ids=["Vial", "Flask mode", "Flask"],
)
def test_its_own_tests_pass_under_both_names(tmp_path: Path, name: str, start: str) -> None:
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True)
    program = (SITE / "app.py").read_text()
    if name == "Flask":
        program = program.replace("from vial import Vial", "from flask import Flask")
        program = program.replace("Vial(", "Flask(")
    (tmp_path / "app.py").write_text(program)
    command = [sys.executable, "-W", "error", "-c", start + TRY]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert len(done.stdout.split()) == 5
