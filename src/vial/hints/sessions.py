"""A session that is too large for its cookie.

Werkzeug warns once (RFC 6265 §6.1: browsers keep 4096 bytes or more) and names no key; the visitor
sees a login or a cart that forgets.
"""

from __future__ import annotations

from logging import WARNING
from typing import TYPE_CHECKING, Any

from .telling import tell

if TYPE_CHECKING:
    from ..sessions import SessionMixin
    from ..wrappers import Response


def warn_of_size(serializer: Any, session: SessionMixin, response: Response) -> None:
    """Log which keys are large, where browsers would drop the cookie. Never what they hold."""
    limit = response.max_cookie_size
    size = len(response.headers.getlist("Set-Cookie")[-1])
    if not limit or size <= limit:
        return
    sizes = {key: len(serializer.dumps(value)) for key, value in session.items()}
    largest = sorted(sizes, key=lambda key: sizes[key], reverse=True)[:3]
    tell(
        WARNING,
        "The session is too large for a cookie: %s bytes, of which browsers keep at most %s; they"
        " drop it, and its changes are lost. Largest, before compression: %s. Keep only ids in the"
        " session, and the rest in a database.",
        size,
        limit,
        ", ".join(f"{key!a} ({sizes[key]} bytes)" for key in largest),
    )
