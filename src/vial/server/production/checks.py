"""What a worker finds out about its app before it serves it, and what it refuses."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ...callables import is_async
from ...globals import session
from ...helpers import flash, get_flashed_messages
from ...sessions import SecureCookieSessionInterface

if TYPE_CHECKING:
    from ...app import Vial

#: Bytes that a key must have: 128 bits, if they are random.
SHORTEST_KEY = 16
#: Keys of documentation and examples, in lower case and without punctuation.
_EXAMPLES = frozenset(
    (
        "changethissecretkey",
        "changemechangeme",
        "changethistoasecret",
        "mysecretkey",
        "mysupersecretkey",
        "supersecretkey",
        "yoursecretkey",
        "yoursecretkeyhere",
        "thisisasecretkey",
        "thisisasecret",
        "replacethiswitharandomstring",
        "replacemewithsomethingsecret",
        "hardtoguessstring",
        "youwillneverguess",
        "youllneverguess",
        "secretkeyhere",
        "insecuresecretkey",
        "developmentkey",
        "developmentsecretkey",
        "devsecretkey",
        "asecretkeyfordevelopment",
        "0123456789abcdef",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "5f352379324c22463451387a0aec5d2f",
        "5y2lf4q8z",
    )
)
_MAKE = (
    "Make one with: python -c 'import secrets; print(secrets.token_hex())', keep it out of the"
    " program, and read it from there: app.secret_key = os.environ['SECRET_KEY']."
)


def refusal_of(app: Vial) -> str | None:
    """Why an app is not for production, and what to do; ``None`` where nothing is wrong."""
    if app.debug:
        return (
            "debug mode is for 'vial run': it shows code and values of variables to visitors."
            " Leave --debug and FLASK_DEBUG away, and do not set app.debug."
        )
    if app.secret_key is None:
        return _missing_key(app)
    keys = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    why = next(filter(None, map(weakness_of, keys)), None)
    if why is None:
        return None
    return f"a SECRET_KEY of the app {why}: anyone could sign sessions with it. {_MAKE}"


def certificate_refusal(files: tuple[str, str] | None) -> str | None:
    """Why a certificate and its key are not served, and what to do; ``None`` where they are."""
    if files is None:
        return None
    try:
        # A password that is wrong: OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password="")
    except OSError as e:
        why = str(e.strerror).partition(" (_ssl.c")[0]
        return (
            f"cannot use the certificate {files[0]} with the key {files[1]}: {why}. Give the"
            " certificate, with those between it and its authority after it, and its own private"
            " key without a password, both as PEM."
        )
    return None


def weakness_of(key: str | bytes) -> str | None:
    """What is wrong with a secret key; ``None`` where nothing is."""
    raw = key.encode() if isinstance(key, str) else key
    if len(raw) < SHORTEST_KEY:
        return f"is shorter than {SHORTEST_KEY} bytes"
    if bytes(b for b in raw.lower() if b in _LETTERS).decode() in _EXAMPLES:
        return "is an example of some documentation"
    return "has hardly any different characters" if len(set(raw)) < 5 else None


_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")


def _missing_key(app: Vial) -> str | None:
    """Whether a page would fail for want of a key, as far as its code tells: a program that serves
    an API alone needs none.

    Sessions of a store other than the cookie need none.
    """
    if not isinstance(app.session_interface, SecureCookieSessionInterface):
        return None
    user = next((f for f in _functions(app) if _uses_session(f)), None)
    if user is None:
        return None
    name = getattr(user, "__qualname__", repr(user))
    return f"{user.__module__}.{name} uses the session, and the app has no SECRET_KEY. {_MAKE}"


def _functions(app: Vial) -> Iterator[Any]:
    """What runs for requests: views and hooks."""
    yield from app.view_functions.values()
    for hooks in (app.before_request_funcs, app.after_request_funcs):
        for functions in hooks.values():
            yield from functions


def _uses_session(function: Any) -> bool:
    """Whether a view, below its decorators, names the session or the flashed messages."""
    while hasattr(function, "__wrapped__"):
        if _names_session(function):
            return True
        function = function.__wrapped__
    return _names_session(function)


def _names_session(function: Any) -> bool:
    if not isinstance(function, FunctionType):
        return False
    found = (function.__globals__.get(name) for name in function.__code__.co_names)
    return any(value is needs_key for value in found for needs_key in _NEED_KEY)


_NEED_KEY: tuple[object, ...] = (session, flash, get_flashed_messages)


def interface_of(app: Vial) -> tuple[str, str]:
    """How a server best calls the app, and why: ``"wsgi"``, the fastest, where all views are sync;
    ``"rsgi"`` where an event loop has something to do; ``"asgi"`` where something was put around
    ``app.asgi_app`` alone."""
    wrapped = vars(app)
    if "asgi_app" in wrapped and "rsgi_app" not in wrapped:
        return "asgi", "something is around app.asgi_app"
    why = _needs_loop(app)
    return ("rsgi", why) if why else ("wsgi", "every view is sync")


def _needs_loop(app: Vial) -> str | None:
    """What of an app an event loop is for; ``None`` where nothing is."""
    if "asgi_app" in vars(app):
        return "something is around app.rsgi_app"
    if app.config.get("TRUSTED_PROXIES"):
        # granian's WSGI makes one variable of X-Forwarded-For and of X_Forwarded_For, which
        # proxies pass on as their clients wrote it.
        return "TRUSTED_PROXIES is set, and WSGI cannot tell X_Forwarded_For from X-Forwarded-For"
    rules = (rule for rule in app.url_map.iter_rules() if rule.websocket)
    views = (name for name, view in app.view_functions.items() if is_async(view))
    return _first(
        ("{} is a WebSocket", (rule.endpoint for rule in rules)),
        ("{} is async", views),
    )


def _first(*kinds: tuple[str, Iterable[str]]) -> str | None:
    for text, names in kinds:
        for name in names:
            return text.format(name)
    return None
