"""Where a module or package lives, and where its instance folder is (Flask 3.1)."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
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
    spec = _find_spec(import_name)
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
    if Path(path).is_relative_to(sys.prefix):
        return sys.prefix, path
    parent, folder = os.path.split(path)
    if folder.lower() == "site-packages":
        # Windows: Lib/site-packages; elsewhere: lib/pythonX.Y/site-packages
        for library in (parent, os.path.dirname(parent)):
            if os.path.basename(library).lower() == "lib":
                return os.path.dirname(library), path
        return parent, path
    return None, path


def _package_path(import_name: str) -> str:
    spec = _find_spec(import_name.partition(".")[0])
    if spec is None:
        return os.getcwd()
    locations: list[str] = [*(spec.submodule_search_locations or ())]
    if len(locations) > 1:
        # A namespace package in several folders. Only a package says in which (Flask 3.1.3).
        part = _find_spec(import_name)
        inside = next(iter((part and part.submodule_search_locations) or ()), "")
        locations.sort(key=lambda location: not Path(inside).is_relative_to(location))
    if locations:
        return os.path.dirname(locations[0])
    return os.path.dirname(spec.origin) if spec.origin else os.getcwd()


def _find_spec(import_name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(import_name)
    except (ImportError, ValueError):  # __main__ has a spec of None, which find_spec refuses
        return None


def auto_instance_path(import_name: str, name: str) -> str:
    """``instance/`` beside an uninstalled package, else ``<prefix>/var/<name>-instance``."""
    prefix, package_path = find_package(import_name)
    if prefix is None:
        return os.path.join(package_path, "instance")
    return os.path.join(prefix, "var", f"{name}-instance")
