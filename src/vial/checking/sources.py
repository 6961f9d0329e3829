"""The program's own Python files: their trees, and what the names in them mean."""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
SIZE_LIMIT = 1_000_000  # bytes of a file; larger ones are data, and parsing them takes seconds
FILE_LIMIT = 5_000

_VIAL = Path(__file__).parents[1]
_STANDARD = Path(sysconfig.get_paths()["stdlib"])


def read(path: Path) -> str | None:
    """The text of a file, or None where it is too large, unreadable or not UTF-8."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            return None
        return path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return None


class Source:
    """A Python file. ``module`` is what it became when it was imported, if it was."""

    def __init__(self, path: Path, text: str, module: ModuleType | None = None) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.module = module
        self.tree = ast.parse(text)
        self.nodes = list(ast.walk(self.tree))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that each node is directly in."""
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def calls(self) -> list[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around one, from the inside out."""
        while (up := self.parents.get(node)) is not None:
            yield up
            node = up

    def function_of(self, node: ast.AST) -> Function | None:
        """The function that a node is in."""
        return next((up for up in self.above(node) if isinstance(up, Function)), None)

    @cached_property
    def imported(self) -> dict[str, str]:
        """What names of import statements mean: ``{"make_url": "flask.url_for"}``."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found.update(_imports(node))
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                found.update({a.asname or a.name: f"{base}.{a.name}" for a in node.names})
                if base in ("flask", "vial") and "*" in found:
                    found.update({name: f"flask.{name}" for name in _STARRED})
        return found

    @cached_property
    def rebound(self) -> set[str]:
        """Names that mean something else somewhere in the file."""
        names = [node for node in self.nodes if isinstance(node, ast.Name)]
        found = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
        found |= {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        return found | {
            node.name for node in self.nodes if isinstance(node, Function | ast.ClassDef)
        }

    def dotted(self, node: ast.AST) -> str:
        """What an expression names, by the imports of the file: ``flask.request.args``. Vial's
        names are given as Flask's; empty when it names nothing that was imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.rebound:
            return ""
        base = self.imported.get(node.id)
        if base is None:
            return ""
        if base == "vial" or base.startswith("vial."):
            base = "flask" + base[4:]
        return ".".join([base, *reversed(parts)])

    def value(self, node: ast.AST) -> Any:
        """What a plain name is in the imported module, where nothing in a function hides it."""
        if isinstance(node, ast.Name) and self.module is not None:
            return vars(self.module).get(node.id)
        return None


_STARRED = ("url_for", "redirect", "render_template", "render_template_string", "request", "abort",
            "send_file", "Markup", "Flask", "Blueprint", "current_app")  # fmt: skip


def _imports(node: ast.Import) -> dict[str, str]:
    return {
        alias.asname or alias.name.partition(".")[0]: alias.name
        if alias.asname
        else alias.name.partition(".")[0]
        for alias in node.names
    }


def first_line(node: Function) -> int:
    """The line that ``co_firstlineno`` gives: that of the first decorator."""
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def is_library(path: Path) -> bool:
    """Whether a file belongs to Python, to an installed package or to Vial itself."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return path.is_relative_to(_STANDARD) or path.is_relative_to(_VIAL)


def own_folder(import_name: str) -> tuple[Path, Path]:
    """The folder that the app's module is imported from, and the one that holds what is its own:
    the same, or for an installed program its package."""
    module = sys.modules.get(import_name)
    file = Path(getattr(module, "__file__", None) or "./none.py").resolve()
    top = file
    while (top.parent / "__init__.py").exists():
        top = top.parent
    return top.parent, (top if is_library(file) else top.parent)


def own_modules(own: Path) -> Iterator[tuple[Path, ModuleType]]:
    """What was imported from there, without libraries that are inside, as in ``.venv``."""
    for module in list(sys.modules.values()):
        file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
        if isinstance(file, str) and file.endswith(".py"):
            folder, name = os.path.split(file)
            folder = _real(os.path.abspath(folder))
            if folder.startswith(str(own)):
                path = Path(folder, name).resolve()
                if path.is_relative_to(own) and is_own(path, own):
                    yield path, module


@cache
def _real(folder: str) -> str:
    # PERF: a program has imported a thousand modules from some folders, and links are looked up for
    # each part of a path.
    return os.path.realpath(folder)


def is_own(path: Path, own: Path) -> bool:
    """Whether something is of the program. That of an installed one is what its package has."""
    return path.is_relative_to(own) if is_library(own) else not is_library(path)


def siblings(modules: dict[Path, ModuleType]) -> Iterator[Path]:
    """Files of the program's packages that nothing has imported."""
    folders = {path.parent for path in modules if path.name == "__init__.py"}
    for folder in sorted(folders):
        for path in sorted(folder.glob("*.py")):
            if path.resolve() not in modules and not path.name.startswith((".", "test_")):
                yield path.resolve()
