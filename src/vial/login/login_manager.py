"""The object that an app has for its logins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from ..app import Vial
from ..callables import is_async
from ..concurrency import running_loop
from ..driver import drive
from ..globals import find_request_ctx, g, request, session
from ..helpers import abort, flash, redirect
from . import config
from .cookies import finish
from .identity import (
    LOADED,
    USER,
    before_response,
    create_identifier,
    is_modern,
    mark,
    set_user,
    the_app,
)
from .loading import at_once, awaited, find_user
from .mixins import AnonymousUserMixin
from .redirects import expand_login_view, login_url, make_next_param
from .signals import tell, user_needs_refresh, user_unauthorized
from .utils import current_user

F = TypeVar("F", bound=Callable[..., Any])


class RememberStore(Protocol):
    """Keeps which remember tokens are good, so that a single one can be revoked.

    The methods are plain calls. Where the user is loaded beside a loop, ``has`` runs in the worker
    pool.
    """

    def add(self, token_id: str, user_id: str, expires: datetime) -> None:
        """A token was made; it is of no use after ``expires``."""

    def has(self, token_id: str, user_id: str) -> bool:
        """Whether a token is still good."""
        ...

    def remove(self, token_id: str, user_id: str) -> None:
        """A token is not to be good any more: its user logged out, or got another one."""


class LoginManager:
    """Finds the user of each request, and tells strangers where to log in.

    :param app: the same as calling :meth:`init_app`.
    :param add_context_processor: let templates know ``current_user``.
    """

    def __init__(self, app: Vial | None = None, add_context_processor: bool = True) -> None:
        #: Makes the user of a request that has none.
        self.anonymous_user: Callable[[], Any] = AnonymousUserMixin
        #: The endpoint, or URL, of the login page; without one strangers get a 401.
        self.login_view: str | None = None
        #: Those of blueprints, by their names; ``None`` is for all others.
        self.blueprint_login_views: dict[str | None, str] = {}
        #: What is flashed to strangers; ``None`` for nothing.
        self.login_message: str | None = config.LOGIN_MESSAGE
        self.login_message_category = config.LOGIN_MESSAGE_CATEGORY
        #: The page for logins that are not fresh, and what is flashed there.
        self.refresh_view: str | None = None
        self.needs_refresh_message: str | None = config.REFRESH_MESSAGE
        self.needs_refresh_message_category = config.REFRESH_MESSAGE_CATEGORY
        #: What becomes of a session that comes from another address or browser: ``"basic"``: it is
        #: not fresh any more, ``"strong"``: it ends, ``None``: nothing.
        self.session_protection: str | None = "basic"
        #: Translates messages.
        self.localize_callback: Callable[[Any], Any] | None = None
        self.unauthorized_callback: Callable[[], Any] | None = None
        self.needs_refresh_callback: Callable[[], Any] | None = None
        #: The method of a user that gives its id.
        self.id_attribute = config.ID_ATTRIBUTE
        #: Where remember tokens are kept that can be revoked one by one.
        self.remember_store: RememberStore | None = None
        self._user_callback: Callable[..., Any] | None = None
        self._request_callback: Callable[..., Any] | None = None
        self._header_callback: Callable[..., Any] | None = None
        self._session_identifier_generator: Callable[[], str] = create_identifier
        self._apps: WeakSet[Vial] = WeakSet()
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app: Vial, add_context_processor: bool = True) -> None:
        """Make this the login manager of an app: ``app.login_manager``."""
        app.login_manager = self
        self._apps.add(app)
        self._load_early()
        if add_context_processor:
            app.context_processor(_context)

    def setup_app(self, app: Vial, add_context_processor: bool = True) -> None:
        """The old name of :meth:`init_app`."""
        warnings.warn("setup_app() is now called init_app().", DeprecationWarning, stacklevel=2)
        self.init_app(app, add_context_processor)

    # -- what the program says -------------------------------------------------------------------

    def user_loader(self, callback: F) -> F:
        """Decorate what finds a user by its id; it returns ``None`` for one that does not exist.
        It may be async."""
        self._user_callback = callback
        self._load_early()
        return callback

    @property
    def user_callback(self) -> Callable[..., Any] | None:
        """What :meth:`user_loader` was given."""
        return self._user_callback

    def request_loader(self, callback: F) -> F:
        """Decorate what finds a user by the request, such as by a token in a header, or returns
        ``None``. It may be async."""
        self._request_callback = callback
        self._load_early()
        return callback

    @property
    def request_callback(self) -> Callable[..., Any] | None:
        """What :meth:`request_loader` was given."""
        return self._request_callback

    def header_loader(self, callback: F) -> F:
        """The old way of :meth:`request_loader`: gets the header ``AUTH_HEADER_NAME`` only."""
        warnings.warn(
            "header_loader is deprecated: use request_loader, which gets the request.",
            DeprecationWarning,
            stacklevel=2,
        )
        self._header_callback = callback
        return callback

    def unauthorized_handler(self, callback: F) -> F:
        """Decorate what answers strangers, in place of :meth:`unauthorized`."""
        self.unauthorized_callback = callback
        return callback

    def needs_refresh_handler(self, callback: F) -> F:
        """Decorate what answers those whose login is not fresh."""
        self.needs_refresh_callback = callback
        return callback

    def is_login_view(self, endpoint: str | None) -> bool:
        """Whether an endpoint is a login page that was named here."""
        views = (self.login_view, self.refresh_view, *self.blueprint_login_views.values())
        return endpoint is not None and endpoint in views

    # -- answers ---------------------------------------------------------------------------------

    def unauthorized(self) -> Any:
        """Answer a stranger: by the handler, by the way to the login page, or by 401.

        WebSockets are refused with 401, as nobody could log in there.
        """
        tell(user_unauthorized)
        if self.unauthorized_callback is not None:
            return _called(self.unauthorized_callback)
        view = self.blueprint_login_views.get(request.blueprint, self.login_view)
        return self._send_to(view, self.login_message, self.login_message_category)

    def needs_refresh(self) -> Any:
        """Answer somebody whose login is not fresh, as :meth:`unauthorized` does."""
        tell(user_needs_refresh)
        if self.needs_refresh_callback is not None:
            return _called(self.needs_refresh_callback)
        category = self.needs_refresh_message_category
        return self._send_to(self.refresh_view, self.needs_refresh_message, category)

    def _send_to(self, view: str | None, message: str | None, category: str) -> Any:
        if not view or request.is_websocket:
            abort(401)
        if message:
            self._flash(message, category)
        if the_app().config.get("USE_SESSION_FOR_NEXT", config.USE_SESSION_FOR_NEXT):
            url = expand_login_view(view)
            session["_id"] = self._session_identifier_generator()
            session["next"] = make_next_param(url, request.url)
            url = login_url(view)
        else:
            url = login_url(view, next_url=request.url)
        return redirect(url, external=True)  # which the program has named

    def _flash(self, message: str, category: str) -> None:
        text = message if self.localize_callback is None else self.localize_callback(message)
        # Once: a script that asks every second would fill the cookie.
        if not is_modern() or [category, text] not in map(list, session.get("_flashes", ())):
            flash(text, category=category)

    # -- finding the user ------------------------------------------------------------------------

    def _load_user(self) -> None:
        """Find the user of the current request, now."""
        if LOADED in g:
            user = g.pop(LOADED)
            session.get("_user_id")  # the response is about what the session says
        else:
            user = drive(find_user(self, at_once))
        self._take(user)

    def _take(self, user: Any) -> None:
        set_user(user)
        before_response(partial(finish, self))

    def _update_request_context_with_user(self, user: Any = None) -> None:
        set_user(self.anonymous_user() if user is None else user)

    def _is_async(self) -> bool:
        callbacks = (self._user_callback, self._request_callback, self._header_callback)
        return any(each is not None and is_async(each) for each in callbacks)

    def _load_early(self) -> None:
        """With async loaders the user is loaded before the view, and before all other hooks: where
        ``current_user`` is read nothing can be awaited."""
        if not self._is_async():
            return
        for app in self._apps:
            for registry in (app.before_request_funcs, app.before_websocket_funcs):
                functions = registry.setdefault(None, [])
                if self._load_before not in functions:
                    functions.insert(0, self._load_before)

    async def _load_before(self) -> None:
        ctx = find_request_ctx()
        assert ctx is not None
        somebody = ctx.sends_cookies or ctx.opened_session or self._request_callback is not None
        if not somebody or USER in g or is_static(request.endpoint):
            return
        seen = ctx.opened_session
        user = await find_user(self, awaited)
        if session.modified:
            self._take(user)
        else:
            mark(LOADED, user)
            before_response(partial(finish, self))
            ctx.session.accessed = seen  # only those who ask for the user vary by it


def is_static(endpoint: str | None) -> bool:
    """Whether a request is for a file that needs no user."""
    return endpoint is not None and endpoint.rpartition(".")[2] == "static"


def _called(callback: Callable[[], Any]) -> Any:
    """What a handler answers; beside a loop an awaitable, if it is async."""
    if is_async(callback) and running_loop() is not None:
        return callback()
    return the_app().ensure_sync(callback)()


def _context() -> dict[str, Any]:
    # The proxy: pages that do not use it cost no look into the database.
    return {"current_user": current_user}
