"""The models of a program: found by their modules' names, imported, and listed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ...app import Vial
from .errors import MigrationError, place_of, shown

#: A module is imported if a part of its name is one of these, or ends with one after "_".
NAMES = ("model", "models")
#: Files that are only read are read up to this size, in bytes.
MAX_SOURCE = 1_000_000


def home_of(app: Vial) -> Path:
    """The folder that the program is imported from: that of its package or module."""
    module = sys.modules.get(app.import_name.partition(".")[0])
    if app.import_name != "__main__" and module is not None and hasattr(module, "__path__"):
        return Path(next(iter(module.__path__))).parent
    return Path(app.root_path)


def import_models(app: Vial) -> list[str]:
    """Import what has models by its name; return where else a model seems to be, not imported.

    Looked at are the app's package, other packages of its folder that were imported, and
    ``models`` beside the app.

    :return: "file:line (class)" for each.
    :raises MigrationError: when one of the modules cannot be imported.
    """
    home = home_of(app)
    for name in [name for name, _ in _modules(app, home) if _has_models(name)]:
        _import(name, home)
    left = []
    for name, path in _modules(app, home):
        if name not in sys.modules and not _is_aside(name):
            left += [f"{shown(path)}:{line} ({cls})" for line, cls in _classes(path)]
    return left


def _modules(app: Vial, home: Path) -> Iterator[tuple[str, Path]]:
    """Names and files of the program's modules, imported or not."""
    own = app.import_name.partition(".")[0]
    for name, module in [*sys.modules.items()]:
        if "." not in name and (name == own or not _is_installed(home)):
            yield from _below(module, name, home)
    if not _is_package(own):
        for name in NAMES:
            path = _beside(name, home)
            if path is not None and name not in sys.modules:
                yield from _files(path, name)
        for path in sorted(home.glob("*.py")):
            if path.stem.isidentifier() and path.stem not in NAMES and not _is_main(path):
                yield path.stem, path


def _below(module: ModuleType, name: str, home: Path) -> Iterator[tuple[str, Path]]:
    for folder in getattr(module, "__path__", ()):
        if Path(folder).parent == home:
            yield from _files(Path(folder), name)


def _files(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    """A module, and those below it if it is a package."""
    if path.is_file():
        yield name, path
        return
    for child in sorted(path.iterdir()):
        if child.name == "__init__.py":
            yield name, child
        elif child.suffix == ".py" and child.stem.isidentifier() and child.stem != "__main__":
            yield f"{name}.{child.stem}", child
        elif child.is_dir() and child.name.isidentifier() and (child / "__init__.py").exists():
            yield from _files(child, f"{name}.{child.name}")


def _is_package(name: str) -> bool:
    return hasattr(sys.modules.get(name), "__path__")


def _is_installed(home: Path) -> bool:
    return home.name in ("site-packages", "dist-packages")


def _is_main(path: Path) -> bool:
    """Whether this file is the program that runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and Path(main).resolve() == path.resolve()


def _beside(name: str, home: Path) -> Path | None:
    """The file or package of this name in the folder of the app, if an import would find it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    path = path.parent if path.name == "__init__.py" else path
    return path if path.parent == home else None


def _has_models(name: str) -> bool:
    return not _is_aside(name) and any(
        part in NAMES or part.endswith(tuple(f"_{n}" for n in NAMES)) for part in name.split(".")
    )


def _is_aside(name: str) -> bool:
    """Whether a module is a test or a migration, which has tables of its own or old ones."""
    return any(
        part in ("tests", "migrations", "conftest") or part.startswith("test_")
        for part in name.split(".")
    )


def _import(name: str, home: Path) -> None:
    try:
        import_module(name)
    except Exception as e:
        where = place_of(e, home)
        raise MigrationError(
            f"The module {name!r} has models, and cannot be imported: {type(e).__name__}: {e}"
            + (f" ({where})" if where else "")
        ) from e


def _classes(path: Path) -> Iterator[tuple[int, str]]:
    """Lines and names of the classes in a file that are written as models are."""
    try:
        if path.stat().st_size > MAX_SOURCE:
            return
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and _is_model(node):
            yield node.lineno, node.name


def _is_model(node: ast.ClassDef) -> bool:
    named = any(isinstance(base, ast.Attribute) and base.attr == "Model" for base in node.bases)
    return named or any(
        isinstance(target, ast.Name) and target.id == "__tablename__"
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
    )


def seen(db: Any) -> list[str]:
    """A line for each model and each table without one: "User (table user, shop/models.py)"."""
    lines, tables = [], set()
    for mapper in sorted(db.Model.registry.mappers, key=lambda m: m.class_.__name__):
        cls, table = mapper.class_, mapper.local_table
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        place = shown(Path(file)) if file else cls.__module__
        lines.append(f"{cls.__name__} (table {table}{_bind_of(table)}, {place})")
        tables.add(table)
    for metadata in db.metadatas.values():
        lines += [f"table {t}{_bind_of(t)}" for t in metadata.sorted_tables if t not in tables]
    return lines


def _bind_of(table: Any) -> str:
    metadata = getattr(table, "metadata", None)  # a select has none
    key = None if metadata is None else metadata.info.get("bind_key")
    return "" if key is None else f" of the bind {key!r}"
