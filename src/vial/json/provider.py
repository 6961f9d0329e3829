"""What ``app.json`` is: :class:`DefaultJSONProvider`, or a subclass of :class:`JSONProvider`."""

from __future__ import annotations

import dataclasses
import json
import sys
import uuid
import weakref
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import IO, TYPE_CHECKING, Any

from werkzeug.http import http_date

if TYPE_CHECKING:
    from ..app import Vial
    from ..wrappers import Response


class JSONProvider:
    """The JSON operations of an app. A subclass for another library writes ``dumps`` and ``loads``.

    Chosen by ``app.json_provider_class`` of a subclass, or by assigning ``app.json``.
    ``_app`` is a :func:`weakref.proxy` of the app. Flask 2.2.
    """

    def __init__(self, app: Vial) -> None:
        self._app: Vial = weakref.proxy(app)  # type: ignore[assignment]

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write a value as JSON text; ``kwargs`` are the library's."""
        raise NotImplementedError

    def dump(self, obj: Any, fp: IO[str], **kwargs: Any) -> None:
        """Write a value as JSON to a text file."""
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON from text or bytes. Bad JSON must be a :exc:`ValueError`: a 400."""
        raise NotImplementedError

    def load(self, fp: IO[str] | IO[bytes], **kwargs: Any) -> Any:
        """Read JSON from a file open for text or bytes."""
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args and kwargs:
            raise TypeError(
                "app.json.response() takes either args or kwargs, not both: a list or an object"
            )
        if len(args) == 1:
            return args[0]
        return args or kwargs or None

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Make a JSON response of one value, of several (a list), or of keywords (an object)."""
        obj = self._prepare_response_obj(args, kwargs)
        return self._app.response_class(self.dumps(obj), mimetype="application/json")


def _default(o: Any) -> Any:
    if isinstance(o, date):
        return http_date(o)
    if isinstance(o, uuid.UUID) or _is_decimal(o):
        return str(o)
    if dataclasses.is_dataclass(o):
        return dataclasses.asdict(o)  # type: ignore[arg-type]
    if hasattr(o, "__html__"):
        return str(o.__html__())
    raise TypeError(f"Object of type {type(o).__name__} is not JSON serializable")


def _is_decimal(o: Any) -> bool:
    # Where nobody imported decimal there are none, and vial need not pay 2 ms for the import.
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(o, decimal.Decimal)


# The compiled writer behind json.dumps; None where Python has no C extensions.
_make_writer: Any = getattr(json.encoder, "c_make_encoder", None)


@lru_cache(maxsize=32)
def _encoder(
    default: Callable[[Any], Any] | None,
    ensure_ascii: bool,
    sort_keys: bool,
    *,
    separators: tuple[str, str] | None = None,
    indent: int | str | None = None,
) -> Callable[[Any], str]:
    """Give a function that writes JSON with these options of :func:`json.dumps`.

    PERF: ``json.dumps`` makes an encoder for every call that has an option; made once, a small
    dict takes half the time (``benchmarks/dispatch.py``, JSON).
    """
    encoder = json.JSONEncoder(
        default=default,
        ensure_ascii=ensure_ascii,
        sort_keys=sort_keys,
        separators=separators,
        indent=indent,
    )
    if _make_writer is None or indent is not None:
        return encoder.encode
    # No table of the containers being written (the first argument): threads would share it. A
    # ring then ends in RecursionError, and the standard encoder says what is wrong.
    write = _make_writer(
        None,
        encoder.default,
        encode_basestring_ascii if ensure_ascii else encode_basestring,
        None,
        encoder.key_separator,
        encoder.item_separator,
        sort_keys,
        False,
        True,
    )

    def encode(obj: Any) -> str:
        try:
            return "".join(write(obj, 0))
        except RecursionError:
            return encoder.encode(obj)

    return encode


_raw_decode = json.JSONDecoder().raw_decode


def _loads_plain(s: str | bytes) -> Any:
    """Read an object or array without the detection of encodings that ``json.loads`` begins with.

    UTF-16 and UTF-32 have a zero byte next to the bracket, so what passes is UTF-8.
    """
    text = s
    if isinstance(s, bytes) and s.startswith((b"{", b"[")) and s[1:2] != b"\0":
        text = s.decode("utf-8", "surrogatepass")
    if isinstance(text, str) and text.startswith(("{", "[")):
        value, end = _raw_decode(text)
        if end == len(text) or not text[end:].strip(" \t\n\r"):
            return value
    return json.loads(s)


class DefaultJSONProvider(JSONProvider):
    """JSON by the standard library's :mod:`json`, and a few types more.

    ``date`` and ``datetime`` become HTTP dates (RFC 9110), ``UUID`` and ``Decimal`` strings,
    dataclasses objects, and what has ``__html__`` (``Markup``) its HTML.
    ``NaN`` and the infinities are written and read by these names, as in Flask.
    """

    #: Called with a value that JSON has no type for; returns one that it has, or raises TypeError.
    default: Callable[[Any], Any] = staticmethod(_default)

    #: Escape every character outside of ASCII. Without it the text is shorter.
    ensure_ascii = True

    #: Write objects sorted by key, so that equal values give equal text. All keys must be strings.
    sort_keys = True

    #: Whether :meth:`response` leaves out spaces and line breaks; ``None``: unless in debug mode.
    compact: bool | None = None

    #: The type of :meth:`response`.
    mimetype = "application/json"

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write a value as JSON text; ``kwargs`` are those of :func:`json.dumps`."""
        try:
            encode = _encoder(self.default, self.ensure_ascii, self.sort_keys, **kwargs)
        except TypeError:  # one of these three is given, or an option that no encoder is kept for
            kwargs.setdefault("default", self.default)
            kwargs.setdefault("ensure_ascii", self.ensure_ascii)
            kwargs.setdefault("sort_keys", self.sort_keys)
            return json.dumps(obj, **kwargs)
        return encode(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON from text or bytes; ``kwargs`` are those of :func:`json.loads`.

        Bad JSON is a :exc:`ValueError`, also where it nests deeper than Python can follow.
        """
        try:
            return json.loads(s, **kwargs) if kwargs else _loads_plain(s)
        except RecursionError:
            raise ValueError("The JSON nests arrays or objects too deep to be read.") from None

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Make a JSON response of one value, of several (a list), or of keywords (an object).

        In debug mode, or where :attr:`compact` is false, it is indented to be read by a person.
        """
        obj = self._prepare_response_obj(args, kwargs)
        if self.compact or (self.compact is None and not self._app.debug):
            text = self.dumps(obj, separators=(",", ":"))
        else:
            text = self.dumps(obj, indent=2)
        # Half of a surrogate pair has no UTF-8; Python's escape of it is also JSON's.
        body = f"{text}\n".encode("utf-8", "backslashreplace")
        return self._app.response_class(body, mimetype=self.mimetype)
