"""The command line: finding the app, the commands of everybody, and what the environment says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from .harness import Web, same

HELLO = "from framework import Flask\napp = Flask(__name__, static_folder=None)\n"


@contextmanager
def project(web: Web, files: dict[str, str]) -> Iterator[Callable[..., Result]]:
    """A working directory with these files, where ``framework`` is the package of the run; no
    trace is left of what is imported there or put into the environment.

    Gives a function that runs a command line: by default that of the framework.
    """
    for name, content in files.items():
        if not (web.folder / name).exists():  # all runs have the same
            web.file(name, content)
    before = os.getcwd(), dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("FLASK_", "VIAL_"))]:
        del os.environ[name]
    web.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(web.folder)
    framework = sys.modules["framework"] = ModuleType("framework")
    vars(framework).update(vars(web.package), Flask=web.Flask)
    vars(framework)["with_appcontext"] = web.cli.with_appcontext
    try:
        with imports(web):
            yield lambda *args, cli=None, **options: CliRunner().invoke(
                cli or web.cli.cli, args, prog_name="flask", **options
            )
    finally:
        os.chdir(before[0])
        os.environ.clear()
        os.environ.update(before[1])
        del sys.modules["framework"]


@contextmanager
def imports(web: Web) -> Iterator[Callable[[], list[str]]]:
    """Forget at the end what was imported from the folder; gives a function that lists it."""
    path, modules = list(sys.path), set(sys.modules)

    def own() -> list[str]:
        new = [(name, sys.modules[name]) for name in sys.modules.keys() - modules]
        return sorted(name for name, module in new if str(web.folder) in repr(module.__spec__))

    try:
        yield own
    finally:
        sys.path[:] = path
        for name in own():
            del sys.modules[name]


def told(web: Web, function: Callable[[], Any], *words: str) -> bool:
    """Note the app that a function returns, or the class of an error and which words it has."""
    try:
        web.note(function().import_name)
    except Exception as e:
        names = [cls.__name__ for cls in type(e).__mro__]
        web.note(*names[: names.index("Exception")], [word for word in words if word in str(e)])
        return False
    return True


FACTORIES = """
from framework import Flask
from functools import partial, wraps
def create_app(name="made", *more, **options):
    return Flask("-".join(map(str, [name, *more, *options.items()])), static_folder=None)
def needs(name): return create_app(name)
def nothing(): return None
def fails(): raise TypeError("of the program")
def deep(): return fails()
class Factory:
    def __new__(cls, name="class"): return create_app(name)
    @staticmethod
    def make(): return create_app("static")
class Caller:
    def __call__(self, name="called"): return create_app(name)
