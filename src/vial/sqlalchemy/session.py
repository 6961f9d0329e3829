"""The session of a context, and how it finds the engine of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
import sqlalchemy.exc as sa_exc
import sqlalchemy.orm as sa_orm
from sqlalchemy.util import ScopedRegistry

from ..globals import app_ctx, current_app, g

if TYPE_CHECKING:
    from .extension import SQLAlchemy

__all__ = ["Session"]

S = TypeVar("S")


class Session(sa_orm.Session):
    """A session whose objects go to the engine that their bind key names."""

    def __init__(self, db: SQLAlchemy[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._db = db
        self._model_changes: dict[object, tuple[Any, str]] = {}

    def _engine(self, bind_key: str | None) -> sa.Engine | None:
        return self._db.engines.get(bind_key)

    def get_bind(
        self,
        mapper: Any | None = None,
        clause: Any | None = None,
        bind: sa.Engine | sa.Connection | None = None,
        **kwargs: Any,
    ) -> sa.Engine | sa.Connection:
        """The engine of a model or a statement.

        :raises sqlalchemy.exc.UnboundExecutionError: for a bind key that the config does not have.
        """
        if bind is not None:
            return bind
        about = clause if mapper is None else _mapped(mapper).local_table
        key = _bind_key_of(about)
        engine = self._engine(key)
        if engine is not None:
            return engine
        if key is not None:
            raise sa_exc.UnboundExecutionError(
                f"Bind key '{key}' is not in 'SQLALCHEMY_BINDS' config."
            )
        return super().get_bind(mapper=mapper, clause=clause, bind=bind, **kwargs)


def _mapped(mapper: Any) -> Any:
    try:
        return sa.inspect(mapper).mapper
    except sa_exc.NoInspectionAvailable as e:
        if isinstance(mapper, type):
            raise sa_orm.exc.UnmappedClassError(mapper) from e
        raise


def _bind_key_of(clause: Any) -> str | None:
    """The bind key of the metadata of a statement's first table."""
    table = _table_of(clause)
    return None if table is None else table.metadata.info.get("bind_key")


def _table_of(clause: Any) -> sa.Table | None:
    """The first table that a table, a join or a statement is about."""
    if isinstance(clause, sa.Join):
        return _table_of(clause.left)
    if isinstance(clause, sa.UpdateBase):
        return _table_of(clause.table)
    if isinstance(clause, sa.Select):
        froms = clause.get_final_froms()
        return _table_of(froms[0]) if froms else None
    return clause if isinstance(clause, sa.Table) else None


class ContextRegistry(ScopedRegistry[S]):
    """Keeps one session in ``g``: one for each app context, which cannot outlive it."""

    def __init__(self, createfunc: Callable[[], S]) -> None:
        super().__init__(createfunc, _app_ctx_id)
        self._name = f"_sqlalchemy_session_{id(self):x}"

    def __call__(self) -> S:
        session: S | None = g.get(self._name)
        if session is None:
            session = self.createfunc()
            setattr(g, self._name, session)
        return session

    def has(self) -> bool:
        """Whether the current context has a session."""
        return self._name in g

    def set(self, obj: S) -> None:
        """Make it the session of the current context."""
        setattr(g, self._name, obj)

    def clear(self) -> None:
        """Forget the session of the current context."""
        g.pop(self._name, None)


def close(session: sa_orm.Session) -> None:
    """Give the connection of a session back, also one that is broken.

    What a session did not commit is lost in any case, so that is no error of the request.
    """
    try:
        session.close()
    except sa_exc.DBAPIError as e:
        current_app.logger.warning("The connection of a session broke before its end: %s", e.orig)
        session.invalidate()


def _app_ctx_id() -> int:
    return id(app_ctx._get_current_object())  # type: ignore[attr-defined]
