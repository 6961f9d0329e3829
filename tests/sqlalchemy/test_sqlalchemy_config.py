"""What the config says, what is decided without it, and what is told where it is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vial import Vial
from vial.flask_mode import Flask
from vial.sqlalchemy import SQLAlchemy, engines, pinging
from vial.sqlalchemy.engines import async_url
from vial.sqlalchemy.record_queries import get_recorded_queries
from vial.sqlalchemy.track_modifications import before_models_committed, models_committed


def made(folder: Path, cls: type[Vial] = Vial, /, **config: Any) -> tuple[Vial, Any]:
    app = cls("config", instance_path=str(folder))
    app.config.update({f"SQLALCHEMY_{key}": value for key, value in config.items()})
    return app, SQLAlchemy(app)


def options_of(app: Vial, db: Any, key: str | None = None) -> tuple[str, Any]:
    with app.app_context():
        engine = db.engines[key]
        return engine.url.render_as_string(), engine.pool


def test_without_a_uri_it_is_a_file_in_the_instance_folder(tmp_path: Path) -> None:
    assert options_of(*made(tmp_path))[0] == f"sqlite:///{tmp_path}/app.db"


def test_in_flask_mode_a_uri_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="'SQLALCHEMY_DATABASE_URI' or 'SQLALCHEMY_BINDS'"):
        made(tmp_path, Flask)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///x.db", "{}/x.db"),
        ("sqlite:////tmp/x.db", "/tmp/x.db"),
        ("sqlite:///file:x.db?uri=true", "file%3A{}/x.db?uri=true"),
    ],
)
def test_a_relative_path_is_one_in_the_instance_folder(tmp_path: Path, uri: str, path: str) -> None:
    url, _ = options_of(*made(tmp_path, DATABASE_URI=uri))
    assert url == f"sqlite:///{path.format(tmp_path)}"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_one_database_for_all_threads(tmp_path: Path, uri: str) -> None:
    assert isinstance(options_of(*made(tmp_path, DATABASE_URI=uri))[1], sa.StaticPool)


def test_binds_have_options_of_their_own(tmp_path: Path) -> None:
    app = Vial("config", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://u@h/d"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 3}
    app.config["SQLALCHEMY_BINDS"] = {
        "a": "sqlite:///a.db",
        "b": {"url": "mysql+pymysql://h/d", "pool_recycle": 5},
        "c": "mariadb+pymysql://h/d",
    }
    db = SQLAlchemy(app, engine_options={"pool_recycle": 60, "pool_timeout": 1})
    pools = {key: options_of(app, db, key)[1] for key in (None, "a", "b", "c")}
    assert {k: p._recycle for k, p in pools.items()} == {None: 60, "a": 60, "b": 5, "c": 60}
    assert pools[None].size() == 3
    assert options_of(app, db, "b")[0] == "mysql+pymysql://h/d?charset=utf8mb4"


@pytest.mark.parametrize(("cls", "asks", "timeout"), [(Vial, 1, 10), (Flask, 0, 30)])
def test_connections_are_asked_before_use_but_in_flask_mode_or_where_the_program_decides(
    tmp_path: Path, cls: type[Vial], asks: int, timeout: int
) -> None:
    _, pool = options_of(*made(tmp_path, cls, DATABASE_URI="postgresql+psycopg://h/d"))
    assert (len(pool.dispatch.checkout), pool._timeout) == (asks, timeout)
    for wanted in (True, False):
        own = {"pool_pre_ping": wanted}
        app, db = made(tmp_path, cls, DATABASE_URI="postgresql+psycopg://h/d", ENGINE_OPTIONS=own)
        _, pool = options_of(app, db)
        assert (len(pool.dispatch.checkout), pool._pre_ping) == (0, wanted)


@pytest.mark.parametrize(("cls", "found"), [(Vial, (1, "wal", 1)), (Flask, (0, "delete", 2))])
def test_sqlite_checks_references_and_writes_ahead_but_in_flask_mode(
    tmp_path: Path, cls: type[Vial], found: Any
) -> None:
    app, db = made(tmp_path, cls, DATABASE_URI="sqlite:///x.db")
    names = ("foreign_keys", "journal_mode", "synchronous")
    with app.app_context():
        pragmas = tuple(db.session.scalar(db.text(f"PRAGMA {name}")) for name in names)
        db.session.remove()
        db.engine.dispose()
    assert pragmas == found


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("postgres://h/d", "Write 'postgresql://' where it says 'postgres://'"),
        ("nonsense://h/d", "SQLAlchemy knows no database nonsense://h/d"),
        ("mysql+mysqldb://u:secret@h/d", "needs the package 'MySQLdb', which is not installed"),
    ],
)
def test_a_uri_that_cannot_be_used_is_told(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message) as caught:
        made(tmp_path, DATABASE_URI=uri)
    assert "secret" not in str(caught.value)


def test_the_uri_may_be_one_of_the_engine_options_or_of_the_binds(tmp_path: Path) -> None:
    url = "sqlite:////tmp/x.db"
    for config in (
        {"ENGINE_OPTIONS": {"url": url}},
        {"BINDS": {None: url}, "ENGINE_OPTIONS": None},
    ):
        assert options_of(*made(tmp_path, **config))[0] == url
    with pytest.raises(RuntimeError, match=r"SQLALCHEMY_BINDS\['a'\] has no 'url'"):
        made(tmp_path, BINDS={"a": {"pool_size": 3}})


def test_an_app_has_one_instance_and_must_be_known_to_it(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite://")
    with pytest.raises(RuntimeError, match="already been registered"):
        SQLAlchemy(app)
    with Vial("other").app_context(), pytest.raises(RuntimeError, match="not registered with this"):
        db.engines
    assert repr(db) == "<SQLAlchemy>"
    with app.app_context():
        assert repr(db) == "<SQLAlchemy sqlite://>"


def test_a_bind_key_that_is_not_in_the_config_is_told(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite://")

    class Odd(db.Model):  # type: ignore[misc]
        __bind_key__ = "odd"
        id = db.Column(db.Integer, primary_key=True)

    with app.app_context():
        for action in (db.create_all, lambda: db.session.execute(db.select(Odd))):
            with pytest.raises(sa.exc.UnboundExecutionError, match="Bind key 'odd' is not in"):
                action()
        db.session.remove()
        db.engine.dispose()


def test_a_name_that_nobody_has_is_told(tmp_path: Path) -> None:
    db = SQLAlchemy()
    assert db.Integer is sa.Integer
    assert db.joinedload is sa.orm.joinedload
    assert db.event is sa.event
    with pytest.raises(AttributeError, match="no attribute 'Integr'"):
        db.Integr


def test_queries_are_recorded_where_the_config_says_so(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite://", RECORD_QUERIES=True)
    with app.app_context():
        assert get_recorded_queries() == []
        db.session.execute(db.text("SELECT :n"), {"n": 3})
        (query,) = get_recorded_queries()
        assert (query.statement, tuple(query.parameters)) == ("SELECT ?", ((3,),))
        assert 0 <= query.duration < 30
        db.session.remove()
        db.engine.dispose()
    with app.app_context():
        assert get_recorded_queries() == []


@pytest.mark.parametrize("tracks", [True, False])
def test_changes_are_told_by_signals_where_the_config_says_so(tmp_path: Path, tracks: bool) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite://", TRACK_MODIFICATIONS=tracks)
    told: list[Any] = []

    class Thing(db.Model):  # type: ignore[misc]
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String)

    def note(sender: Any, changes: Any) -> None:
        assert sender is app
        told.extend((thing.text, operation) for thing, operation in changes)

    with models_committed.connected_to(note), app.app_context():
        db.create_all()
        thing = Thing(text="a")
        db.session.add(thing)
        db.session.commit()
        thing.text = "b"
        db.session.commit()
        thing.text = "c"
        db.session.rollback()
        db.session.delete(thing)
        db.session.commit()
        db.session.remove()
        db.engine.dispose()
    expected = [("a", "insert"), ("b", "update"), ("b", "delete")]
    assert told == (expected if tracks else [])
    assert before_models_committed.name == "before-models-committed"


def test_a_shell_knows_the_database_and_the_models(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite://")

    class Known(db.Model):  # type: ignore[misc]
        id = db.Column(db.Integer, primary_key=True)

    with app.app_context():
        names = app.make_shell_context()
    assert names["db"] is db
    assert names["Known"] is Known


@pytest.mark.parametrize(
    ("uri", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("postgresql://h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg"),
        ("mysql+pymysql://h/d", "mysql+asyncmy"),
        ("mariadb+pymysql://h/d", "mariadb+asyncmy"),
    ],
)
def test_async_engines_take_the_driver_that_is_installed(uri: str, driver: str) -> None:
    assert async_url(sa.make_url(uri), {}).drivername == driver
    assert async_url(sa.make_url("mysql+pymysql://h/d"), {"mysql": "aiomysql"}).drivername == (
        "mysql+aiomysql"
    )


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite://", "database in memory"),
        ("mssql+pymssql://h/d", "install aioodbc"),
        ("oracle://h/d", "SQLALCHEMY_ASYNC_DRIVERS"),
    ],
)
def test_where_there_is_no_async_driver_it_is_told(
    monkeypatch: pytest.MonkeyPatch, uri: str, message: str
) -> None:
    monkeypatch.delitem(engines._ASYNC_DRIVERS, "oracle")
    with pytest.raises(RuntimeError, match=message):
        async_url(sa.make_url(uri), {})


def test_async_sessions_need_a_loop(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite:///x.db")
    with app.app_context(), pytest.raises(RuntimeError, match="'async def' functions"):
        db.async_engine


def test_sessions_can_be_scoped_in_another_way(tmp_path: Path) -> None:
    app = Vial("config", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    scope = ["a"]
    db = SQLAlchemy(app, session_options={"scopefunc": lambda: scope[0]})
    with app.app_context():
        first = db.session()
        scope[0] = "b"
        assert db.session() is not first
        db.session.remove()


def test_get_engine_takes_the_key_under_its_former_name_too(tmp_path: Path) -> None:
    app, db = made(tmp_path, BINDS={"logs": "sqlite:///logs.db"}, DATABASE_URI="sqlite://")
    with app.app_context():
        assert db.get_engine(bind="logs") is db.get_engine("logs") is db.engines["logs"]
        assert db.get_engine(app=app) is db.engine


def test_a_bind_without_an_async_driver_is_in_nobodys_way(tmp_path: Path) -> None:
    app, db = made(tmp_path, DATABASE_URI="sqlite:///x.db", BINDS={"memory": "sqlite://"})

    async def ask() -> Any:
        with app.app_context():
            answer = await db.async_session.scalar(db.text("SELECT 1"))
            await db.dispose()
            return answer

    assert asyncio.run(ask()) == 1


def test_a_sync_session_in_an_async_view_is_told_in_debug_mode(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, BLOCKING.db = made(tmp_path, DATABASE_URI="sqlite:///x.db")
    app.debug = True
    app.add_url_rule("/", view_func=asking)
    assert app.test_client().get("/").text == "1"
    assert "asking calls BLOCKING.db.session.scalar() in line" in caplog.text
    assert "Write await db.async_session.…, or" in caplog.text
    with app.app_context():
        BLOCKING.db.engine.dispose()


class BLOCKING:
    db: Any = None


async def asking() -> str:
    return str(BLOCKING.db.session.scalar(BLOCKING.db.text("SELECT 1")))


def test_only_connections_that_rested_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.QueuePool, pool_size=1)
    asked: list[Any] = []
    monkeypatch.setattr(engine.dialect, "do_ping", lambda one: not asked.append(one))
    pinging.listen(engine)
    for rest, times in ((60, 0), (0, 2)):
        monkeypatch.setattr(pinging, "REST", rest)
        for _ in range(2):
            engine.connect().close()
        assert len(asked) == times
    engine.dispose()
