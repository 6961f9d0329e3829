"""Databases that cannot be had: one exception, one answer, one line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy.exc as sa_exc
from sqlalchemy import Engine
from sqlalchemy import event as sa_event
from sqlalchemy.engine import ExceptionContext
from werkzeug.exceptions import ServiceUnavailable

from ..globals import current_app

if TYPE_CHECKING:
    from ..app import Vial

__all__ = ["DatabaseUnavailable"]

#: Seconds after which clients are told to try again.
RETRY_AFTER = 5


class DatabaseUnavailable(sa_exc.OperationalError):
    """The server of the database cannot be reached, or the connection to it was lost.

    Answered 503 with ``Retry-After`` unless the app handles it. Not raised in Flask mode.
    """


def listen(engine: Engine) -> None:
    """Let the errors of an engine tell a lost connection from a wrong statement."""
    sa_event.listen(engine, "handle_error", _tell_lost)


def _tell_lost(context: ExceptionContext) -> BaseException | None:
    """What is raised instead of the error of a driver; None: that of SQLAlchemy."""
    error = context.sqlalchemy_exception
    if not isinstance(error, sa_exc.DBAPIError) or error.orig is None:
        return None
    connects = context.connection is None and context.engine is not None
    if not (context.is_disconnect or (connects and _is_no_answer(context, error))):
        return None
    return DatabaseUnavailable(
        error.statement,
        error.params,
        error.orig,
        hide_parameters=error.hide_parameters,
        connection_invalidated=error.connection_invalidated,
    )


def _is_no_answer(context: ExceptionContext, error: sa_exc.DBAPIError) -> bool:
    # SQLite "cannot be reached" where the path is wrong, which waiting does not mend.
    return isinstance(error, sa_exc.OperationalError) and context.dialect.name != "sqlite"


def register(app: Vial) -> None:
    """Answer 503 where there is no connection to be had."""
    app.register_error_handler(DatabaseUnavailable, _answer)
    app.register_error_handler(sa_exc.TimeoutError, _answer)


def _answer(error: Exception) -> Any:
    if current_app.debug:
        raise error
    if isinstance(error, DatabaseUnavailable):
        current_app.logger.error("The database does not answer: %s", error.orig)
    else:
        current_app.logger.error(
            "No connection was free: %s. Other requests hold them, or something opened a session or"
            " a connection and did not close it. More at once: 'pool_size' and 'max_overflow' in"
            " SQLALCHEMY_ENGINE_OPTIONS.",
            error,
        )
    return current_app.handle_user_exception(ServiceUnavailable(retry_after=RETRY_AFTER))
