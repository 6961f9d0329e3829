"""What is checked: a loaded application, its sources and its templates, and where things are."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from werkzeug.routing import Rule

from ..app import Vial
from .findings import Finding
from .sources import (
    FILE_LIMIT,
    Function,
    Source,
    first_line,
    is_own,
    own_folder,
    own_modules,
    read,
    siblings,
)

#: Endings of files in template folders that are surely templates.
TEMPLATES = (".html", ".htm", ".xhtml", ".xml", ".jinja", ".jinja2", ".j2")
#: Decorators and methods that register a view.
ROUTES = {"route", "get", "post", "put", "delete", "patch", "websocket"}


class Template:
    """A template file; ``tree`` is None where its syntax is wrong, which is ``error``."""

    def __init__(self, env: Any, path: Path, name: str, text: str) -> None:
        self.path = path
        self.name = name
        self.lines = text.splitlines()
        self.tree: nodes.Template | None = None
        self.error: TemplateSyntaxError | None = None
        try:
            self.tree = env.parse(text, name, str(path))
        except TemplateSyntaxError as e:
            self.error = e


class Files:
    """What rules need that look at sources alone. ``folder`` is the one that is imported from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Files that could not be read or are too large or too deep, relative.
        self.skipped: set[str] = set()

    def parse(self, files: Mapping[Path, ModuleType | None]) -> Iterator[Source]:
        """The files that can be read; the others are noted."""
        for path, module in sorted(files.items(), key=lambda item: item[0]):
            text = read(path)
            try:
                if text is not None:
                    yield Source(path, text, module)
                    continue
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                pass
            self.skipped.add(shown(path))

    def at(
        self, place: Source | Template, line: int, code: str, message: str, cure: str
    ) -> Finding:
        """A finding in one of them."""
        return Finding(shown(place.path), line, code, message, cure)


