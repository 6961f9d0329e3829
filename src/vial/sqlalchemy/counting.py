"""How many rows a statement has, at the least cost."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm as sa_orm


def count_rows(session: sa_orm.Session, statement: sa.Select[Any]) -> int:
    """Count without ordering them, and where it makes no difference without reading columns."""
    unordered = statement.order_by(None).options(sa_orm.lazyload("*"))
    if _are_plain_rows(unordered):
        counted = unordered.with_only_columns(sa.func.count(), maintain_column_froms=True)
    else:
        counted = sa.select(sa.func.count()).select_from(unordered.subquery())
    return session.execute(counted).scalar() or 0


def _are_plain_rows(statement: sa.Select[Any]) -> bool:
    """Whether another list of columns makes no other number of rows."""
    # SQLAlchemy has no public way to ask; what it does not have counts as there.
    parts = ("_distinct", "_distinct_on", "_group_by_clauses", "_having_criteria", "_prefixes")
    if any(getattr(statement, part, True) for part in parts):
        return False
    if getattr(statement, "_has_row_limiting_clause", True):
        return False
    return all(isinstance(column, sa.Column) for column in statement.selected_columns)
