"""Which files are the program's own, and not those of Python, of packages or of Vial."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import PurePath

_VIAL = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_INSTALLED = {"site-packages", "dist-packages"}


@cache
def _foreign() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    paths = {os.path.realpath(sysconfig.get_path(name)) for name in names}
    return tuple(path + os.sep for path in (*paths, _VIAL))


@cache
def is_own(filename: str) -> bool:
    """Whether a file was written by the person who runs the program."""
    if filename.startswith("<"):  # compiled from a string, frozen
        return False
    path = os.path.realpath(filename)
    return not path.startswith(_foreign()) and not _INSTALLED & set(PurePath(path).parts)


def own_files() -> set[str]:
    """The files of the modules that are loaded now."""
    files = [_file_of(module) for module in list(sys.modules.values())]
    return {os.path.realpath(file) for file in files if file and is_own(file)}


def _file_of(module: object) -> str | None:
    # Not by getattr(): a module may import more when it is asked for a name.
    file = getattr(module, "__dict__", {}).get("__file__")
    return file if isinstance(file, str) else None
