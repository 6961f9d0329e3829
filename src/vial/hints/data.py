"""Hints about what came with the request, and about values that JSON cannot hold."""

from __future__ import annotations

import json.encoder
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import EnvironHeaders, MultiDict

from ..ctx import _AppCtxGlobals
from ..globals import find_request_ctx
from ..sessions import SessionMixin
from ..wrappers import Request
from .frames import frame_of, frames, origin, program_frame
from .names import a, did_you_mean, listed

if TYPE_CHECKING:
    from werkzeug.exceptions import BadRequestKeyError

    from ..app import Vial

_PLACES = ("form", "args", "files", "cookies", "values")
#: Places in a value that are looked at to find what JSON cannot hold.
_SEARCHED = 10_000


def missing_field(app: Vial, error: BadRequestKeyError) -> str | None:
    """``request.form["name"]`` without such a field.

    A 400 that is an exception of its own in debug mode (Flask 1.0), with the bare key.
    """
    ctx = find_request_ctx()
    frame = origin(error)
    if ctx is None or frame is None or not error.args:
        return None
    asked, key = frame.f_locals.get("self"), str(error.args[0])
    request = ctx.request
    place = next((p for p in _PLACES if vars(request).get(p) is asked), None)
    if place is None or not isinstance(asked, MultiDict):
        return None
    text = f"request.{place} has no {key!r}. {_elsewhere(request, place, key, asked)}"
    return f"{text} Where it may be missing, use request.{place}.get({key!r})."


def _elsewhere(request: Request, place: str, key: str, asked: MultiDict[str, Any]) -> str:
    """Where the field is instead, what else is there, or why there is nothing."""
    for other in _PLACES[:3]:
        if other != place and key in getattr(request, other):
            return f"It is there as request.{other}[{key!r}]."
    if asked:
        return f"It has {listed(asked)}.{did_you_mean(key, asked)}"
    if place in ("form", "files") and request.is_json:
        return "The body is JSON, not a form: read request.get_json()."
    if place == "files":
        return (
            'No file was sent: give the form enctype="multipart/form-data" and an <input'
            f' type="file" name="{key}">.'
        )
    if place == "form":
        return f"No form was sent: {_what_was_sent(request)}."
    return "It is empty."


def _what_was_sent(request: Request) -> str:
    """Why a request has no form."""
    if request.method in ("GET", "HEAD"):
        return f'the request is a {request.method}; give the <form> method="post"'
    if not request.mimetype:
        return f"the {request.method} has no body, or one without a Content-Type"
    return (
        f"the Content-Type is {request.mimetype!r}; a form is sent as"
        " 'application/x-www-form-urlencoded' or 'multipart/form-data', and the names of its"
        " fields are their name attributes, not their ids"
    )


def missing_header(app: Vial, error: KeyError) -> str | None:
    """``request.headers["X-Name"]`` without such a header.

    ``KeyError: 'HTTP_X_NAME'``, the CGI name of it.
    """
    for frame in frames(error):
        asked = frame.f_locals.get("self")
        if isinstance(asked, EnvironHeaders):
            name = str(frame.f_locals.get("key")).replace("_", "-").title()
            return (
                f"The request has no header {name!r}.{did_you_mean(name, asked.keys())} Where"
                f" it may be missing, use request.headers.get({name!r})."
            )
    return None


def missing_key(app: Vial, error: KeyError) -> str | None:
    """``session["user"]``, ``request.json["user"]``, ``app.config["USER"]`` without such a key.

    ``KeyError: 'user'``: told apart by the names that the failing function uses.
    """
    ctx = find_request_ctx()
    frame = program_frame(error)
    if ctx is None or frame is None or len(error.args) != 1 or type(error) is not KeyError:
        return None
    key = error.args[0]
    json_data = (vars(ctx.request).get("_cached_json") or (None,))[0]
    for name, asked, used in (
        ("session", ctx._session if ctx.opened_session else None, {"session"}),
        ("request.get_json()", json_data, {"json", "get_json"}),
        ("app.config", app.config, {"config"}),
    ):
        if isinstance(asked, Mapping) and key not in asked and used & set(frame.f_code.co_names):
            known = f" It has {listed(asked)}." if name != "app.config" and asked else ""
            return (
                f"{name} has no {key!r}.{known}{did_you_mean(str(key), map(str, asked))} Where it"
                f" may be missing, use {name}.get({key!r})."
            )
    return None


def missing_attribute(app: Vial, error: AttributeError) -> str | None:
    """``request.get("x")`` and ``session.user``."""
    if isinstance(error.obj, Request):
        if error.name == "get":
            return "Say where from: request.args.get(…), request.form.get(…), request.get_json()."
        return f"A request has no {error.name!r}.{did_you_mean(str(error.name), dir(error.obj))}"
    if isinstance(error.obj, SessionMixin):
        return f"The session is a dict: session[{error.name!r}], session.get({error.name!r})."
    return None


