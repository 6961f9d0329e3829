"""Adds a name to a list that people read: an import, and a line between the brackets."""

from __future__ import annotations

import ast
from pathlib import Path

import click


def register(path: Path, import_: str, list_name: str, item: str) -> str:
    """The text of a file with one more import of a sibling module and one more item.

    :param import_: such as ``from .articles import bp as articles``.
    :param list_name: of a list that is assigned in the module, one item in a line.
    :raises click.ClickException: when the file is not as expected; it says what to write there.
    """
    text = path.read_text("utf-8")
    advice = f"Write there yourself: {import_!r} and {item!r} in {list_name}. Nothing was made."
    try:
        body = ast.parse(text).body
    except SyntaxError as e:
        raise click.ClickException(f"{path}:{e.lineno} is not Python: {e.msg}. {advice}") from e
    lines, end = text.splitlines(keepends=True), _end_of_list(body, list_name)
    if end is None or lines[end - 1].strip() != "]":
        raise click.ClickException(
            f"{path} has no list {list_name} with an item in each line. {advice}"
        )
    lines.insert(end - 1, f"    {item},\n")
    lines.insert(_place(body, import_), f"{import_}\n")
    return "".join(lines)


def _end_of_list(body: list[ast.stmt], name: str) -> int | None:
    """The line of the closing bracket, from 1."""
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(value := getattr(node, "value", None), ast.List):
            return value.end_lineno
    return None


def _place(body: list[ast.stmt], import_: str) -> int:
    """Before how many-th line, from 0, the import is in alphabetical order."""
    module = import_.split()[1].lstrip(".")
    place = 0
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            if (node.module or "") > module:
                return node.lineno - 1
            place = node.end_lineno or place
    if not place:
        place = max((n.end_lineno or 0 for n in body if isinstance(n, ast.ImportFrom)), default=0)
    return place
