"""Request bodies: whole or an error, and bounded on every entrance."""

from __future__ import annotations

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

    readline = read1 = read
    __next__ = read


def input_stream(
    environ: WSGIEnvironment, limit: int | None, trust_chunked: bool = False
) -> IO[bytes]:
    """The body of a WSGI request as a stream that ends where the body ends.

    A body shorter than ``Content-Length`` raises 400 while it is read, also under servers that
    end the stream early by themselves; one longer than ``limit`` bytes raises 413, at once where
    the length was announced.

    :raises LengthRequired: for a chunked body under granian's WSGI interface, which passes one
        that was cut off on as complete; ``trust_chunked`` takes that risk.
    """
    stream = environ["wsgi.input"]
    length = content_length(environ)
    if length is not None:
        if limit is not None and length > limit:
            raise RequestEntityTooLarge()
        return cast(IO[bytes], LimitedStream(stream, length))
    if not environ.get("wsgi.input_terminated"):
        return BytesIO()
    if "HTTP_TRANSFER_ENCODING" in environ and not trust_chunked and _hides_broken_chunks(environ):
        raise LengthRequired("Send the body with a Content-Length: this server takes no chunks.")
    if limit is None:
        return cast(IO[bytes], stream)
    return cast(IO[bytes], LimitedStream(stream, limit, is_max=True))


def content_length(environ: WSGIEnvironment) -> int | None:
    """The announced length in bytes (RFC 9112: digits, nothing else), or ``None``."""
    text = environ.get("CONTENT_LENGTH")
    if not text or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"The Content-Length {text!r} is not a number of bytes.")
    return int(text)


def _hides_broken_chunks(environ: WSGIEnvironment) -> bool:
    return environ.get("SERVER_SOFTWARE") == "Granian"


class BoundedFormParser(FormDataParser):
    """Werkzeug's parser, with the limits of multipart forms for urlencoded ones as well.

    ``max_form_fields`` is set by the request; ``None`` is Flask's behaviour: no bound on either.
    """

    max_form_fields: int | None = None

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
    """Read a urlencoded form of at most ``size`` bytes and ``fields`` fields; 413 above them."""
    body = stream.read() if size is None else stream.read(size + 1)
    if size is not None and len(body) > size:
        raise RequestEntityTooLarge()
    check_fields(body.count(b"&") + 1, fields)
    return body.decode()


def check_fields(count: int, limit: int | None) -> None:
    """Answer 413 to a form or query string of more fields than ``MAX_FORM_FIELDS``."""
    if limit is not None and count > limit:
        raise RequestEntityTooLarge(f"More than {limit} form fields or query parameters.")
