"""``vial db``: from models to files to databases, and what it says on the way."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from isolating import isolated
from migrating import USER, Site

EMAIL = USER + "    email = db.Column(db.String(99))\n"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with isolated(monkeypatch, tmp_path):
        yield


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.slow
def test_a_program_is_migrated_there_and_back(site: Site) -> None:
    assert "Made migrations." in site.db("init")
    said = site.db("migrate", "-m", "users")
    assert "Models seen:\n  User (table user, models.py)\n" in said
    assert re.search(
        r"Made migrations/versions/\w+_users.py\. Read it, then: vial db upgrade", said
    )
    assert site.columns() == {}
    assert "no migration was taken" in site.db("current")
    assert "users" in site.db("upgrade")
    assert list(site.columns()) == ["id", "name"]
    site.write("models.py", EMAIL)
    assert "Detected added column 'user.email'" in site.db("migrate", "-m", "email")
    site.db("upgrade")
    assert list(site.columns()) == ["id", "name", "email"]
    assert "(head)" in site.db("current")
    history = site.db("history")
    assert history.index("email") < history.index("users")
    site.db("downgrade")
    assert list(site.columns()) == ["id", "name"]
    site.db("downgrade", "base")
    assert site.columns() == {}
    assert "Nothing to do" not in site.db("upgrade")
    assert site.db("upgrade") == "Nothing to do: the database has these migrations.\n"


def test_check_fails_while_models_and_database_differ(site: Site) -> None:
    site.made()
    assert "agree" in site.db("check")
    site.write("models.py", EMAIL)
    said = site.db("check", code=1)
    assert "Detected added column 'user.email'" in said
    assert "Error: The models have changes that no migration has. Write it: vial db migrate" in said
    assert len(site.versions) == 1


def test_nothing_is_written_where_nothing_changed(site: Site) -> None:
    site.made()
    assert "Nothing changed: the database has the shape of the models." in site.db("migrate")
    assert len(site.versions) == 1


@pytest.mark.slow
def test_tables_that_no_migration_made_are_explained(site: Site) -> None:
    site.db("init")
    site.ask("CREATE TABLE user (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL)")
    said = site.db("migrate")
    assert "Nothing changed" in said and "the tables were made without one" in said


def test_migrate_wants_the_database_at_the_newest_migration(site: Site) -> None:
    site.db("init")
    site.db("migrate")
    site.write("models.py", EMAIL)
    for word in ("migrate", "check"):
        said = site.db(word, code=1)
        assert re.search(
            r"Error: The database of the app is not at the newest migration: it is at none,"
            r" the newest is \w{12}\. Take what is missing first: vial db upgrade\n$",
            said,
        )
    assert len(site.versions) == 1


# -- models ----------------------------------------------------------------------------------


def package(site: Site) -> None:
    """A project whose views import no model."""
    (site.folder / "app.py").unlink()
    (site.folder / "models.py").unlink()
    factory = f"""
from vial import Vial
from .database import db

