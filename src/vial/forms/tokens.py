"""Tokens: what a page of this site got, for this session, and no other site can know.

A token is a random number and its HMAC by the secret of the session, signed with the time by
the app. No two are alike: the size of compressed pages tells nothing about them (BREACH).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Any, NoReturn

from itsdangerous import BadData, SignatureExpired
from markupsafe import Markup
from wtforms import ValidationError

from ..flask_mode import is_flask_mode
from ..globals import current_app, g, session
from ..sessions import signing_serializer

_SALT = "wtf-csrf-token"
_ADVICE = " Load the page again and send it once more."
Key = str | bytes | None


def generate_csrf(secret_key: Key = None, token_key: str | None = None) -> str:
    """The token of this request's session, which gets a secret for it if it has none.

    The same throughout a request, for one session. A response whose headers were sent cannot keep
    a secret that it makes: :class:`.csrf.CSRFProtect`, or a form, sees to it before a template is
    streamed.

    :param secret_key: signs it; ``WTF_CSRF_SECRET_KEY`` or the app's ``SECRET_KEY`` by default.
    :param token_key: where the session has its secret; ``WTF_CSRF_FIELD_NAME`` by default.
    :raises RuntimeError: without a secret key.
    """
    name = _name(token_key)
    signer = _signer(secret_key)
    made_of = (begin(name), signer)
    if name not in g or g.get(f"_{name}_made_of") != made_of:  # a login began another session
        nonce = secrets.token_urlsafe(12)
        setattr(g, name, str(signer.dumps(nonce + _proof(made_of[0], nonce))))
        setattr(g, f"_{name}_made_of", made_of)
    token: str = g.get(name)
    return token


def begin(token_key: str | None = None) -> str:
    """The secret of the session, which gets one if it has none and can keep one."""
    name = _name(token_key)
    secret = session.get(name)
    if not isinstance(secret, str):
        secret = secrets.token_hex(20)
        if not current_app.session_interface.is_null_session(session._get_current_object()):  # type: ignore[attr-defined]
            session[name] = secret
    return secret


def validate_csrf(
    data: str | None,
    secret_key: Key = None,
    time_limit: int | None = None,
    token_key: str | None = None,
) -> None:
    """Check a token that came with a request.

    :param time_limit: seconds that it is good for; ``WTF_CSRF_TIME_LIMIT`` by default.
    :raises wtforms.ValidationError: with the reason, for one that is missing, too old, not ours
        or of another session.
    """
    name = _name(token_key)
    if not data:
        refuse("The CSRF token is missing.")
    secret = session.get(name)
    if not isinstance(secret, str):
        refuse("The CSRF session token is missing.")
    limit = (
        current_app.config.get("WTF_CSRF_TIME_LIMIT", 3600) if time_limit is None else time_limit
    )
    found = _read(data, _signer(secret_key), limit)
    if not hmac.compare_digest(_proof(secret, found[:16]).encode(), found[16:].encode()):
        refuse("The CSRF tokens do not match.")


def csrf_meta_tag(
    name: str | None = None, secret_key: Key = None, token_key: str | None = None
) -> Markup:
    """``<meta name="csrf-token" content="…">``, for scripts that send the token in a header.

    :param name: ``WTF_CSRF_META_NAME`` by default.
    """
    name = name or current_app.config.get("WTF_CSRF_META_NAME", "csrf-token")
    token = generate_csrf(secret_key, token_key)
    return Markup('<meta name="{}" content="{}">').format(name, token)


def refuse(reason: str) -> NoReturn:
    """:raises wtforms.ValidationError: always. In Flask mode with nothing but the reason."""
    raise ValidationError(reason if is_flask_mode() else reason + _ADVICE)


def _name(token_key: str | None) -> str:
    name: str = token_key or current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token")
    return name


def _signer(secret_key: Key) -> Any:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    key = secret_key or app.config.get("WTF_CSRF_SECRET_KEY")
    # Forms pass the app's own key, of which older ones may be known too.
    return signing_serializer(app, _SALT, None if key == app.secret_key else key)


def _read(data: str, signer: Any, limit: int | None) -> str:
    if not isinstance(data, str) or not data.isascii():
        refuse("The CSRF token is invalid.")
    try:
        found = signer.loads(data, max_age=limit)
    except SignatureExpired:
        refuse("The CSRF token has expired.")
    except BadData:
        refuse("The CSRF token is invalid.")
    if not isinstance(found, str):
        refuse("The CSRF token is invalid.")
    return found


def _proof(secret: str, nonce: str) -> str:
    digest = hmac.digest(secret.encode(), nonce.encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode()
