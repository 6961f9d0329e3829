"""The functions of a program: log in, log out, ask who it is, refuse strangers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.exceptions import Unauthorized
from werkzeug.local import LocalProxy

from ..blueprints import Blueprint
from ..callables import is_async
from ..ctx import has_request_context
from ..globals import current_app, g, request, session
from .config import EXEMPT_METHODS
from .cookies import forget_token, remembers
from .identity import (
    ABOUT_LOGIN,
    COOKIE,
    FINGERPRINT_KEY,
    LOADED,
    METHOD_KEY,
    USER,
    empty_session,
    is_event,
    is_modern,
    mark,
    renew,
    the_app,
    write_identity,
)
from .loading import awaited, cookie_name, find_user, read_remembered, remember_cookie
from .redirects import expand_login_view as expand_login_view
from .redirects import login_url as login_url
from .redirects import make_next_param as make_next_param
from .signals import tell, user_logged_in, user_logged_out, user_login_confirmed, user_unauthorized
from .tokens import decode_cookie as decode_cookie
from .tokens import encode_cookie as encode_cookie
from .tokens import fingerprint

if TYPE_CHECKING:
    from .login_manager import LoginManager

F = TypeVar("F", bound=Callable[..., Any])


def _manager() -> LoginManager:
    manager: LoginManager | None = getattr(the_app(), "login_manager", None)
    if manager is None:
        raise RuntimeError(
            f"The app {current_app.name!r} has no login manager: make one with LoginManager(app),"
            " or call login_manager.init_app(app)."
        )
    return manager


def _get_user() -> Any:
    if not has_request_context():
        return None
    if USER not in g:
        _manager()._load_user()
    return getattr(g, USER)


#: The user of the request, loaded at first use; an anonymous one where nobody is logged in, and
#: ``None`` outside of requests.
current_user: Any = LocalProxy(_get_user)


async def load_current_user() -> Any:
    """Load the user of the request without blocking the loop, and return it.

    For async code where the user is not loaded yet: handlers of Socket.IO if the user loader is
    async, and any async view that is not decorated with :func:`login_required` if it is not.
    """
    if USER not in g and LOADED not in g:
        manager = _manager()
        manager._take(await find_user(manager, awaited))
    return _get_user()


def reload_user() -> None:
    """Forget who the user is: ``current_user`` is loaded again at its next use.

    A WebSocket is open for long; this finds out whether its user may still be there.
    """
    for name in (USER, LOADED):
        g.pop(name, None)


def login_user(
    user: Any,
    remember: bool = False,
    duration: timedelta | None = None,
    force: bool = False,
    fresh: bool = True,
    *,
    method: str | None = None,
) -> bool:
    """Log a user in.

    What the session had before stays, but for its CSRF token, and but for everything if it was
    the session of another user.

    :param remember: also when the browser was closed, by a cookie.
    :param duration: for how long; ``REMEMBER_COOKIE_DURATION`` if not given.
    :param force: also one whose ``is_active`` is false.
    :param fresh: whether this is as good as a password that was just given.
    :param method: how it was proved (``"password"``, ``"passkey"``), for
        :func:`fresh_login_required_by`.
    :return: whether it was done: not for a user who is not active.
    """
    if not force and not user.is_active:
        return False
    manager = _manager()
    if isinstance(user, LocalProxy):  # current_user
        user = user._get_current_object()
    user_id = getattr(user, manager.id_attribute)()
    if is_modern() and user_id in (None, "None"):
        raise ValueError(
            f"{user!r} has no id yet: save it (db.session.commit()) before login_user."
        )
    write_identity(user, user_id, fresh)
    _prove(method)
    if remember:
        _remember(duration)
    elif is_modern() and remember_cookie() is not None and not remembers(manager, user_id):
        _forget(manager)  # it would bring back who was here before
    _now(user)
    tell(user_logged_in, user=_get_user())
    return True


def _remember(duration: timedelta | None) -> None:
    mark(COOKIE, "set")
    if duration is None:
        session.pop("_remember_seconds", None)
        return
    if not isinstance(duration, timedelta):
        raise Exception(f"duration is a datetime.timedelta, not {duration!r}.")
    session["_remember_seconds"] = duration.total_seconds()


def _forget(manager: LoginManager) -> None:
    forget_token(manager)
    mark(COOKIE, "clear")


def _prove(method: str | None) -> None:
    """Note how and where from the session was made fresh."""
    session["_id"] = _manager()._session_identifier_generator()
    session.pop(METHOD_KEY, None)
    if method is not None:
        session[METHOD_KEY] = method


def _now(user: Any) -> None:
    """Somebody else is the user from here on."""
    _manager()._take(user)
    mark(ABOUT_LOGIN)


def logout_user() -> bool:
    """Log the user out: of the session, which is emptied, and of the cookie that remembers it.

    In Flask mode the rest of the session stays, as in Flask-Login.
    """
    manager, user = _manager(), _get_user()
    if cookie_name() in request.cookies:
        _forget(manager)
    elif g.get(COOKIE) == "set":  # logged in by this very request
        g.pop(COOKIE)
    if is_modern():
        empty_session()
    for key in ("_user_id", "_fresh", "_id", "_remember_seconds", METHOD_KEY):
        session.pop(key, None)
    tell(user_logged_out, user=user)
    _now(manager.anonymous_user())
    return True


def confirm_login(*, method: str | None = None) -> None:
    """Make the login fresh again: call it after the password was asked for and was right.

    :param method: as for :func:`login_user`.
    :raises werkzeug.exceptions.Unauthorized: where the session is nobody's.
    """
    if is_modern():
        if not _is_of_session(_get_user()):
            raise Unauthorized("Nobody is logged in whose login could be confirmed.")
        renew_session()
    session["_fresh"] = True
    _prove(method)
    tell(user_login_confirmed)


def renew_session() -> None:
    """Call it when the rights of the current user change, or its password.

    What was known of the session before becomes worthless. After a new password all other
    sessions of the user end, and this one goes on.
    """
    renew()
    user = _get_user()
    if _is_of_session(user):
        session[FINGERPRINT_KEY] = fingerprint(the_app(), user)
        if remembers(_manager(), session["_user_id"]):
            mark(COOKIE, "set")
    mark(ABOUT_LOGIN)


def login_fresh() -> bool:
    """Whether the user logged in in this session, rather than being remembered."""
    is_fresh: bool = session.get("_fresh", False)
    return is_fresh and (not is_modern() or _is_of_session(_get_user()))


def _is_of_session(user: Any) -> bool:
    """Whether a user is who the session says, and was not found by the request."""
    user_id, get_id = session.get("_user_id"), getattr(user, _manager().id_attribute, None)
    return user_id is not None and get_id is not None and bool(user_id == get_id())


def login_remembered() -> bool:
    """Whether a cookie remembers the user."""
    token = remember_cookie()
    if token is None:
        return False
    return (read_remembered if is_modern() else decode_cookie)(token) is not None


def set_login_view(login_view: str, blueprint: Blueprint | None = None) -> None:
    """Name the login page of the app, or of a blueprint.

    :param login_view: an endpoint or URL.
    """
    manager = _manager()
    views = manager.blueprint_login_views
    if blueprint is None and not views:
        manager.login_view = login_view
        return
    views[None if blueprint is None else blueprint.name] = login_view
    if manager.login_view is not None and None not in views:
        views[None] = manager.login_view
    manager.login_view = None


def bearer_token() -> str | None:
    """The token of a header ``Authorization: Bearer …``, for a request loader; ``None`` where
    there is none, or an empty one."""
    given = request.authorization
    return (given.token or None) if given is not None and given.type == "bearer" else None


# -- who may come in -----------------------------------------------------------------------------


def login_required(func: F) -> F:
    """Let only users that are logged in reach a view, a WebSocket or a handler of Socket.IO.

    Others get what :meth:`LoginManager.unauthorized` answers; a client of Socket.IO is
    disconnected. Goes below the decorator that makes the function a view. ``OPTIONS`` and apps
    with ``LOGIN_DISABLED`` pass.
    """
    return _guarded(func, lambda user: None if user.is_authenticated else "unauthorized")


def fresh_login_required(func: F) -> F:
    """Let only users pass that logged in in this session; see :func:`confirm_login`."""
    return _guarded(func, _lacks_freshness)


def fresh_login_required_by(method: str) -> Callable[[F], F]:
    """:func:`fresh_login_required` where that was last proved by one certain method, and not by a
    weaker one: ``@fresh_login_required_by("passkey")``."""

    def refused(user: Any) -> str | None:
        return _lacks_freshness(user) or (
            None if session.get(METHOD_KEY) == method else "needs_refresh"
        )

    return lambda func: _guarded(func, refused)


def _lacks_freshness(user: Any) -> str | None:
    if not user.is_authenticated:
        return "unauthorized"
    return None if login_fresh() else "needs_refresh"


def _guarded(func: F, refused: Callable[[Any], str | None]) -> F:
    @wraps(func)
    def guard(*args: Any, **kwargs: Any) -> Any:
        method = None if _is_exempt() else refused(_get_user())
        return func(*args, **kwargs) if method is None else _refuse(method)

    @wraps(func)
    async def guard_async(*args: Any, **kwargs: Any) -> Any:
        method = None if _is_exempt() else refused(await load_current_user())
        if method is None:
            return await func(*args, **kwargs)
        answer = _refuse(method)
        return await answer if isawaitable(answer) else answer

    return guard_async if is_async(func) else guard  # type: ignore[return-value]


def _is_exempt() -> bool:
    return request.method in EXEMPT_METHODS or bool(current_app.config.get("LOGIN_DISABLED"))


def _refuse(method: str) -> Any:
    return _refuse_event() if is_event() else getattr(_manager(), method)()


def _refuse_event() -> Any:
    """Send a client of Socket.IO away, in the words of whatever server the app has."""
    tell(user_unauthorized)
    about: Any = request
    if about.event["message"] == "connect":
        return False
    current_app.extensions["socketio"].server.disconnect(about.sid, namespace=about.namespace)
    return None
