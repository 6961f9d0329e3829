"""`vial generate`: what it refuses, and that it leaves alone what it does not understand."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vial.cli.generate import generate_command
from vial.cli.new import new_command


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with pages and SQLite, and the tests inside it."""
    return make(tmp_path, monkeypatch)


def make(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Path:
    monkeypatch.chdir(folder)
    call(new_command, "shop", *options)
    monkeypatch.chdir(folder / "shop")
    return folder / "shop"


def call(command: click.Command, *arguments: str, status: int = 0) -> str:
    """What a command says, as one line."""
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def generate(*arguments: str, status: int = 0) -> str:
    return call(generate_command, *arguments, status=status)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_view_is_listed_where_people_read_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop / "tests")  # anywhere inside the project
    said = generate("view", "BlogPosts")
    assert "make shop/templates/blog_posts/index.html" in said
    assert 'It is at /blog-posts/: url_for("blog_posts.index").' in said
    generate("view", "zebras")
    lines = (shop / "shop/views/__init__.py").read_text().splitlines()
    assert [line for line in lines if line.startswith("from .")] == [
        "from .blog_posts import bp as blog_posts",
        "from .pages import bp as pages",
        "from .zebras import bp as zebras",
    ]
    start = lines.index("BLUEPRINTS: list[Blueprint] = [")
    assert lines[start + 1 : start + 5] == ["    pages,", "    blog_posts,", "    zebras,", "]"]


def test_a_model_is_listed_where_the_database_finds_it(shop: Path) -> None:
    generate("model", "Article", "title:str")
    generate("model", "Author", "name:str")
    assert (shop / "shop/models/__init__.py").read_text().splitlines()[2:] == [
        "from ..extensions import db",
        "from .article import Article",
        "from .author import Author",
        "",
        "__all__ = [",
        '    "db",',
        '    "Article",',
        '    "Author",',
        "]",
    ]


def test_nothing_is_written_over(shop: Path) -> None:
    generate("model", "Article", "title:str")
    (shop / "tests/test_search.py").symlink_to("nowhere")
    before = contents(shop)
    assert "shop/views/pages.py, tests/test_pages.py" in generate("view", "pages", status=1)
    assert "is there already" in generate("model", "Article", "body:text", status=1)
    assert "tests/test_search.py is there already" in generate("test", "search", status=1)
    assert contents(shop) == before


def test_a_dry_run_says_what_would_be_done(shop: Path) -> None:
    before = contents(shop)
    said = generate("model", "Article", "title:str", "--dry-run")
    assert "would make shop/models/article.py" in said
    assert "would add to shop/models/__init__.py" in said
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("view ../x", "'../x' is no name for a view"),
        ("view class", "is a word of Python itself"),
        ("view static", "is the address of the static files"),
        (f"view {'v' * 29}", "has 29 characters; the name of a view has at most 28"),
        ("model Base", "is the name of something that models use"),
        ("model Text", "is the name of something that models use"),
        ("model A title", "'title' is no field: write 'name:type'"),
        ("model A title:varchar", "the type is one of str, text, int"),
        ("model A title:str:unique", "'title:str:unique' is no field"),
        ("model A Title:str", "write the name as 'title'"),
        ("model A a-b:str", "write the name as 'a_b'"),
        ("model A 1:str", "is no name for a field"),
        ("model A x:str;import:str", "'x:str;import:str' is no field"),
        ("model A metadata:str", "'metadata' is taken by the library beneath"),
        ("model A query:str", "'query' is taken by the library beneath"),
        ("model A id:int", "'id' is taken"),
        ("model A int:int", "'int' is taken"),
        ("model A t:str t:text", "there is a field 't' already"),
        ("model A b:references", "there is no model B. Make it first"),
        ("model A a:references", "a model that refers to itself is written by hand"),
        ("form A", "A form without fields is none"),
        ("form A b:references", "'b:references' is no field"),
        ("form A data:str", "'data' is taken"),
        ("form A validate_x:str", "'validate_x' is taken"),
        ("form A csrf_token:str", "'csrf_token' is taken"),
        ("form A submit:bool", "'submit' is taken"),
    ],
)
def test_names_and_fields_that_cannot_be_are_refused(
    shop: Path, arguments: str, reason: str
) -> None:
    before = contents(shop)
    assert reason in generate(*arguments.split(" "), status=2)
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("options", "part", "reason"),
    [
        (["--minimal"], "view", "This project is one file, app.py, which has no place for a view"),
        (["--minimal"], "model", "has no place for a model"),
        (["--minimal"], "form", "has no place for a form"),
        (["--api"], "form", "This project is an API, which has no forms"),
        (["--database", "none"], "model", "This project has no database"),
    ],
)
def test_a_project_without_a_place_for_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], part: str, reason: str
) -> None:
    before = contents(make(tmp_path, monkeypatch, *options))
    fields = [] if part == "view" else ["title:str"]
    assert reason in generate(part, "article", *fields, status=1)
    assert contents(tmp_path / "shop") == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("BLUEPRINTS = make_list()\n", "has no list BLUEPRINTS with an item in each line"),
        ("BLUEPRINTS = [pages]\n", "has no list BLUEPRINTS with an item in each line"),
        ("BLUEPRINTS = [\n", "is not Python"),
    ],
)
def test_a_list_that_is_not_there_is_left_to_its_author(shop: Path, text: str, reason: str) -> None:
    (shop / "shop/views/__init__.py").write_text(text)
    before = contents(shop)
    said = generate("view", "articles", status=1)
    assert reason in said
    assert "Write there yourself: 'from .articles import bp as articles' and 'articles'" in said
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "is in no project"),
        ("[project]\n", "has no table [tool.vial]"),
        ("[tool]\nvial = 1\n", "has no table [tool.vial]"),
        ("[tool.vial\n", "cannot be read"),
        ('[tool.vial]\nkind = "site"\n', "kind is 'site'; it must be one of pages, api, minimal"),
        ('[tool.vial]\nkind = "api"\npackage = "../up"\n', "no package of that name is beside it"),
        ('[tool.vial]\nkind = "api"\npackage = 1\n', "no package of that name is beside it"),
    ],
)
def test_a_folder_that_is_no_project_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert reason in generate("view", "articles", status=1)


def test_help_names_the_types_of_fields(shop: Path) -> None:
    said = generate("model", "--help")
    assert "decimal, bool, date and datetime, and references" in said
    assert "view" in generate("--help")
