"""Programs written for Flask-Script, as processes: none of them names Vial.

Each runs where `vial.install_as_flask()` was called, and where vial-as-flask is installed.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
AS_FLASK = HERE.parent.parent / "packages" / "vial-as-flask"
INSTALLED = (
    "import runpy, sys, vial; vial.install_as_flask();"
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
WAIT = 60  # seconds until a program that says nothing has failed

Starts = Callable[..., "subprocess.Popen[str]"]
Runs = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["install_as_flask", "vial-as-flask"])
def starts(request: Any, tmp_path: Path) -> Iterator[Starts]:
    """Start a program of the folder beside this file, with its arguments."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *args: str, **options: Any) -> subprocess.Popen[str]:
        shutil.copytree(HERE / "programs" / name, tmp_path, dirs_exist_ok=True)
        path = ":".join([str(AS_FLASK), os.environ.get("PYTHONPATH", "")])
        own = {} if request.param == "install_as_flask" else {"PYTHONPATH": path}
        before = ["-c", INSTALLED] if request.param == "install_as_flask" else []
        common = {"PYTHONUTF8": "1", "FLASK_RUN_FROM_CLI": "false"}
        options["env"] = {**os.environ, **common, **own, **options.pop("env", {})}
        command = [sys.executable, "-W", "error", "-u", *before, "manage.py", *args]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, cwd=tmp_path, text=True, **{**pipes, **options})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def runs(starts: Starts) -> Runs:
    """Run one with this input; return the exit code, the output and the errors."""

    def run(name: str, *args: str, input: str = "", **options: Any) -> tuple[int, str, str]:
        process = starts(name, *args, **options)
        output, errors = process.communicate(input, timeout=WAIT)
        return process.returncode, output, errors

    return run


def test_a_notebook(runs: Runs) -> None:
    assert runs("notes", "add", "Straße kehren", "お茶", "-t", "home", "-i", "3") == (0, "", "")
    assert runs("notes", "show")[1] == "*** Straße kehren #home\n*** お茶 #home\n"
    assert runs("notes", "show", "--limit", "1", "-n")[1] == "/notes/0: *** Straße kehren #home\n"
    assert runs("notes", "forget", "-n", "1") == (3, "", "")
    assert runs("notes", "forget", "-f", "--number=1") == (0, "", "")
    assert runs("notes", "forget", "-n", "9") == (1, "", "There is no note 9.\n")
    caught = runs("notes", "fail", env={"CAUGHT": "1"})
    assert caught == (4, "", "caught: Nothing is möglich.\n")
    code, _, errors = runs("notes", "forget")
    assert code == 2
    assert errors.endswith("error: the following arguments are required: -n/--number\n")
    code, _, errors = runs("notes", "ad")
    assert code == 2 and errors.endswith("there is no command 'ad'. Did you mean 'add'?\n")
    assert runs("notes", "add", "x", "-i", "4")[0] == 2
    code, text, errors = runs("notes", "--help")
    assert (code, errors) == (0, "")
    assert re.search(r"^  add +adds notes$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
    assert "/notes/<int:number>      note" in runs("notes", "urls")[1]


def test_its_shell_has_its_names(runs: Runs) -> None:
    plain = ("--no-ipython", "--no-bpython", "--no-ptpython", "--no-ptipython")
    code, output, errors = runs("notes", "shell", *plain, input="print(app.name, notes())\n")
    assert code == 0 and "[]" in output and "The notebook" in errors


def test_its_server_answers_until_it_is_told_to_stop(starts: Starts, runs: Runs) -> None:
    runs("notes", "add", "a note")
    process = starts("notes", "runserver", "-D", "-R")
    assert process.stdout is not None
    address = next(line[14:-1] for line in process.stdout if line.startswith(" * Running on "))
    with urlopen(f"{address}notes/0", timeout=WAIT) as answer:
        assert answer.read() == b"* a note"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 0 and "Traceback" not in errors


def test_ctrl_c_ends_a_command_without_a_traceback(starts: Starts) -> None:
    process = starts("notes", "wait")
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=WAIT)[1] == "\nAborted!\n"
    assert process.returncode == 130


