"""Databases that cannot be had: a clear error, a 503, and an app that recovers by itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cases.entrance_rsgi import Rsgi
from cases.entrances import Asgi, Ask, Wsgi
from clusters import Cluster, cluster
from databases import EACH, database

from vial import Vial
from vial.concurrency import run_on_loop
from vial.flask_mode import Flask
from vial.sqlalchemy import DatabaseUnavailable, SQLAlchemy

#: Nobody listens there.
NOWHERE = "postgresql+psycopg://postgres@127.0.0.1:9/none"


def make_app(url: str, cls: type[Vial] = Vial, **options: Any) -> Any:
    app: Any = cls("unavailable")
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)
    app.db = db = SQLAlchemy(app)

    @app.get("/sync")
    def sync_view() -> str:
        return str(db.session.scalar(db.text("SELECT 1")))

    @app.get("/async")
    async def async_view() -> str:
        return str(await db.async_session.scalar(db.text("SELECT 1")))

    @app.get("/wrong")
    def wrong() -> str:
        return str(db.session.scalar(db.text("SELECT nonsense")))

    return app


async def dispose(app: Any) -> None:
    with app.app_context():
        await app.db.dispose()


@contextmanager
def disposing(app: Any) -> Iterator[Any]:
    try:
        yield app.test_client()
    finally:
        run_on_loop(dispose(app))


@pytest.mark.parametrize("target", ["/sync", "/async"])
def test_a_server_that_is_not_there_is_503_with_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture, target: str
) -> None:
    app = make_app(NOWHERE)
    with disposing(app) as client:
        response = client.get(target)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer: " in caplog.text


def test_the_answer_is_that_of_the_apps_own_handlers(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(NOWHERE)
    app.errorhandler(503)(lambda e: ("own 503", 503))
    with disposing(app) as client:
        assert client.get("/sync").text == "own 503"
    app = make_app(NOWHERE)
    app.errorhandler(DatabaseUnavailable)(lambda e: ("own", 500))
    with disposing(app) as client:
        assert client.get("/sync").text == "own"


def test_in_debug_mode_the_error_itself_is_seen() -> None:
    app = make_app(NOWHERE)
    app.debug = True
    with disposing(app) as client, pytest.raises(DatabaseUnavailable):
        client.get("/sync")


def test_in_flask_mode_errors_are_sqlalchemys_own() -> None:
    app = make_app(NOWHERE, Flask)
    app.testing = True
    with disposing(app) as client, pytest.raises(sa.exc.OperationalError) as caught:
        client.get("/sync")
    assert not isinstance(caught.value, DatabaseUnavailable)


@pytest.mark.parametrize("kind", EACH)
def test_a_wrong_statement_is_no_lost_connection(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as url:
        with disposing(make_app(url)) as client:
            assert client.get("/wrong").status_code == 500
        app = make_app(url)
        app.errorhandler(sa.exc.SQLAlchemyError)(lambda e: type(e).__name__)
        with disposing(app) as client:
            assert client.get("/wrong").text in ("OperationalError", "ProgrammingError")


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("target", ["/sync", "/async"])
def test_an_exhausted_pool_is_503_and_recovers(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, kind: str, target: str
) -> None:
    with database(kind, tmp_path) as url:
        app = make_app(url, pool_size=1, max_overflow=0, pool_timeout=0.05)
        with disposing(app) as client:
            assert client.get(target).text == "1"
            engines = app.db._app_engines[app]
            if target == "/sync":
                holder = engines.sync[None].connect()
                assert client.get(target).status_code == 503
                holder.close()
            else:
                (loop_engines,) = engines._by_loop.values()
                holder = run_on_loop(connect(loop_engines[None]))
                assert client.get(target).status_code == 503
                run_on_loop(holder.close())
            assert client.get(target).text == "1"
        assert "'pool_size' and 'max_overflow' in SQLALCHEMY_ENGINE_OPTIONS" in caplog.text


async def connect(engine: Any) -> Any:
    return await engine.connect()


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.mark.service
@pytest.mark.parametrize("target", ["/sync", "/async"])
def test_a_database_that_was_killed_and_started_again_is_used_again(
    server: Cluster, target: str
) -> None:
    app = make_app(server.url)
    with disposing(app) as client:
        assert client.get(target).text == "1"
        server.kill()
        assert client.get(target).status_code == 503
        server.start()
        assert client.get(target).text == "1"  # the first request after it, not the second
        assert client.get(target).text == "1"


@pytest.mark.service
@pytest.mark.parametrize("entrance", [Wsgi(), Asgi(), Rsgi()], ids=lambda e: e.name)
def test_two_hundred_requests_at_once_leave_no_connection_and_survive_a_restart(
    server: Cluster, entrance: Any
) -> None:
    app = make_app(server.url, pool_timeout=30)
    sessions: set[int] = set()
    kept: list[Any] = []

    @app.get("/work/<kind>")
    def work(kind: str) -> str:
        session = app.db.session()
        kept.append(session)  # or another one would get its number
        assert id(session) not in sessions
        sessions.add(id(session))
        return str(session.scalar(app.db.text("SELECT pg_backend_pid(), pg_sleep(0.01)")) > 0)

    @app.get("/async-work")
    async def async_work() -> str:
        session = app.db.async_session()
        kept.append(session)
        assert id(session) not in sessions
        sessions.add(id(session))
        pid = await session.scalar(app.db.text("SELECT pg_backend_pid(), pg_sleep(0.01)"))
        return str(pid > 0)

    targets = ["/work/a", "/async-work"] * 100
    ask = of_wsgi(app) if entrance.name == "wsgi" else of_loop(app, entrance)
    with ask as ask_all:
        assert {a.text for a in ask_all(targets)} == {"True"}
        assert len(sessions) == 200
        assert held(app) == 0
        killer = threading.Thread(target=lambda: (time.sleep(0.05), server.kill()))
        killer.start()
        assert {a.status for a in ask_all(targets)} <= {200, 503}
        killer.join()
        assert {a.status for a in ask_all(targets[:4])} == {503}
        server.start()
        assert {a.text for a in ask_all(targets)} == {"True"}
        assert held(app) == 0


def held(app: Any) -> int:
    own = app.db._app_engines[app]
    engines = [e.sync_engine for engines in own._by_loop.values() for e in engines.made.values()]
    return sum(engine.pool.checkedout() for engine in [*own.sync.values(), *engines])


@contextmanager
def of_wsgi(app: Any) -> Iterator[Any]:
    with ThreadPoolExecutor(40) as pool:
        yield lambda targets: list(pool.map(lambda target: Wsgi().ask(app, target), targets))
    run_on_loop(dispose(app))


@contextmanager
def of_loop(app: Any, entrance: Any) -> Iterator[Any]:
    async def ask_all(targets: list[str]) -> Any:
        return await asyncio.gather(*(entrance.ask_here(app, Ask(target)) for target in targets))

    with asyncio.Runner() as runner:
        yield lambda targets: runner.run(ask_all(targets))
        runner.run(dispose(app))