caller, bound, partly = Caller(), Caller().__call__, partial(create_app, "partly")
@wraps(needs)
def wrapped(*args): return needs(*args, "wrapped")
number = 5
"""

PLACES = {
    "hello.py": HELLO + "other = Flask('other', static_folder=None)\n",
    "factory.py": FACTORIES,
    "pkg/__init__.py": HELLO,
    "pkg/sub.py": "from . import Flask\napplication = Flask(__name__, static_folder=None)",
    "pkg/deep/__init__.py": "",
    "pkg/deep/er.py": "from ..sub import application as made",
    "spaced/sub.py": HELLO,
    "two.py": HELLO.replace("app", "a") + "b = Flask('b', static_folder=None)",
    "empty.py": "",
    "dash-ed.py": HELLO,
}


@pytest.mark.parametrize(
    "forms",
    [
        (
            "hello", "hello:app", "hello.py", "hello.py:app", "./hello.py", "hello:other",
            " hello", "hello :app", "hello: app", "hello:app ", "hello:", ":app", "hello:app:more",
            "hello:1", "hello:[1]", "hello:app.name", "hello:app()", "hello:app(1)", "hello:none",
            "hello:import os", "hello:app or 1", "hello:'app'", "hello.py:app.py", "hello.pyc",
        ),
        (
            "factory", "factory:create_app", "factory:create_app()", "factory:create_app('a')",
            "factory:create_app('a', 2, c=[3])", "factory:create_app( 'a' )", "factory:needs",
            "factory:needs()", "factory:needs(1, 2)", "factory:needs('x')", "factory:needs(nom=1)",
            "factory:needs(name='x')", "factory:nothing", "factory:fails", "factory:deep",
            "factory:Factory", "factory:Factory()", "factory:Factory.make", "factory:caller",
            "factory:caller()", "factory:bound", "factory:partly", "factory:partly()",
            "factory:wrapped", "factory:wrapped('x')", "factory:number", "factory:number()",
            "factory:create_app(name)", "factory:create_app(*['a'])", "factory:create_app('a'",
            "factory:create_app(**{'name': 'a'})", "factory:create_app(-1, (2,), {3: None})",
            "factory:create_app('a')()", "factory:create_app('a:b')", "factory:none()",
            "factory:create_app(1 + 1)", "factory:create_app(x.y)", "factory:print",
        ),
        (
            "pkg", "pkg:app", "pkg/", "pkg/__init__.py", "pkg.sub", "pkg.sub:application",
            "pkg/sub.py", "pkg/sub", "pkg.deep.er", "pkg/deep/er.py:made", "pkg.deep", "pkg.none",
            "pkg/none.py", "none", "none.py", "none/none.py", "spaced/sub.py", "spaced.sub",
            "spaced/sub", "spaced", "../FOLDER/hello.py", "ROOT/hello.py", "ROOT/pkg",
            "ROOT/pkg/sub.py:application", "two", "two:b", "empty", "dash-ed", "json",
        ),
    ],
    ids=["names", "factories", "places"],
)  # fmt: skip
@pytest.mark.slow
@same
def test_an_app_is_found_by_what_was_typed(web: Web, forms: tuple[str, ...]) -> None:
    with project(web, PLACES) as _:
        for form in forms:
            typed = form.replace("ROOT", str(web.folder)).replace("FOLDER", web.folder.name)
            web.note(form)
            with imports(web) as imported:
                find = web.cli.ScriptInfo(typed).load_app
                if told(web, find, *set(re.findall(r"\w+", form)) - {"py"}):
                    web.note([p.replace(str(web.folder), "ROOT") for p in sys.path[:1]], imported())


@same
def test_the_app_of_a_module_is_the_one_that_is_meant(web: Web) -> None:
    a, b = (web.Flask(name, root_path="/", static_folder=None) for name in "ab")

    def module(**names: Any) -> ModuleType:
        made = ModuleType("shop")
        vars(made).update(names)
        return made

    def raises() -> Any:
        raise TypeError("own")

    for names in (
        {"app": a},
        {"application": a},
        {"application": a, "app": b},
        {"other": a},
        {"other": a, "another": b},
        {"other": a, "app": b},
        {"app": "no app", "application": b},
        {"app": "no app", "one": a},
        {"create_app": lambda: a},
        {"make_app": lambda: a},
        {"create_app": lambda: a, "make_app": lambda: b},
        {"create_app": lambda: None, "make_app": lambda: b},
        {"create_app": lambda: a, "app": b},
        {"create_app": lambda: a, "one": b},
        {"create_app": lambda x: a},
        {"create_app": lambda x: a, "make_app": lambda: b},
        {"create_app": lambda *args, **kwargs: a},
        {"create_app": lambda *, needed: a},
        {"create_app": lambda script_info: a},
        {"create_app": lambda x=1: a},
        {"create_app": raises},
        {"create_app": web.Flask},
        {"create_app": a},
        {"app": lambda: a},
        {"app": web.Flask},
        {"_private": a},
        {},
    ):
        web.note(sorted(names))
        told(web, lambda names=names: web.cli.find_best_app(module(**names)), "shop")
        told(web, lambda names=names: web.cli.find_app_by_string(module(**names), "app"), "app")


WRONG = {
    "missing.py": "import no_such_module_at_all\n",
    "deeper.py": HELLO + "def create():\n    import no_such_module_at_all\ncreate()",
    "syntax.py": "import framework\nthis is no Python\n",
    "broken.py": "1 / 0",
    "leaving.py": "raise SystemExit(3)",
    "importing.py": "raise ImportError('as told')",
    "wrongname.py": "from framework import NoSuchName",
    "attribute.py": "import framework\nframework.no_such_name",
    "pkg/__init__.py": "",
    "pkg/wrong.py": "from . import missing_sibling",
    "pkg/right.py": HELLO,
    "empty.py": "",
}


@pytest.mark.slow
@same
def test_what_keeps_a_module_from_being_imported_is_shown(web: Web) -> None:
    def locate(name: str, app_name: str | None = None, **options: Any) -> Any:
        sys.path.insert(0, str(web.folder))
        return web.cli.locate_app(name, app_name, **options)

    with project(web, WRONG):
        for name in [
            *(file[:-3].replace("/", ".") for file in WRONG),
            "none",
            "pkg.none",
            "none.x",
        ]:
            words = (
                "Traceback",
                "no_such_module_at_all",
                "as told",
                "create()",
                "NoSuchName",
                "pkg",
            )
            web.note(name)
            if name == "leaving":
                with imports(web), pytest.raises(SystemExit):
                    locate(name)
                continue
            for options in ({}, {"raise_if_not_found": False}, {"app_name": "app"}):
                with imports(web):
                    told(web, partial(locate, name, **options), *words)


def once(pattern: str, text: str) -> list[str]:
    """What of a text fits, without repetitions: Vial says more about what to do."""
    return list(dict.fromkeys(re.findall(pattern, text)))


@pytest.mark.slow
@same
def test_help_and_errors_of_apps_that_do_not_load(web: Web) -> None:
    with project(web, WRONG) as run:
        shown = "no_such_\\w+|as told|Traceback|Commands:|Usage:|NoSuchName|No such command|Error:"
        for name in ("missing", "broken", "wrongname", "empty", "none", "none.py"):
            for args in (("--help",), ("routes",), ("nothing",)):
                with imports(web):
                    result = run("--app", name, *args)
                web.note(name, args, result.exit_code, type(result.exception).__name__)
                web.note(*(once(shown, out) for out in (result.stdout, result.stderr)))
        for args in ((), ("shell",), ("run", "--help"), ("--no-such-option",), ("--app",)):
            result = run(*args, env={"FLASK_APP": "missing"})
            web.note(args, result.exit_code, once(shown, result.output))


@same
def test_the_app_of_a_directory_needs_no_name(web: Web) -> None:
    for files in (
        {"wsgi.py": HELLO},
        {"app.py": HELLO},
        {"wsgi.py": HELLO, "app.py": HELLO},
        {"wsgi.py": "", "app.py": HELLO},
        {"wsgi.py": "import none", "app.py": HELLO},
        {"app.py": FACTORIES},
        {"app/__init__.py": HELLO},
        {"wsgi/__init__.py": HELLO},
        {"elsewhere/app.py": HELLO},
        {"elsewhere/wsgi/__init__.py": HELLO},
        {"flask_app.py": HELLO},
        {},
    ):
        web.note(sorted(files))
        web.folder = web.folder / "-".join(files).replace("/", "_")
        with project(web, files):
            sys.path.append(str(web.folder / "elsewhere"))
            told(web, web.cli.ScriptInfo().load_app, "wsgi.py", "app.py", "--app", "FLASK_APP")
        web.folder = web.folder.parent


def words(result: Result) -> list[Any]:
    """What a command wrote, without spaces, and how it ended."""
    error = None if isinstance(result.exception, SystemExit) else type(result.exception).__name__
    return [result.output.split(), result.exit_code, error]


def commands(result: Result) -> list[str]:
    """The names below "Commands:" in a help text."""
    text = result.stdout.partition("Commands:")[2]
    return flasks(re.findall(r"^  (\S+)", text, re.MULTILINE))


def flasks(names: Iterable[str]) -> list[str]:
    """Without what only Vial has."""
    return [name for name in names if name not in ("serve", "check", "completion")]


@pytest.fixture
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for entry points takes most of the time of a group's first command."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **params: [])


@pytest.mark.slow
@same
def test_a_program_has_its_own_command_line(web: Web, no_plugins: None) -> None:
    made = []

    def create_app() -> Any:
        app = web.Flask("own", static_folder=None)
        made.append(web.helpers.get_debug_flag())
        app.cli.command("greet")(lambda: click.echo(f"hi from {web.current_app.name}"))
        return app

    def show() -> None:
        click.echo(f"{web.current_app.name} {web.current_app.debug}")

    with project(web, {}) as run:
        for options in (
            {},
            {"add_default_commands": False},
            {"add_version_option": False},
            {"set_debug_flag": False},
            {"load_dotenv": False},
            {"params": [click.Option(["--own"])], "callback": lambda own: click.echo(own)},
            {"context_settings": {"auto_envvar_prefix": "OWN"}},
            {"name": "named", "help": "About it.", "invoke_without_command": True},
            {"no_args_is_help": False},
        ):
            web.note(sorted(options))
            cli = web.cli.FlaskGroup(create_app=create_app, **options)
            cli.command("show")(show)
            cli.command("bare", with_appcontext=False)(
                lambda: click.echo(str(web.has_app_context()))
            )
            web.note(cli.name, cli.help, isinstance(cli, web.cli.AppGroup), len(cli.params))
            web.note([(p.name, p.opts, p.is_eager, p.expose_value) for p in cli.params])
            web.note(cli.create_app is create_app, cli.load_dotenv, cli.set_debug_flag)
            web.note(cli.context_settings)
            web.note(commands(run("--help", cli=cli)))
            for args in (["greet"], ["--debug", "show"], ["show", "--x"]):
                web.note(args, *words(run(*args, cli=cli))[-2:], made)
                os.environ.pop("FLASK_DEBUG", None)
        web.note(run("greet", cli=cli).stdout, run("bare", cli=cli).stdout)
        web.note(run("--app", "hello", "greet", cli=cli).stdout)
        for env in ({"FLASK_DEBUG": "1"}, {"FLASK_APP": "none"}, {"OWN_DEBUG": "1"}):
            web.note(env, run("show", cli=cli, env=env).stdout)


@same
def test_what_a_script_info_knows(web: Web) -> None:
    seen = []

    def create_app(*args: Any) -> Any:
        seen.append(args)
        return web.Flask("made", static_folder=None)

    with project(web, {"hello.py": HELLO}):
        for options in (
            {},
            {"app_import_path": "hello"},
            {"create_app": create_app},
            {"create_app": create_app, "app_import_path": "none"},
            {"create_app": create_app, "set_debug_flag": False},
            {"create_app": create_app, "load_dotenv_defaults": False},
            {"create_app": lambda: None},
        ):
            info = web.cli.ScriptInfo(**options)
            web.note(sorted(options), info.app_import_path, info.data, info.set_debug_flag)
            web.note(info.load_dotenv_defaults, info.create_app is options.get("create_app"))
            with imports(web):
                web.attempt(lambda info=info: info.load_app() is info.load_app())
            web.note(seen, info.data)
        for value, flag in (("1", True), ("0", True), ("true", False)):
            os.environ["FLASK_DEBUG"] = value
            os.environ["FLASK_SKIP_DOTENV"] = value
            info = web.cli.ScriptInfo(create_app=create_app, set_debug_flag=flag)
            web.note(info.load_app().debug, info.load_dotenv_defaults)
        app = create_app()
        app.debug = True
        os.environ["FLASK_DEBUG"] = "0"
        web.note(web.cli.ScriptInfo(create_app=lambda: app).load_app().debug)


@pytest.mark.slow
@same
def test_functions_run_in_the_context_of_the_app(web: Web) -> None:
    app = web.app(static_folder=None)
    info = web.cli.ScriptInfo(create_app=lambda: app)
    runner = CliRunner()
    app.teardown_appcontext(lambda e: web.note("teardown", repr(e)))

    @click.command()
    @click.argument("name", default="nobody")
    @web.cli.with_appcontext
    def inside(name: str) -> str:
        """About it."""
        ctx = click.get_current_context()
        ctx.call_on_close(lambda: web.note("closed", web.has_app_context()))
        web.note(name, web.current_app.name, ctx.obj is info, ctx.info_name)
        return name

    @click.command()
    @web.cli.pass_script_info
    def passed(given: Any) -> None:
        web.note(given is info, given.load_app() is app, web.has_app_context())

    @click.command()
    @web.cli.pass_script_info
    @web.cli.with_appcontext
    def both(given: Any) -> None:
        web.note(given is info, web.has_app_context())

    @click.command()
    @web.cli.with_appcontext
    @click.pass_context
    def fails(ctx: Any) -> None:
        web.g.x = 1
        raise KeyError(ctx.info_name)

    @click.command()
    @web.cli.with_appcontext
    def leaves() -> None:
        raise click.ClickException("told")

    @click.command()
    @web.cli.with_appcontext
    @click.pass_context
    def calls(ctx: Any) -> None:
        web.note(ctx.invoke(inside, name="invoked"), ctx.forward(inside))

    group = web.cli.AppGroup("group")
    for command in (inside, passed, both, fails, leaves, calls):
        group.add_command(command)
        for args in ([], ["--help"], ["me"]):
            web.note(command.name, args)
            web.note(words(runner.invoke(command, args, obj=info)))
            web.note(words(runner.invoke(group, [command.name, *args], obj=info)))
    web.note(inside.callback.__name__, inside.callback.__doc__, inside.help)
    with app.app_context():
        web.note(words(runner.invoke(inside, [], obj=info)))
        web.note(words(runner.invoke(passed, [], obj=info)))
    with app.test_request_context("/x"):
        web.note(words(runner.invoke(both, [], obj=info)))


@same
def test_groups_of_commands_for_an_app(web: Web) -> None:
    app = web.app(static_folder=None)
    run = app.test_cli_runner().invoke
    context = lambda: click.echo(f"{web.has_app_context()} {web.has_request_context()}")  # noqa: E731
    group = web.cli.AppGroup("group", help="Of commands.")
    group.command("bare", with_appcontext=False)(context)
    group.command()(context_named := (lambda: context()))
    group.command("known")(context)
    group.command("plain", with_appcontext=True, help="Helps.", cls=click.Command)(context)

    @group.group("inner", invoke_without_command=True)
    def inner() -> None:
        context()

    inner.command("most")(context)

    @group.group("clicks", cls=click.Group)
    def clicks() -> None:
        context()

    clicks.command("one")(context)

    @group.group()
    @click.option("--flag/--no-flag")
    @click.pass_context
    def named(ctx: Any, flag: bool) -> None:
        ctx.obj.data["flag"] = flag

    @named.command()
    @web.cli.pass_script_info
    def shows(info: Any) -> None:
        click.echo(str(info.data))

    web.note(sorted(group.commands), callable(context_named))
    web.note(
        [type(c).__name__ for c in (inner, clicks, named, shows)],
        isinstance(inner, web.cli.AppGroup),
    )
    app.cli.add_command(group)
    app.cli.add_command(clicks, "renamed")
    for args in (
        "group", "group bare", "group known", "group plain", "group inner", "group inner most",
        "group clicks one", "renamed one", "group named --flag shows", "group named shows",
        "group none", "none", "group named", "", "--help", "group --help", "group inner --help",
    ):  # fmt: skip
        result = run(args=args.split())
        web.note(args, result.exit_code, result.stdout if "help" not in args else commands(result))
    web.note(app.cli.name, type(app.cli).__name__, app.cli.list_commands(click.Context(app.cli)))


@pytest.mark.slow
@same
def test_commands_of_blueprints(web: Web) -> None:
    def blueprint(name: str, **options: Any) -> Any:
        made = web.Blueprint(name, f"pkg.{name}", **options)

        def go() -> None:
            click.echo(f"{name} {web.current_app.name}")

        go.__name__ = f"go_{name}"
        made.cli.command("go")(go)
        made.cli.command(f"only-{name}")(lambda: click.echo(name))
        return made

    for option in ({}, {"cli_group": None}, {"cli_group": "given"}, {"cli_group": ""}):
        for registered in ({}, {"name": "renamed"}, {"cli_group": "late"}, {"cli_group": None}):
            app = web.app(static_folder=None)
            parent = blueprint("parent", **option)
            child = blueprint("child", **option)
            web.note(
                option, registered, parent.cli.name, parent.cli_group == option.get("cli_group")
            )
            parent.register_blueprint(child)
            app.register_blueprint(parent, **registered)
            web.note(tree(app.cli), parent.cli.name, child.cli.name)
    app = web.app(static_folder=None)
    shared = blueprint("shared")
    app.register_blueprint(shared)
    app.register_blueprint(shared, name="again", cli_group="more")
    app.register_blueprint(web.Blueprint("none", __name__))
    web.note(tree(app.cli), shared.cli.name)
    for args in ("shared go", "more go", "go", "more", "more only-shared"):
        web.note(*words(app.test_cli_runner().invoke(args=args)))


def tree(group: click.Group) -> dict[str, Any]:
    """The names of the commands of a group, and of the groups in it."""
    inner = sorted(group.commands.items())
    return {n: tree(c) if isinstance(c, click.Group) else c.callback.__name__ for n, c in inner}


@pytest.mark.slow
@same
def test_variables_come_from_files(web: Web) -> None:
    files = {
        ".env": "OWN_A=env\nOWN_B=env\nFLASK_APP=hello\n",
        ".flaskenv": "OWN_A=flaskenv\nOWN_C=flaskenv\nOWN_D=${OWN_A}\nOWN_E\nOWN_F=\n",
        "own.env": "OWN_A=own\nOWN_G='a b'\nexport OWN_H=1 # said\n",
        "inner/deep/x": "",
        "empty.env": "",
        "latin.env": "OWN_A=ü\n",
        "broken.env": "this is no = = line\n=x\n",
        "hello.py": HELLO,
    }

    def shown() -> dict[str, str]:
        return {k: v for k, v in sorted(os.environ.items()) if k.startswith(("OWN_", "FLASK_APP"))}

    def load(*args: Any, **options: Any) -> None:
        web.attempt(web.cli.load_dotenv, *args, **options)
        web.note(args, options, shown(), os.getcwd() == str(web.folder))

    for path in (None, *(web.folder / name for name in files), "own.env", "none.env", "inner"):
        for options in ({}, {"load_defaults": False}):
            with project(web, files):
                load(*([path] if path else []), **options)
    with project(web, files):
        os.environ.update(OWN_A="set", OWN_B="")
        load("own.env")
    with project(web, files):
        load(load_defaults=False)
        load()
        load("own.env")
        os.chdir("inner/deep")
        os.environ.pop("OWN_A")
        load()
    with project(web, files):
        os.environ["FLASK_SKIP_DOTENV"] = "1"
        load()
        load("own.env")


SHOWS = """
import os, click
from framework import Flask, current_app
app = Flask(__name__, static_folder=None)
loaded = os.environ.get("FLASK_DEBUG"), app.debug
@app.cli.command("show")
@click.option("--text", default="none")
def show(text):
    ctx = click.get_current_context()
    own = [(k, v) for k, v in sorted(os.environ.items()) if k.startswith("OWN")]
    click.echo(f"{current_app.name} {loaded} {current_app.debug} {text} {own}")
    click.echo(f"{ctx.auto_envvar_prefix} {ctx.command_path} {os.environ['FLASK_RUN_FROM_CLI']}")
    click.echo(f"{type(ctx.obj).__name__} {ctx.obj.app_import_path}")
