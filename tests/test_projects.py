"""Projects as `vial new` makes them: installed, tested, linted, migrated, served."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zipfile import ZipFile

import click
import pytest
from click.testing import CliRunner
from databases import database
from serving import free_port, wait_for

from vial.cli.generate import generate_command
from vial.cli.new import new_command
from vial.cli.projects.creation import MIGRATIONS
from vial.cli.projects.rendering import TEMPLATES

pytestmark = [pytest.mark.slow, pytest.mark.service]

FIELDS = ["title:str", "body:text", "price:decimal", "done:bool:optional"]
FIELDS += ["due:date", "at:datetime", "score:float", "n:int"]


class Environment:
    """A virtual environment that sees the packages of this one, and a folder for projects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
        self.python = folder / "venv/bin/python"
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self._run(str(self.python), "-c", code).strip())
        # As a site folder, so that the .pth files in it (Vial's own, in development) count too.
        seen = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(seen)]
        (site / "seen.pth").write_text("\n".join(lines) + "\n")

    def _run(self, *command: str, cwd: Path | None = None, **variables: str) -> str:
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=300,  # on a busy machine
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @property
    def variables(self) -> dict[str, str]:
        """The environment without what this one says to Vial, Flask and pytest."""
        unwanted = ("VIAL_", "FLASK_", "PYTEST_", "SECRET_KEY", "DATABASE_URL", "TEST_DATABASE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def python_m(self, *arguments: str, cwd: Path | None = None, **variables: str) -> str:
        return self._run(str(self.python), "-m", *arguments, cwd=cwd, **variables)

    def new(self, name: str, *options: str) -> Path:
        """A project, installed as its README says but for what is here already."""
        project = self.make(name, *options)
        options = ("--no-deps", "--no-build-isolation", "-q", "-e", ".[dev]")
        self.python_m("pip", "install", *options, cwd=project)
        return project

    def make(self, name: str, *options: str) -> Path:
        """A project that is not installed."""
        with chdir(self.folder):
            said(new_command, name, *options)
        return self.folder / name

    def check(self, project: Path, **variables: str) -> None:
        """Its own tests and linters, and `vial check`."""
        self.python_m("pytest", "-p", "no:cacheprovider", cwd=project, **variables)
        self.python_m("ruff", "check", "--no-cache", ".", cwd=project)
        self.python_m("ruff", "format", "--no-cache", "--check", ".", cwd=project)
        self.vial(project, "check")

    def vial(self, project: Path, *arguments: str, **variables: str) -> str:
        return self.python_m("vial", *arguments, cwd=project, **variables)


def said(command: click.Command, *arguments: str) -> str:
    """What a command says: in this process, which is the fastest."""
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def generate(project: Path, *parts: list[str]) -> None:
    with chdir(project):
        for part in parts:
            said(generate_command, *part)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("projects"))


