"""Programs with a database, written file by file, and ``vial db`` run on them in this process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner

from vial.cli import ScriptInfo, cli

APP = """
from vial import Vial
from vial.sqlalchemy import SQLAlchemy

app = Vial(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = {uri!r}
app.config["SQLALCHEMY_BINDS"] = {binds!r}
db = SQLAlchemy(app)
"""
USER = """
from app import db

class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(30), nullable=False)
"""


class Site:
    """A folder with ``app.py``, whose database is beside it, and ``models.py``."""

    def __init__(self, folder: Path, uri: str = "", **binds: str) -> None:
        self.folder = folder
        self.uri = uri or f"sqlite:///{folder / 'app.db'}"
        self.write("app.py", APP.format(uri=self.uri, binds=binds))
        self.write("models.py", USER)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def db(self, *words: str, code: int = 0, app: str | None = None, debug: bool = False) -> str:
        """What ``vial db`` says; the program is imported anew, as by a new process."""
        self.forget()
        info = ScriptInfo(app_import_path=app)
        line = ["--debug"] * debug + ["db", *words]
        result = CliRunner().invoke(cli, line, obj=info)
        if info._loaded_app is not None:
            with info._loaded_app.app_context():
                for engine in info._loaded_app.extensions["sqlalchemy"].engines.values():
                    engine.dispose()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output

    def forget(self) -> None:
        for name, module in [*sys.modules.items()]:
            if str(self.folder) in str(getattr(module, "__file__", "")):
                del sys.modules[name]
        importlib.invalidate_caches()

    @property
    def versions(self) -> list[Path]:
        """The files of the migrations, oldest first."""
        paths = (self.folder / "migrations" / "versions").glob("*.py")
        return sorted(paths, key=lambda path: path.stat().st_mtime_ns)

    def made(self) -> None:
        """Have the first migration, taken."""
        for words in (["init"], ["migrate", "-m", "users"], ["upgrade"]):
            self.db(*words)

    def ask(self, *statements: str, uri: str = "") -> list[Any]:
        """Rows of the last of these statements, which are committed."""
        engine = sa.create_engine(uri or self.uri)
        rows: list[Any] = []
        with engine.begin() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
                rows = [tuple(row) for row in result] if result.returns_rows else []
        engine.dispose()
        return rows

    def columns(self, table: str = "user", uri: str = "") -> dict[str, Any]:
        """Columns by name; empty where there is no table."""
        engine = sa.create_engine(uri or self.uri)
        found = sa.inspect(engine)
        columns = found.get_columns(table) if found.has_table(table) else []
        engine.dispose()
        return {column["name"]: column for column in columns}
