"""Finding objects or answering 404, in a session of either kind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa
import sqlalchemy.exc as sa_exc
import sqlalchemy.orm as sa_orm

from ..helpers import abort

T = TypeVar("T")

#: What drivers say of a value that no row can have: a number that is too large, a NUL in a text.
IMPOSSIBLE = (sa_exc.DataError, OverflowError)


def get_or_404(
    session: sa_orm.Session,
    entity: type[T],
    ident: Any,
    description: str | None,
    /,
    **kwargs: Any,
) -> T:
    """The object with that primary key."""
    found = None
    with suppress(*IMPOSSIBLE):
        found = session.get(entity, ident, **kwargs)
    if found is None:
        abort(404, description=description)
    return found


def first_or_404(
    session: sa_orm.Session, statement: sa.Select[Any], description: str | None
) -> Any:
    """The first thing of the first row."""
    found = None
    with suppress(*IMPOSSIBLE):
        found = session.execute(statement).scalar()
    if found is None:
        abort(404, description=description)
    return found


def one_or_404(session: sa_orm.Session, statement: sa.Select[Any], description: str | None) -> Any:
    """The first thing of the only row."""
    try:
        return session.execute(statement).scalar_one()
    except (sa_exc.NoResultFound, sa_exc.MultipleResultsFound, *IMPOSSIBLE):
        abort(404, description=description)
