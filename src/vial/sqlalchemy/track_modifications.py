"""Signals for what a session committed (``SQLALCHEMY_TRACK_MODIFICATIONS``)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from blinker import Namespace
from sqlalchemy import event as sa_event

from ..ctx import has_app_context
from ..globals import current_app

__all__ = ["before_models_committed", "models_committed"]

_signals = Namespace()

#: Sent after a commit with ``changes``: a list of ``(object, "insert" | "update" | "delete")``.
models_committed = _signals.signal("models-committed")
#: Sent before a commit with the ``changes`` so far.
before_models_committed = _signals.signal("before-models-committed")


def _listen(session: Any) -> None:
    sa_event.listen(session, "before_flush", _record_ops, named=True)
    sa_event.listen(session, "before_commit", _record_ops, named=True)
    sa_event.listen(session, "before_commit", _before_commit)
    sa_event.listen(session, "after_commit", _after_commit)
    sa_event.listen(session, "after_rollback", _after_rollback)


def _is_tracked() -> bool:
    return has_app_context() and bool(current_app.config["SQLALCHEMY_TRACK_MODIFICATIONS"])


def _record_ops(session: Any, **kwargs: Any) -> None:
    if not _is_tracked():
        return
    for operation, objects in (
        ("insert", session.new),
        ("update", session.dirty),
        ("delete", session.deleted),
    ):
        for changed in objects:
            state = sa.inspect(changed)
            session._model_changes[state.key or id(changed)] = (changed, operation)


def _before_commit(session: Any) -> None:
    if session._model_changes and _is_tracked():
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        before_models_committed.send(app, changes=list(session._model_changes.values()))


def _after_commit(session: Any) -> None:
    if session._model_changes and _is_tracked():
        changes = list(session._model_changes.values())
        session._model_changes.clear()
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        models_committed.send(app, changes=changes)


def _after_rollback(session: Any) -> None:
    session._model_changes.clear()
