"""Hints about imports: circles, files that hide a library, modules that are not there.

For the ``vial`` command, which imports the program, and for imports inside of views; a program
started by ``python`` that cannot import Vial is out of reach.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .files import names_in
from .names import did_you_mean

if TYPE_CHECKING:
    from ..app import Vial

#: What programs import that are made with Vial or Flask, beside the standard library.
_LIBRARIES = {
    *("vial", "flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker"),
    *("granian", "watchfiles", "socketio", "engineio", "flask_socketio", "flask_login"),
    *("flask_sqlalchemy", "flask_wtf", "flask_bootstrap", "flask_script", "sqlalchemy", "wtforms"),
    *("redis", "requests", "celery", "dotenv"),
}
_PARTIAL = re.compile(r"partially initialized module '([\w.]+)'")


def explain_import(error: BaseException) -> None:
    """Add what is known about an exception that importing a program raised to its notes."""
    text = of_import(error)
    if text is not None:
        error.add_note(f"Hint: {text}")


def hides(name: str) -> bool:
    """Whether a file of this module name would hide a library that a program needs."""
    return name in sys.stdlib_module_names or name in _LIBRARIES


def of_import(error: BaseException) -> str | None:
    """What to do about an exception that importing a program raised.

    ``cannot import name 'app' from partially initialized module 'app'``, ``No module named 'x'``,
    ``module 'random' has no attribute 'choice'``.
    """
    name = getattr(error, "name", None) or ""
    module = getattr(error, "obj", None)
    if isinstance(module, ModuleType):
        name = module.__name__
    text = str(error)
    file = getattr(module, "__file__", None) or getattr(error, "path", None)
    path = _hiding(name.partition(".")[0], file)
    if path is not None:
        root = name.partition(".")[0]
        return (
            f"The file {path!r} hides the module {root!r} that others import. Give it another name"
            " (and delete its __pycache__)."
        )
    partial = _PARTIAL.search(text)
    if partial is not None:
        return _circle(partial[1], error)
    if isinstance(error, ModuleNotFoundError):
        return _not_installed(name)
    if isinstance(error, ImportError) and "no known parent package" in text:
        return (
            "A relative import works inside of a package only. Name the package from the folder"
            " that has it ('vial run package:app'), or import without the dot."
        )
    return None


def _hiding(root: str, path: Any) -> str | None:
    """The file of the program that took the name of a library."""
    if not hides(root):
        return None
    loaded = getattr(sys.modules.get(root), "__file__", None)
    ours = [os.path.join(folder, f"{root}.py") for folder in sys.path]
    for file in (path, loaded, *ours):
        if isinstance(file, str) and os.path.isfile(file) and not _is_installed(file):
            return file
    return None


def _is_installed(file: str) -> bool:
    """Whether a file belongs to Python, to what was installed, or to Vial."""
    paths = sysconfig.get_paths()
    folders = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]]
    vial = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    real = os.path.realpath(file)
    return any(real.startswith(os.path.realpath(f) + os.sep) for f in (*folders, vial))


def _circle(module: str, error: BaseException) -> str:
    """The way around the circle, as the traceback has it, and the ways out of it."""
    steps = [
        f"{os.path.basename(frame.f_code.co_filename)}, line {line}"
        for frame, line in _module_frames(error)
    ]
    return (
        f"Modules import each other in a circle: {' → '.join(steps)}, which wants {module!r} while"
        " that is not finished. Put the import of the views below the line that makes the app; or"
        " better, let the views use a Blueprint (or 'current_app'), which needs no import of the"
        " app, and register it in a function create_app()."
    )


def _module_frames(error: BaseException) -> list[tuple[Any, int]]:
    """The program's own frames of a traceback, with their lines."""
    found = []
    tb = error.__traceback__
    while tb is not None:
        file = tb.tb_frame.f_code.co_filename
        if not file.startswith("<") and not _is_installed(file):
            found.append((tb.tb_frame, tb.tb_lineno))
        tb = tb.tb_next
    return found


def _not_installed(name: str) -> str:
    """A module that is not there: misspelt, not installed, or in another folder."""
    folders = [folder for folder in sys.path if folder and not _is_installed(f"{folder}/x")]
    files = [n.removesuffix(".py") for folder in folders[:3] for n in names_in(folder)]
    return (
        f"Python finds no module {name!r}.{did_you_mean(name, files)} If it is a package, install"
        f" it for this Python, {sys.executable}; if it is a file, run from its folder."
    )


def failed_import(app: Vial, error: ImportError) -> str | None:
    """An import inside of a view that failed."""
    return of_import(error)


def shadowed_attribute(app: Vial, error: AttributeError) -> str | None:
    """``random.choice`` where the program has a file ``random.py``."""
    return of_import(error) if isinstance(error.obj, ModuleType) else None
