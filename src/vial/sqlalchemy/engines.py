"""Engines of an app: from its configuration to connections, sync and async."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import sqlalchemy as sa
import sqlalchemy.exc as sa_exc
import sqlalchemy.ext.asyncio as sa_async
from sqlalchemy import event as sa_event

from ..concurrency import running_loop
from ..flask_mode import is_flask_mode
from . import errors, pinging, record_queries

if TYPE_CHECKING:
    from ..app import Vial

Options = dict[str, Any]

#: What is tried for async sessions, by dialect; the first that is installed is taken.
_ASYNC_DRIVERS = {
    "sqlite": ("aiosqlite",),
    "postgresql": ("psycopg", "asyncpg"),
    "mysql": ("asyncmy", "aiomysql"),
    "mariadb": ("asyncmy", "aiomysql"),
    "oracle": ("oracledb",),
    "mssql": ("aioodbc",),
}
_IN_MEMORY = (None, "", ":memory:")


class AppEngines:
    """The engines of one app, by bind key."""

    def __init__(self, app: Vial, options: Mapping[str | None, Options]) -> None:
        self._app = ref(app)
        self.is_modern = not is_flask_mode(app)
        self.options = {key: _with_defaults(o, app, self.is_modern) for key, o in options.items()}
        self.sync = {key: self._make_sync(o) for key, o in self.options.items()}
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngines] = (
            WeakKeyDictionary()
        )

    def _make_sync(self, options: Options) -> sa.Engine:
        engine: sa.Engine = _created(sa.engine_from_config, options)
        self._listen(engine, options)
        return engine

    def _listen(self, engine: sa.Engine, options: Options) -> None:
        """Add what an app wants of its engines, sync and async ones alike."""
        app = self._app()
        if app is not None and app.config["SQLALCHEMY_RECORD_QUERIES"]:
            record_queries._listen(engine)
        if self.is_modern:
            errors.listen(engine)
            if engine.dialect.name == "sqlite":
                sa_event.listen(engine, "connect", _prepare_sqlite)
            elif isinstance(engine.pool, sa.QueuePool) and "pool_pre_ping" not in options:
                pinging.listen(engine)

    def of_loop(self) -> AsyncEngines:
        """The async engines of the running loop: a connection cannot be used on another one."""
        loop = running_loop()
        if loop is None:
            raise RuntimeError(
                "db.async_session works in 'async def' functions, while an event loop runs."
                " Use db.session here."
            )
        engines = self._by_loop.get(loop)
        if engines is None:
            self._forget_closed_loops()
            engines = self._by_loop[loop] = AsyncEngines(self)
        return engines

    def make_async(self, options: Options) -> sa_async.AsyncEngine:
        app = self._app()
        assert app is not None
        drivers = app.config["SQLALCHEMY_ASYNC_DRIVERS"]
        options = {
            **_without_sync_pool(options),
            **app.config["SQLALCHEMY_ASYNC_ENGINE_OPTIONS"],
            "url": async_url(options["url"], drivers),
        }
        engine: sa_async.AsyncEngine = _created(sa_async.async_engine_from_config, options)
        self._listen(engine.sync_engine, options)
        return engine

    def _forget_closed_loops(self) -> None:
        for loop in list(self._by_loop):
            if loop.is_closed():  # its connections went with it
                for engine in self._by_loop.pop(loop).made.values():
                    engine.sync_engine.dispose(close=False)

    async def dispose(self) -> None:
        """Close the connections that nobody uses; further use opens new ones."""
        for engine in self.sync.values():
            engine.dispose()
        here = running_loop()
        for loop in list(self._by_loop):
            if loop is here:
                await _dispose(self._by_loop.pop(loop))
            elif loop.is_running():
                there = asyncio.run_coroutine_threadsafe(_dispose(self._by_loop.pop(loop)), loop)
                await asyncio.wrap_future(there)
        self._forget_closed_loops()


class AsyncEngines(Mapping[str | None, sa_async.AsyncEngine]):
    """Those of one event loop, each made when it is asked for: there may be no driver for all."""

    def __init__(self, owner: AppEngines) -> None:
        self._owner = owner
        self.made: dict[str | None, sa_async.AsyncEngine] = {}

    def __getitem__(self, key: str | None) -> sa_async.AsyncEngine:
        if key not in self.made:
            self.made[key] = self._owner.make_async(self._owner.options[key])
        return self.made[key]

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._owner.options)

    def __len__(self) -> int:
        return len(self._owner.options)


async def _dispose(engines: AsyncEngines) -> None:
    for engine in engines.made.values():
        await engine.dispose()


def _created(make: Any, options: Options) -> Any:
    """An engine; what is wrong with its URL is told in words of the configuration."""
    try:
        return make(options, prefix="")
    except ModuleNotFoundError as e:
        raise RuntimeError(
            f"The database {options['url']!r} needs the package {e.name!r}, which is not installed."
        ) from e
    except sa_exc.NoSuchModuleError as e:
        hint = ""
        if options["url"].drivername == "postgres":
            hint = " Write 'postgresql://' where it says 'postgres://'."
        raise RuntimeError(f"SQLAlchemy knows no database {options['url']!r}.{hint}") from e


def _with_defaults(options: Options, app: Vial, is_modern: bool) -> Options:
    """The options of a bind, with what is good for its database.

    MySQL closes connections after eight hours of silence.
    """
    url = sa.make_url(options["url"])
    options = {**options, "url": url}
    backend = url.get_backend_name()
    if backend == "sqlite":
        _place_sqlite(options, app)
    elif is_modern and _has_queue(options):
        options.setdefault("pool_timeout", 10)
    if url.drivername in ("mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql"):
        if _has_queue(options):
            options.setdefault("pool_recycle", 7200)
        if "charset" not in url.query:
            options["url"] = url.update_query_dict({"charset": "utf8mb4"})
    return options


def _has_queue(options: Options) -> bool:
    return options.get("poolclass", sa.QueuePool) is sa.QueuePool and "creator" not in options


def _place_sqlite(options: Options, app: Vial) -> None:
    """Memory is shared by all threads; a relative path is one in the instance folder."""
    url: sa.URL = options["url"]
    if url.database in _IN_MEMORY:
        options.setdefault("poolclass", sa.StaticPool)
        options["connect_args"] = {"check_same_thread": False, **options.get("connect_args", {})}
        return
    assert url.database is not None
    is_uri = url.query.get("uri", "") in ("1", "true", "True")
    scheme = "file:" if is_uri and url.database.startswith("file:") else ""
    path = url.database.removeprefix(scheme)
    if os.path.isabs(path) or path.startswith(":memory:") or url.query.get("mode") == "memory":
        return
    os.makedirs(app.instance_path, exist_ok=True)
    options["url"] = url.set(database=scheme + os.path.join(app.instance_path, path))


def _without_sync_pool(options: Options) -> Options:
    left = {k: v for k, v in options.items() if k not in ("creator", "pool")}
    if left.get("poolclass") is sa.QueuePool:
        del left["poolclass"]
    return left


def async_url(url: sa.URL, drivers: Mapping[str, str]) -> sa.URL:
    """The same database by a driver for event loops.

    :param drivers: those to take, by dialect, instead of ours.
    :raises RuntimeError: where none is installed, or the database lives in the memory of the
        connection.
    """
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database in _IN_MEMORY:
        raise RuntimeError(
            "db.async_session has a connection of its own, and an SQLite database in memory"
            " belongs to one connection. Let SQLALCHEMY_DATABASE_URI name a file."
        )
    if url.get_dialect().is_async:
        return url
    named = drivers.get(backend)
    driver = named or next(filter(_is_installed, _ASYNC_DRIVERS.get(backend, ())), None)
    if driver is None:
        wanted = _ASYNC_DRIVERS.get(backend)
        raise RuntimeError(
            f"db.async_session needs a driver for {backend} that works on event loops: install"
            f" {' or '.join(wanted)}."
            if wanted
            else f"No async driver for {backend} is known: name one in SQLALCHEMY_ASYNC_DRIVERS."
        )
    return url.set(drivername=f"{backend}+{driver}")


def _is_installed(driver: str) -> bool:
    with suppress(ImportError):
        return find_spec(driver) is not None
    return False


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """References are checked, and readers do not wait for the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    with suppress(Exception):  # on a read-only disk or one without shared memory
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
