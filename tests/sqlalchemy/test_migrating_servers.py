"""``vial db`` on PostgreSQL and MariaDB, each test in a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import SERVERS, database
from isolating import isolated
from migrating import Site
from serving import wait_for

from vial.sqlalchemy.migrating.locking import LOCKS

pytestmark = pytest.mark.service

FIRST = """
import enum
import sqlalchemy as sa
from app import db

class Kind(enum.Enum):
    reader = 1
    writer = 2

class User(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(30), nullable=False)
    note = sa.Column(sa.String(10))
    kind = sa.Column(sa.Enum(Kind, name="kind"), nullable=False)
"""
SECOND = """
import enum
import sqlalchemy as sa
from app import db

class Kind(enum.Enum):
    reader = 1
    writer = 2

class Colour(enum.Enum):
    red = 1
    blue = 2

class User(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    title = sa.Column(sa.String(60), nullable=False)
    kind = sa.Column(sa.Enum(Kind, name="kind"), nullable=True)
    colour = sa.Column(
        sa.Enum(Colour, name="colour"), nullable=False, server_default="red", index=True
    )
    age = sa.Column(sa.Integer, nullable=False, server_default="18")

class Post(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    user_id = sa.Column(sa.ForeignKey(User.id, name="fk_post_user"), index=True)
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with isolated(monkeypatch, tmp_path):
        yield


@pytest.fixture(params=SERVERS)
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as url:
        yield url.replace("mariadb+", "mysql+", 1)  # most programs call it so


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    with database("postgresql", tmp_path) as url:
        yield url


def test_the_whole_life_of_a_schema(tmp_path: Path, uri: str) -> None:
    site = Site(tmp_path, uri)
    site.write("models.py", FIRST)
    site.made()
    quoted = '"user"' if "postgresql" in uri else "`user`"
    site.ask(f"INSERT INTO {quoted} (name, kind) VALUES ('ada', 'writer')")
    site.write("models.py", SECOND)
    said = site.db("migrate", "-m", "second")
    assert "drops the column 'user.name'" in said
    rename(site.versions[-1])
    site.db("upgrade")
    assert site.ask(f"SELECT title, kind, colour, age FROM {quoted}") == [
        ("ada", "writer", "red", 18)
    ]
    assert site.columns()["kind"]["nullable"] and not site.columns()["age"]["nullable"]
    assert "agree" in site.db("check")
    sql = site.db("upgrade", "--sql")
    assert "CREATE TABLE post" in sql and "alembic_version" in sql
    site.db("downgrade", "base")
    assert site.columns() == site.columns("post") == {}
    site.db("upgrade")
    assert "agree" in site.db("check")
    site.db("downgrade", "base")


def rename(path: Path) -> None:
    """Do by hand what a person does who reads a migration: the new name keeps the values."""
    step = (
        "batch_op.alter_column({!r}, new_column_name={!r}, type_=sa.String({}),"
        " existing_type=sa.String({}), existing_nullable=False)"
    )
    there, back = step.format("name", "title", 60, 30), step.format("title", "name", 30, 60)
    lines = []
    for line in path.read_text().splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if "'title'" in line and "add_column" in line:
            line = indent + there
        elif "'name'" in line and "add_column" in line:
            line = indent + back
        elif "drop_column('name')" in line or "drop_column('title')" in line:
            continue
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")


def types(uri: str) -> list[str]:
    engine = sa.create_engine(uri)
    names = [kind["name"] for kind in sa.inspect(engine).get_enums()]  # type: ignore[attr-defined]
    engine.dispose()
    return sorted(names)


def test_types_of_postgresql_come_and_go_with_the_columns_that_have_them(
    tmp_path: Path, postgresql: str
) -> None:
    site = Site(tmp_path, postgresql)
    site.write("models.py", FIRST)
    site.made()
    site.write("models.py", SECOND)
    site.db("migrate")
    site.db("upgrade")
    assert types(postgresql) == ["colour", "kind"]
    site.write("models.py", FIRST)
    site.db("migrate")
    site.db("upgrade")
    assert types(postgresql) == ["kind"]
    site.db("downgrade")
    assert types(postgresql) == ["colour", "kind"]
    site.db("downgrade", "base")
    assert types(postgresql) == []


SHARED = """
class {}(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    kind = sa.Column(sa.Enum(Kind, name="kind"))
"""


@pytest.mark.parametrize("made_with", ["postgresql", "sqlite"])
def test_a_type_that_several_tables_have_is_made_once(
    tmp_path: Path, postgresql: str, made_with: str
) -> None:
    site = Site(tmp_path, postgresql if made_with == "postgresql" else "")
    site.write("models.py", FIRST + SHARED.format("Second"))
    site.made()
    site.write("models.py", FIRST + SHARED.format("Second") + SHARED.format("Third"))
    site.db("migrate")
    site.db("upgrade")
    site.write("models.py", FIRST.replace("kind = ", "# "))
    site.db("migrate")
    site.db("upgrade")
    if made_with == "sqlite":
        site = Site(tmp_path, postgresql)
        site.write("models.py", FIRST.replace("kind = ", "# "))
        site.db("upgrade")
        assert types(postgresql) == ["kind"]  # SQLite does not say that a column had it
        return
    assert types(postgresql) == []
    site.db("downgrade")
    assert types(postgresql) == ["kind"]
    site.db("downgrade", "base")
    assert types(postgresql) == []
    site.db("upgrade")


def test_migrations_made_with_sqlite_have_the_types_of_postgresql(
    tmp_path: Path, postgresql: str
) -> None:
    site = Site(tmp_path)
    site.write("models.py", FIRST)
    site.made()
    site.write("models.py", SECOND)
    site.db("migrate")
    site.db("upgrade")
    deployed = Site(tmp_path, postgresql)
    deployed.write("models.py", SECOND)
    deployed.db("upgrade")
    assert types(postgresql) == ["colour", "kind"]
    assert "agree" in deployed.db("check")
    deployed.db("downgrade", "base")
    assert types(postgresql) == []


def test_two_deploys_at_once_take_each_step_once(tmp_path: Path, uri: str) -> None:
    """The first waits inside its step for the file that is made when the second waits as well."""
    site = Site(tmp_path, uri)
    site.made()
    site.db("revision", "-m", "slow")
    step = site.versions[-1]
    wait = (
        "import pathlib, time\n"
        "    pathlib.Path('begun').touch()\n"
        "    while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "    op.create_table('once', sa.Column('id', sa.Integer()))"
    )
    step.write_text(step.read_text().replace("pass", wait, 1))
    command = [sys.executable, "-u", "-m", "vial", "db", "upgrade"]
    outputs = [tmp_path / "first.txt", tmp_path / "second.txt"]
    deploys = []
    try:
        for output in outputs:
            with output.open("wb") as file:
                deploys.append(
                    subprocess.Popen(
                        command, cwd=tmp_path, env=dict(os.environ), stdout=file, stderr=file
                    )
                )
            if output is outputs[0]:
                wait_for("the first step", (tmp_path / "begun").exists)
        wait_for("the second process", lambda: "Waiting: another" in outputs[1].read_text())
        (tmp_path / "go").touch()
        codes = [deploy.wait(60) for deploy in deploys]
    finally:
        for deploy in deploys:
            deploy.kill()
            deploy.wait()
    assert codes == [0, 0], [output.read_text() for output in outputs]
    assert "slow" in outputs[0].read_text()
    assert "Nothing to do" in outputs[1].read_text()


def test_a_step_that_fails_gives_the_lock_back(tmp_path: Path, uri: str) -> None:
    site = Site(tmp_path, uri)
    site.made()
    site.db("revision")
    step = site.versions[-1]
    text = step.read_text()
    step.write_text(text.replace("pass", "op.execute('DROP TABLE missing')", 1))
    assert "\n  DROP TABLE missing" in site.db("upgrade", code=1)
    step.write_text(text)
    site.db("upgrade")
    engine = sa.create_engine(uri)
    with engine.connect() as connection:
        take, give_back = LOCKS[connection.dialect.name]
        assert connection.exec_driver_sql(take).scalar()
        assert connection.exec_driver_sql(give_back).scalar()
    engine.dispose()


def test_a_server_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    site = Site(tmp_path, "postgresql+psycopg://postgres:secret@127.0.0.1:9/test")
    site.db("init")
    said = site.db("upgrade", code=1)
    assert said.startswith("Error: The database cannot be reached: OperationalError: ")
    assert "secret" not in said and "Traceback" not in said


def test_two_kinds_of_databases_migrate_together(tmp_path: Path, postgresql: str) -> None:
    site = Site(tmp_path, logs=postgresql)
    model = """
class Log(db.Model):
    __bind_key__ = "logs"
    id = db.Column(db.Integer, primary_key=True)
    kind = db.Column(db.Enum("a", "b", name="kind"))
"""
    site.write("models.py", (tmp_path / "models.py").read_text() + model)
    site.made()
    assert list(site.columns("log", postgresql)) == ["id", "kind"]
    assert "agree" in site.db("check")
    site.db("downgrade", "base")
    assert types(postgresql) == [] and site.columns() == {}