@app.cli.group("more")
def more(): pass
@more.command("most")
@click.option("--text", default="none")
def most(text): click.echo(text)
"""
OTHER = """
made = Flask('made', static_folder=None)
made.cli.add_command(show)
def create(name):
    app = Flask('created' + name, static_folder=None)
    app.cli.add_command(show)
    return app
"""


@pytest.mark.slow
@same
def test_options_that_name_files_of_variables(web: Web, no_plugins: None) -> None:
    files = {
        ".env": "OWN=env\nOWN_B=env\n",
        ".flaskenv": "FLASK_APP=hello\n",
        "own.env": "OWN=own\nOWN_C=1\nFLASK_APP=other:create('x')\nFLASK_DEBUG=1\n",
        "app.env": "FLASK_APP=other:made\nFLASK_RUN_PORT=1\n",
        "hello.py": SHOWS,
        "other.py": SHOWS + OTHER,
        "folder/x": "",
    }
    with project(web, files) as run:
        for args, env in (
            ("", {}),
            ("", {"FLASK_ENV_FILE": "own.env"}),
            ("", {"FLASK_SKIP_DOTENV": "1"}),
            ("", {"OWN": "set", "FLASK_APP": "other:made"}),
            ("-e own.env", {}),
            ("-e own.env", {"OWN": "set", "FLASK_APP": "other:made"}),
            ("-eown.env", {"FLASK_SKIP_DOTENV": "1"}),
            ("--env-file app.env", {"FLASK_ENV_FILE": "own.env"}),
            ("-e own.env --app hello", {}),
            ("--app hello -e own.env", {}),
            ("-e own.env -e app.env", {}),
            ("--no-debug -e own.env", {}),
            ("-e none.env", {}),
            ("-e folder", {}),
            ("-e", {}),
        ):
            with imports(web):
                result = run(*args.split(), "show", env=env)
            web.note(args, env, result.exit_code, result.stdout)
            for name in [n for n in os.environ if n.startswith(("OWN", "FLASK"))]:
                del os.environ[name]
        cli = web.cli.FlaskGroup(create_app=lambda: web.Flask("x"), load_dotenv=False)
        cli.command("show")(lambda: click.echo(os.environ.get("OWN")))
        for args in ("", "-e own.env"):
            web.note(run(*args.split(), "show", cli=cli).stdout, os.environ.get("OWN"))


@pytest.mark.slow
@same
def test_the_environment_gives_options_their_values(web: Web, no_plugins: None) -> None:
    with project(web, {"hello.py": SHOWS}) as run:
        for args, env in (
            ("show", {}),
            ("show", {"FLASK_DEBUG": "1"}),
            ("show", {"FLASK_DEBUG": "0"}),
            ("show", {"FLASK_DEBUG": "false"}),
            ("show", {"FLASK_DEBUG": "other"}),
            ("show", {"FLASK_DEBUG": ""}),
            ("--debug show", {}),
            ("--debug show", {"FLASK_DEBUG": "0"}),
            ("--no-debug show", {"FLASK_DEBUG": "1"}),
            ("--debug --no-debug show", {}),
            ("show --debug", {}),
            ("show", {"FLASK_SHOW_TEXT": "from env"}),
            ("show --text typed", {"FLASK_SHOW_TEXT": "from env"}),
            ("more most", {"FLASK_MORE_MOST_TEXT": "from env"}),
            ("more most", {"FLASK_MOST_TEXT": "no"}),
            ("--app hello show", {"FLASK_APP": "none"}),
            ("-Ahello show", {"FLASK_APP": "none"}),
            ("-A hello -A none show", {}),
            ("--ap hello show", {}),
            ("show --app hello", {}),
            ("--version", {"FLASK_APP": "none"}),
            ("routes", {"FLASK_ROUTES_SORT": "rule", "FLASK_ROUTES_ALL_METHODS": "1"}),
            ("routes", {"FLASK_ROUTES_SORT": "nothing"}),
        ):
            with imports(web):
                result = run(*args.split(), env={"FLASK_APP": "hello", **env})
            web.note(args, env, result.exit_code, type(result.exception).__name__)
            web.note(result.stdout if "version" not in args else len(result.stdout.splitlines()))
            web.note(os.environ.pop("FLASK_DEBUG", None))
            web.note(os.environ.pop("FLASK_RUN_FROM_CLI", None))


ROUTES = """
def view(**args): return ""
def add(rule, endpoint, methods=None, **options):
    app.add_url_rule(rule, endpoint, view, methods=methods, **options)
