"""What happens for one WebSocket endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from ..flow import Function, Plan


@dataclass(slots=True)
class SocketPlan(Plan):
    """A plan whose ``before`` and ``teardown`` functions are those for WebSockets; ``after`` is
    empty."""

    after_websocket: tuple[Function, ...] = ()
