"""JSON as the current app writes and reads it: ``app.json``, and the standard library without one.

An app changes it by another ``json_provider_class`` (see :mod:`vial.json.provider`).
"""

from __future__ import annotations

import json as _json
from typing import IO, TYPE_CHECKING, Any

from ..globals import _cv, current_app
from .provider import _default

if TYPE_CHECKING:
    from ..wrappers import Response


def dumps(obj: Any, **kwargs: Any) -> str:
    """Write a value as JSON text: ``app.json.dumps``, outside of an app :func:`json.dumps`."""
    ctx = _cv.get(None)
    if ctx is not None:
        return ctx.app.json.dumps(obj, **kwargs)
    kwargs.setdefault("default", _default)
    return _json.dumps(obj, **kwargs)


def dump(obj: Any, fp: IO[str], **kwargs: Any) -> None:
    """Write a value as JSON to a text file, which should be UTF-8: ``app.json.dump``."""
    ctx = _cv.get(None)
    if ctx is not None:
        ctx.app.json.dump(obj, fp, **kwargs)
    else:
        kwargs.setdefault("default", _default)
        _json.dump(obj, fp, **kwargs)


def loads(s: str | bytes, **kwargs: Any) -> Any:
    """Read JSON from text or UTF-8 bytes: ``app.json.loads``; :exc:`ValueError` for bad JSON."""
    ctx = _cv.get(None)
    return _json.loads(s, **kwargs) if ctx is None else ctx.app.json.loads(s, **kwargs)


def load(fp: IO[str] | IO[bytes], **kwargs: Any) -> Any:
    """Read JSON from a file open for text or bytes: ``app.json.load``."""
    ctx = _cv.get(None)
    return _json.load(fp, **kwargs) if ctx is None else ctx.app.json.load(fp, **kwargs)


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """Make a JSON response of one value, of several (a list), or of keywords (an object).

    Needs an active app; calls ``app.json.response``. A dict or list that a view returns becomes
    the same response without this.
    """
    return current_app.json.response(*args, **kwargs)
