"""Results by pages: which one was asked for, its items, and the way to the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import sqlalchemy as sa
import sqlalchemy.orm as sa_orm

from ..flask_mode import is_flask_mode
from ..globals import request
from ..helpers import abort
from .counting import count_rows

__all__ = ["Pagination", "QueryPagination", "SelectPagination"]

#: The highest number, below those that no database takes.
_MOST = 2**31
#: How many items a page has at most if the visitor chooses and the program names no other limit;
#: in Flask mode there is none.
MOST_ASKED_FOR = 100


class Pagination:
    """One page of something. Made by ``db.paginate()`` and ``Query.paginate()``.

    :param page: which, from 1; by default the ``page`` of the query string, or 1.
    :param per_page: how many items; by default ``per_page`` of the query string, or 20.
    :param max_per_page: the most that ``per_page`` may be. Without it the query string gets at
        most 100, and a program what it says.
    :param error_out: answer 404 to a page that is not there, and to numbers that are none;
        otherwise the first page and 20 items take their place.
    :param count: ask for the total, which costs a query.
    """

    #: The number of this page, and how many items a page has.
    page: int
    per_page: int
    max_per_page: int | None
    items: list[Any]
    #: How many items there are in all; None with ``count=False``.
    total: int | None

    def __init__(
        self,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
        **kwargs: Any,
    ) -> None:
        self._query_args = kwargs
        self.page, self.per_page = self._prepare_page_args(
            page=page, per_page=per_page, max_per_page=max_per_page, error_out=error_out
        )
        self.max_per_page = max_per_page
        self.items = self._query_items()
        if not self.items and self.page != 1 and error_out:
            abort(404)
        self.total = self._query_count() if count else None

    @staticmethod
    def _prepare_page_args(
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = None,
        error_out: bool = True,
    ) -> tuple[int, int]:
        if max_per_page is None and per_page is None and not is_flask_mode():
            max_per_page = MOST_ASKED_FOR
        page = _number("page", page, 1, error_out)
        per_page = _number("per_page", per_page, 20, error_out)
        return page, per_page if max_per_page is None else min(per_page, max_per_page)

    @property
    def _query_offset(self) -> int:
        return (self.page - 1) * self.per_page

    def _query_items(self) -> list[Any]:
        raise NotImplementedError

    def _query_count(self) -> int:
        raise NotImplementedError

    @property
    def first(self) -> int:
        """The number of the first item of this page, from 1; 0 where there are none."""
        return self._query_offset + 1 if self.items else 0

    @property
    def last(self) -> int:
        """The number of the last item of this page."""
        return self._query_offset + len(self.items) if self.items else 0

    @property
    def pages(self) -> int:
        """How many pages there are; 0 where there are no items or they were not counted."""
        return -(-(self.total or 0) // self.per_page)

    @property
    def has_prev(self) -> bool:
        """Whether this is not the first page."""
        return self.page > 1

    @property
    def prev_num(self) -> int | None:
        """The number of the page before this one."""
        return self.page - 1 if self.has_prev else None

    def prev(self, *, error_out: bool = False) -> Self:
        """The page before this one; asks the database."""
        return self._other(self.page - 1, error_out)

    @property
    def has_next(self) -> bool:
        """Whether this is not the last page; False where the items were not counted."""
        return self.page < self.pages

    @property
    def next_num(self) -> int | None:
        """The number of the page after this one."""
        return self.page + 1 if self.has_next else None

    def next(self, *, error_out: bool = False) -> Self:
        """The page after this one; asks the database."""
        return self._other(self.page + 1, error_out)

    def _other(self, page: int, error_out: bool) -> Self:
        other = type(self)(
            page=page,
            per_page=self.per_page,
            error_out=error_out,
            count=self.total is not None,
            **self._query_args,
        )
        other.max_per_page = self.max_per_page
        return other

    def iter_pages(
        self,
        *,
        left_edge: int = 2,
        left_current: int = 2,
        right_current: int = 4,
        right_edge: int = 2,
    ) -> Iterator[int | None]:
        """Numbers for links: some at both ends and around this page, None where some are left
        out."""
        last = 0
        shown = {
            *range(1, left_edge + 1),
            *range(self.page - left_current, self.page + right_current + 1),
            *range(self.pages - right_edge + 1, self.pages + 1),
        }
        for number in sorted(n for n in shown if 1 <= n <= self.pages):
            if number > last + 1:
                yield None
            yield number
            last = number
        if 0 < last < self.pages:
            yield None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


def _number(name: str, given: int | None, default: int, error_out: bool) -> int:
    """A number from 1, as given or in the query string."""
    value: Any = given
    if given is None:
        value = request.args.get(name, default) if request else default
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if 1 <= number <= _MOST:
        return number
    if error_out:
        abort(404)
    return default


class SelectPagination(Pagination):
    """Pages of a ``select()``: the first thing of each row, duplicates left out."""

    def _query_items(self) -> list[Any]:
        statement: sa.Select[Any] = self._query_args["select"]
        page = statement.limit(self.per_page).offset(self._query_offset)
        session: sa_orm.Session = self._query_args["session"]
        return list(session.execute(page).unique().scalars())

    def _query_count(self) -> int:
        session: sa_orm.Session = self._query_args["session"]
        return count_rows(session, self._query_args["select"])


class QueryPagination(Pagination):
    """Pages of a legacy query."""

    def _query_items(self) -> list[Any]:
        query: Any = self._query_args["query"]
        return list(query.limit(self.per_page).offset(self._query_offset).all())

    def _query_count(self) -> int:
        return int(self._query_args["query"].order_by(None).count())
