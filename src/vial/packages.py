"""Where a module or package lives, and where its instance folder is (Flask 3.1)."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any


def get_root_path(import_name: str) -> str:
    """The folder of a package or module; the working directory for an interactive one.

    :raises RuntimeError: where none can be told, as for a namespace package.
    """
    module = sys.modules.get(import_name)
    filename: str | None = getattr(module, "__file__", None)
    if filename is not None:
        return os.path.dirname(os.path.abspath(filename))
    try:
        spec = importlib.util.find_spec(import_name)
    except (ImportError, ValueError):
        spec = None  # __main__ has a spec of None, which find_spec refuses
    loader: Any = spec.loader if spec is not None else None
    if loader is None:
        return os.getcwd()
    if not hasattr(loader, "get_filename"):
        raise RuntimeError(
            f"No root path can be found for {import_name!r}: it has no file (a namespace"
            " package?). Pass 'root_path=' instead."
        )
    path: str = loader.get_filename(import_name)
    return os.path.dirname(os.path.abspath(path))


def find_package(import_name: str) -> tuple[str | None, str]:
    """``(prefix, path)``: the installation prefix of a package, ``None`` if it is not installed,
    and the folder that its top-level package is imported from."""
    path = _package_path(import_name)
    for prefix in (sys.prefix, sys.base_prefix):
        if Path(path).is_relative_to(prefix) and not _is_project_in(path, prefix):
            return prefix, path
    parent, folder = os.path.split(path)
    if folder.lower() == "site-packages":
        top, lib = os.path.split(parent)
        # Windows: Lib/site-packages; elsewhere: lib/pythonX.Y/site-packages
        return (top if lib.lower() == "lib" else os.path.dirname(top)), path
    return None, path


def _is_project_in(path: str, prefix: str) -> bool:
    # A project kept beside its virtual environment's files is not installed in it.
    return "site-packages" not in Path(path).relative_to(prefix).parts


def _package_path(import_name: str) -> str:
    top = import_name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return os.getcwd()
    if spec.submodule_search_locations:
        return os.path.dirname(next(iter(spec.submodule_search_locations)))
    return os.path.dirname(spec.origin or os.getcwd())


def auto_instance_path(import_name: str, name: str) -> str:
    """``instance/`` beside an uninstalled package, else ``<prefix>/var/<name>-instance``."""
    prefix, package_path = find_package(import_name)
    if prefix is None:
        return os.path.join(package_path, "instance")
    return os.path.join(prefix, "var", f"{name}-instance")
