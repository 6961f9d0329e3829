"""Request bodies: whole or an error, and bounded on every entrance."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, LengthRequired, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import LimitedStream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class BrokenBody(BytesIO):
    """Stands for a body that could not be read; reading it raises what went wrong."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__()
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self.error

    def readinto(self, buffer: Any, /) -> int:
        raise self.error

    def __next__(self) -> bytes:
        raise self.error

    readline = read1 = read


def input_stream(
    environ: WSGIEnvironment, limit: int | None, trust_chunked: bool = False
) -> IO[bytes]:
    """The body of a WSGI request as a stream that ends where the body ends.

    A body shorter than ``Content-Length`` raises 400 while it is read, also under servers that
    end the stream early by themselves; one longer than ``limit`` bytes raises 413, at once where
    the length was announced.

    :raises LengthRequired: for a chunked body under a server that does not say where it ends, and
        under granian's WSGI interface, which passes one that was cut off on as complete;
        ``trust_chunked`` takes that risk.
    """
    length = content_length(environ)
    if length is not None and limit is not None and length > limit:
        raise RequestEntityTooLarge()
    if length is None and "HTTP_TRANSFER_ENCODING" in environ:
        if _hides_broken_chunks(environ, trust_chunked):
            raise LengthRequired("Send a Content-Length: this server takes no chunks.")
    elif length is None and not environ.get("wsgi.input_terminated"):
        return BytesIO()
    return cast(IO[bytes], _Body(environ["wsgi.input"], length, limit))


#: Bytes that are read at a time.
_PIECE = 64 * 1024


class _Body(LimitedStream):
    """A body that ends at its length; where it is unknown, at its end or with 413 at the limit.

    Werkzeug 3.1's class ends one of unknown length at the limit, as if it were whole.
    """

    def __init__(self, stream: IO[bytes], length: int | None, limit: int | None) -> None:
        if length is not None:
            super().__init__(stream, length)
        else:
            super().__init__(stream, sys.maxsize if limit is None else limit + 1, is_max=True)

    def readinto(self, b: bytearray) -> int | None:  # type: ignore[override]
        try:
            size = super().readinto(b)
        except (HTTPException, RuntimeError):
            raise
        except Exception as e:  # gunicorn's own, for chunks that are none
            raise BadRequest("The body is malformed.") from e
        if self._limit_is_max and self.is_exhausted:
            raise RequestEntityTooLarge()
        return size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body piece by piece, without blocking the loop."""
        from .concurrency import run_in_pool

        fill = getattr(self._stream, "fill", None)
        while True:
            if fill is not None:
                await fill()
                piece = self.read(_PIECE)
            else:  # of a WSGI server
                piece = await run_in_pool(self.read, _PIECE)
            if not piece:
                return
            yield piece


def content_length(environ: WSGIEnvironment) -> int | None:
    """The announced length in bytes (RFC 9112: digits, nothing else), or ``None``."""
    text = environ.get("CONTENT_LENGTH")
    if not text or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"The Content-Length {text!r} is not a number of bytes.")
    return int(text)


def _hides_broken_chunks(environ: WSGIEnvironment, trusted: bool) -> bool:
    # Without a promised end, reading would wait for ever or give nothing: hypercorn's WSGI.
    terminated = environ.get("wsgi.input_terminated")
    return not terminated or (environ.get("SERVER_SOFTWARE") == "Granian" and not trusted)


#: Letters that the boundary of a multipart form has at most. RFC 2046 §5.1.1 says 70, but the
#: test client of Werkzeug 3.1 makes, once in a hundred, one of up to 75.
_BOUNDARY = 200


def _noting(make: Callable[..., IO[bytes]], made: list[IO[bytes]]) -> Callable[..., IO[bytes]]:
    def make_and_note(*args: Any, **kwargs: Any) -> IO[bytes]:
        made.append(make(*args, **kwargs))
        return made[-1]

    return make_and_note


class BoundedFormParser(FormDataParser):
    """Werkzeug's parser, with the limits of multipart forms for urlencoded ones as well, and 400
    for a form that is cut off or malformed.

    ``max_form_fields`` is set by the request; ``None`` is Flask's behaviour: no bound on either,
    and a malformed form is an empty one.
    """

    max_form_fields: int | None = None

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, Any]]:
        made: list[IO[bytes]] = []
        self.stream_factory = _noting(self.stream_factory, made)
        self.silent = False
        try:
            if len((options or {}).get("boundary", "")) > _BOUNDARY:
                raise ValueError("The boundary is too long.")
            return super().parse(stream, mimetype, content_length, options)
        except BaseException as e:
            for file in made:
                file.close()
            if not isinstance(e, ValueError):
                raise
            if self.max_form_fields is not None:
                raise BadRequest("The form is cut off or malformed.") from e
        return stream, self.cls(), self.cls()

    def _parse_urlencoded(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str],
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, Any]]:
        if self.max_form_fields is not None:
            text = read_urlencoded(stream, self.max_form_memory_size, self.max_form_fields)
            stream = BytesIO(text.encode())
        return super()._parse_urlencoded(stream, mimetype, content_length, options)


def read_urlencoded(stream: IO[bytes], size: int | None, fields: int | None) -> str:
    """Read a urlencoded form of at most ``size`` bytes and ``fields`` fields; 413 above them.

    One that is not UTF-8 is 400, or without bounds an empty one (Flask 3.1).
    """
    body = stream.read() if size is None else _read_at_most(stream, size)
    check_fields(body.count(b"&") + 1, fields)
    try:
        return body.decode()
    except UnicodeDecodeError as e:
        if fields is None:
            return ""
        raise BadRequest("The form is not encoded as UTF-8.") from e


def _read_at_most(stream: IO[bytes], size: int) -> bytes:
    body = bytearray()
    # A stream may give less than was asked for, and makes room for all that was.
    while data := stream.read(min(size + 1 - len(body), 16_384)):
        body += data
        if len(body) > size:
            raise RequestEntityTooLarge()
    return bytes(body)


def check_fields(count: int, limit: int | None) -> None:
    """Answer 413 to a form or query string of more fields than ``MAX_FORM_FIELDS``."""
    if limit is not None and count > limit:
        raise RequestEntityTooLarge(f"More than {limit} form fields or query parameters.")
