"""``vial.sqlalchemy.migrating`` beside Flask-Migrate: the same interface, and the same folders."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import flask_migrate
import flask_migrate.cli
import pytest

from vial.sqlalchemy import migrating
from vial.sqlalchemy.migrating import cli

# What Flask-Migrate has and we have not, each with the reason.
ABSENT = {
    "Config": "Migrate.get_config() makes Alembic's own",
    "alembic_version": "of its own use",
    "catch_errors": "errors are MigrationError",
    "list_templates": "there is one template, which fits all",
    "log": "what is to be said is printed",
}
ABSENT_OPTIONS = {
    "init": {"template"},  # of the function it is a parameter: another folder to copy
    "migrate": {"sql"},  # Alembic refuses it
}
DEFAULTS = {
    ("edit", "revision"): "head",  # of the command; the function has the same default as theirs
    ("merge", "revisions"): None,
}


def public(module: Any) -> set[str]:
    """Names that a program could mean to import from there."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "").partition(".")[0] in ("flask_migrate", "")
    }


def test_the_names_are_there() -> None:
    missing = {n for n in public(flask_migrate) if n not in migrating.__all__}
    assert missing <= set(ABSENT), missing - set(ABSENT)
    for name in migrating.__all__:
        assert getattr(migrating, name) is not None


def functions() -> list[str]:
    found = [n for n in public(flask_migrate) if inspect.isfunction(getattr(flask_migrate, n))]
    return sorted(set(found) - set(ABSENT))


@pytest.mark.parametrize("name", functions())
def test_functions_take_the_same(name: str) -> None:
    assert same(getattr(flask_migrate, name), getattr(migrating, name))


@pytest.mark.parametrize(
    "name", ["__init__", "init_app", "configure", "call_configure_callbacks", "get_config"]
)
def test_methods_of_migrate_take_the_same(name: str) -> None:
    assert same(getattr(flask_migrate.Migrate, name), getattr(migrating.Migrate, name))


def same(theirs: Any, ours: Any) -> bool:
    one, other = (inspect.signature(inspect.unwrap(f)).parameters.values() for f in (theirs, ours))
    wanted, given = ([(p.name, p.kind, p.default) for p in ps] for ps in (one, other))
    assert wanted == given
    return True


def test_commands_have_the_same_options() -> None:
    theirs, ours = flask_migrate.cli.db, cli.db
    assert set(theirs.commands) - set(ours.commands) == {"list-templates"}
    assert set(ours.commands) <= set(theirs.commands)
    assert options(ours) == options(theirs)
    for name, command in ours.commands.items():
        absent = ABSENT_OPTIONS.get(name, set())
        wanted = {k: v for k, v in options(theirs.commands[name]).items() if k not in absent}
        assert options(command) == wanted, name


def options(command: click.Command) -> dict[str, tuple[frozenset[str], int]]:
    return {str(p.name): (frozenset(p.opts), p.nargs) for p in command.params if p.name != "help"}


PROGRAM = """
import os
from flask import Flask
from {migrate} import Migrate
from vial.sqlalchemy import SQLAlchemy

app = Flask(__name__)
folder = app.root_path
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{{folder}}/app.db"
if os.path.exists("two"):
    app.config["SQLALCHEMY_BINDS"] = {{"logs": f"sqlite:///{{folder}}/logs.db"}}
db = SQLAlchemy(app)
Migrate(app, db)

class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)

if os.path.exists("two"):
    class Log(db.Model):
        __bind_key__ = "logs"
        id = db.Column(db.Integer, primary_key=True)
"""


def run(folder: Path, migrate: str, *words: str) -> str:
    (folder / "app.py").write_text(PROGRAM.format(migrate=migrate))
    done = subprocess.run(
        [sys.executable, "-m", "flask", "db", *words],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("options", [[], ["--multidb"]])
def test_flask_migrate_works_with_our_battery(tmp_path: Path, options: list[str]) -> None:
    if options:
        (tmp_path / "two").touch()
    run(tmp_path, "flask_migrate", "init", *options)
    assert "Detected added table 'user'" in run(tmp_path, "flask_migrate", "migrate")
    run(tmp_path, "flask_migrate", "upgrade")
    assert "(head)" in run(tmp_path, "flask_migrate", "current")
    run(tmp_path, "flask_migrate", "check")
    run(tmp_path, "flask_migrate", "downgrade")


OURS = "vial.sqlalchemy.migrating"


@pytest.mark.parametrize("options", [[], ["--multidb"]])
def test_a_folder_that_flask_migrate_made_works_with_ours(
    tmp_path: Path, options: list[str]
) -> None:
    if options:
        (tmp_path / "two").touch()
    run(tmp_path, "flask_migrate", "init", *options)
    said = run(tmp_path, OURS, "migrate", "-m", "first")
    assert "Detected added table 'user'" in said and "User (table user, app.py)" in said
    run(tmp_path, OURS, "upgrade")
    assert "(head)" in run(tmp_path, OURS, "current")
    assert "Nothing changed" in run(tmp_path, OURS, "migrate")
    assert "agree" in run(tmp_path, OURS, "check")
    assert "first" in run(tmp_path, "flask_migrate", "history")
    run(tmp_path, OURS, "downgrade", "base")