add("/b/<int:x>/", "first", ["GET", "POST"])
add("/a", "z.last", ["PUT"])
add("/c/<path:p>", "middle", ["DELETE", "GET"], strict_slashes=False)
add("/", "index", provide_automatic_options=False)
add("/none", "none", [], provide_automatic_options=False)
add("/b/2/", "index")
"""


@pytest.mark.slow
@same
def test_routes_are_listed(web: Web) -> None:
    base = HELLO + ROUTES
    sub = base.replace("__name__,", "__name__, subdomain_matching=True,")
    host = base.replace("__name__,", "__name__, host_matching=True,")
    files = {
        "plain.py": base,
        "static.py": HELLO.replace(", static_folder=None", ""),
        "empty.py": HELLO,
        "sub.py": sub + "add('/s', 's', subdomain='api')\nadd('/d', 'd', subdomain='<who>')",
        "host.py": host + "add('/h', 'h', host='h.example')",
        "nosub.py": sub,
        "named.py": sub
        + "app.config['SERVER_NAME'] = 'x.example'\nadd('/s', 's', subdomain='api')",
    }
    with project(web, files) as run:
        for name in files:
            with imports(web):
                info = web.cli.ScriptInfo(name[:-3])
                for args in (
                    (
                        "",
                        "--all-methods",
                        "-s endpoint",
                        "--sort methods",
                        "-s rule",
                        "-s match",
                        "-s domain",
                    )
                    if name in ("plain.py", "sub.py")
                    else ("", "-s domain --all-methods")
                ):
                    result = run(*args.split(), cli=web.cli.routes_command, obj=info)
                    web.note(name, args, result.exit_code, result.output.splitlines())
        result = run("--app", "plain", "routes", "--sort", "nothing")
        web.note(result.exit_code, "'nothing' is not one of" in result.output)
    app = web.app(static_folder=None)
    web.note(app.test_cli_runner().invoke(web.cli.routes_command).output)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Where servers would have listened, with what, and in which mode."""
    calls: list[Any] = []

    def vial_serves(app: Any, host: str, port: int, ssl_context: Any = None, **o: Any) -> None:
        calls.append((host, port, ssl_context, getattr(app, "debug", None)))

    def vial_reloads(host: str, port: int, options: Any, debug: bool) -> None:
        calls.append((host, port, options.ssl_context, debug))
        raise SystemExit(0)  # where Flask's loads the app to no purpose

    def werkzeug_serves(host: str, port: int, app: Any, ssl_context: Any = None, **o: Any) -> None:
        # Flask's command wraps the app.
        debug = getattr(getattr(app, "_app", app), "debug", app)
        calls.append((host, port, ssl_context, debug))

    monkeypatch.setattr("vial.server.serve", vial_serves)
    monkeypatch.setattr("vial.server.reload", vial_reloads)
    monkeypatch.setattr("vial.server.development.serve", vial_serves)
    monkeypatch.setattr("werkzeug.serving.run_simple", werkzeug_serves)
    monkeypatch.setattr("flask.cli.run_simple", werkzeug_serves)
    return calls


