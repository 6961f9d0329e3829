"""Sessions: what ``session`` is, where it is kept, and the signed cookie that keeps it by default.

The cookie is Flask 3.1.3's, byte for byte: a session survives a move in both directions.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from itsdangerous import (
    BadData,
    TimestampSigner,
    URLSafeTimedSerializer,
    base64_decode,
    base64_encode,
    want_bytes,
)
from werkzeug.datastructures import CallbackDict, Headers

from .globals import find_request_ctx
from .json.tag import TaggedJSONSerializer

if TYPE_CHECKING:
    from .app import Vial
    from .wrappers import Request, Response

_NO_KEY = (
    "The session is unavailable because no secret key was set. Set app.secret_key, or SECRET_KEY"
    " in the config, to something unique and secret; this makes one:"
    " python -c 'import secrets; print(secrets.token_hex())'"
)


class SessionMixin(MutableMapping[str, Any]):
    """What a session has beside the methods of a dict."""

    @property
    def permanent(self) -> bool:
        """Whether it outlives the browser, for ``PERMANENT_SESSION_LIFETIME``; off at first."""
        return self.get("_permanent", False)  # type: ignore[no-any-return]

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    #: Whether the session was made by this request; a class that cannot tell says ``False``.
    new = False

    #: Whether it must be saved; a class that cannot tell says ``True``.
    modified = True

    #: Whether the request used it in any way: the response then varies by the cookie.
    accessed = False


def _set_modified(session: SecureCookieSession) -> None:
    session.modified = True


class SecureCookieSession(CallbackDict[str, Any], SessionMixin):  # pyright: ignore[reportIncompatibleMethodOverride]
    """The session of a signed cookie; it notices changes to itself.

    A change inside of a value, as in ``session["cart"].append(…)``, is not seen: set
    ``session.modified = True`` after it.
    """

    modified = False

    def __init__(
        self, initial: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None
    ) -> None:
        super().__init__(initial, _set_modified)


class NullSession(SecureCookieSession):
    """The session of an app without secret key: empty, and writing raises :exc:`RuntimeError`."""

    def _fail(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(_NO_KEY)

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = update = setdefault = _fail
    del _fail


class SessionInterface:
    """Where sessions are kept. A subclass writes :meth:`open_session` and :meth:`save_session`.

    An app gets another one by ``app.session_interface = …``. Sessions are objects with the methods
    of a dict and of :class:`SessionMixin`. Requests of one user may run at once, in any order:
    an interface to a store decides what that means.
    """

    #: What :meth:`make_null_session` makes and :meth:`is_null_session` looks for.
    null_session_class = NullSession

    #: Whether the sessions are pickled; extensions may want to know.
    pickle_based = False

    def make_null_session(self, app: Vial) -> NullSession:
        """Make the session used where :meth:`open_session` gave ``None``."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Tell a session that is only a stand-in, and is not saved."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Vial) -> str:
        """The name of the cookie: ``SESSION_COOKIE_NAME``."""
        return app.config["SESSION_COOKIE_NAME"]  # type: ignore[no-any-return]

    def get_cookie_domain(self, app: Vial) -> str | None:
        """``SESSION_COOKIE_DOMAIN``; with ``None`` only the host that set the cookie gets it."""
        return app.config["SESSION_COOKIE_DOMAIN"]  # type: ignore[no-any-return]

    def get_cookie_path(self, app: Vial) -> str:
        """``SESSION_COOKIE_PATH``, else ``APPLICATION_ROOT``."""
        config = app.config
        return config["SESSION_COOKIE_PATH"] or config["APPLICATION_ROOT"]  # type: ignore[no-any-return]

    def get_cookie_httponly(self, app: Vial) -> bool:
        """Whether scripts cannot read the cookie: ``SESSION_COOKIE_HTTPONLY``."""
        return app.config["SESSION_COOKIE_HTTPONLY"]  # type: ignore[no-any-return]

    def get_cookie_secure(self, app: Vial) -> bool:
        """Whether the cookie travels by https only: ``SESSION_COOKIE_SECURE``.

        ``None`` there means as the current request, and always where ``SameSite`` is ``None``.
        """
        setting: bool | None = app.config["SESSION_COOKIE_SECURE"]
        if setting is None:
            return _is_cross_site(self.get_cookie_samesite(app)) or _request_is_secure()
        return setting

    def get_cookie_samesite(self, app: Vial) -> str | None:
        """``"Strict"``, ``"Lax"``, ``"None"``, or no attribute: ``SESSION_COOKIE_SAMESITE``."""
        return app.config["SESSION_COOKIE_SAMESITE"]  # type: ignore[no-any-return]

    def get_cookie_partitioned(self, app: Vial) -> bool:
        """Whether embedding sites get a cookie each: ``SESSION_COOKIE_PARTITIONED``. Flask 3.1."""
        return app.config["SESSION_COOKIE_PARTITIONED"]  # type: ignore[no-any-return]

    def get_expiration_time(self, app: Vial, session: SessionMixin) -> datetime | None:
        """When a permanent session ends, in UTC; ``None`` for one that ends with the browser."""
        return datetime.now(UTC) + app.permanent_session_lifetime if session.permanent else None

    def should_set_cookie(self, app: Vial, session: SessionMixin) -> bool:
        """Whether the response sets the cookie: after a change, and each time for a permanent
        session unless ``SESSION_REFRESH_EACH_REQUEST`` is off."""
        return session.modified or (
            session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]
        )

    def open_session(self, app: Vial, request: Request) -> SessionMixin | None:
        """Return the session of a request; ``None`` where a null session shall stand in for it."""
        raise NotImplementedError

    def save_session(self, app: Vial, session: SessionMixin, response: Response) -> None:
        """Keep a session that was opened, and tell the client by the response."""
        raise NotImplementedError


