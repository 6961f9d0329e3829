"""Sockets follow the HTTP session: who logs out by a page is nobody to the events that follow.

A session in a cookie cannot be asked later, so a response that changes it is watched (the signal
``session_saved``), and the connections that were opened with the cookie of that request are
found. They only ever lose by it. What a page adds to its session is not given to a connection:
somebody who planted his own cookie in a visitor's browser before the login would get it
(session fixation). Its transport ends instead, and the client comes back with the cookie that it
has by then.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import blake2b
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..globals import find_request_ctx
from ..sessions import SecureCookieSession
from ..signals import session_saved

if TYPE_CHECKING:
    from ..app import Vial
    from .origins import Environ
    from .protocol import Server

#: Tells from a session who is logged in, as a function or by the names of keys.
Identity: TypeAlias = "str | Collection[str] | Callable[[Mapping[str, Any]], Any]"
#: Where Flask-Login keeps it.
LOGIN_KEY = "_user_id"
#: Seconds after which a connection's session is looked at again: it may have expired.
RECHECK = 30.0
#: Cookies by which one connection is found. Responses to requests at once give several.
MOST_COOKIES = 32
#: Cookies that are remembered after a response put an end to what they say.
MOST_ENDED = 10_000


class Change(NamedTuple):
    """What a response did to a session; plain data, which other processes may be told.

    :param old: the digest of the cookie that came; ``new``: of the one that goes, if one does.
    :param keys: what the session has now.
    :param identity: a digest of who is logged in now.
    """

    old: str
    new: str | None
    keys: list[str]
    identity: str


class Visit:
    """What is known of the HTTP session that a connection was opened with."""

    def __init__(self, eio_sid: str, environ: Environ) -> None:
        self.eio_sid = eio_sid
        self.environ = environ
        #: Digests of the cookies that the session has had.
        self.cookies: list[str] = []
        #: The session at the beginning, and the connection's copy of it, once there is one.
        self.origin: dict[str, Any] | None = None
        self.fork: Any = None
        #: Keys that the session no longer has.
        self.gone: set[str] = set()
        #: Whether the session is over. No event is dispatched then.
        self.ended = False
        self.checked = time.monotonic()

    def strip(self, session: Any) -> None:
        """Take out of a session, opened from the handshake, what pages took out of it since."""
        for key in list(self.gone):
            session.pop(key, None)


class Visits:
    """The visits of one server, by the cookies that they came with.

    :param identity: see :data:`Identity`.
    """

    #: Called with each change, for the sake of other processes; they call :meth:`follow`.
    publish: Callable[[Change], None] | None = None

    def __init__(self, server: Server, identity: Identity = LOGIN_KEY) -> None:
        self._server = server
        self._app = server.app
        self._identity = identity if callable(identity) else _by_keys(identity)
        self._by_cookie: dict[str, set[Visit]] = {}
        self._ended: OrderedDict[str, frozenset[str] | None] = OrderedDict()
        self._lock = Lock()
        if self._app is not None:  # None where a program only sends
            session_saved.connect(self._saved, self._app)

    # Connections, on the server's loop

    def opened(self, eio_sid: str, environ: Environ) -> Visit:
        """A client has come."""
        visit = Visit(eio_sid, environ)
        value = self._app.request_class(environ).cookies.get(self._cookie_name())
        if not value:
            return visit
        cookie = digest(value)
        with self._lock:
            gone = self._ended.get(cookie, frozenset())
            if gone is None:
                # It is still valid, as every cookie that a browser kept against advice.
                self._leave_out_cookie(environ)
            else:
                visit.gone.update(gone)
                self._link(visit, cookie)
        return visit

    def closed(self, visit: Visit) -> None:
        """It has gone."""
        with self._lock:
            for cookie in visit.cookies:
                found = self._by_cookie.get(cookie, set())
                found.discard(visit)
                if not found:
                    self._by_cookie.pop(cookie, None)
            visit.cookies.clear()

    def admits(self, visit: Visit) -> bool:
        """Whether an event may be dispatched. If not, the transport ends."""
        if not visit.ended and time.monotonic() - visit.checked > RECHECK:
            visit.checked = time.monotonic()
            visit.ended = bool(visit.origin) and not self._read(visit)
        if visit.ended:
            self._end(visit)
        return not visit.ended

    # Changes, in any thread

    def _saved(self, app: Vial, response: Any, **kwargs: Any) -> None:
        ctx = find_request_ctx()
        if ctx is None or not ctx.opened_session:
            return
        name, session = self._cookie_name(), ctx.session
        old = ctx.request.cookies.get(name, "")
        new = _set_cookie(response.headers.getlist("Set-Cookie"), name)
        if not (new or (old and session.modified)):
            return
        change = Change(
            digest(old), digest(new) if new else None, sorted(session), self._who(session)
        )
        if isinstance(session, SecureCookieSession):
            self._remember(ctx.environ, change)
        if self.publish is not None:
            self.publish(change)
        if self.follow(change):
            # A client that came back before it had this answer came with the cookie of before.
            response.call_on_close(lambda: self.follow(change))

    def follow(self, change: Change) -> bool:
        """Apply a change to the connections of a session; whether there were some to end."""
        visits = self._told(change)
        for visit in visits:
            self._end(visit)
        return bool(visits)

    def _told(self, change: Change) -> list[Visit]:
        with self._lock:
            if change.new is not None:  # made in the same second, it may be one of before
                self._ended.pop(change.new, None)
            visits = list(self._by_cookie.get(change.old, ()))
            for visit in visits:
                if change.new is not None:
                    self._link(visit, change.new)
        return [visit for visit in visits if self._is_over(visit, change)]

    def _is_over(self, visit: Visit, change: Change) -> bool:
        origin = self._read(visit) if visit.origin is None else visit.origin
        if self._who(origin) != change.identity or (origin and not change.keys):
            visit.ended = True  # with what it had: the disconnect handler may want to know
        if not visit.ended:
            visit.gone.update(_lost(origin, change))
            if visit.fork is not None:
                visit.strip(visit.fork)
        return visit.ended

    def _remember(self, environ: Environ, change: Change) -> None:
        """Keep what an older cookie says and the session no longer does: it may come back."""
        if change.old in (change.new, _NO_COOKIE):
            return
        before = self._app.request_context(environ).session
        lost = frozenset(_lost(before, change))
        somebody = self._who(before) != self._who({})
        over = not change.keys or (somebody and self._who(before) != change.identity)
        if over or lost:
            with self._lock:
                self._ended[change.old] = None if over else lost
                if len(self._ended) > MOST_ENDED:
                    self._ended.popitem(last=False)

    def _end(self, visit: Visit) -> None:
        server = self._server
        server.home.post(lambda: server.spawn(server.eio.drop(visit.eio_sid)))

    def _link(self, visit: Visit, cookie: str) -> None:
        if cookie in visit.cookies:
            return
        visit.cookies.append(cookie)
        visit.checked = time.monotonic()
        self._by_cookie.setdefault(cookie, set()).add(visit)
        if len(visit.cookies) > MOST_COOKIES:
            oldest = visit.cookies.pop(0)
            self._by_cookie[oldest].discard(visit)

    def _read(self, visit: Visit) -> Mapping[str, Any]:
        return self._app.request_context(visit.environ).session

    def _who(self, session: Mapping[str, Any]) -> str:
        return digest(repr(self._identity(session)))

    def _cookie_name(self) -> str:
        return self._app.session_interface.get_cookie_name(self._app)

    def _leave_out_cookie(self, environ: Environ) -> None:
        name = self._cookie_name()
        pairs = [pair.strip() for pair in environ["HTTP_COOKIE"].split(";")]
        kept = [pair for pair in pairs if pair.partition("=")[0].strip() != name]
        environ["HTTP_COOKIE"] = "; ".join(kept)


def digest(text: str) -> str:
    """A short name for a cookie, which is a secret and long."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


_NO_COOKIE = digest("")


def _by_keys(keys: str | Collection[str]) -> Callable[[Mapping[str, Any]], Any]:
    names = (keys,) if isinstance(keys, str) else tuple(keys)
    return lambda session: [session.get(name) for name in names]


def _lost(before: Mapping[str, Any], change: Change) -> set[str]:
    return set(before) - set(change.keys)


def _set_cookie(headers: Iterable[str], name: str) -> str | None:
    """The value that a response gives to a cookie; empty where it deletes it."""
    for header in headers:
        if header.startswith(f"{name}="):
            try:
                return SimpleCookie(header)[name].value
            except (CookieError, KeyError):
                return None
    return None
