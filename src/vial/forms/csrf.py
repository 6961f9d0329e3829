"""Requests that pages of other sites make a visitor's browser send (CSRF) are refused.

Modern browsers say which page sent a request (``Sec-Fetch-Site``, ``Origin``); what they do not say
is told by a token. In Flask mode it is always the token, as in Flask-WTF 1.3.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from inspect import unwrap
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest
from wtforms import ValidationError
from wtforms.csrf.core import CSRF

from ..blueprints import Blueprint
from ..callables import never_waits
from ..flask_mode import is_flask_mode
from ..gateways.origins import own_origins
from ..globals import current_app, g, request
from .tokens import begin, csrf_meta_tag, generate_csrf, refuse, validate_csrf

if TYPE_CHECKING:
    from ..app import Vial
    from ..wrappers import Response

__all__ = [
    "CSRFError",
    "CSRFProtect",
    "csrf_meta_tag",
    "generate_csrf",
    "same_origin",
    "validate_csrf",
]

V = TypeVar("V")
logger = logging.getLogger(__name__)


class CSRFError(BadRequest):
    """A request was refused: 400, with the reason as its ``description``."""

    description = "CSRF validation failed."


class CSRFProtect:
    """Checks every request that may change something, before its view runs.

    :param app: what to protect; or call :meth:`init_app`.
    """

    def __init__(self, app: Vial | None = None) -> None:
        self._exempt_views: set[str] = set()
        self._exempt_functions: list[Any] = []  # some cannot be hashed
        self._exempt_blueprints: set[Blueprint] = set()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Vial) -> None:
        """Protect this app, and give its templates ``csrf_token()`` and ``csrf_meta_tag()``."""
        app.extensions["csrf"] = self
        for name, value in _DEFAULTS.items():
            app.config.setdefault(name, value)
        app.config.setdefault("WTF_CSRF_CHECK_ORIGIN", not is_flask_mode(app))
        app.config["WTF_CSRF_METHODS"] = {m.upper() for m in app.config["WTF_CSRF_METHODS"]}
        _trusted(app)
        app.jinja_env.globals.update(csrf_token=generate_csrf, csrf_meta_tag=csrf_meta_tag)
        app.before_request(self._before_request)
        app.after_request(self._after_request)

    @never_waits
    def _before_request(self) -> None:
        config = current_app.config
        if request.method not in config["WTF_CSRF_METHODS"] or not request.endpoint:
            return
        if config["WTF_CSRF_ENABLED"] and config["WTF_CSRF_CHECK_DEFAULT"]:
            self.protect(apply_exemptions=True)

    @never_waits
    def _after_request(self, response: Response) -> Response:
        # A template that is streamed may ask for the token when the cookie can no longer be sent.
        if type(response.response) is list or response.direct_passthrough:
            return response
        if response.is_streamed and response.status_code < 400 and response.mimetype == "text/html":
            begin()
        return response

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the current request; for views where ``WTF_CSRF_CHECK_DEFAULT`` is off.

        :param apply_exemptions: let through what :meth:`exempt` named.
        :raises CSRFError: as :meth:`_error_response` does.
        """
        if request.method not in current_app.config["WTF_CSRF_METHODS"]:
            return
        if apply_exemptions and self._is_exempt():
            return
        try:
            check(self._get_csrf_token)
            _check_referrer()
        except ValidationError as e:
            logger.info(e.args[0])
            self._error_response(e.args[0])
        g.csrf_valid = True  # type: ignore[attr-defined]

    def exempt(self, view: V) -> V:
        """Let a view be called from anywhere; decorates one, also a class, or takes the name
        ``"module.function"``, or a blueprint without those that are nested in it."""
        if isinstance(view, str):
            self._exempt_views.add(view)
        elif isinstance(view, Blueprint):
            self._exempt_blueprints.add(view)
        else:
            self._exempt_functions.append(view)
        return view

    def _is_exempt(self) -> bool:
        blueprint = current_app.blueprints.get(request.blueprint or "")
        if blueprint in self._exempt_blueprints:
            return True
        view = current_app.view_functions.get(request.endpoint or "")
        if view is None:
            return False
        if f"{view.__module__}.{getattr(view, '__name__', '')}" in self._exempt_views:
            return True
        return any(layer in self._exempt_functions for layer in _layers(view))

    def _get_csrf_token(self) -> str | None:
        """What the request has as its token: in a header, or a field of its form."""
        for name in current_app.config["WTF_CSRF_HEADERS"]:
            if token := request.headers.get(name):
                return token
        if getattr(request.url_rule, "stream", False):
            return None  # the view reads the body
        field: str = current_app.config["WTF_CSRF_FIELD_NAME"]
        names = (name for name in request.form if name.endswith(field))  # with a form's prefix
        return next((token for name in names if (token := request.form[name])), None)

    def _error_response(self, reason: str) -> NoReturn:
        """Refuse the request; a subclass may do so by another error."""
        raise CSRFError(reason)


