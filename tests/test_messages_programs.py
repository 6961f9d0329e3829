"""Mistakes that keep a program from being loaded or served: what the `vial` command says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hinting import has, notes_of

from vial import Vial
from vial.cli.discovery import NoAppException, load_target

APP = "from vial import Vial\napp = Vial(__name__)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, and afterwards nothing that was imported from it."""
    monkeypatch.chdir(tmp_path)
    path, known = sys.path.copy(), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def refused(folder: Path) -> Callable[..., str]:
    """Writes files, loads the first one and gives what the command would say."""

    def refuse(target: str, name: str | None = None, **files: str) -> str:
        for file, source in files.items():
            (folder / f"{file}.py").write_text(source)
        with pytest.raises(Exception) as caught:
            load_target(target, name)
        kind = "" if isinstance(caught.value, NoAppException) else type(caught.value).__name__
        return "\n".join([kind, str(caught.value), *getattr(caught.value, "__notes__", ())])

    return refuse


def test_modules_that_import_each_other(refused: Callable[..., str]) -> None:
    text = refused(
        "circle_app.py",
        circle_app=f"import circle_views\n{APP}",
        circle_views="\nfrom circle_app import app\n",
    )
    has(text, "cannot import name 'app' from partially initialized module 'circle_app'")
    has(text, "circle_app.py, line 1 → circle_views.py, line 2", "Blueprint", "create_app()")


def test_attributes_of_a_module_that_is_not_finished(refused: Callable[..., str]) -> None:
    text = refused(
        "circle_main.py",
        circle_main=f"import circle_routes\n{APP}",
        circle_routes="import circle_main\n@circle_main.app.get('/')\ndef index(): return ''\n",
    )
    has(text, "AttributeError", "circle_main.py, line 1 → circle_routes.py, line 2", "circle")


def test_a_module_that_is_not_installed(refused: Callable[..., str]) -> None:
    text = refused("needs_app.py", needs_app="import needs_modles\n", needs_models="")
    has(text, "No module named 'needs_modles'", "Did you mean 'needs_models'", sys.executable)


def test_a_relative_import_outside_of_a_package(refused: Callable[..., str]) -> None:
    text = refused("loose_app.py", loose_app=f"from . import loose_views\n{APP}", loose_views="")
    has(text, "inside of a package only", "vial run package:app", "without the dot")


def test_a_context_that_is_used_at_import(refused: Callable[..., str]) -> None:
    source = f"from vial import current_app\n{APP}limit = current_app.config['LIMIT']\n"
    text = refused("early_app.py", early_app=source)
    has(text, "RuntimeError", "line 4 of 'early_app.py'", "when the program is imported")


@pytest.mark.parametrize("target", ["json.py", "json", "./json.py"])
def test_a_program_that_has_the_name_of_a_module(refused: Callable[..., str], target: str) -> None:
    has(refused(target, json=APP), "json.py' has the name of the module 'json'", "main.py")


def test_a_program_may_have_a_name_of_the_library_that_nobody_has_loaded(folder: Path) -> None:
    (folder / "antigravity.py").write_text(APP)
    assert load_target("antigravity.py", None).name == "antigravity"


def test_a_view_that_meets_a_file_in_place_of_a_library(folder: Path) -> None:
    (folder / "random.py").write_text("x = 1\n")
    spec = spec_from_file_location("random", folder / "random.py")
    assert spec is not None and spec.loader is not None
    random: Any = module_from_spec(spec)
    spec.loader.exec_module(random)
    app = Vial("app", static_folder=None)
    app.debug = True
    text = notes_of(app, lambda: random.choice("abc"), AttributeError)
    has(text, f"{str(folder / 'random.py')!r} hides the module 'random'", "another name")


@pytest.mark.parametrize(
    ("target", "name", "words"),
    [
        ("helo.py", None, ["no file 'helo.py'", "Did you mean 'hello.py'"]),
        ("helo", None, ["Could not import 'helo'", "Did you mean 'hello'", "looked for in"]),
        ("hello.py", "aplication", ["no attribute 'aplication'", "Did you mean 'my_application'"]),
        ("hello.py", None, ["has several applications", "'my_application', 'other'"]),
    ],
)
def test_a_name_that_is_not_quite_right(
    refused: Callable[..., str], target: str, name: str | None, words: list[str]
) -> None:
    source = "from vial import Vial\nmy_application = Vial('a')\nother = Vial('b')\n"
    has(refused(target, name, hello=source), *words)


# -- as processes ------------------------------------------------------------------------------


def output_of(folder: Path, *command: str) -> str:
    environ = {key: value for key, value in os.environ.items() if key != "FLASK_RUN_FROM_CLI"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "source"),
    [
        ("socketio", f"{APP}from vial.socketio import SocketIO\n"),
        (
            "jinja2",
            f"{APP}from vial import render_template_string\n"
            "with app.app_context():\n    render_template_string('')\n",
        ),
    ],
)
def test_a_file_that_hides_a_library(tmp_path: Path, hidden: str, source: str) -> None:
    (tmp_path / "main.py").write_text(source)
    (tmp_path / f"{hidden}.py").write_text("x = 1\n")
    text = output_of(tmp_path, "-P", "-m", "vial", "--app", "main", "routes")
    has(text, f"{hidden}.py' hides the module {hidden!r}", "another name", "__pycache__")


@pytest.mark.slow
def test_programs_called_as_vial_or_flask(tmp_path: Path) -> None:
    for name in ("vial", "flask"):
        (tmp_path / f"{name}.py").write_text(f"from {name} import Flask\napp = Flask('x')\n")
        text = output_of(tmp_path, "-P", "-m", "vial", "run", f"{name}.py")
        has(text, f"has the name of the module {name!r}", "another name")


@pytest.mark.slow
def test_routes_below_app_run(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        f"{APP}"
        "@app.get('/a')\ndef a(): return 'a'\n"
        "try:\n    app.run(port=70000)\nexcept SystemExit:\n    pass\n"
        "@app.get('/b')\ndef b(): return 'b'\n"
    )
    text = output_of(tmp_path, "main.py")
    has(text, "app.run() in line 6", "get b (line 9)", "the last line of the file")
    assert "get a" not in text


@pytest.mark.slow
def test_app_run_as_the_last_line_or_in_a_function_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        f"{APP}"
        "@app.get('/a')\ndef a(): return 'a'\n"
        "def main():\n    app.run(port=70000)\n"
        "if __name__ == '__main__':\n    app.run(port=70000)\n"
    )
    assert "last line" not in output_of(tmp_path, "main.py")
