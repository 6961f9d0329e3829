"""What the queries of a request were and how long they took (``SQLALCHEMY_RECORD_QUERIES``)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event as sa_event

from ..ctx import has_app_context
from ..globals import current_app, g

__all__ = ["get_recorded_queries"]


@dataclass
class _QueryInfo:
    """One query; times in seconds of :func:`time.perf_counter`."""

    statement: str | None
    parameters: Any
    start_time: float
    end_time: float
    #: The line of the application that asked for it.
    location: str

    @property
    def duration(self) -> float:
        """Seconds that the database took."""
        return self.end_time - self.start_time


def get_recorded_queries() -> list[_QueryInfo]:
    """The queries of the current context so far; needs ``SQLALCHEMY_RECORD_QUERIES``."""
    return g.get("_sqlalchemy_queries", [])  # type: ignore[no-any-return]


def _listen(engine: sa.Engine) -> None:
    sa_event.listen(engine, "before_cursor_execute", _record_start, named=True)
    sa_event.listen(engine, "after_cursor_execute", _record_end, named=True)


def _record_start(context: sa.ExecutionContext, **kwargs: Any) -> None:
    if has_app_context():
        context._vial_start_time = perf_counter()  # type: ignore[attr-defined]


def _record_end(context: Any, **kwargs: Any) -> None:
    start = getattr(context, "_vial_start_time", None)
    if start is None or not has_app_context():
        return
    g.setdefault("_sqlalchemy_queries", []).append(
        _QueryInfo(context.statement, context.parameters, start, perf_counter(), _location())
    )


def _location() -> str:
    """The nearest line of the app's own package."""
    top = current_app.import_name.partition(".")[0]
    frame = sys._getframe(2)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name == top or name.startswith(f"{top}."):
            code = frame.f_code
            return f"{code.co_filename}:{frame.f_lineno} ({code.co_name})"
        frame = frame.f_back  # type: ignore[assignment]
    return "<unknown>"
