"""Results by pages that begin after the last item seen, not after a number of items.

A page costs the same however deep it is, and items that come or go do not shift the others.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2s
from typing import Any, NamedTuple

import sqlalchemy as sa
import sqlalchemy.orm as sa_orm
from itsdangerous import BadData
from sqlalchemy.sql import operators

from ..globals import current_app, request
from ..helpers import abort
from ..sessions import signing_serializer
from .pagination import Pagination

__all__ = ["KeysetPagination"]

#: Of the signatures of cursors: they are good for nothing else.
_SALT = "vial.sqlalchemy.keyset"


class _Key(NamedTuple):
    """One expression that the items are ordered by."""

    expression: Any
    descends: bool


class KeysetPagination:
    """One page of a ``select()``. Made by ``db.paginate_keyset()``."""

    #: How many items a page has at most.
    per_page: int
    items: list[Any]
    #: What finds the pages beside this one, for ``?cursor=``; None where there is none.
    next_cursor: str | None = None
    prev_cursor: str | None = None

    def __init__(
        self,
        session: sa_orm.Session,
        select: sa.Select[Any],
        cursor: str | None = None,
        per_page: int | None = None,
        max_per_page: int | None = None,
        error_out: bool = True,
    ) -> None:
        _, self.per_page = Pagination._prepare_page_args(
            page=1, per_page=per_page, max_per_page=max_per_page, error_out=error_out
        )
        keys = _keys(select)
        if cursor is None and request:
            cursor = request.args.get("cursor") or None
        position = None if cursor is None else _opened(cursor, keys, error_out)
        goes_back = position is not None and position[0]
        rows = self._rows(session, select, keys, position)
        is_more, rows = len(rows) > self.per_page, rows[: self.per_page]
        if goes_back:
            rows.reverse()
        self.items = [row[0] for row in rows]
        values = [list(row[-len(keys) :]) for row in rows]
        if rows and (goes_back or is_more):
            self.next_cursor = _closed(False, values[-1], keys)
        if rows and (is_more if goes_back else position is not None):
            self.prev_cursor = _closed(True, values[0], keys)

    def _rows(
        self,
        session: sa_orm.Session,
        select: sa.Select[Any],
        keys: list[_Key],
        position: tuple[bool, list[Any]] | None,
    ) -> list[Any]:
        goes_back = False
        if position is not None:
            goes_back, values = position
            select = select.where(_after(keys, values, goes_back))
        order = [
            k.expression.asc() if k.descends is goes_back else k.expression.desc() for k in keys
        ]
        select = select.order_by(None).order_by(*order).limit(self.per_page + 1)
        select = select.add_columns(*(key.expression for key in keys))
        return list(session.execute(select).unique())

    @property
    def has_next(self) -> bool:
        """Whether items follow this page."""
        return self.next_cursor is not None

    @property
    def has_prev(self) -> bool:
        """Whether items come before this page."""
        return self.prev_cursor is not None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


def _keys(select: sa.Select[Any]) -> list[_Key]:
    """What a statement is ordered by, and the primary key after it: no two items are alike."""
    # SQLAlchemy has no public way to ask for the order.
    keys = [_key(clause) for clause in select._order_by_clauses]
    known = {_name(key) for key in keys}
    first = select.column_descriptions[0]
    entity = first.get("entity")
    if entity is None:
        raise TypeError(
            "db.paginate_keyset() needs a select() of a model, whose primary key makes the order"
            f" certain, not {first['expr']}."
        )
    for column in sa.inspect(entity).mapper.primary_key:
        key = _Key(_attribute(entity, column), keys[-1].descends if keys else False)
        if _name(key) not in known:
            keys.append(key)
    return keys


def _attribute(entity: Any, column: Any) -> Any:
    return getattr(entity, sa.inspect(entity).mapper.get_property_by_column(column).key)


def _name(key: _Key) -> str:
    return str(key.expression)


def _key(clause: Any) -> _Key:
    modifier = getattr(clause, "modifier", None)
    if modifier in (operators.asc_op, operators.desc_op):
        return _Key(_not_null(clause.element), modifier is operators.desc_op)
    return _Key(_not_null(clause), False)


def _not_null(expression: Any) -> Any:
    if getattr(expression, "nullable", False) or getattr(expression, "modifier", None) is not None:
        raise TypeError(
            f"db.paginate_keyset() cannot order by {expression}, which may be NULL: NULL comes"
            " neither before nor after another value. Order by columns that are not nullable, or"
            " by sa.func.coalesce(…)."
        )
    return expression


def _after(keys: Sequence[_Key], values: Sequence[Any], goes_back: bool) -> Any:
    """``a >= x AND (a > x OR (b >= y AND …))``: databases use an index for the first."""
    (expression, descends), value = keys[0], sa.literal(values[0], keys[0].expression.type)
    rises = descends is goes_back
    beyond = expression > value if rises else expression < value
    if len(keys) == 1:
        return beyond
    not_before = expression >= value if rises else expression <= value
    rest = _after(keys[1:], values[1:], goes_back)
    return sa.and_(not_before, sa.or_(beyond, rest))


# -- cursors ---------------------------------------------------------------------------------------

_TYPES: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    # A datetime is a date, so it comes first.
    "t": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "d": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "h": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "n": (decimal.Decimal, str, decimal.Decimal),
    "u": (uuid.UUID, str, uuid.UUID),
    "b": (bytes, bytes.hex, bytes.fromhex),
}


def _closed(goes_back: bool, values: list[Any], keys: list[_Key]) -> str:
    position = [goes_back, _order(keys), [_to_json(value) for value in values]]
    cursor = signing_serializer(_app(), _SALT).dumps(position)
    return cursor if isinstance(cursor, str) else cursor.decode("ascii")


def _opened(cursor: str, keys: list[_Key], error_out: bool) -> tuple[bool, list[Any]] | None:
    try:
        goes_back, order, values = signing_serializer(_app(), _SALT).loads(cursor)
        if order == _order(keys):
            return goes_back, [_from_json(value) for value in values]
    except BadData:
        pass
    if error_out:
        abort(404)
    return None


def _app() -> Any:
    return current_app._get_current_object()  # type: ignore[attr-defined]


def _order(keys: list[_Key]) -> str:
    """Tells the cursors of one order from those of another."""
    names = "".join(f"{_name(key)} {key.descends};" for key in keys)
    return blake2s(names.encode(), digest_size=6).hexdigest()


def _to_json(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool)):
        return value
    for tag, (cls, to_text, _) in _TYPES.items():
        if isinstance(value, cls):
            return [tag, to_text(value)]
    raise TypeError(
        f"db.paginate_keyset() cannot order by a column with values such as {value!r}:"
        " use numbers, texts, dates, UUIDs or bytes."
    )


def _from_json(value: Any) -> Any:
    return _TYPES[value[0]][2](value[1]) if isinstance(value, list) else value
