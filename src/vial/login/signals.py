"""Signals, with the names and arguments of Flask-Login 0.6.3. The sender is the app."""

from __future__ import annotations

from typing import Any

from blinker import Namespace, Signal

from ..globals import current_app

_signals = Namespace()

#: ``user`` logged in; ``user`` logged out.
user_logged_in = _signals.signal("logged-in")
user_logged_out = _signals.signal("logged-out")
#: ``user`` was found by the cookie that remembers it, by the request, by a header.
user_loaded_from_cookie = _signals.signal("loaded-from-cookie")
user_loaded_from_request = _signals.signal("loaded-from-request")
_user_loaded_from_header = _signals.signal("loaded-from-header")
#: A login became fresh again.
user_login_confirmed = _signals.signal("login-confirmed")
#: Somebody was refused: as a stranger, for a login that is not fresh.
user_unauthorized = _signals.signal("unauthorized")
user_needs_refresh = _signals.signal("needs-refresh")
#: ``current_user`` was asked for, for the first time in a request.
user_accessed = _signals.signal("accessed")
#: A session came from somewhere else than it was made for.
session_protected = _signals.signal("session-protected")


def tell(signal: Signal, **kwargs: Any) -> None:
    """Send a signal in the name of the current app."""
    if signal.receivers:
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        signal.send(app, _async_wrapper=app.ensure_sync, **kwargs)
