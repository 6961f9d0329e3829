"""What one WebSocket may use. Each is a key of the config; ``None`` there is no limit."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..config import Config

#: Bytes of a message.
MAX_MESSAGE_SIZE = 1024 * 1024
#: Messages that are received before the view asks for them.
RECEIVE_QUEUE = 64
#: Bytes that may wait to be sent while a message is under way.
SEND_QUEUE = 1024 * 1024
#: Seconds that a client may take for a message that is sent to it.
SEND_TIMEOUT = 30.0
#: Seconds that a view may leave a full queue of messages unread.
UNREAD_TIMEOUT = 60.0


class Limits(NamedTuple):
    """See the constants of this module. Sizes are in bytes, times in seconds."""

    max_message_size: float
    receive_queue: float
    send_queue: float
    send_timeout: float
    unread_timeout: float
    idle_timeout: float


def limits_of(config: Config) -> Limits:
    """The limits for the WebSockets of an app."""

    def limit(name: str, default: float | None) -> float:
        value = config.get(f"WEBSOCKET_{name}", default)
        return inf if value is None else value

    return Limits(
        limit("MAX_MESSAGE_SIZE", MAX_MESSAGE_SIZE),
        limit("RECEIVE_QUEUE", RECEIVE_QUEUE),
        limit("SEND_QUEUE", SEND_QUEUE),
        limit("SEND_TIMEOUT", SEND_TIMEOUT),
        limit("UNREAD_TIMEOUT", UNREAD_TIMEOUT),
        limit("IDLE_TIMEOUT", None),
    )


def is_longer(message: str | bytes, limit: float) -> bool:
    """Whether a text has more bytes than it may, as UTF-8."""
    if isinstance(message, bytes) or message.isascii() or len(message) * 4 <= limit:
        return False
    return len(message.encode(errors="replace")) > limit
