"""Who is it? By the session, else the remember cookie, else the request itself.

Written once: ``call`` runs the functions of the program, at once or in a way to be awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..callables import is_async
from ..concurrency import run_in_pool, running_loop
from ..globals import g, request, session
from .config import AUTH_HEADER_NAME, COOKIE_DURATION, COOKIE_NAME
from .identity import (
    COOKIE,
    drop_identity,
    is_event,
    is_modern,
    is_of,
    mark,
    the_app,
    write_identity,
)
from .signals import (
    _user_loaded_from_header,
    session_protected,
    tell,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_request,
)
from .tokens import Remembered, decode_cookie, has_fingerprint, read_token

if TYPE_CHECKING:
    from .login_manager import LoginManager

Call = Callable[..., Awaitable[Any]]


async def at_once(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the program, one that is async through the loop of the process.

    :raises RuntimeError: for an async one on a loop, which must not wait.
    """
    if is_async(function) and running_loop() is not None:
        raise RuntimeError(
            "current_user is not known yet: the user loader is async, and this is async code, in"
            " which reading current_user cannot wait for it. Write 'await load_current_user()'"
            " before it, or decorate the function with @login_required."
        )
    return the_app().ensure_sync(function)(*args)


async def awaited(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the program beside a loop, a sync one in the worker pool."""
    return await function(*args) if is_async(function) else await run_in_pool(function, *args)


async def find_user(manager: LoginManager, call: Call) -> Any:
    """The user of the current request, or the anonymous one.

    :raises Exception: without a user loader or request loader.
    """
    if manager.user_callback is None and manager.request_callback is None:
        raise Exception(  # Flask-Login's class
            "Nothing says how to find a user: decorate a function with"
            " @login_manager.user_loader (it gets an id), or @login_manager.request_loader."
        )
    tell(user_accessed)
    if _is_protected(manager):
        return manager.anonymous_user()
    for source in (_by_session, _by_cookie, _by_request, _by_header):
        user = await source(manager, call)
        if user is not None:
            return user
    return manager.anonymous_user()


async def _by_session(manager: LoginManager, call: Call) -> Any:
    user_id = session.get("_user_id")
    if user_id is None or manager.user_callback is None:
        return None
    user = await call(manager.user_callback, user_id)
    if user is not None and is_of(user):
        return user
    if is_modern() and not request.is_websocket:
        drop_identity()  # nothing in it may count for whoever is found in another way
    return None


async def _by_cookie(manager: LoginManager, call: Call) -> Any:
    token = remember_cookie()
    if token is None or manager.user_callback is None:
        return None
    if not is_modern():
        user = await _by_classic_token(manager, token, call)
    elif is_event():
        return None  # a logout could not find a socket that was opened without a session
    else:
        user = await _by_token(manager, token, call)
    if user is not None:
        tell(user_loaded_from_cookie, user=user)
    return user


async def _by_classic_token(manager: LoginManager, token: str, call: Call) -> Any:
    user_id = decode_cookie(token)
    if user_id is None:
        return None
    session["_user_id"] = user_id
    session["_fresh"] = False
    return await call(manager.user_callback, user_id)


async def _by_token(manager: LoginManager, token: str, call: Call) -> Any:
    found = read_remembered(token)
    store = manager.remember_store
    if found is None or not (store is None or await call(store.has, found.token_id, found.user_id)):
        mark(COOKIE, "clear")
        return None
    user = await call(manager.user_callback, found.user_id)
    if user is None or not has_fingerprint(the_app(), user, found.fingerprint):
        mark(COOKIE, "clear")
        return None
    user_id = getattr(user, manager.id_attribute)()
    if not request.is_websocket:  # servers there may have no way to send a cookie
        write_identity(user, user_id, False, remembered=True)
        session["_id"] = manager._session_identifier_generator()
        if found.seconds is not None:
            session["_remember_seconds"] = found.seconds
    return user


async def _by_request(manager: LoginManager, call: Call) -> Any:
    if manager.request_callback is None:
        return None
    user = await call(manager.request_callback, request._get_current_object())  # type: ignore[attr-defined]
    if user is not None:
        tell(user_loaded_from_request, user=user)
    return user


async def _by_header(manager: LoginManager, call: Call) -> Any:
    name = the_app().config.get("AUTH_HEADER_NAME", AUTH_HEADER_NAME)
    header = request.headers.get(name, "")
    if manager._header_callback is None or not header.strip():
        return None
    user = await call(manager._header_callback, header)
    if user is not None:
        tell(_user_loaded_from_header, user=user)
    return user


def _is_protected(manager: LoginManager) -> bool:
    """Whether the session is to be taken for nobody's, because it came from somewhere else."""
    mode = the_app().config.get("SESSION_PROTECTION", manager.session_protection)
    wanted = mode in ("basic", "strong") and session
    if not wanted or (is_modern() and "_user_id" not in session):
        return False
    if session.get("_id") == manager._session_identifier_generator():
        return False
    if mode == "basic" or session.permanent:
        if session.get("_fresh") is not False:
            session["_fresh"] = False
        tell(session_protected)
        return False
    drop_identity()
    mark(COOKIE, "clear")
    tell(session_protected)
    return True


# -- the remember cookie -------------------------------------------------------------------------


def cookie_name() -> str:
    """``REMEMBER_COOKIE_NAME``."""
    return the_app().config.get("REMEMBER_COOKIE_NAME", COOKIE_NAME)  # type: ignore[no-any-return]


def remember_cookie() -> str | None:
    """The cookie that came, unless this request has put an end to it."""
    return None if g.get(COOKIE) == "clear" else request.cookies.get(cookie_name())


def read_remembered(token: str) -> Remembered | None:
    """What a remember token says, if it is not too old."""
    longest = the_app().config.get("REMEMBER_COOKIE_DURATION", COOKIE_DURATION)
    return read_token(the_app(), token, as_duration(longest))


def as_duration(value: Any) -> Any:
    """``REMEMBER_COOKIE_DURATION``, which may be seconds.

    :raises Exception: for anything else.
    """
    if type(value) in (int, float):
        return timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise Exception(
            f"REMEMBER_COOKIE_DURATION is a datetime.timedelta or seconds, not {value!r}."
        )
    return value
