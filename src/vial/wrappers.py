"""Request and Response: Werkzeug's classes, built as late as possible.

Subclassing keeps ``isinstance`` and every attribute true for the extensions that use them;
constructors that compute nothing are where the speed comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import (
    Authorization,
    EnvironHeaders,
    Headers,
    ImmutableMultiDict,
    MultiDict,
)
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge
from werkzeug.sansio.http import parse_cookie
from werkzeug.utils import get_content_type
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase

from . import json
from .bodies import BoundedFormParser, check_fields, input_stream, read_urlencoded
from .endpoints import blueprint_names
from .globals import _cv
from .lazy import lazy

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.formparser import FormDataParser
    from werkzeug.routing import Rule


def _config(key: str, default: Any) -> Any:
    ctx = _cv.get(None)
    return default if ctx is None else ctx.app.config.get(key, default)


def _decoded(environ: WSGIEnvironment, key: str) -> str:
    """A CGI variable as text: PEP 3333 passes its bytes decoded as latin-1."""
    text: str = environ.get(key) or ""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")


def _limit(name: str, key: str) -> Any:
    """A limit that the config sets and one request may change (Flask 3.1)."""

    def get(self: Request) -> int | None:
        own: int | None = self.__dict__.get(name)
        if own is not None:
            return own
        return _config(key, getattr(RequestBase, name))  # type: ignore[no-any-return]

    def set_(self: Request, value: int | None) -> None:
        self.__dict__[name] = value

    return property(get, set_, doc=f"``{key}`` of the config, or what was set for this request.")


class Request(RequestBase):
    """What the client sent. Everything is read from ``environ`` when it is asked for."""

    json_module: Any = json
    form_data_parser_class = BoundedFormParser

    #: The rule that matched; ``None`` where none did.
    url_rule: Rule | None = None
    #: The arguments taken from the URL; ``None`` where no rule matched.
    view_args: dict[str, Any] | None = None
    #: Why no rule matched; raised when the request is dispatched.
    routing_exception: HTTPException | None = None
    shallow = False
    #: Whether this is a :class:`~vial.websockets.WebSocket`.
    is_websocket = False

    max_content_length = _limit("max_content_length", "MAX_CONTENT_LENGTH")
    max_form_memory_size = _limit("max_form_memory_size", "MAX_FORM_MEMORY_SIZE")
    max_form_parts = _limit("max_form_parts", "MAX_FORM_PARTS")

    def __init__(
        self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False
    ) -> None:
        self.environ = environ
        if shallow:
            self.shallow = True
        elif populate_request:
            environ["werkzeug.request"] = self

    @lazy
    def method(self) -> str:
        return str(self.environ.get("REQUEST_METHOD", "GET")).upper()

    @lazy
    def scheme(self) -> str:
        return str(self.environ.get("wsgi.url_scheme", "http"))

    @lazy
    def server(self) -> tuple[str, int | None] | None:
        name, port = self.environ.get("SERVER_NAME"), self.environ.get("SERVER_PORT")
        if name is None:
            return None
        try:
            return name, None if port is None else int(port)
        except ValueError:  # a unix socket has no port
            return name, None

    @lazy
    def root_path(self) -> str:
        return _decoded(self.environ, "SCRIPT_NAME").rstrip("/")

    @lazy
    def path(self) -> str:
        return "/" + _decoded(self.environ, "PATH_INFO").lstrip("/")

    @lazy
    def query_string(self) -> bytes:
        return str(self.environ.get("QUERY_STRING", "")).encode("latin-1")

    @lazy
    def headers(self) -> Headers:
        return EnvironHeaders(self.environ)

    @lazy
    def remote_addr(self) -> str | None:
        return self.environ.get("REMOTE_ADDR")

    @lazy
    def args(self) -> MultiDict[str, str]:
        """The parameters of the query string; 413 where there are more than
        ``MAX_FORM_FIELDS``, once: hooks that read them while that is answered find none."""
        try:
            check_fields(self.query_string.count(b"&") + 1, _config("MAX_FORM_FIELDS", None))
        except RequestEntityTooLarge:
            self.args = self.parameter_storage_class()
            raise
        return RequestBase.args.fget(self)  # type: ignore[attr-defined, no-any-return]

    @lazy
    def authorization(self) -> Authorization | None:
        """The ``Authorization`` header; ``None`` where it is absent or cannot be read."""
        try:
            return super().authorization
        except ValueError:  # Werkzeug 3.1, for base64 that is no ASCII
            return None

    @lazy
    def stream(self) -> Any:
        """The body as a stream that ends where the body ends; see :func:`bodies.input_stream`."""
        if self.shallow:
            raise RuntimeError("This request was made with shallow=True: its body is not read.")
        trust = _config("TRUST_CHUNKED_BODIES", False)
        return input_stream(self.environ, self.max_content_length, trust)

    @property
    def endpoint(self) -> str | None:
        """The endpoint that matched; ``None`` where none did."""
        rule = self.url_rule
        return None if rule is None else rule.endpoint

    @property
    def blueprint(self) -> str | None:
        """The registered name of the blueprint that handles this request, dotted if nested."""
        names = self.blueprints
        return names[0] if names else None

    @property
    def blueprints(self) -> list[str]:
        """The blueprint that handles this request and those it is nested in, innermost first."""
        endpoint = self.endpoint
        return [] if endpoint is None else list(blueprint_names(endpoint))

    @lazy
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies that the client sent."""
        header = self.environ.get("HTTP_COOKIE")
        return parse_cookie(header, cls=self.dict_storage_class)  # type: ignore[return-value]

    @lazy
    def form(self) -> MultiDict[str, str]:  # type: ignore[override]
        """The fields of a form; see :class:`~vial.bodies.BoundedFormParser` for its limits."""
        self._load_form_data()
        return self.form

    @lazy
    def files(self) -> MultiDict[str, Any]:  # type: ignore[override]
        """The files of a form."""
        self._load_form_data()
        return self.files

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        if isinstance(parser, BoundedFormParser):
            parser.max_form_fields = _config("MAX_FORM_FIELDS", None)
        return parser

    def _load_form_data(self) -> None:
        if self.environ.get("CONTENT_TYPE") == _URLENCODED and not self._has_own_parser():
            self._load_urlencoded()
        else:
            super()._load_form_data()
        if self.mimetype != "multipart/form-data" and not self.files and _config("DEBUG", False):
            from .debughelpers import attach_enctype_error_multidict

            attach_enctype_error_multidict(self)

    def _has_own_parser(self) -> bool:
        cls = type(self)
        return (
            cls.form_data_parser_class is not BoundedFormParser
            or cls.make_form_data_parser is not Request.make_form_data_parser
        )

    def _load_urlencoded(self) -> None:
        """PERF: benchmarks/dispatch.py, form: what Werkzeug's parser does, without the parser."""
        if "form" in self.__dict__:
            return
        fields = _config("MAX_FORM_FIELDS", None)
        size = None if fields is None else self.max_form_memory_size
        text = read_urlencoded(self._get_stream_for_parsing(), size, fields)
        pairs = parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote")
        self.form = self.parameter_storage_class(pairs)
        self.files = self.parameter_storage_class()
        self.stream = BytesIO()

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Answer 400 to a body that is not JSON, with the parser's words in debug mode only."""
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            if _config("DEBUG", False):
                raise
            raise BadRequest() from error


