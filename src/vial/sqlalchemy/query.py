"""The legacy query: ``Model.query`` and ``db.session.query(…)``, with answers of 404."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy.exc as sa_exc
import sqlalchemy.orm as sa_orm

from ..helpers import abort
from .lookup import IMPOSSIBLE, get_or_404
from .pagination import Pagination, QueryPagination

__all__ = ["Query"]

T = TypeVar("T")


class Query(sa_orm.Query[T]):
    """SQLAlchemy's query, with methods for views."""

    def get_or_404(self, ident: Any, description: str | None = None) -> T:
        """The object with that primary key, or 404."""
        # Not self.get(), which warns whoever calls it that it is old.
        entity: Any = self.column_descriptions[0]["entity"]
        options: Any = self._with_options
        found: T = get_or_404(self.session, entity, ident, description, options=options)
        return found

    def first_or_404(self, description: str | None = None) -> T:
        """The first result, or 404."""
        found: T | None = None
        with suppress(*IMPOSSIBLE):
            found = self.first()
        if found is None:
            abort(404, description=description)
        return found

    def one_or_404(self, description: str | None = None) -> T:
        """The only result; 404 where there is none, or more than one."""
        try:
            return self.one()
        except (sa_exc.NoResultFound, sa_exc.MultipleResultsFound, *IMPOSSIBLE):
            abort(404, description=description)

    def paginate(
        self,
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = None,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination:
        """One page of the results; see ``db.paginate()``."""
        return QueryPagination(
            query=self,
            page=page,
            per_page=per_page,
            max_per_page=max_per_page,
            error_out=error_out,
            count=count,
        )