@pytest.mark.slow
@same
def test_where_the_run_command_listens(web: Web, served: list[Any]) -> None:
    served.clear()
    with project(web, {"hello.py": HELLO, "cert.pem": "", "key.pem": "", "folder/x": ""}) as run:
        for args, env in (
            ("", {}),
            ("-h 0.0.0.0 -p 80", {}),
            ("--host ::1 --port 0", {}),
            ("--port 65536", {}),
            ("--port x", {}),
            ("", {"FLASK_RUN_PORT": "8000", "FLASK_RUN_HOST": "h.example"}),
            ("-p 1", {"FLASK_RUN_PORT": "8000"}),
            ("", {"FLASK_RUN_PORT": "x"}),
            ("", {"FLASK_RUN_RELOAD": "0", "FLASK_RUN_DEBUG": "1"}),
            ("--debug", {}),
            ("--debug", {"FLASK_DEBUG": "0"}),
            ("--no-debug", {"FLASK_DEBUG": "1"}),
            ("", {"FLASK_DEBUG": "1"}),
            ("--debug --no-reload --no-debugger", {}),
            ("--without-threads --with-threads --reload", {}),
            ("--extra-files a:b --exclude-patterns *.x:y", {}),
            ("", {"FLASK_RUN_EXTRA_FILES": "a:b", "FLASK_RUN_EXCLUDE_PATTERNS": "x"}),
            ("--cert cert.pem", {}),
            ("--key key.pem", {}),
            ("--cert cert.pem --key key.pem", {}),
            ("--key key.pem --cert cert.pem", {}),
            ("", {"FLASK_RUN_CERT": "cert.pem", "FLASK_RUN_KEY": "key.pem"}),
            ("", {"FLASK_RUN_CERT": "cert.pem"}),
            ("--cert none.pem --key key.pem", {}),
            ("--cert cert.pem --key none.pem", {}),
            ("--cert folder --key key.pem", {}),
            ("--cert cert.pem --key folder", {}),
            ("--cert adhoc --key key.pem", {}),
            ("--cert hello:app --key key.pem", {}),
            ("--nothing", {}),
        ):
            with imports(web):
                result = run("--app", "hello", "run", *args.split(), env=env)
            web.note(args, env, result.exit_code, "Error:" in result.output)
            web.note(re.findall(r"Debug mode: \w+", result.output))
            web.note(os.environ.pop("FLASK_DEBUG", None), [*served])
            served.clear()


