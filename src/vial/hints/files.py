"""Hints about files that are not where they were looked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .frames import frame_of
from .names import near_file

if TYPE_CHECKING:
    from ..app import Vial

#: Files of a folder that are compared with the one that is missing.
_COMPARED = 1000


def missing_file(app: Vial, error: OSError) -> str | None:
    """``send_file`` or ``open`` of a relative path, which are relative to different folders.

    ``No such file or directory: '/srv/app/report.pdf'``.
    """
    if not isinstance(error, FileNotFoundError) or not isinstance(error.filename, str):
        return None
    name = error.filename
    sent = frame_of(error, "vial.helpers", "send_file")
    if sent is not None:
        given = os.fspath(sent.f_locals.get("path_or_file", name))
        if os.path.isabs(given):
            return _near_file(name)
        here = os.path.abspath(given)
        there = f" It is in the current directory: pass {here!r}." if os.path.exists(here) else ""
        return (
            f"send_file() takes relative paths from app.root_path, {app.root_path!r}.{there}"
            f"{_near_file(name)}"
        )
    if os.path.isabs(name):
        return _near_file(name)
    text = f"open() takes relative paths from the current directory, {os.getcwd()!r}."
    if os.path.exists(os.path.join(app.root_path, name)):
        text += (
            f" The file is beside the app: open os.path.join(app.root_path, {name!r}), or"
            f" app.open_resource({name!r})."
        )
    return text


def _near_file(path: str) -> str:
    """Files of nearly that name, or that there is no such folder."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        return f" There is no folder {folder!r}."
    return near_file(name, names_in(folder))


def names_in(folder: str) -> list[str]:
    """Some of the names in a folder; none where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(_COMPARED), strict=False)]
    except OSError:
        return []