#: Letters of a signed session from which on its cookie may be larger than browsers keep (4093).
_LARGE = 3000


def _is_cross_site(samesite: str | None) -> bool:
    return samesite is not None and samesite.lower() == "none"


def _request_is_secure() -> bool:
    ctx = find_request_ctx()
    return ctx is not None and ctx.request.is_secure


session_json_serializer = TaggedJSONSerializer()


def _lazy_sha1(string: bytes = b"") -> Any:
    # hashlib.sha1 itself may be missing where only FIPS algorithms are: then it is an error to
    # use it, not to import this module.
    return hashlib.sha1(string)  # noqa: S324 - as HMAC, and what the cookies of Flask have


class _Signer(TimestampSigner):
    """Signs and verifies with keys that were derived once, and by text.

    Of the last character of a signature base64 ignores bits. itsdangerous compares what it
    decodes to, so that several spellings pass; here there is one.
    """

    def __init__(self, secret_key: Any, **kwargs: Any) -> None:
        super().__init__(secret_key, **kwargs)
        # PERF: a copy of these costs a tenth of a new one (benchmarks/dispatch.py, session).
        self._hmacs = [
            hmac.new(self.derive_key(key), digestmod=self.digest_method)
            for key in reversed(self.secret_keys)
        ]

    def get_signature(self, value: str | bytes) -> bytes:
        return _signature(self._hmacs[0], want_bytes(value))

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        value, sig = want_bytes(value), want_bytes(sig)
        return any(hmac.compare_digest(_signature(key, value), sig) for key in self._hmacs)


def _signature(key: hmac.HMAC, value: bytes) -> bytes:
    mac = key.copy()
    mac.update(value)
    return base64_encode(mac.digest())


class _Serializer(URLSafeTimedSerializer):
    """Keeps the signer that itsdangerous makes anew for each value."""

    def __init__(self, secret_key: Any, **kwargs: Any) -> None:
        super().__init__(secret_key, **kwargs)
        self._signer: Any = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Any:
        if salt is None or salt == self.salt:
            return self._signer
        return super().make_signer(salt)

    def loads(  # type: ignore[override]
        self,
        s: str | bytes,
        max_age: int | None = None,
        return_timestamp: bool = False,
        salt: str | bytes | None = None,
    ) -> Any:
        if return_timestamp or salt is not None:
            return super().loads(s, max_age, return_timestamp, salt)
        # PERF: itsdangerous makes a datetime in any case (benchmarks/dispatch.py, session).
        return self.load_payload(self._signer.unsign(want_bytes(s), max_age=max_age))


@lru_cache(maxsize=32)
def _signing_serializer(
    secret_key: str | bytes,
    fallbacks: tuple[str | bytes, ...],
    salt: str,
    serializer: Any,
    key_derivation: str,
    digest_method: Any,
) -> _Serializer:
    return _Serializer(
        [*fallbacks, secret_key],  # itsdangerous signs with the last one
        salt=salt,
        serializer=serializer,
        signer=_Signer,
        signer_kwargs={"key_derivation": key_derivation, "digest_method": digest_method},
    )


def signing_serializer(
    app: Vial, salt: str, key: str | bytes | None = None
) -> URLSafeTimedSerializer:
    """What signs JSON that clients keep and bring back: tokens of forms, logins, mailed links.

    The ``SECRET_KEY`` signs by HMAC-SHA256; what one of the ``SECRET_KEY_FALLBACKS`` signed is
    read. Made once for each set of keys.

    :param salt: what the tokens are for; no other use accepts them.
    :param key: signs and reads alone, in place of the app's keys.
    :raises RuntimeError: without a secret key.
    """
    fallbacks = () if key else tuple(app.config["SECRET_KEY_FALLBACKS"] or ())
    key = key or app.secret_key
    if not key:
        raise RuntimeError(_NO_KEY.replace("The session is unavailable", "Nothing can be signed"))
    text: Any = json
    return _signing_serializer(key, fallbacks, salt, text, "hmac", hashlib.sha256)


