"""`vial new`: which names and places it takes, and what it leaves behind when it cannot."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from vial.cli.new import new_command
from vial.cli.projects import creation

KINDS = {
    "pages": [],
    "pages without a database": ["--database", "none"],
    "pages with accounts": ["--login"],
    "pages with PostgreSQL": ["--database", "postgresql"],
    "api": ["--api"],
    "api without a database": ["--api", "--database", "none"],
    "api with MariaDB": ["--api", "--database", "mariadb"],
    "minimal": ["--minimal"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str, status: int = 0) -> str:
    """What it says, as one line."""
    result = CliRunner().invoke(new_command, arguments)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def paths(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_what_it_makes_is_python_and_toml(folder: Path, options: list[str]) -> None:
    new("my-shop", *options)
    made = folder / "my-shop"
    assert {"README.md", "pyproject.toml", ".gitignore", ".env", ".env.example"} <= paths(made)
    for path in made.rglob("*.py"):
        compile(path.read_text(), path, "exec")
    settings = tomllib.loads((made / "pyproject.toml").read_text())
    assert settings["project"]["name"] == "my-shop"
    assert settings["tool"]["vial"]["kind"] in ("pages", "api", "minimal")
    texts = [p.read_text() for p in made.rglob("*") if p.is_file() and "vendor" not in p.parts]
    assert not [text for text in texts if "<%" in text or "<<" in text]
    assert not [text for text in texts if "\n\n\n\n" in text]
    assert [p.name for p in folder.iterdir()] == ["my-shop"]


def test_it_says_what_it_made_and_what_comes_next(folder: Path) -> None:
    said = new("shop")
    assert f"Made {folder / 'shop'} (" in said
    assert "files): pages with Bootstrap, SQLite." in said
    assert said.endswith('Next: cd shop pip install -e ".[dev]" vial run --debug')


def test_with_accounts_the_database_comes_before_the_server(folder: Path) -> None:
    said = new("shop", "--login")
    assert "files): pages with Bootstrap, SQLite, accounts." in said
    assert said.endswith('pip install -e ".[dev]" vial db upgrade vial run --debug')


def test_it_depends_on_what_it_uses_and_no_more(folder: Path) -> None:
    extras = {}
    for name, options in KINDS.items():
        new(name.replace(" ", "-"), *options)
        text = (folder / name.replace(" ", "-") / "pyproject.toml").read_text()
        extras[name] = text.split("vial-web[")[1].split("]")[0]
    assert extras == {
        "pages": "dotenv,bootstrap,forms,sqlalchemy",
        "pages without a database": "dotenv,bootstrap,forms",
        "pages with accounts": "dotenv,bootstrap,forms,sqlalchemy,login",
        "pages with PostgreSQL": "dotenv,bootstrap,forms,sqlalchemy",
        "api": "dotenv,sqlalchemy",
        "api without a database": "dotenv",
        "api with MariaDB": "dotenv,sqlalchemy",
        "minimal": "dotenv",
    }


@pytest.mark.skipif(os.name == "nt", reason="modes of files are Unix's")
def test_its_secrets_are_random_and_for_their_owner_alone(folder: Path) -> None:
    new("one")
    new("two")
    texts = [(folder / name / ".env").read_text() for name in ("one", "two")]
    assert texts[0] != texts[1]
    assert len(texts[0].split("SECRET_KEY=")[1].strip()) == 64
    assert stat.S_IMODE((folder / "one/.env").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "one").stat().st_mode) & 0o700 == 0o700
    assert ".env" in (folder / "one/.gitignore").read_text().split()
    assert "SECRET_KEY=\n" in (folder / "one/.env.example").read_text()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("class", "is a word of Python itself. Try 'my-class'"),
        ("match", "is a word of Python itself"),
        ("test", "would hide the one of that name"),
        ("vial", "would hide the one of that name"),
        ("Flask", "would hide the one of that name"),
        ("json", "would hide the one of that name"),
        ("sqlalchemy", "would hide the one of that name"),
        ("../shop", "is a path"),
        ("a/b", "is a path"),
        ("a\\b", "is a path"),
        ("/tmp/shop", "is a path"),
        ("..", "is a path"),
        (".hidden", "is a path"),
        ("", "is no name for a Python package"),
        ("1shop", "is no name for a Python package"),
        ("my shop", "is no name for a Python package"),
        ("shop\n", "is no name for a Python package"),
        ("shop-", "is no name for a Python package"),
        ("_shop", "is no name for a Python package"),
        ("café", "is no name for a Python package"),
        ("shop;rm", "is no name for a Python package"),
        ("a" * 41, "has 41 characters; the name of a project has at most 40"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(folder: Path, name: str, reason: str) -> None:
    assert reason in new(name, status=2)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--minimal", "--api"], "two kinds of project: choose one"),
        (["--minimal", "--database", "sqlite"], "'--minimal' has no database"),
        (["--database", "oracle"], "'oracle' is not one of"),
        (["--login", "--api"], "'--login' makes pages, and a project with '--api' has none"),
        (["--login", "--minimal"], "'--login' makes pages"),
        (["--login", "--database", "none"], "'--login' keeps accounts in a database"),
    ],
)
def test_options_that_contradict_are_refused(folder: Path, options: list[str], reason: str) -> None:
    assert reason in new("shop", *options, status=2)
    assert list(folder.iterdir()) == []


def test_nothing_is_written_over(folder: Path) -> None:
    (folder / "shop").mkdir()
    (folder / "shop/notes.txt").write_text("mine")
    assert "is not empty: it has notes.txt." in new("shop", status=1)
    (folder / "file").write_text("mine")
    assert "is there already, and is no folder" in new("file", status=1)
    (folder / "link").symlink_to(folder / "elsewhere")
    assert "is there already, and is no folder" in new("link", status=1)
    assert paths(folder) == {"shop/notes.txt", "file"}


def test_an_empty_folder_is_filled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "shop").mkdir()
    new("shop", "--minimal")
    assert "app.py" in paths(folder / "shop")
    here = folder / "my-site"
    (here / ".git").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert "cd" not in new(".", "--database", "none").split()
    assert "my_site/views/pages.py" in paths(here)
    assert ".vial-new" not in " ".join(os.listdir(here))
    assert "is not empty: it has .env" in new(".", status=1)


def test_the_folder_itself_must_have_a_good_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "2026 site").mkdir()
    monkeypatch.chdir(folder / "2026 site")
    assert "'2026 site' is no name for a Python package" in new(".", status=2)


@pytest.mark.parametrize("place", [".", "shop"])
def test_a_failure_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    real = creation.write
    here = folder / "shop"
    here.mkdir()
    monkeypatch.chdir(here if place == "." else folder)

    def write_and_be_disturbed(aside: Path, files: creation.Files) -> None:
        real(aside, files)
        (here / "wsgi.py").write_text("somebody else's")

    monkeypatch.setattr(creation, "write", write_and_be_disturbed)
    assert "Nothing was made" in new(place, status=1)
    assert paths(folder) == {"shop/wsgi.py"}


def test_the_command_line_does_not_load_what_only_this_command_needs() -> None:
    code = "import sys, vial.cli; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
