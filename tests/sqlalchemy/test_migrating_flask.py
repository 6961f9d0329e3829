"""Programs written for Flask-Migrate, which is not installed here, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from migrating import Site

pytestmark = pytest.mark.slow

PROGRAM = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
migrate = Migrate()

class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50))

def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///" + app.root_path + "/app.db"
    db.init_app(app)
    migrate.init_app(app, db)
    return app
"""
# Some programs migrate when they start.
START = """
import sys, vial
vial.install_as_flask()
from program import create_app

app = create_app()
print("alembic" in sys.modules)
from flask_migrate import current, downgrade, init, migrate, upgrade
with app.app_context():
    init()
    migrate(message="users")
    upgrade()
    current()
    downgrade(revision="base")
from flask_migrate.cli import db
print(app.cli.commands["db"] is db)
"""


def run(folder: Path, *words: str) -> str:
    (folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_the_command_line_is_that_of_flask_migrate(tmp_path: Path) -> None:
    site = Site(tmp_path)
    line = ("-m", "vial", "--app", "program", "db")
    for words in (["init"], ["migrate", "-m", "users"], ["upgrade"], ["current"]):
        said = run(tmp_path, *line, *words)
    assert "(head)" in said
    assert list(site.columns()) == ["id", "name"]


def test_the_functions_are_those_of_flask_migrate(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text(START)
    said = run(tmp_path, "start.py").splitlines()
    assert said[0] == "False", "Alembic was loaded by an app that migrates nothing"
    assert said[1] == "Made migrations. Next: vial db migrate -m 'first tables'"
    assert any(line.endswith("(head)") for line in said)
    assert said[-1] == "True"
