"""From the folders of ``templates/`` to the text of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .names import WIDTH, class_name

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".tmpl"
DOT = "dot-"  # hidden files are not hidden among the templates
PACKAGE = "package"  # the folder that gets the project's name

Files = dict[str, bytes]  # by path inside the project, with slashes


@cache
def environment() -> Environment:
    """Jinja, with marks that neither Python nor HTML nor TOML has."""
    made = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - it writes programs, from names that were checked
    )
    made.filters["cls"] = class_name
    made.filters["wrapped"] = wrapped
    return made


def wrapped(line: str) -> str:
    """An import of one name, as the formatter wraps it if it is too long."""
    module, _, name = line.partition(" import ")
    return line if len(line) <= WIDTH else f"{module} import (\n    {name},\n)"


def render(name: str, values: Mapping[str, Any]) -> str:
    """The template of that name under ``templates/``, without its suffix."""
    return environment().get_template(name + SUFFIX).render(values)


def render_folders(folders: Iterable[str], values: Mapping[str, Any]) -> Files:
    """All files of these folders; one of a later folder stands for one of an earlier."""
    return {
        _target(path.relative_to(TEMPLATES / folder), values): _content(path, values)
        for folder in folders
        for path in _files(TEMPLATES / folder)
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _target(path: Path, values: Mapping[str, Any]) -> str:
    """Where it goes: ``package/`` is the project's package, ``dot-env.tmpl`` is ``.env``."""
    parts = [values["package"] if part == PACKAGE else part for part in path.parts]
    named = [f".{part.removeprefix(DOT)}" if part.startswith(DOT) else part for part in parts]
    return "/".join(named).removesuffix(SUFFIX)


def _content(path: Path, values: Mapping[str, Any]) -> bytes:
    """What is no template is copied as it is, Bootstrap above all."""
    if path.suffix != SUFFIX:
        return path.read_bytes()
    name = path.relative_to(TEMPLATES).as_posix().removesuffix(SUFFIX)
    return render(name, values).encode()


def write(folder: Path, files: Files) -> None:
    """Write files below a folder, each of which must be new.

    :raises click.ClickException: when the system refuses; what it has written is gone then.
    """
    written: list[Path] = []
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                written.append(path)
                file.write(content)
    except OSError as e:
        for path in written:
            path.unlink()
        raise click.ClickException(f"Nothing was made: {e}.") from e
