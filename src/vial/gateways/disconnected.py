"""The end of a WebSocket: what is raised, and the codes that may be sent (RFC 6455 §7.4)."""

from __future__ import annotations

from typing import Protocol

#: Codes that say what a close frame cannot, so no frame has them.
_NEVER_SENT = {1004, 1005, 1006, 1015}
#: Bytes of a control frame, less the two of the code (RFC 6455 §5.5).
LONGEST_REASON = 123


class Disconnected(ConnectionError):
    """The WebSocket is over: the client has left, or it was closed.

    :param code: what the client said, 1005 if it said nothing, 1006 if it vanished; or what was
        sent to it.
    """

    def __init__(self, code: int = 1005, reason: str = "") -> None:
        super().__init__(f"The WebSocket is closed, with code {code}{reason and f' ({reason})'}.")
        self.code = code
        self.reason = reason

    def again(self) -> Disconnected:
        """The same, to be raised once more: a traceback must not grow with each time."""
        return Disconnected(self.code, self.reason)


class Over(Protocol):
    """Says that a WebSocket is over, and how; ``ours``: the client is to be told."""

    def __call__(self, error: Disconnected, ours: bool = False, /) -> None: ...


def check_close(code: int, reason: str) -> None:
    """Refuse what no close frame may have.

    :raises ValueError: naming it.
    """
    if code in _NEVER_SENT or not (1000 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(
            f"{code!r} is no close code that can be sent: 1000 is a normal end, and 4000 to 4999"
            " are an application's own (RFC 6455 §7.4)."
        )
    if len(reason.encode()) > LONGEST_REASON:
        raise ValueError(
            f"The reason {reason!r} is longer than {LONGEST_REASON} bytes, all that a close frame"
            " has room for."
        )
