"""Remember tokens and fingerprints: what of a user goes out to browsers, and comes back.

Nothing of it can be read or made without the app's ``SECRET_KEY``; what one of the
``SECRET_KEY_FALLBACKS`` made is still taken.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256, sha512
from typing import Any, NamedTuple

from itsdangerous import BadData

from ..app import Vial
from ..globals import current_app
from ..sessions import signing_serializer

_SALT = "vial.login.remember"
#: What the plain text of a token begins with, to know it from one read with another key.
_MAGIC = b"vial:1:"


class Remembered(NamedTuple):
    """What a remember token says.

    :param token_id: of this one token; no two logins have the same.
    :param fingerprint: of the user when the token was made; see :func:`fingerprint`.
    :param seconds: how long this token is good for, if not as long as the config says.
    """

    token_id: str
    user_id: str
    fingerprint: str
    seconds: float | None = None


# -- Flask-Login's cookie ------------------------------------------------------------------------


def encode_cookie(payload: str, key: str | bytes | None = None) -> str:
    """Sign text as Flask-Login does: ``payload|digest``, with HMAC-SHA512.

    The token is the same each time and never ends; in Flask mode it is the remember cookie.

    :param key: the ``SECRET_KEY`` if not given.
    """
    return f"{payload}|{_digest(payload, _keys(key)[0])}"


def decode_cookie(cookie: str, key: str | bytes | None = None) -> str | None:
    """Return what :func:`encode_cookie` signed, or ``None`` for what it did not."""
    payload, bar, digest = cookie.rpartition("|")
    if not bar:
        return None
    given = digest.encode("utf-8", "replace")
    signed = (_digest(payload, each).encode() for each in _keys(key))
    return payload if any(hmac.compare_digest(one, given) for one in signed) else None


def _digest(payload: str, key: bytes) -> str:
    return hmac.new(key, payload.encode("utf-8", "surrogatepass"), sha512).hexdigest()


def _keys(key: str | bytes | None) -> list[bytes]:
    if key is None:
        return list(_secrets(current_app._get_current_object()))  # type: ignore[attr-defined]
    return [_bytes(key)]


def _secrets(app: Vial) -> Iterator[bytes]:
    """The newest first."""
    yield _bytes(app.config["SECRET_KEY"])
    for key in app.config["SECRET_KEY_FALLBACKS"] or ():
        yield _bytes(key)


def _bytes(key: str | bytes) -> bytes:
    return key.encode("latin-1") if isinstance(key, str) else key


# -- ours ----------------------------------------------------------------------------------------


def make_token(app: Vial, remembered: Remembered) -> str:
    """A token that only this app can read."""
    plain = _MAGIC + json.dumps(remembered[1:]).encode()
    hidden = _mask(plain, remembered.token_id, next(_secrets(app)))
    serializer = signing_serializer(app, _SALT)
    value = serializer.dumps([remembered.token_id, urlsafe_b64encode(hidden).decode()])
    return value if isinstance(value, str) else value.decode()


def read_token(app: Vial, token: str, longest: timedelta) -> Remembered | None:
    """What a token says; ``None`` for one that is forged, damaged or too old.

    :param longest: how long a token that says nothing else is good for.
    """
    try:
        payload, made = signing_serializer(app, _SALT).loads(token, return_timestamp=True)
        remembered = _unmasked(app, *payload)
    except (BadData, ValueError, TypeError):
        return None
    if remembered is None:
        return None
    age = (datetime.now(UTC) - made).total_seconds()
    limit = longest.total_seconds() if remembered.seconds is None else remembered.seconds
    # A second: the time in a token has no fractions.
    return remembered if -1 <= age <= limit else None


def new_token_id() -> str:
    """A name for a token that nobody has used or can guess."""
    return secrets.token_urlsafe(16)


def _unmasked(app: Vial, token_id: str, hidden: str) -> Remembered | None:
    masked = urlsafe_b64decode(hidden)
    for key in _secrets(app):
        plain = _mask(masked, token_id, key)
        if plain.startswith(_MAGIC):
            return Remembered(token_id, *json.loads(plain[len(_MAGIC) :]))
    return None


def _mask(text: bytes, nonce: str, key: bytes) -> bytes:
    """Encrypt or decrypt: XOR with HMAC-SHA256 of a counter, as a block cipher in CTR mode.

    Safe because a nonce is used once. That a token was not changed is for the signature to say,
    which is looked at first.
    """
    own = hmac.digest(key, _SALT.encode() + b".mask", sha256)
    blocks = (
        hmac.digest(own, f"{nonce}.{count}".encode(), sha256)
        for count in range(len(text) // 32 + 1)
    )
    return bytes(a ^ b for a, b in zip(text, b"".join(blocks), strict=False))


# -- fingerprints --------------------------------------------------------------------------------


def fingerprint(app: Vial, user: Any) -> str:
    """What changes when the user's password does, and tells nothing about it; may be empty."""
    return next(_fingerprints(app, user))


def has_fingerprint(app: Vial, user: Any, given: object) -> bool:
    """Whether a fingerprint is that of the user as it is now."""
    text = given.encode() if isinstance(given, str) else b""
    every = [one.encode() for one in _fingerprints(app, user)]
    return any(hmac.compare_digest(one, text) for one in every)


def _fingerprints(app: Vial, user: Any) -> Iterator[str]:
    get = getattr(user, "get_session_fingerprint", None)
    value = None if get is None else get()
    if value is None:
        yield ""
        return
    message = f"vial.login.fingerprint\0{value}".encode("utf-8", "surrogatepass")
    for key in _secrets(app):
        yield urlsafe_b64encode(hmac.digest(key, message, sha256)[:16]).decode().rstrip("=")
