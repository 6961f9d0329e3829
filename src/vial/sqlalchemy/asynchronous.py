"""Sessions for async views: one for each context, on the engines of its event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
import sqlalchemy.ext.asyncio as sa_async
from sqlalchemy.orm import sessionmaker

from ..concurrency import running_loop
from ..globals import current_app
from . import lookup, track_modifications
from .keyset import KeysetPagination
from .pagination import SelectPagination
from .session import ContextRegistry, Session, close

if TYPE_CHECKING:
    from .extension import SQLAlchemy

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that the end of a request waits until its session is closed.
_CLOSE_TIMEOUT = 30


class OnLoop:
    """Mixed into the session class: the engines of the running loop."""

    _db: SQLAlchemy[Any]

    def _engine(self, bind_key: str | None) -> sa.Engine | None:
        engine = self._db.async_engines.get(bind_key)
        return None if engine is None else engine.sync_engine


class AsyncSession(sa_async.AsyncSession):
    """SQLAlchemy's async session, that knows the loop it was made on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loop = running_loop()


class AsyncScopedSession(sa_async.async_scoped_session[AsyncSession]):
    """``db.async_session``: the session of the current context, with methods for views."""

    async def run_sync(
        self, function: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call ``function(session, …)`` with a sync session, whose queries wait on the loop."""
        return await self().run_sync(function, *args, **kwargs)

    async def get_or_404(
        self, entity: type[T], ident: Any, *, description: str | None = None, **kwargs: Any
    ) -> T:
        """As ``db.get_or_404()``."""
        return await self.run_sync(lookup.get_or_404, entity, ident, description, **kwargs)

    async def first_or_404(
        self, statement: sa.Select[Any], *, description: str | None = None
    ) -> Any:
        """As ``db.first_or_404()``."""
        return await self.run_sync(lookup.first_or_404, statement, description)

    async def one_or_404(self, statement: sa.Select[Any], *, description: str | None = None) -> Any:
        """As ``db.one_or_404()``."""
        return await self.run_sync(lookup.one_or_404, statement, description)

    async def paginate(self, select: sa.Select[Any], **options: Any) -> SelectPagination:
        """As ``db.paginate()``. ``next()`` and ``prev()`` of what it gives ask the database:
        ``await db.async_session.run_sync(lambda session: page.next())``."""
        return await self.run_sync(_page, select, options)

    async def paginate_keyset(self, select: sa.Select[Any], **options: Any) -> KeysetPagination:
        """As ``db.paginate_keyset()``."""
        return await self.run_sync(KeysetPagination, select, **options)


def _page(session: Any, select: sa.Select[Any], options: dict[str, Any]) -> SelectPagination:
    return SelectPagination(session=session, select=select, **{"max_per_page": None, **options})


def make_async_session(db: SQLAlchemy[Any], options: dict[str, Any]) -> AsyncScopedSession:
    """The async session beside ``db.session``, with the same options."""
    options = dict(options)
    options.pop("scopefunc", None)
    # What a commit expires would be read again at the next access, which cannot be awaited.
    options.setdefault("expire_on_commit", False)
    cls = options.pop("class_", Session)
    sync: Any = sessionmaker(class_=type(cls.__name__, (OnLoop, cls), {}), db=db, **options)
    track_modifications._listen(sync)
    made = sa_async.async_sessionmaker(
        class_=AsyncSession, sync_session_class=sync.class_, **sync.kw
    )
    scoped = AsyncScopedSession(made, _no_scope)
    scoped.registry = _Registry(made)
    return scoped


class _Registry(ContextRegistry[AsyncSession]):
    """A context may outlive a loop: ``asyncio.run()`` within ``app.app_context()``."""

    def __call__(self) -> AsyncSession:
        session = super().__call__()
        if session._loop is not None and session._loop.is_closed():
            _tell_lost(session)
            self.clear()
            session = super().__call__()
        return session


def _no_scope() -> None:
    """The registry is ours and has its own."""


_closing: set[asyncio.Task[None]] = set()


def end(scoped: AsyncScopedSession) -> None:
    """Close the session of the current context, if it has one.

    Called where the context is torn down in a thread, or by a ``with`` statement.
    """
    session = _to_close(scoped)
    if session is None:
        return
    loop = session._loop
    if loop is running_loop():
        # A context that async code entered by itself: it cannot wait here.
        _close_soon(session)
    elif loop.is_running():
        asyncio.run_coroutine_threadsafe(session.run_sync(close), loop).result(_CLOSE_TIMEOUT)
    else:
        _tell_lost(session)


async def end_here(scoped: AsyncScopedSession) -> None:
    """Close the session of the current context, if it has one, on the loop that it was used on."""
    session = _to_close(scoped)
    if session is not None:
        # To its end, also when the client leaves once more: the connection is somebody else's next.
        await asyncio.shield(_close_soon(session))


def _to_close(scoped: AsyncScopedSession) -> Any:
    """The session of the current context, which is over, if it has a connection."""
    if not scoped.registry.has():
        return None
    session: Any = scoped.registry()
    scoped.registry.clear()
    if session.in_transaction() and session._loop is not None:
        return session
    close(session.sync_session)
    return None


def _close_soon(session: AsyncSession) -> asyncio.Task[None]:
    task = asyncio.ensure_future(session.run_sync(close))
    _closing.add(task)
    task.add_done_callback(_closing.discard)
    return task


def _tell_lost(session: AsyncSession) -> None:
    if session.in_transaction():
        current_app.logger.warning(
            "db.async_session was still open when its event loop had ended, and its connection is"
            " lost. End what you give to asyncio.run() with 'await db.dispose()'."
        )
