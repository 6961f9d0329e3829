"""``vial new``: everything is written aside first and moved when it is complete."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from .names import check_project, words
from .rendering import SUFFIX, Files, render_folders, write

# What may be in a folder that `vial new .` fills: people begin with one of these.
TOLERATED = frozenset((".git", ".venv", "venv"))
FOLDERS = {
    "minimal": ["common", "minimal"],
    "api": ["common", "structure", "api"],
    "pages": ["common", "structure", "pages"],
}
# What `vial db init` makes a folder of; the projects' have the same files.
MIGRATIONS = Path(__file__).parents[2] / "sqlalchemy/migrating/templates"
DRIVERS = {
    "none": None,
    "sqlite": None,
    "postgresql": "psycopg[binary]>=3.2",
    "mariadb": "pymysql>=1.1",
}
# By the name of an extension, the extra that it comes with.
EXTENSIONS = {
    "bootstrap": "bootstrap",
    "csrf": "forms",
    "db": "sqlalchemy",
    "login_manager": "login",
}
URLS = {
    "none": "",
    "sqlite": "",
    "postgresql": "postgresql+psycopg://localhost/{}",
    "mariadb": "mariadb+pymysql://localhost/{}",
}


@dataclass(frozen=True)
class Project:
    """What is to be made: ``kind`` is a key of :data:`FOLDERS`, ``database`` of :data:`DRIVERS`."""

    name: str
    package: str
    kind: str
    database: str
    login: bool

    def files(self) -> Files:
        """Every file by its path, ready to be written."""
        database = None if self.database == "none" else self.database
        optional = {"batteries": self._extensions, "database": database, "login": self.login}
        folders = [*FOLDERS[self.kind], *(name for name, wanted in optional.items() if wanted)]
        values = {
            "name": self.name,
            "title": words(self.name),
            "package": self.package,
            "kind": self.kind,
            "database": database,
            "login": self.login,
            "extensions": self._extensions,
            "extras": ["dotenv", *(EXTENSIONS[name] for name in self._extensions)],
            "driver": DRIVERS[self.database],
            "database_url": URLS[self.database].format(self.package),
            "secret_key": secrets.token_hex(32),
        }
        return render_folders(folders, values) | (_migrations() if database else {})

    @property
    def _extensions(self) -> list[str]:
        """The names in its ``extensions.py``."""
        wanted = {
            "bootstrap": self.kind == "pages",
            "csrf": self.kind == "pages",
            "db": self.database != "none",
            "login_manager": self.login,
        }
        return [name for name, is_wanted in wanted.items() if is_wanted]


def _migrations() -> Files:
    return {
        f"migrations/{path.name.removesuffix(SUFFIX)}": path.read_bytes()
        for path in sorted(MIGRATIONS.iterdir())
        if path.is_file()
    }


def plan(name: str, kind: str, database: str, login: bool) -> tuple[Project, Path]:
    """The project and the folder that it goes to, both found to be good.

    :param name: a name, or ``.`` for the current folder.
    :raises click.ClickException: when the name or what is there forbids it.
    """
    target = Path.cwd() / name if name != "." else Path.cwd()
    label = target.name if name == "." else name
    project = Project(label, check_project(label), kind, database, login)
    _check_target(target, tolerated=TOLERATED if name == "." else frozenset())
    return project, target


def _check_target(target: Path, tolerated: frozenset[str]) -> None:
    """Nothing may be there but an empty folder, or what is tolerated in one.

    :raises click.ClickException: naming what is there.
    """
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise click.ClickException(f"{target} is there already, and is no folder. Nothing changed.")
    others = sorted({entry.name for entry in target.iterdir()} - tolerated)
    if others:
        raise click.ClickException(
            f"{target} is not empty: it has {', '.join(others[:3])}. 'vial new' never writes over"
            " anything; choose another name or an empty folder."
        )


def create(project: Project, target: Path) -> list[str]:
    """Write the project and return the paths of its files. On a failure nothing is left of it.

    :raises click.ClickException: when the system refuses.
    """
    files = project.files()
    try:
        with _aside(target if target.exists() else target.parent) as folder:
            write(folder, files)
            (folder / ".env").chmod(0o600)
            _move(folder, target)
    except OSError as e:
        raise click.ClickException(f"Nothing was made: {e}.") from e
    return sorted(files)


@contextmanager
def _aside(parent: Path) -> Iterator[Path]:
    """A folder on the same file system as the target, so that moving it is one step; it is gone
    afterwards, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=".vial-new-", dir=parent))
    try:
        umask = os.umask(0o022)
        os.umask(umask)
        folder.chmod(0o777 & ~umask)  # mkdtemp makes it for its owner alone
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, target: Path) -> None:
    """To where nothing is in one step, into an existing folder piece by piece.

    :raises OSError: when somebody else was faster; what was moved is gone then.
    """
    if not target.exists():
        folder.rename(target)  # fails where somebody has put files in the meantime
        return
    moved: list[Path] = []
    try:
        for entry in sorted(folder.iterdir()):
            new = target / entry.name
            if os.path.lexists(new):
                raise FileExistsError(f"{new} has appeared")
            entry.rename(new)
            moved.append(new)
    except OSError:
        for new in moved:
            shutil.rmtree(new) if new.is_dir() else new.unlink()
        raise
