"""What people type: mistyped names, completion, shells, help texts, packages with commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from isolating import isolated

from vial import Vial
from vial.cli import FlaskGroup, cli, shell

SHOP = """
import click
from vial import Vial
app = Vial(__name__, static_folder=None)
@app.get("/items/<int:id>")
def item(id): return str(id)
@app.websocket("/talk")
async def talk(): pass
@app.cli.command("greet")
@click.option("--kind", type=click.Choice(["red", "green"]), help="Which.")
def greet(kind):
    "Say hello."
    click.echo(kind)
@app.cli.group("db")
def db(): "The database."
db.command("migrate")(lambda: None)
"""


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A program in a directory of its own, and no trace of its import."""
    (tmp_path / "app.py").write_text(SHOP)
    with isolated(monkeypatch, tmp_path):
        yield


def call(*args: str, **options: object) -> Result:
    return CliRunner().invoke(cli, args, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["rotues"], "No such command 'rotues'. Did you mean 'routes'?"),
        (["gret"], "No such command 'gret'. Did you mean 'greet'?"),
        (["db", "migrat"], "No such command 'migrat'. Did you mean 'migrate'?"),
        (["fly"], "No such command 'fly'.\n"),
        (["run", "--prot", "1"], "--port"),
        (["greet", "--knd", "red"], "--kind"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_one_that_is_like_it(
    args: list[str], hint: str
) -> None:
    result = call(*args)
    assert result.exit_code == 2 and hint in result.stderr


def test_a_mistyped_command_without_an_app_says_both_once(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    result = call("rotues")
    assert result.stderr.count("has no application") == 1
    assert "Did you mean 'routes'?" in result.stderr


def test_help_survives_a_program_that_leaves_when_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit(3)")
    result = call("--help")
    assert result.exit_code == 0 and "routes" in result.stdout and "SystemExit" in result.stderr


def test_a_broken_plugin_is_named_and_stops_no_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "installed/own-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[flask.commands]\nbroken=no_such_module:command\nodd=plugged:number\n"
        "[vial.commands]\ngood=plugged:command\n"
    )
    (tmp_path / "installed/plugged.py").write_text(
        "import click\nnumber = 5\n@click.command()\ndef command(): click.echo('plugged in')\n"
    )
    # Searching all that is installed here takes long.
    monkeypatch.setattr(sys, "path", [str(tmp_path / "installed")])
    group = FlaskGroup(create_app=lambda: Vial("made", root_path="/"), load_dotenv=False)
    result = CliRunner().invoke(group, ["good"])
    monkeypatch.undo()
    assert result.stdout == "plugged in\n" and result.exit_code == 0
    assert "Warning: The command 'broken' of an installed package" in result.stderr
    assert "no_such_module" in result.stderr and "'odd'" in result.stderr


def test_routes_show_websockets_and_are_printed_for_programs() -> None:
    assert "talk      WEBSOCKET  /talk" in call("routes").stdout
    assert json.loads(call("routes", "--json", "--sort", "rule").stdout) == [
        {
            "endpoint": "item",
            "methods": ["GET"],
            "subdomain": None,
            "rule": "/items/<int:id>",
            "arguments": ["id"],
        },
        {
            "endpoint": "talk",
            "methods": ["WEBSOCKET"],
            "subdomain": None,
            "rule": "/talk",
            "arguments": [],
        },
    ]


AWAITING = """
import asyncio
x = await asyncio.sleep(0, 41)
x + 1
from vial import current_app
async def name(): return current_app.name

await name()
await asyncio.sleep(0, 1 / 0)
'still here'
"""


def test_await_works_in_the_plain_shell_and_in_the_context_of_the_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Werkzeug's console, where a test of this process has used it, leaves one of its own.
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    result = call("shell", "--plain", input=AWAITING)
    assert result.exit_code == 0, result.output
    assert "42" in result.stdout and "'app'" in result.stdout
    assert "ZeroDivisionError" in result.stderr and "'still here'" in result.stdout


@pytest.mark.parametrize("name", ["bpython", "ptpython"])
def test_a_better_shell_is_taken_where_it_is_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [other for other in shell._SHELLS if other != name]
    monkeypatch.setattr(shell, "find_spec", lambda n: None if n in found else object())
    assert shell._best() is shell._SHELLS[name]
    monkeypatch.setattr(shell, "find_spec", lambda n: None)
    assert shell._best() is shell._plain
    assert next(iter(shell._SHELLS)) == "IPython"


def commands() -> list[str]:
    return ["", *sorted(cli.commands)]


@pytest.mark.parametrize("name", commands())
def test_help_texts_fit_into_80_columns_and_explain_each_option(name: str) -> None:
    result = call(*name.split(), "--help", env={"COLUMNS": "80"}, terminal_width=80)
    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if len(line) > 80] == []
    command = cli.commands[name] if name else cli
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert [p.name for p in options if not p.help] == []
    assert command.help and (not name or command.short_help)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_completion_script_says_how_to_install_it(name: str) -> None:
    result = call("completion", name, prog_name="vial")
    first, *rest = result.stdout.splitlines()
    assert first.startswith("# ") and f"vial completion {name}" in first
    assert f"_VIAL_COMPLETE={name}_complete" in "\n".join(rest)


COMPLETE = """
source <(vial completion bash)
try() {
  COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMPREPLY=()
  _vial_completion vial
  echo "$* > ${COMPREPLY[*]}"
}
try vial gr
try vial greet --k
try vial greet --kind ""
try vial db ""
try vial routes --so
FLASK_APP=broken.py try vial ro
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options_of_the_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print('noise')\n" + SHOP)
    (tmp_path / "broken.py").write_text("print('noise')\n1 / 0")
    (tmp_path / "vial").write_text(f"#!{sys.executable}\nfrom vial.cli import main\nmain()\n")
    (tmp_path / "vial").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE], capture_output=True, text=True, env=environment
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "vial gr > greet",
        "vial greet --k > --kind",
        "vial greet --kind  > red green",
        "vial db  > migrate",
        "vial routes --so > --sort",
        "vial ro > routes",
    ]