def missing_on_g(app: Vial, error: AttributeError) -> str | None:
    """``g.user`` before anything set it.

    ``AttributeError: user``, which is all that Flask says of it.
    """
    frame = origin(error)
    asked = None if frame is None else frame.f_locals.get("self")
    if not isinstance(asked, _AppCtxGlobals) or frame is None:
        return None
    name = frame.f_locals.get("name")
    return (
        f"Nothing has set g.{name} in this request.{did_you_mean(str(name), asked)} g begins empty"
        " with every request: set it in a before_request function, keep it in the session to have"
        f" it in the next request too, and where it may be missing use g.get({name!r})."
    )


def body_that_is_none(app: Vial, error: TypeError) -> str | None:
    """``request.get_json(silent=True)["x"]`` where there was no JSON.

    ``'NoneType' object is not subscriptable``.
    """
    ctx = find_request_ctx()
    frame = origin(error)
    if ctx is None or frame is None or str(error) != "'NoneType' object is not subscriptable":
        return None
    if "get_json" not in frame.f_code.co_names or ctx.request.get_json(silent=True) is not None:
        return None
    return (
        "request.get_json(silent=True) gave None: the body is no JSON, or its Content-Type is"
        f" {ctx.request.mimetype!r} and not 'application/json'."
    )


# -- JSON ----------------------------------------------------------------------------------------


def no_json_value(app: Vial, error: TypeError) -> str | None:
    """Where in a value is what ``jsonify`` or the session cannot write.

    ``Object of type User is not JSON serializable``, of one value among thousands.
    """
    written = _written(error)
    if written is None:
        return None
    name, value, default = written
    for found in _unwritable(value, name, default, [_SEARCHED], ()):
        return found if ":" in found else f"{found} {_cure(name)}"
    return None


def _written(error: TypeError) -> tuple[str, Any, Any] | None:
    """What was to be JSON, by the frame that wrote it: its name, itself and the ``default``."""
    for module, function, name in (
        ("vial.json.tag", "dumps", "value"),
        ("vial.json.provider", "dumps", "obj"),
        ("json", "dumps", "obj"),
    ):
        frame = frame_of(error, module, function)
        if frame is not None:
            values = frame.f_locals
            default = getattr(values.get("self"), "default", values.get("default"))
            return "session" if name == "value" else "value", values[name], default
    return None


def _cure(name: str) -> str:
    """What to do with a value that is no JSON."""
    if name == "session":
        return "Keep plain values in the session, such as the id of a row, and load the rest by it."
    return (
        "Make it a dict, list, string or number first (a dataclass works as it is), or teach"
        " app.json.default to write it."
    )


def _unwritable(
    value: Any, path: str, default: Any, left: list[int], around: tuple[int, ...]
) -> Iterator[str]:
    """Every place of a value that JSON has no type for, outermost first; a ring is entered once.

    ``left`` has how many places may still be looked at.
    """
    left[0] -= 1
    if left[0] < 0 or id(value) in around:
        return
    around = (*around, id(value))
    if isinstance(value, dict):
        yield from _keys(value, path)
        for key, item in value.items():
            yield from _unwritable(item, f"{path}[{key!r}]", default, left, around)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _unwritable(item, f"{path}[{number}]", default, left, around)
    elif not (value is None or isinstance(value, str | int | float)) and not _takes(default, value):
        yield f"{path} is {_kind(value)}."


def _keys(value: dict[Any, Any], path: str) -> Iterator[str]:
    """What is wrong with the keys of a dict."""
    kinds = sorted({type(key).__name__ for key in value})
    odd = next((k for k in value if not (k is None or isinstance(k, str | int | float))), None)
    if odd is not None:
        yield f"A key of {path} is {a(type(odd).__name__)}; those of JSON are strings."
    elif len(kinds) > 1 and "str" in kinds:
        yield (
            f"The keys of {path} are of several types ({', '.join(kinds)}) and cannot be sorted:"
            " make them all strings, or set app.json.sort_keys = False."
        )


def _takes(default: Any, value: Any) -> bool:
    """Whether the app's JSON writes a value that is none of JSON's own types."""
    try:
        json.encoder.JSONEncoder(default=default).encode(value)
    except Exception:
        return False
    return True


def _kind(value: Any) -> str:
    """What a value is, with what to do about the types that people meet most."""
    if isinstance(value, set | frozenset):
        return f"a {type(value).__name__}: write sorted(…) or list(…) of it"
    if hasattr(value, "__await__"):
        if hasattr(value, "close"):
            value.close()  # what Python would say of it when it is forgotten is said here
        return f"{a(type(value).__name__)}: an 'await' is missing before the call that gave it"
    if isinstance(value, bytes):
        return "bytes: decode() it, or encode binary data as base64"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}: were its parentheses forgotten?"
    return a(type(value).__name__)
