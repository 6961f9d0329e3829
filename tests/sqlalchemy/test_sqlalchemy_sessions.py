"""One session for each context, and none left at its end: on every gateway, in views, streams,
WebSockets and Socket.IO, after errors, for clients that leave; on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cases.entrance_rsgi import Rsgi
from cases.entrances import Answer, Asgi, Ask, Wsgi
from databases import EACH, database
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vial import Vial, copy_current_request_context, stream_with_context, websocket
from vial.concurrency import run_on_loop
from vial.socketio import SocketIO
from vial.sqlalchemy import ModelMixin, SQLAlchemy


class Base(ModelMixin, DeclarativeBase):
    pass


class Note(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(50))


class Site:
    """An app with a database, and what its sessions and connections did."""

    def __init__(self, url: str, folder: Path) -> None:
        self.app = Vial("sessions", instance_path=str(folder))
        self.app.config["SQLALCHEMY_DATABASE_URI"] = url
        self.db = SQLAlchemy(self.app, model_class=Base)
        #: The session of each request, of which no two may be one.
        self.sessions: list[Any] = []
        with self.app.app_context():
            self.db.create_all()
            self.db.session.add(Note(id=1, text="one"))
            self.db.session.commit()
        self.add_views()

    def sync_read(self) -> str:
        self.sessions.append(self.db.session())
        assert self.db.session() is self.db.session()
        return ",".join(self.db.session.scalars(self.db.select(Note.text)))

    async def async_read(self) -> str:
        self.sessions.append(self.db.async_session())
        return ",".join(await self.db.async_session.scalars(self.db.select(Note.text)))

    def add_views(self) -> None:
        app, db = self.app, self.db

        @app.get("/sync")
        def sync_view() -> str:
            return self.sync_read()

        @app.get("/async")
        async def async_view() -> str:
            return await self.async_read()

        @app.get("/mixed")
        async def mixed_view() -> str:
            return self.sync_read() + await self.async_read()

        @app.get("/sync-error")
        def sync_error() -> str:
            db.session.add(Note(text="lost"))
            db.session.flush()
            self.sync_read()
            raise RuntimeError("the view failed")

        @app.get("/async-error")
        async def async_error() -> str:
            db.async_session.add(Note(text="lost"))
            await db.async_session.flush()
            await self.async_read()
            raise RuntimeError("the view failed")

        @app.get("/sync-stream")
        def sync_stream() -> Any:
            def body() -> Iterator[str]:
                for _ in range(3):
                    yield self.sync_read()

            return app.response_class(stream_with_context(body()))

        @app.get("/async-stream")
        async def async_stream() -> Any:
            async def body() -> AsyncIterator[str]:
                for _ in range(3):
                    yield await self.async_read()

            return app.response_class(stream_with_context(body()))

        @app.get("/slow")
        async def slow() -> str:
            await self.async_read()
            await asyncio.sleep(60)
            return "never"

        @app.websocket("/ws")
        async def socket() -> None:
            await websocket.send(self.sync_read() + await self.async_read())

        @app.websocket("/sync-ws")
        def sync_socket() -> None:
            websocket.send(self.sync_read())

        @app.get("/copied")
        async def copied() -> str:
            @copy_current_request_context
            async def inside() -> str:
                return await self.async_read()

            return await asyncio.create_task(inside())

    def check(self) -> None:
        """Nothing is open, nothing was shared, nothing was stored."""
        held = [engine.pool.checkedout() for engine in self.engines()]
        assert not any(held), held
        assert not any(is_open(session) for session in self.sessions)
        with self.app.app_context():
            assert self.db.session.scalar(self.db.select(self.db.func.count(Note.id))) == 1

    def engines(self) -> list[Any]:
        own = self.db._app_engines[self.app]
        loops = [e.sync_engine for engines in own._by_loop.values() for e in engines.made.values()]
        return [*own.sync.values(), *loops]

    async def dispose(self) -> None:
        with self.app.app_context():
            await self.db.dispose()


def is_open(session: Any) -> bool:
    return bool(session.in_transaction())


@pytest.fixture(params=EACH)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with database(request.param, tmp_path) as url:
        site = Site(url, tmp_path)
        yield site
        run_on_loop(site.dispose())


@pytest.fixture(params=[Wsgi, Asgi, Rsgi], ids=lambda entrance: entrance.name)
def ask(request: pytest.FixtureRequest, site: Site) -> Any:
    """Asks the site for some targets, and then checks it on the loop that served them."""
    entrance = request.param()

    async def ask_on_loop(*targets: str, **options: Any) -> list[Answer]:
        try:
            asked = (entrance.ask_here(site.app, Ask(target, **options)) for target in targets)
            answers = await asyncio.gather(*asked)
            site.check()
            return answers
        finally:
            await site.dispose()

    def ask_all(*targets: str, **options: Any) -> list[Answer]:
        if entrance.name != "wsgi":
            return asyncio.run(ask_on_loop(*targets, **options))
        answers = [entrance.ask(site.app, target, **options) for target in targets]
        site.check()
        return answers

    return ask_all


def test_each_request_has_a_session_of_its_own(ask: Any, site: Site) -> None:
    targets = ["/sync", "/async", "/mixed", "/copied"] * 5
    answers = ask(*targets)
    assert [a.text for a in answers] == ["one", "one", "oneone", "one"] * 5
    assert len({id(session) for session in site.sessions}) == len(site.sessions) == 25


@pytest.mark.parametrize("target", ["/sync-error", "/async-error"])
def test_an_error_leaves_no_session_and_stores_nothing(ask: Any, target: str) -> None:
    assert [a.status for a in ask(target, target)] == [500, 500]


@pytest.mark.parametrize("target", ["/sync-stream", "/async-stream"])
def test_a_stream_keeps_its_session_to_its_end(ask: Any, site: Site, target: str) -> None:
    assert [a.text for a in ask(target)] == ["oneoneone"]
    assert len({id(session) for session in site.sessions}) == 1


@pytest.mark.parametrize("target", ["/sync-stream", "/async-stream"])
def test_a_client_that_leaves_a_stream_leaves_no_session(ask: Any, target: str) -> None:
    (answer,) = ask(target, leave_after=1)
    assert answer.chunks[0] == b"one"


def test_a_cancelled_view_leaves_no_session(site: Site) -> None:
    async def main() -> None:
        try:
            task = asyncio.create_task(Asgi().ask_here(site.app, Ask("/slow")))
            while not site.sessions or not is_open(site.sessions[0]):
                await asyncio.sleep(0.01)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            site.check()
        finally:
            await site.dispose()

    asyncio.run(main())


@pytest.mark.parametrize(("target", "text"), [("/ws", "oneone"), ("/sync-ws", "one")])
def test_a_websocket_has_a_session_until_it_ends(site: Site, target: str, text: str) -> None:
    with site.app.test_client().websocket(target) as ws:
        assert ws.receive() == text
    site.check()


def test_a_socketio_handler_has_a_session_for_each_event(site: Site) -> None:
    socketio = SocketIO(site.app)

    @socketio.on("sync")
    def sync_event() -> str:
        return site.sync_read()

    @socketio.on("async")
    async def async_event() -> str:
        return await site.async_read()

    client = socketio.test_client(site.app)
    assert [client.emit(name, callback=True) for name in ("sync", "async", "sync")] == ["one"] * 3
    client.disconnect()
    assert len({id(session) for session in site.sessions}) == 3
    site.check()


def test_a_context_within_async_code_closes_its_session_soon(site: Site) -> None:
    async def main() -> None:
        with site.app.app_context():
            await site.async_read()
        while any(engine.pool.checkedout() for engine in site.engines()):
            await asyncio.sleep(0.01)
        site.check()
        await site.dispose()

    asyncio.run(main())


def test_a_context_in_a_context_has_a_session_of_its_own(site: Site) -> None:
    with site.app.app_context():
        outer = site.db.session()
        with site.app.app_context():
            assert site.db.session() is not outer
        assert site.db.session() is outer
        with site.app.test_request_context("/"):
            assert site.db.session() is outer  # one app context


def test_the_end_of_a_worker_closes_all_connections(site: Site) -> None:
    async def main() -> None:
        await site.app._start_life()
        await Asgi().ask_here(site.app, Ask("/async"))
        engines = site.engines()
        assert engines[1].pool.checkedin() == 1
        await site.app._stop_life()
        assert [engine.pool.checkedin() for engine in site.engines()] == [0]
        await site.dispose()

    asyncio.run(main())


def test_an_async_view_needs_no_thread_for_the_end_of_its_session(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, *args: Any) -> Any:
        raise AssertionError("a thread was asked for")

    async def ask_on_loop() -> str:
        with monkeypatch.context() as patch:
            patch.setattr("vial.concurrency.WorkerPool.submit", refuse)
            answer = await Asgi().ask_here(site.app, Ask("/async"))
        site.check()
        await site.dispose()
        return answer.text

    assert asyncio.run(ask_on_loop()) == "one"
