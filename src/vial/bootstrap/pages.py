"""Links to other pages of the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from ..globals import request
from ..helpers import url_for

__all__ = ["beside", "numbers", "page_url"]


def page_url(values: Mapping[str, Any], endpoint: str | None = None, fragment: str = "") -> str:
    """The URL of an endpoint with these arguments, or of the current page with them changed.

    Of the current page, the visitor's own query is kept. It goes nowhere but into the query:
    ``_external``, ``_scheme`` and the like, which :func:`vial.url_for` would obey, are text there.
    """
    if endpoint is None:
        url = _current(values)
    else:
        url = url_for(endpoint, **{k: v for k, v in values.items() if not k.startswith("_")})
    return f"{url}#{fragment.removeprefix('#')}" if fragment else url


def _current(values: Mapping[str, Any]) -> str:
    if not request.endpoint:
        path = request.path
    else:
        path = url_for(request.endpoint, **(request.view_args or {}))
    path, _, defaults = path.partition("?")
    query = [(k, v) for k, v in request.args.items(multi=True) if k not in values]
    query += [(k, v) for k, v in values.items() if v is not None]
    kept = f"{defaults}&" if defaults else ""
    return f"{path}?{kept}{urlencode(query)}"


def beside(
    pagination: Any,
    side: str,
    endpoint: str | None = None,
    args: Mapping[str, Any] | None = None,
    fragment: str = "",
) -> str | None:
    """The URL of the page before or after (``prev``, ``next``), None if there is none.

    A pagination that goes by keys has ``prev_cursor`` and ``next_cursor``, which go into the
    argument ``cursor``.
    """
    if not getattr(pagination, f"has_{side}", True):
        return None
    cursor = getattr(pagination, f"{side}_cursor", None)
    if cursor is not None:
        return page_url({**(args or {}), "cursor": cursor}, endpoint, fragment)
    number = getattr(pagination, f"{side}_num", None)
    if number is None:
        return None
    return page_url({**(args or {}), "page": number}, endpoint, fragment)


def numbers(pagination: Any) -> Iterable[int | None]:
    """The numbers of pages to link, None for a gap; none of a pagination that goes by keys."""
    find = getattr(pagination, "iter_pages", None)
    return find() if find else ()