_URLENCODED = "application/x-www-form-urlencoded"
_content_types: dict[str | None, str] = {}


def _content_type(mimetype: str) -> str:
    """The Content-Type of a mimetype: a charset added to text; refused if it breaks the header."""
    known = _content_types.get(mimetype)
    if known is not None:
        return known
    known = get_content_type(mimetype, "utf-8")
    _check_headers([("Content-Type", known)])
    if len(_content_types) < 100:  # a mimetype may come from a user's file name
        _content_types[mimetype] = known
    return known


_is_name = lru_cache(1000)(re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch)
_is_value = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch


def _check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raise to the developer what no server may send (RFC 9110 §5)."""
    for name, value in headers:
        if _is_name(name) and ((value.isascii() and value.isprintable()) or _is_value(value)):
            continue
        raise ValueError(
            f"The header {name!r} cannot be sent with the value {value!r}: a name takes letters,"
            " digits and hyphens, a value latin-1 text without control characters."
        )


class Page(Iterator[bytes]):
    """A body to be read once, as Flask's of an HTTP error is, that gateways may send at once."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    def __next__(self) -> bytes:
        if not self.parts:
            raise StopIteration
        return self.parts.pop()


_WITHOUT_BODY = frozenset((*range(100, 200), 204, 304))
_CALLED = ("__call__", "get_wsgi_response", "get_app_iter")
_SENDING = (*_CALLED[1:], "get_wsgi_headers", "iter_encoded", "close")


