"""What a session says about who is logged in, and what becomes of the rest of it then.

In Flask mode it says what Flask-Login's does, and nothing becomes of the rest.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Any

from ..app import Vial
from ..callables import never_waits
from ..ctx import after_this_request
from ..flask_mode import is_flask_mode
from ..globals import current_app, find_request_ctx, g, request, session
from .config import SESSION_KEYS
from .tokens import fingerprint, has_fingerprint

#: Where a session has the fingerprint of its user.
FINGERPRINT_KEY = "_user_fingerprint"
#: Where it has the method by which the user proved last who it is.
METHOD_KEY = "_fresh_method"
#: What outlives a change of user: messages that wait for the next page.
_OUTLIVES = ("_flashes",)
#: Attributes of ``g``: the user; one that was loaded and not asked for; what shall become of the
#: remember cookie; whether this response is about a login; whether it is seen to.
USER, LOADED, COOKIE, ABOUT_LOGIN, FINISHES = (
    "_login_user",
    "_login_loaded",
    "_login_cookie",
    "_login_changed",
    "_login_finishes",
)


def the_app() -> Vial:
    """The current app itself."""
    return current_app._get_current_object()  # type: ignore[attr-defined, no-any-return]


def is_modern() -> bool:
    """Whether the app has Vial's defaults and not Flask's."""
    return not is_flask_mode(the_app())


def is_event() -> bool:
    """Whether an event of Socket.IO is being handled, which has no response."""
    return hasattr(request, "event") and hasattr(request, "sid")


def create_identifier() -> str:
    """Where the request comes from, by address and browser, as a digest: the session's ``_id``."""
    known = (_address(), request.headers.get("User-Agent"))
    # As bytes with their quotes, so that sessions of Flask-Login's stay fresh.
    parts = (None if one is None else one.encode("utf-8", "surrogatepass") for one in known)
    return sha512("|".join(map(repr, parts)).encode()).hexdigest()


def _address() -> str | None:
    # Flask-Login believes anybody's X-Forwarded-For; remote_addr believes TRUSTED_PROXIES'.
    forwarded = None if is_modern() else request.headers.get("X-Forwarded-For")
    return request.remote_addr if forwarded is None else forwarded.partition(",")[0].strip()


def write_identity(user: Any, user_id: Any, fresh: bool, *, remembered: bool = False) -> None:
    """Make the session that of a user.

    :param remembered: nobody gave a password now. What a form of this very page says stays good.
    """
    if is_modern():
        if session.get("_user_id") not in (None, user_id):
            empty_session()
        renew(keep_used=remembered)
        session["_user_id"] = user_id
        session[FINGERPRINT_KEY] = fingerprint(the_app(), user)
    session["_user_id"] = user_id
    session["_fresh"] = fresh


def is_of(user: Any) -> bool:
    """Whether the session was made for this user as it is now, with the password it has now."""
    if not is_modern():
        return True
    known, newest = session.get(FINGERPRINT_KEY), fingerprint(the_app(), user)
    if not has_fingerprint(the_app(), user, known):
        return False
    if known and known != newest and not request.is_websocket:
        session[FINGERPRINT_KEY] = newest  # it was made with a key that will be taken away
    return True


def drop_identity() -> None:
    """Take out of the session who is logged in."""
    for key in (*SESSION_KEYS, FINGERPRINT_KEY, METHOD_KEY):
        session.pop(key, None)


def empty_session() -> None:
    """Leave nothing of a user in the session for the next one at this browser."""
    kept = {key: session[key] for key in _OUTLIVES if key in session}
    if session:
        session.clear()
        session.update(kept)


def renew(*, keep_used: bool = False) -> None:
    """Make what was known of the session before worthless: its CSRF token, and its id where it is
    kept on a server.

    :param keep_used: but not a token that a form has been given in this request.
    """
    for key in {"csrf_token", the_app().config.get("WTF_CSRF_FIELD_NAME", "csrf_token")}:
        if not (keep_used and key in g):
            session.pop(key, None)
            g.pop(key, None)
    regenerate = getattr(the_app().session_interface, "regenerate", None)
    if regenerate is not None:  # Flask-Session's
        regenerate(session._get_current_object())  # type: ignore[attr-defined]


def set_user(user: Any) -> None:
    """Make somebody the current user of this request, and of nothing else."""
    setattr(g, USER, user)


def mark(operation: str, value: Any = True) -> None:
    """Note something about the response in ``g``."""
    setattr(g, operation, value)


def before_response(finish: Any) -> None:
    """Let ``finish(response)`` see the response of this request, once; WebSockets have none that
    every server can send headers with, and events none at all."""
    ctx = find_request_ctx()
    if ctx is None or FINISHES in g or request.is_websocket or is_event():
        return
    mark(FINISHES)
    after_this_request(never_waits(finish))