def create_app():
    app = Vial(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = {site.uri!r}
    db.init_app(app)
    return app
"""
    site.write("shop/__init__.py", factory)
    site.write("shop/database.py", "from vial.sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\n")
    model = """from ..database import db
class NAME(db.Model):
    id = db.Column(db.Integer, primary_key=True)
"""
    site.write("shop/models/__init__.py", "")
    site.write("shop/models/user.py", model.replace("NAME", "User"))
    site.write("shop/blog/__init__.py", "")
    site.write("shop/blog/models.py", model.replace("NAME", "Post"))
    site.write("shop/blog/other.py", model.replace("NAME", "Other"))
    site.write("shop/tests/test_x.py", model.replace("NAME", "Tested"))
    site.write("shop/__main__.py", "raise SystemExit('ran')\n")


@pytest.mark.slow
def test_models_that_nothing_imports_are_found_by_the_names_of_their_modules(site: Site) -> None:
    package(site)
    site.db("init", app="shop")
    said = site.db("migrate", app="shop")
    assert "  Post (table post, shop/blog/models.py)\n" in said
    assert "  User (table user, shop/models/user.py)\n" in said
    warning = "Warning: nothing imports what looks like a model: shop/blog/other.py:2 (Other)."
    assert warning in said
    assert "Tested" not in said
    site.db("upgrade", app="shop")
    assert site.columns("post") and site.columns() and not site.columns("other")
    assert site.db("check", app="shop").endswith("agree.\n")


def test_a_folder_that_is_not_here_is_found_beside_the_package(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package(site)
    site.db("init", app="shop")
    site.db("migrate", app="shop")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    site.db("upgrade", app=str(tmp_path / "shop"))
    assert site.columns()


def test_that_no_model_was_seen_is_a_warning(site: Site) -> None:
    (site.folder / "models.py").unlink()
    site.db("init")
    said = site.db("migrate")
    assert "Warning: no models were seen. They are classes that inherit from db.Model" in said


def test_a_model_module_that_fails_is_named_with_its_line(site: Site) -> None:
    site.db("init")
    site.write("models.py", "\nimport app\napp.nothing\n")
    said = site.db("migrate", code=1)
    assert "The module 'models' has models, and cannot be imported: AttributeError:" in said
    assert said.endswith("(models.py:3)\n")


TAG = "class Tag(db.Model):\n    id = db.Column(db.Integer, primary_key=True)\n"


@pytest.mark.slow
def test_rows_that_would_be_lost_are_warned_of(site: Site) -> None:
    site.made()
    renamed = USER.replace("name =", "title =").replace(
        "class", "class Tag(db.Model):\n    id = db.Column(db.Integer, primary_key=True)\nclass"
    )
    site.write("models.py", renamed)
    said = site.db("migrate")
    assert (
        "Warning: the migration drops the column 'user.name' and what is in it. If it was" in said
    )
    assert "Warning: the column 'user.title' is NOT NULL and has no server_default" in said
    site.db("upgrade")
    site.write("models.py", USER.replace("name =", "title ="))
    assert "Warning: the migration drops the table 'tag' and all its rows." in site.db("migrate")


MONEY = """
import sqlalchemy as sa

class Money(sa.types.TypeDecorator):
    impl = sa.Integer
    cache_ok = True
"""


def test_a_column_type_of_the_program_is_imported_by_the_migration(site: Site) -> None:
    site.write("money.py", MONEY)
    site.write("models.py", "import money\n" + USER.replace("db.String(30)", "money.Money()"))
    site.made()
    assert "import money\n" in site.versions[0].read_text()
    assert list(site.columns()) == ["id", "name"]


# -- SQLite ----------------------------------------------------------------------------------

CHILD = """
class Post(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("user.id", ondelete="CASCADE"))
"""


@pytest.mark.slow
def test_a_changed_table_of_sqlite_keeps_what_refers_to_its_rows(site: Site) -> None:
    site.write("models.py", USER + CHILD)
    site.made()
    site.ask("INSERT INTO user VALUES (1, 'ada')", "INSERT INTO post VALUES (7, 1)")
    site.write("models.py", USER.replace("String(30)", "String(60)") + CHILD)
    assert "Detected type change" in site.db("migrate")
    site.db("upgrade")
    assert site.columns()["name"]["type"].length == 60
    assert site.ask("SELECT * FROM post") == [(7, 1)]


@pytest.mark.slow
def test_rows_that_would_refer_to_nothing_stop_the_migration(site: Site) -> None:
    site.write("models.py", USER + CHILD)
    site.made()
    site.ask("INSERT INTO user VALUES (1, 'ada')", "INSERT INTO post VALUES (7, 1)")
    site.db("revision", "-m", "forget")
    step = site.versions[-1]
    step.write_text(step.read_text().replace("pass", "op.execute('DELETE FROM user')", 1))
    said = site.db("upgrade", code=1)
    assert "rows of the table 'post' would refer to rows of 'user' that are not there" in said
    assert site.ask("SELECT * FROM user") == [(1, "ada")]
    assert "users" in site.db("current", "-v")


@pytest.mark.slow
def test_a_migration_of_sqlite_that_fails_leaves_nothing_behind(site: Site) -> None:
    site.made()
    site.db("revision", "-m", "broken")
    step = site.versions[-1]
    broken = "op.create_table('half', sa.Column('id', sa.Integer()))\n    1 / 0"
    step.write_text(step.read_text().replace("pass", broken, 1))
    said = site.db("upgrade", code=1)
    line = step.read_text().splitlines().index("    1 / 0") + 1
    assert f"Error: migrations/versions/{step.name}:{line} failed: ZeroDivisionError: " in said
    assert "Traceback" not in said
    assert not site.columns("half") and "(head)" not in site.db("current")


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_in_debug_mode_the_traceback_is_printed_too(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.made()
    site.db("revision")
    step = site.versions[-1]
    step.write_text(step.read_text().replace("pass", "1 / 0", 1))
    said = site.db("upgrade", code=1, debug=True)
    assert "Traceback" in said and "failed: ZeroDivisionError" in said


@pytest.mark.slow
def test_a_statement_that_the_database_refuses_is_shown(site: Site) -> None:
    site.made()
    site.db("revision")
    step = site.versions[-1]
    step.write_text(step.read_text().replace("pass", "op.execute('DROP TABLE missing')", 1))
    said = site.db("upgrade", code=1)
    assert "failed: OperationalError: no such table: missing\n  DROP TABLE missing\n" in said


@pytest.mark.slow
def test_a_migration_with_a_syntax_error_is_named_with_its_line(site: Site) -> None:
    site.made()
    site.write("migrations/versions/bad.py", "revision = '1'\nif\n")
    for word in ("upgrade", "current", "history", "migrate"):
        said = site.db(word, code=1)
        assert said.endswith(
            "Error: migrations/versions/bad.py:2 failed: SyntaxError: invalid syntax\n"
        )


def test_a_missing_folder_is_told_with_what_makes_it(site: Site) -> None:
    for word in ("migrate", "upgrade", "current", "check"):
        said = site.db(word, code=1)
        assert "Error: There is no folder 'migrations' of migrations here." in said
        assert "'vial db init'" in said
    (site.folder / "migrations").mkdir()
    assert "'migrations' is no folder of migrations: it has no env.py" in site.db("upgrade", code=1)


def test_init_writes_over_nothing(site: Site) -> None:
    site.write("migrations/note.txt", "mine")
    assert "'migrations' is there already, and not empty" in site.db("init", code=1)
    assert [path.name for path in (site.folder / "migrations").iterdir()] == ["note.txt"]
    site.db("init", "-d", "steps", "--package")
    found = {str(p.relative_to(site.folder / "steps")) for p in (site.folder / "steps").rglob("*")}
    assert found == {
        *("__init__.py", "env.py", "script.py.mako"),
        *("versions", "versions/__init__.py"),
    }


@pytest.mark.slow
def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/missing/app.db")
    site.db("init")
    for word in ("migrate", "upgrade", "current"):
        said = site.db(word, code=1)
        assert "Error: The database cannot be reached: OperationalError: unable to open" in said


def test_a_driver_for_event_loops_is_told(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'app.db'}")
    site.db("init")
    assert "The driver in the database's URI is for event loops" in site.db("upgrade", code=1)


@pytest.mark.slow
def test_several_heads_are_told_and_joined(site: Site) -> None:
    site.made()
    site.db("revision", "-m", "one", "--rev-id", "one")
    base = re.search(r"revision = '(\w{12})'", site.versions[0].read_text())
    assert base
    site.db("revision", "-m", "two", "--rev-id", "two", "--head", base[1], "--splice")
    joined = "Join them first: vial db merge one two -m 'merge'"
    for word in ("migrate", "upgrade", "revision"):
        assert joined in site.db(word, code=1)
    assert "one (head)" in site.db("heads") and base[1] in site.db("branches")
    site.db("merge", "one", "two", "-m", "both")
    site.db("upgrade")
    assert "both" in site.db("show")


@pytest.mark.slow
def test_an_unknown_migration_is_told(site: Site) -> None:
    site.made()
    said = site.db("upgrade", "beef", code=1)
    assert (
        "Can't locate revision identified by 'beef'. The files are in migrations/versions" in said
    )
    site.ask("UPDATE alembic_version SET version_num = 'gone'")
    assert "Can't locate revision identified by 'gone'." in site.db("upgrade", code=1)


@pytest.mark.slow
def test_logging_is_afterwards_as_it_was(site: Site) -> None:
    logger = logging.getLogger("alembic")
    before = logger.level, logger.propagate, list(logger.handlers)
    site.made()
    assert (logger.level, logger.propagate, logger.handlers) == before


# -- options ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_sql_is_printed_and_nothing_else(site: Site) -> None:
    site.made()
    site.db("downgrade", "base")
    said = site.db("upgrade", "--sql")
    assert "CREATE TABLE user" in said
    assert site.columns() == {}
    assert "DROP TABLE user" in site.db("downgrade", "--sql", "head:base")
    assert "INSERT INTO alembic_version" in site.db("stamp", "--sql")


@pytest.mark.slow
def test_stamp_notes_a_migration_without_taking_it(site: Site) -> None:
    site.made()
    site.db("downgrade", "base")
    site.db("stamp")
    assert "(head)" in site.db("current") and site.columns() == {}
    site.db("stamp", "--purge", "base")
    assert "no migration was taken" in site.db("current")


@pytest.mark.slow
def test_options_reach_env_py_from_the_group_and_the_command(site: Site) -> None:
    site.db("-d", "steps", "init")
    env = site.folder / "steps" / "env.py"
    own = (
        "from alembic import context\nprint(context.get_x_argument(), context.get_tag_argument())\n"
    )
    env.write_text(env.read_text().replace("\nfrom vial", own + "\nfrom vial"))
    assert "['a=1']" in site.db("-d", "steps", "-x", "a=1", "migrate")
    assert "['b=2'] v1" in site.db("upgrade", "-d", "steps", "-x", "b=2", "--tag", "v1")


# -- several databases -----------------------------------------------------------------------

LOG = (
    USER
    + """
class Log(db.Model):
    __bind_key__ = "logs-1"
    id = db.Column(db.Integer, primary_key=True)
"""
)


@pytest.mark.slow
def test_each_bind_has_functions_of_its_own(tmp_path: Path) -> None:
    logs = f"sqlite:///{tmp_path / 'logs.db'}"
    site = Site(tmp_path)
    site.made()  # before there was another database
    Site(tmp_path, **{"logs-1": logs})
    site.write("models.py", LOG)
    assert "is not at the newest migration" in site.db("migrate", code=1)
    site.db("upgrade")
    said = site.db("migrate", "-m", "logs")
    assert "Log (table log of the bind 'logs-1', models.py)" in said
    text = site.versions[-1].read_text()
    assert "def upgrade() -> None:" in text and "def upgrade_logs_1() -> None:" in text
    site.db("upgrade")
    assert list(site.columns()) == ["id", "name"] and site.columns("log") == {}
    assert list(site.columns("log", logs)) == ["id"] and site.columns("user", logs) == {}
    said = site.db("current")
    assert re.fullmatch(r"app: \w+ \(head\)\nlogs-1: \w+ \(head\)\n", said)
    assert "Nothing changed" in site.db("migrate")
    site.db("check")
    said = site.db("upgrade", "--sql", "base:head")
    assert said.index("CREATE TABLE user") < said.index("-- the bind 'logs-1'")
    assert said.index("-- the bind 'logs-1'") < said.index("CREATE TABLE log")
    site.db("downgrade", "base")
    assert site.columns() == site.columns("log", logs) == {}


def test_two_names_of_one_database_are_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, **{"logs-1": f"sqlite:///{tmp_path / 'app.db'}"})
    site.db("init")
    said = site.db("migrate", code=1)
    assert "two names for one database: the database of the app, the bind 'logs-1'." in said


# -- for programs ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_folder_with_an_env_py_of_its_own_works(site: Site) -> None:
    site.db("init")
    site.write(
        "migrations/env.py",
        "from alembic import context\n"
        "from app import db\n"
        "with db.engine.connect() as connection:\n"
        "    context.configure(connection=connection, target_metadata=db.metadata)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n",
    )
    assert "Detected added table 'user'" in site.db("migrate")
    assert "Running upgrade" in site.db("upgrade")
    assert list(site.columns()) == ["id", "name"]
    assert "Nothing changed" in site.db("migrate")
    assert "(head)" in site.db("current")
    assert "Nothing to do" in site.db("upgrade")


@pytest.mark.slow
def test_a_migrate_object_says_how(site: Site) -> None:
    app = site.folder / "app.py"
    app.write_text(
        app.read_text()
        + """
from vial.sqlalchemy.migrating import Migrate
migrate = Migrate(app, db, "steps", command="steps", compare_type=False, version_table="steps")

@migrate.configure
def numbered(config):
    config.set_main_option("file_template", "0001_%%(slug)s")
    return config
"""
    )
    site.db("init")
    site.db("migrate", "-m", "first")
    assert [p.name for p in (site.folder / "steps" / "versions").iterdir()] == ["0001_first.py"]
    site.db("upgrade")
    assert site.ask("SELECT count(*) FROM steps") == [(1,)]
    site.write("models.py", USER.replace("String(30)", "String(60)"))
    assert "Nothing changed" in site.db("migrate")