def test_a_shop_with_a_factory_and_managers_within(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "dev.cfg").write_text("CURRENCY = 'USD'\n")
    assert runs("shop", "price", "10", "--gross") == (0, "12.00 EUR\n", "")
    made = "made with dev.cfg\n10.00 USD\n"
    assert runs("shop", "-v", "--config=dev.cfg", "price", "--net", "10") == (0, made, "")
    code, _, errors = runs("shop", "price", "10", "--net", "-c", "dev.cfg")
    assert code == 2 and errors.endswith("unrecognized arguments: -c dev.cfg\n")
    code, _, errors = runs("shop", "price", "10")
    assert code == 2 and "one of the arguments --gross --net is required" in errors
    assert runs("shop", "database", "recreate", "-s")[1] == "dropped\ncreated True True\n"
    code, text, _ = runs("shop")  # the default command
    assert code == 2 and text.startswith("usage: manage.py database [-?] COMMAND ...\n\nPerform ")
    assert "\n  create    Creates database tables\n" in text
    said = "admin of USD in moon\n10.00 USDUSD\n"
    line = ("-c", "dev.cfg", "admin", "--realm", "moon", "price", "--net", "10")
    assert runs("shop", *line) == (0, said, "")
    assert runs("shop", "test", "-x", "--y=1", "z") == (3, "['-x', '--y=1', 'z']\n", "")


def test_questions_are_asked_until_there_is_an_answer(runs: Runs) -> None:
    answers = "\nŽofie\n\ngreen\nBLUE\n3\n2\nperhaps\nYes\n"
    code, output, errors = runs("survey", "survey", input=answers)
    assert (code, errors) == (0, "")
    assert output == (
        "Your name: Your name: Where from? [Köln] "
        "Colour - (red, blue) [red]: Colour - (red, blue) [red]: "
        "Size - (small [1], large [2]): Size - (small [1], large [2]): "
        "Are you sure [n]: Are you sure [n]: Žofie|Köln|blue|2|True\n"
    )


def test_input_that_ends_ends_the_program(runs: Runs) -> None:
    assert runs("survey", "survey") == (1, "Your name: ", "\nAborted!\n")
    code, _, errors = runs("survey", "survey", input="Ann\n\n")
    assert (code, errors) == (1, "\nAborted!\n")
    assert runs("survey", "careful") == (7, "Your name: ", "nobody there\n")


def test_a_password_is_not_shown_at_a_terminal(starts: Starts) -> None:
    terminal, inside = pty.openpty()
    try:
        ends = dict.fromkeys(("stdin", "stdout", "stderr"), inside)
        process = starts("survey", "password", **ends, start_new_session=True)
        shown = _until(terminal, b"Password: ")
        os.write(terminal, "gehäim\n".encode())
        shown += _until(terminal, b"characters")
        assert process.wait(WAIT) == 0
        assert b"6 characters" in shown and b"geh" not in shown
        process = starts("survey", "survey", **ends, start_new_session=True)
        _until(terminal, b"Your name: ")
        os.write(terminal, b"\x04")  # Ctrl-D
        assert b"Traceback" not in _until(terminal, b"Aborted!")
        assert process.wait(WAIT) == 1
    finally:
        os.close(terminal)
        os.close(inside)


def _until(terminal: int, text: bytes) -> bytes:
    """What the program writes to its terminal, up to this."""
    shown = b""
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], WAIT)
        assert ready, f"no {text!r} in {shown!r}"
        shown += os.read(terminal, 1024)
    return shown


def test_the_vial_command_does_without_an_installed_flask_script(tmp_path: Path) -> None:
    """The last Flask-Script fails where it is imported, as it needs a module of Flask 1."""
    (tmp_path / "flask_script.py").write_text("from flask._compat import text_type\n")
    shutil.copy(HERE / "programs" / "notes" / "manage.py", tmp_path)
    (tmp_path / "run.py").write_text("from manage import app, manager\n")
    with (tmp_path / "run.py").open("a") as file:
        file.write("app.cli.add_command(manager.as_click('notes'))\n")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "vial",
        "--app",
        "run",
        "notes",
        "add",
        "a",
        "b",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=WAIT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "notes.txt").read_text() == "* a\n* b\n"
