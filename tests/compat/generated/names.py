"""The names that generated programs use beside ``web``: errors, converters, a WSGI application."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

import werkzeug.exceptions as http
from werkzeug.datastructures import Headers, WWWAuthenticate
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, Rule, ValidationError
from werkzeug.wrappers import Response as WerkzeugResponse

__all__ = [
    "Deeper",
    "Even",
    "HTTPStatus",
    "Headers",
    "Listed",
    "NoCode",
    "Odd",
    "Oops",
    "ProxyFix",
    "Rule",
    "Teapot",
    "WWWAuthenticate",
    "WerkzeugResponse",
    "datetime",
    "http",
    "io",
    "marked",
    "sneaky",
    "tagged",
    "timedelta",
    "wsgi",
]


class Oops(Exception):
    """An error of the application."""


class Deeper(Oops, LookupError):
    """One that is of two kinds."""


class Teapot(http.HTTPException):
    code = 418
    description = "own"


class NoCode(http.HTTPException):
    """An HTTP error without a status."""


class Odd(http.NotFound, Oops):
    """Both an HTTP error and one of the application."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        return [*super().get_headers(*args, **kwargs), ("X-Odd", "1")]


class Even(BaseConverter):
    """Refuses after its regex fitted."""

    regex = r"\d+"

    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError
        return int(value)

    def to_url(self, value: Any) -> str:
        if int(value) % 2:
            raise ValidationError
        return str(value)


class Listed(BaseConverter):
    """Several values in one segment."""

    def to_python(self, value: str) -> list[str]:
        return value.split("+")

    def to_url(self, value: Any) -> str:
        return "+".join(map(super().to_url, value))


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("207 Wsgi", [("Content-Type", "text/x-wsgi"), ("X-Wsgi", "1")])
    return [b"of ", b"wsgi"]


def marked(function: Any) -> Any:
    """A decorator that keeps the name."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def sneaky(function: Any) -> Any:
    """A decorator that hides the function's name and attributes."""
    return lambda **kwargs: function(**kwargs)


def tagged(tag: str) -> Any:
    """A decorator that adds to the values of the URL."""

    def decorator(function: Any) -> Any:
        @wraps(function)
        def wrapper(**values: Any) -> Any:
            return function(**values | {"tag": tag + values.get("tag", "")})

        return wrapper

    return decorator