class Server:
    """`vial run` or `vial serve` in a project, on a port of its own."""

    def __init__(self, environment: Environment, project: Path, *command: str, **variables: str):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        where = ["--port", str(port)] if command[0] == "run" else ["--bind", f"127.0.0.1:{port}"]
        self.output = environment.folder / f"{project.name}-{port}.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(environment.python), "-m", "vial", *command, *where],
                cwd=project,
                env=environment.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def __enter__(self) -> Server:
        wait_for("an answer", self._answers, 60)
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        try:
            return self.get("/")[0] == 200
        except OSError:
            return False

    def get(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"} if data else {}
        try:
            with urlopen(Request(self.url + path, data, headers), timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as e:
            with e:
                return e.code, e.read().decode()


def test_pages_work_from_the_beginning_and_with_all_that_is_generated(
    environment: Environment,
) -> None:
    project = environment.new("my-shop")
    environment.check(project)
    generate(
        project,
        ["view", "articles"],
        ["view", "a_view_with_a_name_of_twenty"],
        ["model", "Author", "name:str"],
        ["model", "Article", *FIELDS, "author:references"],
        ["model", "an_article_with_a_name_of_28", *FIELDS],
        ["model", "Note", "an_article_with_a_name_of_28:references:optional"],
        ["model", "Mark"],
        ["form", "Article", *FIELDS],
        ["form", "Consent", "a_very_long_name_of_28_chars:bool"],
        ["test", "search"],
    )
    step_up_and_down(environment, project)
    environment.check(project)
    with Server(environment, project, "run", "--debug") as server:
        assert "<h1>Articles</h1>" in server.get("/articles/")[1]
        status, page = server.get("/nowhere")
        assert (status, "There is no such page" in page) == (404, True)


def step_up_and_down(environment: Environment, project: Path, **variables: str) -> None:
    """One migration with all models, there and back, by the commands of the README."""
    write = ["migrate", "-m", "all models"]
    for command in (["upgrade"], write, ["upgrade"], ["downgrade"], ["upgrade"]):
        environment.vial(project, "db", *command, **variables)
    assert "(head)" in environment.vial(project, "db", "current", **variables)
    environment.vial(project, "db", "check", **variables)


def test_pages_with_accounts_work_from_the_beginning(environment: Environment) -> None:
    project = environment.new("club", "--login")
    generate(project, ["model", "Note", "body:text", "user:references"])
    step_up_and_down(environment, project)
    environment.check(project)
    with Server(environment, project, "run") as server:
        assert ">Log in</h1>" in server.get("/profile")[1]  # it leads there


def two(kind: str, folder: Path) -> Iterator[list[str]]:
    """The URLs of two databases, empty, and gone afterwards."""
    with database(kind, folder) as one, database(kind, folder) as other:
        yield [one, other]


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[list[str]]:
    yield from two("postgresql", tmp_path)


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[list[str]]:
    yield from two("mariadb", tmp_path)


def test_accounts_on_mariadb(environment: Environment, mariadb: list[str]) -> None:
    project = environment.new("guild", "--login", "--database", "mariadb")
    generate(project, ["model", "Item", *FIELDS, "user:references"])
    url, url_of_tests = mariadb
    step_up_and_down(environment, project, DATABASE_URL=url)
    environment.check(project, TEST_DATABASE_URL=url_of_tests)


def test_accounts_on_postgresql(environment: Environment, databases: list[str]) -> None:
    project = environment.new("order", "--login", "--database", "postgresql")
    generate(project, ["model", "Item", *FIELDS, "user:references"])
    url, url_of_tests = databases
    step_up_and_down(environment, project, DATABASE_URL=url)
    environment.check(project, TEST_DATABASE_URL=url_of_tests)


def test_an_api_with_postgresql_is_served_in_production(
    environment: Environment, databases: list[str]
) -> None:
    project = environment.new("stock", "--api", "--database", "postgresql")
    url, url_of_tests = databases
    generate(
        project,
        ["view", "items"],
        ["model", "Owner", "name:str"],
        ["model", "Item", *FIELDS, "owner:references"],
    )
    step_up_and_down(environment, project, DATABASE_URL=url)
    environment.check(project, TEST_DATABASE_URL=url_of_tests)
    production = {
        "VIAL_CONFIG": "production",
        "DATABASE_URL": url,
        "SECRET_KEY": "a key for this test alone",
    }
    with Server(environment, project, "serve", **production) as server:
        assert server.get("/items/") == (200, '{"items":[]}\n')
        assert server.get("/greetings", b'{"name": "Ada"}')[0] == 201
        status, answer = server.get("/greetings", b'{"name": 1}')
        assert (status, '"field":"name"' in answer) == (422, True)
        assert server.get("/nowhere")[0] == 404


def test_one_file_is_a_project_too(environment: Environment) -> None:
    project = environment.new("tiny", "--minimal")
    generate(project, ["test", "search"])
    environment.check(project)
    with Server(environment, project, "run", "--debug") as server:
        assert server.get("/") == (200, "Hello from tiny!")


@pytest.mark.parametrize("kind", ["--api", "--database=none"])
def test_without_a_database_and_with_the_longest_name_linters_have_nothing_to_say(
    environment: Environment, kind: str
) -> None:
    name = f"x{'2345678901' * 3}{kind.strip('-=')[:3]:0<9}"[:40].rstrip("-")
    options = [kind, "--database=none"] if kind == "--api" else [kind]
    project = environment.make(name, *options)
    environment.check(project)


def test_the_wheel_has_what_projects_are_made_of(tmp_path: Path) -> None:
    source = Path(__file__).parents[1]
    code = (
        "import os, sys; os.chdir(sys.argv[1]); from hatchling.build import build_wheel;"
        " build_wheel(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(source), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    files = {p for folder in (TEMPLATES, MIGRATIONS) for p in folder.rglob("*") if p.is_file()}
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {p.relative_to(source / "src").as_posix() for p in files} <= names


def test_production_without_a_secret_key_does_not_start(environment: Environment) -> None:
    project = environment.make("bare", "--database", "none")
    (project / ".env").unlink()
    done = subprocess.run(
        [str(environment.python), "-m", "vial", "serve", "--bind", "127.0.0.1:0"],
        cwd=project,
        env=environment.variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "SECRET_KEY is not set. In production, set it in the environment" in done.stderr
    assert "copy .env.example to .env" in done.stderr