class _FlaskFormCSRF(CSRF):
    """The check of a form; done already where :class:`CSRFProtect` did it."""

    meta: Any

    def setup_form(self, form: Any) -> Any:
        self.meta = form.meta
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: Any) -> str:
        return generate_csrf(self.meta.csrf_secret, self.meta.csrf_field_name)

    def validate_csrf_token(self, form: Any, field: Any) -> None:
        if g.get("csrf_valid", False):
            return
        meta = self.meta
        args = (meta.csrf_secret, meta.csrf_time_limit, meta.csrf_field_name)
        try:
            check(lambda: field.data, *args)
        except ValidationError as e:
            logger.info(e.args[0])
            raise


def check(token: Callable[[], str | None], *args: Any) -> None:
    """Check the current request.

    :param token: gives its token, if that is asked for; ``args`` are for :func:`validate_csrf`.
    :raises wtforms.ValidationError: with the reason, if it must be refused.
    """
    verdict = _verdict() if _asks_browser() else None
    if verdict is None:
        validate_csrf(token(), *args)
    elif not verdict:
        current_app.logger.warning(
            "A request to %r of a page of %r was refused. If it may send such requests, name it in"
            " WTF_CSRF_TRUSTED_ORIGINS.",
            request.path,
            request.headers.get("Origin"),
        )
        raise ValidationError("The request came from a page of another site.")


def same_origin(current_uri: str, compare_uri: str) -> bool:
    """Whether two URLs have the same scheme, host and port."""
    try:
        return _origin(current_uri) == _origin(compare_uri)
    except ValueError:
        return False


def _asks_browser() -> bool:
    return bool(current_app.config.get("WTF_CSRF_CHECK_ORIGIN", not is_flask_mode()))


def _verdict() -> bool | None:
    """What the browser says: ours, another site's, or nothing.

    ``Sec-Fetch-Site`` is what it found out itself (W3C Fetch Metadata); ``none`` is a person who
    asked for it by hand, as by loading the answer to a form again.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "").lower()
    if origin and origin in _trusted(current_app):
        return True
    if site is not None:
        return site in ("same-origin", "none")
    return origin in own_origins(request.host, request.is_secure) if origin else None


def _trusted(app: Vial) -> frozenset[str]:
    setting: str | Collection[str] | None = app.config.get("WTF_CSRF_TRUSTED_ORIGINS")
    return _origins((setting,) if isinstance(setting, str) else tuple(setting or ()))


@lru_cache(maxsize=32)
def _origins(names: tuple[str, ...]) -> frozenset[str]:
    for name in names:
        parts = urlsplit(name)
        if not (parts.scheme and parts.netloc and f"{parts.scheme}://{parts.netloc}" == name):
            raise ValueError(
                f"WTF_CSRF_TRUSTED_ORIGINS has {name!r}, which is no origin. Write it as browsers"
                ' do: scheme, host and a port that is not the usual one, "https://example.com".'
            )
    return frozenset(name.lower() for name in names)


def _check_referrer() -> None:
    if _asks_browser() or not (request.is_secure and current_app.config["WTF_CSRF_SSL_STRICT"]):
        return
    if not request.referrer:
        refuse("The referrer header is missing.")
    if not same_origin(request.referrer, f"https://{request.host}/"):
        refuse("The referrer does not match the host.")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _layers(view: Any) -> Iterator[Any]:
    """The view, what its decorators wrapped, and its class."""
    layers = [view]
    unwrap(view, stop=lambda layer: layers.append(layer))
    for layer in (*layers, unwrap(view)):
        yield layer
        yield getattr(layer, "view_class", None)


_DEFAULTS: dict[str, Any] = {
    "WTF_CSRF_ENABLED": True,
    "WTF_CSRF_CHECK_DEFAULT": True,
    "WTF_CSRF_METHODS": {"POST", "PUT", "PATCH", "DELETE"},
    "WTF_CSRF_FIELD_NAME": "csrf_token",
    "WTF_CSRF_META_NAME": "csrf-token",
    "WTF_CSRF_HEADERS": ["X-CSRFToken", "X-CSRF-Token"],
    "WTF_CSRF_TIME_LIMIT": 3600,
    "WTF_CSRF_SSL_STRICT": True,
}
