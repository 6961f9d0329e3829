"""Connections that rested are looked at before they are used, so that an app survives a restart of
its database."""

from __future__ import annotations

from time import monotonic
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc as sa_exc
from sqlalchemy import event as sa_event

#: Seconds after which a connection that nobody used is asked whether it still works. Asking costs
#: a round trip to the server, which is more than finding a row there.
REST = 1.0
_RETURNED = "vial.returned"


def listen(engine: sa.Engine) -> None:
    """Do so for an engine, in place of its option ``pool_pre_ping``, which asks every time."""

    def note(connection: Any, record: Any) -> None:
        record.info[_RETURNED] = monotonic()

    def ask(connection: Any, record: Any, proxy: Any) -> None:
        returned = record.info.get(_RETURNED)
        if returned is None or monotonic() - returned < REST:
            return
        if not _answers(engine.dialect, connection):
            # The pool opens another one, and trusts none that is as old.
            raise sa_exc.InvalidatePoolError

    sa_event.listen(engine, "checkin", note)
    sa_event.listen(engine, "checkout", ask)


def _answers(dialect: sa.Dialect, connection: Any) -> bool:
    try:
        return dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as e:
        if dialect.is_disconnect(e, connection, None):
            return False
        raise
