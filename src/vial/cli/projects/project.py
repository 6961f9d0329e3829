"""The project that the current folder is in, by the ``[tool.vial]`` table of its pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import click

KINDS = ("pages", "api", "minimal")


@dataclass(frozen=True)
class Project:
    """A project that ``vial new`` made. ``package`` is empty for a minimal one."""

    folder: Path
    kind: str
    package: str
    has_database: bool

    def need_structure(self, what: str) -> None:
        """:raises click.ClickException: for a project of one file."""
        if self.kind == "minimal":
            raise click.ClickException(
                f"This project is one file, app.py, which has no place for a {what}. Write it"
                " there, or move to the structure of 'vial new NAME'."
            )


def find_project() -> Project:
    """:raises click.ClickException: when there is none, or it cannot be understood."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _read(path)
    raise click.ClickException(
        f"{here} is in no project: neither it nor a folder above has a pyproject.toml. Go to the"
        " folder that 'vial new NAME' made."
    )


def _read(path: Path) -> Project:
    """The project of that pyproject.toml, whose table people may have changed.

    :raises click.ClickException: naming what is wrong in it.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("vial")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise click.ClickException(f"{path} cannot be read: {e}.") from e
    if not isinstance(table, dict):
        raise click.ClickException(
            f"{path} has no table [tool.vial], so 'vial generate' does not know where things are."
            ' \'vial new\' writes one: kind = "pages", package = "shop", database = "none".'
        )
    kind, package = table.get("kind"), table.get("package", "")
    if kind not in KINDS:
        raise click.ClickException(
            f"{path}: [tool.vial] kind is {kind!r}; it must be one of {', '.join(KINDS)}."
        )
    if kind != "minimal" and not _is_package(path.parent, package):
        raise click.ClickException(
            f"{path}: [tool.vial] package is {package!r}, and no package of that name is beside it."
        )
    return Project(path.parent, kind, package, table.get("database", "none") != "none")


def _is_package(folder: Path, package: object) -> bool:
    """An identifier only: what is generated must stay inside the project."""
    return (
        isinstance(package, str)
        and package.isidentifier()
        and (folder / package / "__init__.py").is_file()
    )