class Project(Files):
    """An application with everything of it that is read. Nothing of it is called or changed."""

    def __init__(self, app: Vial) -> None:
        folder, self.own = own_folder(app.import_name)
        super().__init__(folder)
        self.app = app
        modules = dict(list(own_modules(self.own))[:FILE_LIMIT])
        self.sources = [*self.parse(modules)]
        # What nothing imported cannot be compared with the app, but for what it should have been.
        self.unused = [*self.parse(dict.fromkeys(list(siblings(modules))[:FILE_LIMIT]))]
        self.templates = [*self._templates()]

    def _templates(self) -> Iterator[Template]:
        """The files of template folders that end as templates do."""
        env = self.app.jinja_env
        seen: set[Path] = set()
        for folder in self.template_folders:
            for path in sorted(files_in(folder)):
                if path in seen or path.suffix not in TEMPLATES:
                    continue
                seen.add(path)
                text = read(path)
                try:
                    if text is not None:
                        yield Template(env, path, path.relative_to(folder).as_posix(), text)
                        continue
                except (RecursionError, MemoryError):
                    pass
                self.skipped.add(shown(path))

    @cached_property
    def template_folders(self) -> list[Path]:
        """Folders with templates of the program itself."""
        owners = [self.app, *self.app.blueprints.values()]
        loaders = [self.app.jinja_env.loader, *(owner.jinja_loader for owner in owners)]
        found = [Path(path).resolve() for loader in loaders for path in search_path(loader)]
        return [path for path in dict.fromkeys(found) if is_own(path, self.own)]

    @cached_property
    def rules(self) -> dict[str, list[Rule]]:
        """The rules of each endpoint."""
        found: dict[str, list[Rule]] = {}
        for rule in self.app.url_map.iter_rules():
            found.setdefault(rule.endpoint, []).append(rule)
        return found

    @cached_property
    def registered(self) -> dict[tuple[str, int], list[str]]:
        """Endpoints by file and first line of the function behind them."""
        found: dict[tuple[str, int], list[str]] = {}
        for endpoint, view in self.app.view_functions.items():
            place = place_of(view)
            if place is not None:
                found.setdefault(place, []).append(endpoint)
        return found

    @cached_property
    def _functions(self) -> dict[tuple[str, int], tuple[Source, Function]]:
        return {
            (str(source.path), first_line(node)): (source, node)
            for source in self.sources
            for node in source.functions
        }

    def endpoints_of(self, source: Source, node: Function) -> list[str]:
        """The endpoints that a function is the view of."""
        return self.registered.get((str(source.path), first_line(node)), [])

    def definition(self, function: Any) -> tuple[Source, Function] | None:
        """Where a function of the program is written; None for those of libraries."""
        place = place_of(function)
        return None if place is None else self._functions.get(place)

    def views(self) -> Iterator[tuple[str, Any, Source, Function]]:
        """Endpoint, view, file and definition of each view that the program wrote itself."""
        for endpoint, view in self.app.view_functions.items():
            found = self.definition(view)
            if found is not None:
                yield endpoint, view, *found

    def overrides(self, *methods: str) -> bool:
        """Whether the app's class has a method of its own by one of these names."""
        return any(not is_vials(getattr(type(self.app), name, None)) for name in methods)

    def place_of_rule(self, rule: Rule) -> tuple[Source, int] | None:
        """Where a rule was registered; None where a library did it."""
        found = self.definition(self.app.view_functions.get(rule.endpoint))
        if found is None:
            return None
        source, node = found
        calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
        calls += [c for c in source.calls if _adds(c, node.name)]
        fits = [(text_of(c.args[0]) or "", c.lineno) for c in calls if c.args]
        fits = [(text, line) for text, line in fits if text and rule.rule.endswith(text)]
        # The end of a rule: before it is the prefix of a blueprint.
        return source, max(fits, key=lambda fit: len(fit[0]), default=("", node.lineno))[1]

    @cached_property
    def beginning(self) -> tuple[Source | None, int]:
        """Where the application is made: for what is wrong with it as a whole."""
        for source in self.sources:
            for call in source.calls:
                if source.dotted(call.func) in ("flask.Flask", "flask.Vial"):
                    return source, call.lineno
        return (self.sources[0] if self.sources else None), 1


def shown(path: Path) -> str:
    """A path as people read it: relative to the working directory where it is in it."""
    cwd = Path.cwd()
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)


def search_path(loader: Any) -> Iterator[str]:
    """The folders of a loader and of those in it."""
    paths = getattr(loader, "searchpath", None)
    if isinstance(paths, list):
        yield from paths
    inside = getattr(loader, "loaders", None) or getattr(loader, "mapping", None)
    for part in inside.values() if isinstance(inside, dict) else inside or ():
        if hasattr(part, "get_source"):
            yield from search_path(part)


def files_in(folder: Path) -> Iterator[Path]:
    """The files of a folder, at most :data:`~vial.checking.sources.FILE_LIMIT`, without following
    links to folders."""
    left = FILE_LIMIT
    for top, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "node_modules"]
        yield from (Path(top, name) for name in names[:left])
        left -= len(names)
        if left <= 0:
            return


def place_of(function: Any) -> tuple[str, int] | None:
    """File and first line of the innermost function that decorators wrap."""
    try:
        code = getattr(inspect.unwrap(function), "__code__", None)
    except (ValueError, TypeError):  # a chain of wrappers that ends in itself
        return None
    return None if code is None else (os.path.realpath(code.co_filename), code.co_firstlineno)


def is_vials(function: Any) -> bool:
    """Whether a function is the library's own."""
    module = getattr(function, "__module__", "") or ""
    return module == "vial" or module.startswith("vial.")


def _adds(call: ast.Call, view: str) -> bool:
    """Whether a call is ``add_url_rule`` with this view."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr == "add_url_rule"
    values = [*call.args, *(k.value for k in call.keywords)]
    return named and any(isinstance(v, ast.Name) and v.id == view for v in values)


def text_of(node: ast.AST | None) -> str | None:
    """The text of a literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None