@pytest.mark.slow
@same
def test_where_an_app_runs(web: Web, served: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with project(web, {".env": "FLASK_DEBUG=1\nOWN_RUN=1\n"}):
        for name, config, options, env in (
            (None, {}, {}, {}),
            (None, {}, {"host": "h.example", "port": 8000}, {}),
            (None, {}, {"port": "8000"}, {}),
            (None, {}, {"port": 0, "host": ""}, {}),
            ("x.example:8000", {}, {}, {}),
            ("x.example", {}, {}, {}),
            ("x.example:8000", {}, {"port": 1}, {}),
            ("x.example:8000", {}, {"host": "h"}, {}),
            ("x.example:8000", {}, {"port": 0}, {}),
            (None, {}, {"debug": True}, {}),
            (None, {}, {"debug": False}, {"FLASK_DEBUG": "1"}),
            (None, {"DEBUG": True}, {}, {}),
            (None, {"DEBUG": True}, {}, {"FLASK_DEBUG": "0"}),
            (None, {}, {}, {"FLASK_DEBUG": "1"}),
            (None, {}, {"load_dotenv": False}, {"FLASK_DEBUG": "1"}),
            (None, {}, {"load_dotenv": False}, {}),
            (None, {}, {}, {"FLASK_SKIP_DOTENV": "1"}),
            (None, {}, {"threaded": False, "use_reloader": False, "use_debugger": False}, {}),
            (None, {}, {"ssl_context": ("c", "k")}, {}),
            (None, {}, {}, {"FLASK_RUN_PORT": "8000"}),
            (None, {}, {}, {"FLASK_RUN_FROM_CLI": "true"}),
            (None, {}, {}, {"FLASK_RUN_FROM_CLI": "false"}),
        ):  # fmt: skip
            served.clear()
            app = web.app(SERVER_NAME=name, **config)
            os.environ.update(env)
            web.attempt(app.run, **options)
            web.note(name, config, options, env, *served)
            web.note(app.debug, os.environ.get("FLASK_DEBUG"), os.environ.get("OWN_RUN"))
            for key in {"FLASK_DEBUG", "OWN_RUN", *env} & os.environ.keys():
                del os.environ[key]


SHELL = """
processed = []
@app.shell_context_processor
def names():
    processed.append(1)
    return {"own": 1, "g": "mine", "startup": "shadowed"}
"""


@same
def test_the_shell_knows_the_app(
    web: Web, no_plugins: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys, "__interactivehook__", raising=False)
    startup = "startup = 'from the file'\nimport json\n"
    typed = """
app, own, g, startup
len(__import__('hello').processed)
1 / 0
'json' in globals(), __name__
from framework import current_app; current_app == app
"""
    with project(
        web, {"hello.py": HELLO + SHELL, "startup.py": startup, "broken.py": "1 / 0"}
    ) as run:
        for env in (
            {"PYTHONSTARTUP": "startup.py"},
            {"PYTHONSTARTUP": "none.py"},
            {"PYTHONSTARTUP": ""},
            {"PYTHONSTARTUP": "broken.py"},
        ):
            with imports(web):
                result = run("--app", "hello", "shell", input=typed, env=env)
            text = re.sub(
                r"^(Python).*|( \d+ in).*", r"\1", result.output.replace(str(web.folder), "ROOT")
            )
            web.note(env, result.exit_code, text, type(result.exception).__name__)


@same
def test_installed_extensions_add_commands(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    points = "[flask.commands]\nplug=plugged:command\nplug-group=plugged:group\nrun=plugged:mine\n"
    plugged = """
import click
from framework import current_app, with_appcontext
@click.command()
def command(): click.echo("plugged in")
@click.group()
def group(): pass
@group.command()
@with_appcontext
def inside(): click.echo(current_app.name)
@click.command()
def mine(): click.echo("mine")
"""
    files = {
        "installed/plugged.py": plugged,
        "installed/own-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: own\nVersion: 1.0\n",
        "installed/own-1.0.dist-info/entry_points.txt": points,
        "hello.py": HELLO,
    }
    with project(web, files), imports(web):
        # Searching all that is installed here takes long.
        monkeypatch.setattr(sys, "path", [str(web.folder / "installed")])
        cli = web.cli.FlaskGroup(name="own")
        web.note(sorted(flasks(cli.commands)))
        for args in (["plug"], ["plug-group", "inside"], ["--help"], ["run"]):
            result = CliRunner().invoke(cli, args, env={"FLASK_APP": "hello"})
            web.note(args, result.exit_code, commands(result) or result.output)
        web.note(sorted(flasks(cli.commands)))
        monkeypatch.undo()


@pytest.mark.slow
@same
def test_the_program_finds_the_app_of_the_working_directory(web: Web) -> None:
    name = web.package.__name__
    source = SHOWS.replace("framework", "flask")
    install = "import vial\nvial.install_as_flask()\n" if name == "vial" else ""
    files = {
        ".flaskenv": "OWN=1\nFLASK_DEBUG=1\n",
        "app.py": source
        + "import sys\nprint(__name__, sys.path[0] in ('', os.getcwd()))\napp.run()\n",
        "wrong.py": "1 / 0",
        f"by_{name}.py": install + "from flask import Flask\napp = Flask(__name__)\n"
        "print(app.name, app.import_name, app.root_path == __import__('os').getcwd())\n"
        "if __name__ == '__main__':\n    from flask.cli import FlaskGroup, main\n"
        "    FlaskGroup(create_app=lambda: app).main(['routes'], prog_name='own')\n",
    }
    for file, content in files.items():
        web.file(file, content)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FLASK_", "VIAL_"))}
    for args in (
        ["-m", name, "show", "--text", "x"],
        ["-m", name, "--app", "wrong", "routes"],
        ["-m", name, "--app", "wrong.py", "--help"],
        [f"by_{name}.py"],
    ):
        command = [sys.executable, *args]
        done = subprocess.run(command, cwd=web.folder, env=env, capture_output=True, text=True)
        own = [x for x in done.stdout.splitlines() if x[:1] != " " and x[:6] != "Usage:"]
        web.note(args[2:], done.returncode, [line.replace(name, "NAME") for line in own])
        web.note("ZeroDivisionError" in done.stderr, "app.run()" in done.stdout + done.stderr)


@pytest.mark.slow
@same
def test_scripts_of_a_program_are_groups_of_click(web: Web, no_plugins: None) -> None:
    def create_app(**options: Any) -> Any:
        app = web.Flask("own", static_folder=None)
        app.cli.command("routes")(lambda: click.echo("of the app"))
        app.cli.command("of-app")(lambda: show("of the app"))
        app.cli.add_command(click.Command("bare", callback=lambda: show("bare")))
        app.teardown_appcontext(lambda e: web.note("teardown", repr(e)))
        return app

    def show(text: str) -> None:
        ctx = click.get_current_context()
        web.note(text, web.has_app_context(), type(ctx.obj).__name__, ctx.command_path)

    @click.group(cls=web.cli.FlaskGroup, create_app=create_app, invoke_without_command=True)
    @click.option("--flag")
    def cli(flag: str | None) -> None:
        """A program."""
        show(f"the group {flag}")

    @cli.command()
    @click.argument("code", type=int, default=0)
    def ends(code: int) -> None:
        show("ends")
        click.get_current_context().exit(code)

    @cli.command(with_appcontext=False)
    @click.option("--how", default="")
    def fails(how: str) -> None:
        show("fails")
        raise {"abort": click.Abort(), "told": click.ClickException("told")}.get(how, OSError(how))

    cli.add_command(click.Command("plain", callback=lambda: show("plain")))

    @click.group()
    def outer() -> None:
        show("outer")

    outer.add_command(cli, "inner")
    web.note(cli.name, cli.help, type(cli).__name__)
    with project(web, {}) as run:
        for line in (
            "ends", "ends 3", "fails", "fails --how abort", "fails --how told", "plain", "of-app",
            "bare", "routes", "--flag x ends", "none",
        ):  # fmt: skip
            for program, args in ((cli, line.split()), (outer, ["inner", *line.split()])):
                result = run(*args, cli=program)
                web.note(args, result.exit_code, type(result.exception).__name__)
                web.note(result.stdout, result.stderr.splitlines()[-1:])
        info = web.cli.ScriptInfo(create_app=lambda: web.Flask("given", static_folder=None))
        info.data["own"] = 1
        for options in ({"obj": info}, {"standalone_mode": False}):
            result = run("ends", "4", cli=cli, **options)
            web.note(result.exit_code, type(result.exception).__name__, result.return_value)


@same
def test_files_of_variables_need_a_package(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    files = {".env": "OWN=env\n", "own.env": "OWN=own\n", "hello.py": HELLO, "bare/x": ""}
    with project(web, files) as run:
        for args in (("routes",), ("-e", "own.env", "routes"), ("-e", "none.env", "routes")):
            with imports(web):
                result = run("--app", "hello", *args)
            web.note(args, result.exit_code, "python-dotenv" in result.stderr, result.stdout)
        for folder in (".", "bare"):
            os.chdir(folder)
            web.attempt(web.cli.load_dotenv)
            web.attempt(web.cli.load_dotenv, "own.env")
        web.note(os.environ.get("OWN"))


@same
def test_an_app_that_runs_when_it_is_imported_does_not_stop_a_command(
    web: Web, served: list[Any], no_plugins: None
) -> None:
    served.clear()
    source = HELLO + "app.cli.command('own')(lambda: print('own'))\napp.run()\n"
    with project(web, {"hello.py": source}) as run:
        for args in (("own",), ("--help",), ("routes",), ("run", "--port", "1")):
            with imports(web):
                result = run("--app", "hello", *args)
            web.note(args, result.exit_code, "app.run()" in result.output, [*served])
            served.clear()