class SecureCookieSessionInterface(SessionInterface):
    """Keeps sessions in cookies that clients can read but not change, signed by itsdangerous."""

    #: Mixed into the secret key, so that what is signed for something else is no session.
    salt = "cookie-session"
    #: The hash function of the signature.
    digest_method: Callable[[bytes], Any] = staticmethod(_lazy_sha1)
    #: How itsdangerous makes the key of a signature from the secret key and the salt.
    key_derivation = "hmac"
    #: Turns the session to text and back.
    serializer = session_json_serializer
    session_class = SecureCookieSession

    def get_signing_serializer(self, app: Vial) -> URLSafeTimedSerializer | None:
        """What signs and reads the cookies of an app; ``None`` without a secret key.

        The ``SECRET_KEY`` signs; cookies signed by one of the ``SECRET_KEY_FALLBACKS`` are read.
        Made once for each set of keys.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        return _signing_serializer(
            secret_key,
            tuple(app.config["SECRET_KEY_FALLBACKS"] or ()),
            self.salt,
            self.serializer,
            self.key_derivation,
            self.digest_method,
        )

    def open_session(self, app: Vial, request: Request) -> SecureCookieSession | None:
        """Read the cookie; one that is expired, damaged or not ours gives an empty session."""
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        value = request.cookies.get(self.get_cookie_name(app))
        if not value:
            return self.session_class()
        max_age = int(app.permanent_session_lifetime.total_seconds())
        try:
            return self.session_class(serializer.loads(value, max_age=max_age))
        except BadData:
            return self.session_class()

    def may_refresh(self, app: Vial, cookie_header: str) -> bool:
        """Whether a request that did not use the session may still have to send it again.

        PERF: tells a permanent session by a look into the cookie that verifies nothing, at a
        tenth of what opening it costs; in doubt it says yes.
        """
        if not app.config["SESSION_REFRESH_EACH_REQUEST"]:
            return False
        before, found, after = cookie_header.partition(f"{self.get_cookie_name(app)}=")
        if not found:
            return False
        payload = after.partition(".")[0]
        plain = self.serializer is session_json_serializer and '"' not in cookie_header
        if not plain or not payload or before.rstrip()[-1:] not in ("", ";"):
            return True  # another format, compressed, or the end of another cookie's name
        try:
            return b"_permanent" in base64_decode(payload)
        except BadData:
            return True

    def save_session(self, app: Vial, session: SessionMixin, response: Response) -> None:
        """Set the cookie if the session changed (see :meth:`should_set_cookie`), delete it if it
        was emptied, and vary by it if it was used."""
        if session:
            if self.should_set_cookie(app, session):
                self._set_cookie(app, session, response)
            elif session.accessed:
                _vary_by_cookie(response)
        elif session.modified:
            _vary_by_cookie(response)
            response.delete_cookie(self.get_cookie_name(app), **self._cookie_options(app))
        elif session.accessed:
            _vary_by_cookie(response)

    def _set_cookie(self, app: Vial, session: SessionMixin, response: Response) -> None:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            raise RuntimeError(_NO_KEY)
        _vary_by_cookie(response)  # also if the cookie cannot be made
        text = serializer.dumps(dict(session))
        response.set_cookie(
            self.get_cookie_name(app),
            text,
            expires=self.get_expiration_time(app, session),
            **self._cookie_options(app),
        )
        if len(text) > _LARGE:
            from .hints.sessions import warn_of_size

            warn_of_size(self.serializer, session, response)

    def _cookie_options(self, app: Vial) -> dict[str, Any]:
        options: dict[str, Any] = {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "partitioned": self.get_cookie_partitioned(app),
            "samesite": self.get_cookie_samesite(app),
            "httponly": self.get_cookie_httponly(app),
        }
        secure = options["secure"] or options["partitioned"]  # which implies it
        if _is_cross_site(options["samesite"]) and not secure:
            raise RuntimeError(
                "The session cookie has SameSite=None but not Secure, and browsers refuse such a"
                " cookie. Set SESSION_COOKIE_SECURE to True, or SESSION_COOKIE_SAMESITE to 'Lax'."
            )
        return options


def _vary_by_cookie(response: Response) -> None:
    # PERF: `in` and `vary` of Werkzeug's cost more than signing does (benchmarks/dispatch.py,
    # session); they are for the response that varies already.
    headers = response.headers
    if not isinstance(headers, Headers) or any(name.lower() == "vary" for name, _ in headers):
        response.vary.add("Cookie")
    else:
        headers.add("Vary", "Cookie")
