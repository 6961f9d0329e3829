"""Flask-Migrate: ``flask db`` makes and runs migrations."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from flask import Flask
from flask_migrate import Migrate, downgrade, init, migrate, revision, upgrade
from flask_sqlalchemy import SQLAlchemy

PROGRAM = """
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
NAME = "    name = db.Column(db.String(50))\n"


@pytest.fixture(autouse=True)
def loggers_go_on() -> Iterator[None]:
    # The env.py that is made configures logging from a file, which turns off those there are.
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    loggers = [x for x in root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    were = [(logger, logger.disabled) for logger in loggers]
    yield
    for logger, disabled in were:
        logger.disabled = disabled
    root.handlers[:] = before
    root.setLevel(level)


def columns(folder: Path, table: str = "user", database: str = "app.db") -> list[str]:
    engine = sqlalchemy.create_engine(f"sqlite:///{folder / database}")
    try:
        found = sqlalchemy.inspect(engine)
        return [c["name"] for c in found.get_columns(table)] if found.has_table(table) else []
    finally:
        engine.dispose()


def site(folder: Path, **config: Any) -> tuple[Flask, SQLAlchemy]:
    app = Flask("program", root_path=str(folder))
    app.config |= {"SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'app.db'}", **config}
    db = SQLAlchemy(app)
    Migrate(app, db, directory=str(folder / "migrations"))

    class User(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)

    app.add_url_rule("/", "count", lambda: str(db.session.query(User).count()))
    return app, db


def run(app: Flask, *words: str, code: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=["db", *words])
    assert result.exit_code == code, result.output
    return str(result.output)


def test_the_command_line_migrates_there_and_back(tmp_path: Path) -> None:
    def db(*words: str) -> str:
        run = [sys.executable, "-m", "flask", "--app", "program", "db", *words]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    db("init")
    assert "Detected added table 'user'" in db("migrate", "-m", "users")
    assert columns(tmp_path) == []
    db("upgrade")
    assert columns(tmp_path) == ["id", "name"]
    program.write_text(PROGRAM.replace(NAME, f"{NAME}{NAME.replace('name', 'email')}"))
    db("migrate", "-m", "email")
    db("upgrade")
    assert columns(tmp_path) == ["id", "name", "email"]
    assert "(head)" in db("current")
    assert "email" in db("history")
    db("downgrade")
    assert columns(tmp_path) == ["id", "name"]


def test_migrations_run_there_and_back_from_the_test_runner(tmp_path: Path) -> None:
    app, _ = site(tmp_path)
    for word in ("init", "migrate", "upgrade", "current"):
        run(app, word)
    assert columns(tmp_path) == ["id"]
    run(app, "downgrade")
    assert columns(tmp_path) == []
    assert "Perform database migrations" in app.test_cli_runner().invoke(args=["--help"]).output


def test_a_failed_command_says_why_and_exits_with_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = site(tmp_path)
    with caplog.at_level(logging.ERROR, "flask_migrate"):
        run(app, "upgrade", code=1)
    assert "Path doesn't exist" in caplog.text
    run(app, "init")
    told = run(app, "upgrade", "beef", code=1)  # logged as the env.py says
    assert "Can't locate revision identified by 'beef'" in told


def test_a_program_migrates_in_its_own_app_context_and_is_asked(
    tmp_path: Path, assert_fast: Any, over_asgi: Any
) -> None:
    app, _ = site(tmp_path)
    with app.app_context():
        init()
        migrate(message="users")
        upgrade()
    assert columns(tmp_path) == ["id"]
    assert app.test_client().get("/").text == over_asgi(app, "/").text == "0"
    with app.app_context():
        downgrade()
    assert columns(tmp_path) == []
    assert_fast(app)


def test_each_of_several_databases_is_migrated(tmp_path: Path) -> None:
    binds = {"other": f"sqlite:///{tmp_path / 'other.db'}"}
    app, db = site(tmp_path, SQLALCHEMY_BINDS=binds)

    class Log(db.Model):  # type: ignore[name-defined, misc]
        __bind_key__ = "other"
        id = db.Column(db.Integer, primary_key=True)

    for words in (["init", "--multidb"], ["migrate"], ["upgrade"]):
        run(app, *words)
    assert columns(tmp_path) == columns(tmp_path, "log", "other.db") == ["id"]
    assert columns(tmp_path, "log") == columns(tmp_path, "user", "other.db") == []


def test_what_the_app_configures_reaches_alembic(tmp_path: Path) -> None:
    app, _ = site(tmp_path)
    extension = app.extensions["migrate"].migrate

    @extension.configure
    def named_by_number(config: Any) -> Any:
        config.set_main_option("file_template", "0001_%%(slug)s")
        return config

    with app.app_context():
        init()
        revision(message="first step")
    versions = tmp_path / "migrations" / "versions"
    assert [file.name for file in versions.glob("*.py")] == ["0001_first_step.py"]
