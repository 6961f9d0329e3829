"""What render_table shows: titles, values, and the URLs of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from ..globals import current_app
from ..helpers import url_for

__all__ = ["get_table_titles", "row_url", "value_of"]


def get_table_titles(
    data: Sequence[Any], primary_key: str, primary_key_title: str
) -> list[tuple[str, str]]:
    """The columns of what SQLAlchemy mapped, or the keys of a dict, each with a title.

    The first is the primary key's. Names that begin with ``_`` are no column.
    """
    if not data:
        return []
    names = [name for name in _columns(data[0]) if not name.startswith("_")]
    others = [(name, name.replace("_", " ").title()) for name in names if name != primary_key]
    return [(primary_key, primary_key_title), *others]


def _columns(row: Any) -> list[str]:
    table = getattr(row, "__table__", None)
    if table is not None:
        return [str(name) for name in table.columns.keys()]  # noqa: SIM118 - SQLAlchemy's
    if isinstance(row, dict):
        return [str(name) for name in row]
    fields = getattr(row, "_fields", None)  # of a Row of SQLAlchemy, or a named tuple
    if fields:
        return list(fields)
    raise TypeError(
        f"render_table() cannot tell the columns of {type(row).__name__!r}: pass"
        " titles=[('name', 'Title'), ...]."
    )


def value_of(row: Any, name: str) -> Any:
    """A column of a row, which is a dict or has attributes; dots go deeper, as in ``user.name``.

    None where there is nothing.
    """
    for part in str(name).split("."):
        row = row.get(part) if isinstance(row, dict) else getattr(row, part, None)
    return row


def row_url(
    row: Any, target: Any, primary_key: str, placeholder: str = ":id", model: Any = None
) -> str:
    """The URL of an action on a row.

    :param target: a function of the row; a URL, in which the placeholder is the row's primary key;
        or an endpoint with its arguments ``[(name, ":column"), ...]``, where what has no colon is
        taken as it is.
    :param model: what is asked for the row, by its ``query``, for columns that the row lacks.
    """
    if callable(target):
        return str(target(row))
    if isinstance(target, str):
        key = value_of(row, primary_key)
        return target.replace(placeholder, quote(str(key), safe=""))
    endpoint, *rest = target
    pairs = rest[0].items() if rest and isinstance(rest[0], dict) else rest[0] if rest else ()
    find = _finder(row, primary_key, placeholder, model)
    return url_for(endpoint, **{name: find(value) for name, value in pairs})


def _finder(row: Any, primary_key: str, placeholder: str, model: Any) -> Callable[[Any], Any]:
    def find(value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(":"):
            return value
        name = primary_key if value in (placeholder, ":primary_key") else value[1:]
        found = value_of(row, name)
        if found is None and model is not None:
            key = {primary_key: value_of(row, primary_key)}
            found = value_of(model.query.filter_by(**key).first(), name)
        return found

    return find


def csrf_token() -> str | None:
    """The token for a form that deletes, where the app has a function ``csrf_token`` for pages."""
    make = current_app.jinja_env.globals.get("csrf_token")
    return str(make()) if callable(make) else None
