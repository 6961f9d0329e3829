"""What a response says about a login: the remember cookie, and who may keep the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..globals import g, request, session
from .config import COOKIE_DURATION, COOKIE_HTTPONLY, COOKIE_SAMESITE, COOKIE_SECURE
from .identity import ABOUT_LOGIN, COOKIE, FINGERPRINT_KEY, USER, is_modern, the_app
from .loading import as_duration, cookie_name, read_remembered, remember_cookie
from .tokens import Remembered, encode_cookie, make_token, new_token_id

if TYPE_CHECKING:
    from .login_manager import LoginManager


def finish(manager: LoginManager, response: Any) -> Any:
    """Do what is left to do for the response of a request that asked for its user."""
    if USER not in g and COOKIE not in g:
        return response  # it was loaded in case somebody asks, and nobody did
    wanted = g.get(COOKIE) or _refreshes(manager)
    if wanted == "set" and "_user_id" in session:
        set_cookie(manager, response)
    elif wanted == "clear":
        response.delete_cookie(cookie_name(), **_place(), **(_flags() if is_modern() else {}))
    if is_modern():
        _limit_caches(manager, response)
    return response


def _refreshes(manager: LoginManager) -> str | None:
    """Whether the cookie is sent again; Flask-Login does so whether one came or not."""
    if not _setting("REFRESH_EACH_REQUEST", False):
        return None
    return "set" if not is_modern() or remembers(manager, session.get("_user_id")) else None


def remembers(manager: LoginManager, user_id: Any) -> bool:
    """Whether the cookie that came is a good one of this user."""
    token = remember_cookie()
    found = None if token is None else read_remembered(token)
    if found is None or found.user_id != str(user_id):
        return False
    store = manager.remember_store
    return store is None or store.has(found.token_id, found.user_id)


def set_cookie(manager: LoginManager, response: Any) -> None:
    """Let the browser remember the user."""
    duration = _duration()
    try:
        expires = datetime.now(UTC) + duration
    except TypeError:
        raise Exception(
            f"REMEMBER_COOKIE_DURATION is a datetime.timedelta or seconds, not {duration!r}."
        ) from None
    value = _token(manager, expires) if is_modern() else encode_cookie(str(session["_user_id"]))
    response.set_cookie(
        cookie_name(),
        value=value,
        expires=expires,
        **_flags(),
        **_place(),
    )


def _flags() -> dict[str, Any]:
    return {
        "secure": _setting("SECURE", request.is_secure if is_modern() else COOKIE_SECURE),
        "httponly": _setting("HTTPONLY", COOKIE_HTTPONLY),
        "samesite": _setting("SAMESITE", "Lax" if is_modern() else COOKIE_SAMESITE),
    }


def _duration() -> timedelta:
    seconds = session.get("_remember_seconds")
    if seconds is None:
        return as_duration(_setting("DURATION", COOKIE_DURATION))  # type: ignore[no-any-return]
    return timedelta(seconds=seconds)


def _token(manager: LoginManager, expires: datetime) -> str:
    user_id, token_id = str(session["_user_id"]), new_token_id()
    known, seconds = session.get(FINGERPRINT_KEY, ""), session.get("_remember_seconds")
    if manager.remember_store is not None:
        forget_token(manager)  # the one that is replaced
        manager.remember_store.add(token_id, user_id, expires)
    return make_token(the_app(), Remembered(token_id, user_id, known, seconds))


def forget_token(manager: LoginManager) -> None:
    """Take the token that came out of the store."""
    token = request.cookies.get(cookie_name())
    found = None if token is None or not is_modern() else read_remembered(token)
    if found is not None and manager.remember_store is not None:
        manager.remember_store.remove(found.token_id, found.user_id)


def _place() -> dict[str, Any]:
    return {"domain": _setting("DOMAIN", None), "path": _setting("PATH", "/")}


def _setting(name: str, default: Any) -> Any:
    return the_app().config.get(f"REMEMBER_COOKIE_{name}", default)


def _limit_caches(manager: LoginManager, response: Any) -> None:
    """A page about somebody is for that browser only, one of a login for nobody to keep."""
    if "Cache-Control" not in response.headers:
        about_login = g.get(ABOUT_LOGIN) or manager.is_login_view(request.endpoint)
        response.headers["Cache-Control"] = "no-store" if about_login else "private"