class Response(ResponseBase):
    """What the client gets. Status, body and content type are kept as they were given; the
    ``headers`` object is built when somebody asks for it."""

    default_mimetype: str | None = "text/html"
    json_module: Any = json
    autocorrect_location_header = False

    _status = "200 OK"
    _status_code = 200
    direct_passthrough = False
    #: Whether a subclass changed how a response is sent; what a server gets that calls it; or
    #: anything that Flask does while the request is still there.
    _overridden = _called = _asks_request = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {n for n in ("__call__", *_SENDING) if getattr(cls, n) is not getattr(Response, n)}
        cls._called = not own.isdisjoint(_CALLED)
        cls._asks_request = cls._called or "get_wsgi_headers" in own
        cls._overridden = bool(own) or not cls.automatically_set_content_length
        cls._status, cls._status_code = cls.__new__(cls)._clean_status(cls.default_status)

    def __init__(
        self,
        response: Iterable[bytes] | bytes | Iterable[str] | str | None = None,
        status: int | str | HTTPStatus | None = None,
        headers: Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]] | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        # PERF: benchmarks/dispatch.py, hello: nothing here builds an object but the body's list.
        self._headers: Headers | None = None
        self._closing: list[Any] | None = None
        #: Headers of the app's config, sent unless the response says otherwise.
        self._defaults: tuple[tuple[str, str], ...] = ()
        #: The content type, until ``headers`` is built and holds it.
        self._content_type: str | None = None
        self.response: Any
        if isinstance(response, str):
            self.response = [response.encode()]
        elif isinstance(response, (bytes, bytearray)):
            self.response = [bytes(response)]
        else:
            self.response = [] if response is None else response
        if status is not None:
            self.status = status
        if direct_passthrough:
            self.direct_passthrough = True
        if content_type is not None:
            _check_headers([("Content-Type", content_type)])
            self._content_type = content_type
        elif mimetype is not None:
            self._content_type = _content_type(mimetype)
        if headers is not None:
            self._set_headers(headers, isinstance(response, (str, bytes, bytearray)))

    @classmethod
    def force_type(cls, response: ResponseBase, environ: WSGIEnvironment | None = None) -> Response:
        """Make a response of this class of one of another, or of a WSGI application."""
        if isinstance(response, Response):  # what its own class gives by default is fixed now
            response.headers, response.status = response.headers, response.status
        forced = super().force_type(response, environ)
        own = forced.__dict__
        if "_headers" not in own:  # Werkzeug's has its headers where this class has a property
            own["_headers"], own["_closing"] = own.pop("headers"), own.pop("_on_close")
            own.update(_defaults=(), _content_type=None)
            forced.status = forced.status  # checked as one of ours
        return forced  # type: ignore[return-value]

    def _set_headers(self, headers: Any, sized: bool) -> None:
        given = headers if isinstance(headers, Headers) else Headers(headers)
        if self._content_type is not None:
            given["Content-Type"] = self._content_type
        elif self.default_mimetype is not None and "Content-Type" not in given:
            given["Content-Type"] = _content_type(self.default_mimetype)
        if sized and self.automatically_set_content_length:
            given["Content-Length"] = str(len(self.response[0]))
        self.headers = given

    @property
    def headers(self) -> Headers:
        """The headers as a mutable :class:`~werkzeug.datastructures.Headers`."""
        if self._headers is None:
            self._headers = Headers(self._header_list())
        return self._headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self._headers = headers

    def _header_list(self) -> list[tuple[str, str]]:
        content_type = self._content_type
        if content_type is None and self.default_mimetype is not None:
            content_type = _content_type(self.default_mimetype)
        headers = [] if content_type is None else [("Content-Type", content_type)]
        body = self.response.parts if type(self.response) is Page else self.response
        sized = type(body) is list and len(body) == 1 and type(body[0]) in (bytes, bytearray)
        if sized and self.automatically_set_content_length:
            headers.append(("Content-Length", str(len(body[0]))))
        return headers

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers to send: those set, what Werkzeug derives, and the app's defaults."""
        headers = super().get_wsgi_headers(environ)
        for name, value in self._defaults:
            headers.setdefault(name, value)
        _check_headers(headers)
        return headers

    def _clean_status(self, value: str | int | HTTPStatus) -> tuple[str, int]:
        status, code = super()._clean_status(value)
        if not _is_value(status):
            raise ValueError(f"A status is latin-1 text without control characters: {status!r}.")
        if not 100 <= code <= 999:  # granian's process ends on another one
            raise ValueError(f"A status has three digits (RFC 9110 §15), {value!r} does not.")
        return status, code

    @property
    def _on_close(self) -> list[Any]:  # type: ignore[override]
        if self._closing is None:
            self._closing = []
        return self._closing

    def set_data(self, value: bytes | str) -> None:
        """Replace the body by text (sent as UTF-8) or bytes."""
        body = value.encode() if isinstance(value, str) else value
        self.response = [body]
        if self._headers is not None and self.automatically_set_content_length:
            self.headers["Content-Length"] = str(len(body))

    data = property(ResponseBase.get_data, set_data, doc="The body as bytes; may be assigned.")

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """The config's ``MAX_COOKIE_SIZE`` in bytes; a larger cookie is warned of."""
        return _config("MAX_COOKIE_SIZE", ResponseBase.max_cookie_size)  # type: ignore[no-any-return]

    def iter_encoded(self) -> Iterator[bytes]:
        """The body as bytes. An async body is waited for on the process's long-lived loop."""
        body = self.response
        if hasattr(body, "__iter__") or not hasattr(body, "__aiter__"):
            return super().iter_encoded()
        return self._iter_async(body)

    def _iter_async(self, body: Any) -> Iterator[bytes]:
        from .concurrency import blocking

        with closing(blocking(body)) as items:
            yield from (item.encode() if isinstance(item, str) else item for item in items)

    def close(self) -> None:
        """Close the body and call what :meth:`call_on_close` was given."""
        end = getattr(self.response, "aclose", None)
        if end is not None and not hasattr(self.response, "__iter__"):
            from .concurrency import run_on_loop

            self.response = ()
            run_on_loop(end())
        super().close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""
        plain = self.plain()
        if plain is None or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self._status, plain[0])
        return [plain[1]]

    def _plain_headers(
        self, headers: Headers, body: bytes
    ) -> tuple[list[tuple[str, str]], bytes] | None:
        # An application may have put a plain dict there.
        rv = (headers if isinstance(headers, Headers) else Headers(headers)).to_wsgi_list()
        names = {name.lower() for name, _ in rv}
        if "location" in names or "content-location" in names:
            return None  # Werkzeug makes a URI of an IRI
        _check_headers(rv)
        if "content-length" not in names:
            rv.append(("Content-Length", str(len(body))))
        rv.extend(item for item in self._defaults if item[0].lower() not in names)
        return rv, body

    def plain(self) -> tuple[list[tuple[str, str]], bytes] | None:
        """Headers and body, where a gateway may send them as they are. ``None`` where Werkzeug has
        work to do: a stream, a location, a status without a body, something to close."""
        body = self.response
        if type(body) is not list:
            if type(body) is not Page:
                return None
            body = body.parts
        if (
            self._overridden
            or len(body) != 1
            or type(body[0]) is not bytes
            or self._closing is not None
            or self._status_code in _WITHOUT_BODY
        ):
            return None
        if self._headers is not None:
            return self._plain_headers(self._headers, body[0])
        content_type = self._content_type or _content_types.get(self.default_mimetype)
        if content_type is None:
            return [*self._header_list(), *self._defaults], body[0]
        length = ("Content-Length", str(len(body[0])))
        return [("Content-Type", content_type), length, *self._defaults], body[0]
