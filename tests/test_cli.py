"""The ``vial`` command: how it finds an app, what it prints, how commands get their context."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from isolating import isolated

from vial import Blueprint, Vial, current_app
from vial.cli import (
    AppGroup,
    FlaskGroup,
    NoAppException,
    ScriptInfo,
    cli,
    find_app_by_string,
    find_best_app,
    load_dotenv,
    locate_app,
    pass_script_info,
    prepare_import,
    with_appcontext,
)

HELLO = "from vial import Vial\napp = Vial(__name__)\napp.get('/')(lambda: 'Hello')\n"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A directory of its own, and no trace of what a command imports or sets."""
    with isolated(monkeypatch, tmp_path):
        yield
        assert not current_app


def module(**names: Any) -> ModuleType:
    made = ModuleType("shop")
    vars(made).update(names)
    return made


def make_app(name: str = "made") -> Vial:
    return Vial(name, root_path="/")


def call(*args: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, args, **options)


# Finding the app of a module.


@pytest.mark.parametrize("name", ["app", "application", "anything"])
def test_the_app_of_a_module_is_found_by_name_or_because_it_is_the_only_one(name: str) -> None:
    app = make_app()
    assert find_best_app(module(other=1, **{name: app})) is app


def test_app_goes_before_application_and_both_before_others() -> None:
    app, application, other = (make_app() for _ in range(3))
    assert find_best_app(module(other=other, application=application, app=app)) is app
    assert find_best_app(module(other=other, application=application)) is application


def test_one_app_under_two_names_is_one_app() -> None:
    app = make_app()
    assert find_best_app(module(web=app, site=app)) is app


@pytest.mark.parametrize("name", ["create_app", "make_app"])
def test_a_factory_is_called(name: str) -> None:
    assert find_best_app(module(**{name: lambda: make_app("from factory")})).name == "from factory"


def broken_factory() -> Vial:
    raise TypeError("inside the factory")


def needs_arguments(flavour: str, size: int = 1) -> Vial:
    return make_app(f"{flavour} {size}")


def test_a_type_error_inside_a_factory_is_not_hidden() -> None:
    with pytest.raises(TypeError, match="inside the factory"):
        find_best_app(module(create_app=broken_factory))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "Module 'shop' has no application: no object made by Flask(...) or Vial(...)"),
        ({"create_app": lambda: 1}, "If it goes by another name, say 'shop:name'."),
        (
            {"a": make_app(), "b": make_app()},
            "Module 'shop' has several applications. Say which one: 'shop:name'.",
        ),
        (
            {"create_app": needs_arguments},
            "'shop:create_app' needs arguments. Give them: 'shop:create_app(\"value\")'."
            " (needs_arguments() missing 1 required positional argument: 'flavour')",
        ),
    ],
)
def test_a_module_without_one_clear_app_is_explained(names: dict[str, Any], message: str) -> None:
    with pytest.raises(NoAppException) as e:
        find_best_app(module(**names))
    assert message in str(e.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("site", "site"),
        (" site ", "site"),
        ("needs_arguments('lemon')", "lemon 1"),
        ("needs_arguments('lemon', size=3)", "lemon 3"),
    ],
)
def test_an_app_is_named_as_a_variable_or_a_call(text: str, name: str) -> None:
    found = find_app_by_string(module(site=make_app("site"), needs_arguments=needs_arguments), text)
    assert found.name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "'1 +' is neither a variable name nor a call"),
        ("a.b", "'a.b' is neither a variable name nor a call"),
        ("a.b()", "'a.b()' is neither a variable name nor a call"),
        ("missing", "Module 'shop' has no attribute 'missing'."),
        ("number", "'shop:number' is no application but 'int'."),
        ("factory(x)", "The arguments in 'factory(x)' must be literal values"),
        ("factory()", "'shop:factory()' does not fit the factory's parameters."),
        ("factory(colour=1)", "'shop:factory(colour=1)' does not fit the factory's parameters."),
    ],
)
def test_what_names_no_app_is_explained(text: str, message: str) -> None:
    with pytest.raises(NoAppException) as e:
        find_app_by_string(module(number=1, factory=needs_arguments), text)
    assert message in str(e.value)


@pytest.mark.parametrize(
    ("path", "name", "folder"),
    [
        ("site.py", "site", "."),
        ("site", "site", "."),
        ("package/__init__.py", "package", "."),
        ("package/inner/views.py", "package.inner.views", "."),
        ("folder/site.py", "site", "folder"),
    ],
)
def test_a_path_becomes_a_module_name_and_a_search_path(
    path: str, name: str, folder: str, tmp_path: Path
) -> None:
    for made in ("package", "package/inner"):
        (tmp_path / made).mkdir()
        (tmp_path / made / "__init__.py").touch()
    assert prepare_import(path) == name
    assert sys.path[0] == str((tmp_path / folder).resolve())


def test_an_import_error_inside_the_module_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "needy.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(NoAppException) as e:
        locate_app(prepare_import("needy.py"), None)
    assert "While importing 'needy', an import failed" in str(e.value)
    assert "No module named 'no_such_module_at_all'" in str(e.value)
    assert "needy.py" in str(e.value)


def test_a_module_that_does_not_exist_is_named_or_left_out() -> None:
    with pytest.raises(NoAppException, match="Could not import 'no_such_module_at_all'"):
        locate_app("no_such_module_at_all", None)
    assert locate_app("no_such_module_at_all", None, raise_if_not_found=False) is None


# What a person types.


@pytest.mark.parametrize(
    ("files", "args"),
    [
        (["shop.py"], ["shop.py"]),
        (["shop.py"], ["shop"]),
        (["shop.py"], ["shop:app"]),
        (["shop.py"], ["shop.py:app"]),
        (["shop.v2.py"], ["shop.v2.py"]),
        (["folder/shop.py"], ["folder/shop.py"]),
        (["wsgi.py"], []),
        (["app.py"], []),
        (["main.py"], []),
        (["main/__init__.py"], []),
    ],
)
def test_an_app_is_loaded_from_what_was_typed(
    files: list[str], args: list[str], tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(HELLO)
    result = call("routes", *args)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2].split() == ["<lambda>", "GET", "/"]


def test_wsgi_goes_before_app_before_main(tmp_path: Path) -> None:
    for name in ("main", "app", "wsgi"):
        (tmp_path / f"{name}.py").write_text(HELLO)
        assert ScriptInfo().load_app().name == name


@pytest.mark.parametrize("variable", ["FLASK_APP", "VIAL_APP"])
def test_the_environment_may_name_the_app(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    monkeypatch.setenv(variable, "shop.py")
    assert "<lambda>" in call("routes").stdout


def test_the_app_option_names_the_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    assert "<lambda>" in call("-A", "shop", "routes").stdout
    assert "<lambda>" in call("--app", "shop:app", "routes").stdout


def test_a_missing_app_is_explained() -> None:
    result = call("run")
    assert result.exit_code == 2
    assert "No application was named. Name its file or module ('vial run hello.py'" in result.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = call("run", "shop.py")
    assert result.exit_code == 2
    assert f"There is no file 'shop.py' (looked in {tmp_path})." in result.stderr


def test_what_the_program_raises_comes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("1 / 0\n")
    assert isinstance(call("run", "shop.py").exception, ZeroDivisionError)


# vial run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `vial run` hands to the server."""
    calls: list[Any] = []
    monkeypatch.setattr("vial.server.serve", lambda *args, **options: calls.append((args, options)))
    monkeypatch.setattr("vial.server.reload", lambda *args: pytest.fail("no --no-reload"))
    return calls


def test_run_serves_the_app_and_prints_its_name(served: list[Any], tmp_path: Path) -> None:
    guard = "if __name__ == '__main__':\n    raise SystemExit('not as a program')\n"
    (tmp_path / "hello.py").write_text(HELLO + guard)
    result = call("run", "hello.py")
    assert result.output == " * Serving Vial app 'hello.py'\n * Debug mode: off\n"
    [((app, *address), options)] = served
    assert (app.name, address) == ("hello", ["127.0.0.1", 5000])
    assert options.pop("use_reloader") is options.pop("use_debugger") is False
    assert options == {
        "ssl_context": None,
        "live_reload": True,
        "auto_port": False,
        "extra_files": None,
        "exclude_patterns": None,
        "threaded": True,
    }


def test_an_unguarded_app_run_in_the_program_does_not_block(
    served: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "hello.py").write_text(HELLO + "app.run()\n")
    assert "Ignoring a call to 'app.run()'" in call("run", "hello.py").stderr
    assert len(served) == 1


@pytest.mark.parametrize(
    ("args", "env", "address"),
    [
        (["--host", "::1", "--port", "80"], {}, ["::1", 80]),
        (["-h", "::1", "-p", "0"], {}, ["::1", 0]),
        ([], {"FLASK_RUN_HOST": "::1", "FLASK_RUN_PORT": "80"}, ["::1", 80]),
        ([], {"VIAL_RUN_HOST": "::1", "VIAL_RUN_PORT": "80"}, ["::1", 80]),
        (["-p", "81"], {"FLASK_RUN_PORT": "80"}, ["127.0.0.1", 81]),
    ],
)
def test_run_takes_the_address_from_options_and_the_environment(
    args: list[str], env: dict[str, str], address: list[Any], served: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    assert call("run", *args, env=env).exit_code == 0
    assert list(served[0][0][1:]) == address


@pytest.mark.parametrize(
    ("args", "debug"),
    [
        (["run", "--debug", "--no-reload"], True),
        (["--debug", "run", "--no-reload"], True),
        (["run"], False),
        (["run", "--no-debug"], False),
    ],
)
def test_debug_is_set_before_the_app_is_made(
    args: list[str], debug: bool, served: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(HELLO + "seen = app.debug\n")
    assert call(*args).exit_code == 0
    app = served[0][0][0]
    assert (app.debug, sys.modules["app"].seen) == (debug, debug)


def test_the_environment_turns_debug_on_and_an_option_off(
    served: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    for args, debug in (([], True), (["--no-debug"], False)):
        call("run", "--no-reload", *args, env={"FLASK_DEBUG": "1"})
        assert served[-1][0][0].debug is debug


def test_run_takes_a_certificate(served: list[Any], tmp_path: Path) -> None:
    for name in ("app.py", "cert.pem", "key.pem"):
        (tmp_path / name).write_text(HELLO)
    call("run", "--cert", "cert.pem", "--key", "key.pem")
    call("run", "--cert", "adhoc")
    contexts = [options["ssl_context"] for _, options in served]
    files = tuple(str((tmp_path / name).resolve()) for name in ("cert.pem", "key.pem"))
    assert contexts == [files, "adhoc"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--cert", "app.py"], "also give the certificate's key with '--key'."),
        (["--key", "app.py"], "'--key' goes with a certificate file in '--cert'."),
        (["--cert", "adhoc", "--key", "app.py"], "'--key' goes with a certificate file"),
        (["--cert", "nothing.pem", "--key", "app.py"], "File 'nothing.pem' does not exist."),
        (["--cert", "tls:context"], "name the files of certificate and key, not an object."),
        (["--cert", "app:app"], "File 'app:app' does not exist."),
    ],
)
def test_half_a_certificate_is_explained(
    args: list[str],
    message: str,
    served: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    tls = SimpleNamespace(context=ssl.create_default_context())
    monkeypatch.setitem(sys.modules, "tls", tls)  # type: ignore[arg-type]
    result = call("run", *args)
    assert result.exit_code == 2 and message in result.stderr
    assert served == []


# vial routes, vial shell, vial --version, vial --help

SHOP = """
from vial import Vial
app = Vial(__name__, static_folder=None)
app.get("/items/<int:id>", endpoint="item")(lambda id: "")
app.add_url_rule("/", "buy", lambda: "", methods=["POST", "GET"])
"""


@pytest.mark.parametrize(
    ("args", "rows"),
    [
        ([], ["buy       GET, POST  /", "item      GET        /items/<int:id>"]),
        (["-s", "methods"], ["item      GET        /items/<int:id>", "buy       GET, POST  /"]),
        (["-s", "rule"], ["buy       GET, POST  /", "item      GET        /items/<int:id>"]),
        (["-s", "match"], ["item      GET        /items/<int:id>", "buy       GET, POST  /"]),
    ],
)
def test_routes_are_a_sorted_table(args: list[str], rows: list[str], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SHOP)
    head = ["Endpoint  Methods    Rule", "--------  ---------  ---------------"]
    assert [line.rstrip() for line in call("routes", *args).stdout.splitlines()] == [*head, *rows]


def test_routes_show_every_method_when_asked(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SHOP)
    assert "GET, HEAD, OPTIONS, POST" in call("routes", "--all-methods").stdout


@pytest.mark.parametrize(
    ("arguments", "rule", "title"),
    [("", "subdomain='api'", "Subdomain"), (", host_matching=True", "host='api.example'", "Host")],
)
def test_routes_show_the_domain_where_there_is_one(
    arguments: str, rule: str, title: str, tmp_path: Path
) -> None:
    source = SHOP.replace("static_folder=None", f"static_folder=None{arguments}")
    (tmp_path / "app.py").write_text(source.replace('endpoint="item"', f'endpoint="item", {rule}'))
    head, _, *rows = call("routes", "--sort", "domain").stdout.splitlines()
    assert head.split() == ["Endpoint", "Methods", title, "Rule"]
    assert rows[0].split() == ["buy", "GET,", "POST", "/"]
    assert rows[1].split() == ["item", "GET", rule.split("'")[1], "/items/<int:id>"]


def test_an_app_without_routes_says_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from vial import Vial\napp = Vial('x', static_folder=None)\n")
    assert call("routes").stdout == "No routes were registered.\n"


def test_the_shell_has_the_names_of_the_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        HELLO + "app.shell_context_processor(lambda: {'answer': 41 + 1})\n"
    )
    startup = tmp_path / "startup.py"
    startup.write_text("greeting = 'good morning'")
    result = call(
        "shell", input="print(greeting, app, answer)\n", env={"PYTHONSTARTUP": str(startup)}
    )
    assert "good morning <Vial 'app'> 42" in result.stdout


def test_the_version_is_printed() -> None:
    assert call("--version").stdout == (
        f"Python {platform.python_version()}\n"
        f"Vial {importlib.metadata.version('vial-web')}\n"
        f"Werkzeug {importlib.metadata.version('werkzeug')}\n"
    )


def test_help_lists_the_commands_of_the_app(tmp_path: Path) -> None:
    command = "app.cli.command('greet')(lambda: print('hi from', __name__))\n"
    (tmp_path / "app.py").write_text(HELLO + command)
    for args in ([], ["--help"]):
        listed = [line.split()[0] for line in call(*args).output.splitlines() if line[:2] == "  "]
        assert {"greet", "routes", "run", "serve", "shell"} <= set(listed)
    assert call("greet").stdout == "hi from app\n"


@pytest.mark.parametrize("source", ["1 / 0", "import no_such_module_at_all", "x = 1"])
def test_help_survives_an_app_that_does_not_load(source: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(source)
    result = call("--help")
    assert result.exit_code == 0 and "routes" in result.stdout and result.stderr


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    assert "No such command 'fly'" in call("fly").stderr
    (tmp_path / "app.py").unlink()
    result = call("--app", "nowhere.py", "fly")
    assert "There is no file 'nowhere.py'" in result.stderr and "No such command" in result.stderr


# Commands that programs write.


def test_a_command_of_the_app_runs_in_its_context() -> None:
    app = make_app()

    @app.cli.command("name")
    @click.argument("greeting")
    def name(greeting: str) -> None:
        click.echo(f"{greeting} {current_app.name}")

    result = app.test_cli_runner().invoke(args=["name", "hello"])
    assert (result.exit_code, result.output) == (0, "hello made\n")


def test_a_command_may_do_without_the_context() -> None:
    app = make_app()
    app.cli.command("bare", with_appcontext=False)(lambda: click.echo(bool(current_app)))
    assert app.test_cli_runner().invoke(args=["bare"]).output == "False\n"


def test_a_group_of_the_app_is_an_app_group() -> None:
    app = make_app()

    @app.cli.group("db")
    def db() -> None:
        pass

    db.command("name")(lambda: click.echo(current_app.name))
    assert isinstance(db, AppGroup)
    assert app.test_cli_runner().invoke(args=["db", "name"]).output == "made\n"


def test_a_runner_takes_a_command_of_its_own() -> None:
    @click.command()
    @with_appcontext
    def name() -> None:
        click.echo(current_app.name)

    assert make_app().test_cli_runner().invoke(name).output == "made\n"


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({}, ["shop", "count"]),
        ({"cli_group": "goods"}, ["goods", "count"]),
        ({"cli_group": None}, ["count"]),
    ],
)
def test_commands_of_a_blueprint_are_in_its_group(options: dict[str, Any], args: list[str]) -> None:
    app, shop = make_app(), Blueprint("shop", __name__)
    shop.cli.command("count")(lambda: click.echo(f"counted in {current_app.name}"))
    app.register_blueprint(shop, **options)
    assert app.test_cli_runner().invoke(args=args).output == "counted in made\n"


def test_a_program_makes_its_own_command_line() -> None:
    group = FlaskGroup(name="mine", create_app=make_app, load_dotenv=False)

    @group.command("name")
    @pass_script_info
    def name(info: ScriptInfo) -> None:
        click.echo(info.load_app() is current_app._get_current_object())  # type: ignore[attr-defined]

    assert CliRunner().invoke(group, ["name"]).output == "True\n"
    assert set(group.commands) == {"run", "serve", "shell", "routes", "name"}
    assert set(FlaskGroup(name="bare", add_default_commands=False).commands) == set()


def test_the_context_lasts_until_the_command_is_over() -> None:
    app, events = make_app(), []
    app.teardown_appcontext(lambda exc: events.append("teardown"))
    app.cli.command("work")(lambda: events.append("work"))
    app.test_cli_runner().invoke(args=["work"])
    assert events == ["work", "teardown"]


def test_extensions_add_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "plugin"

        def load(self) -> click.Command:
            return click.Command("plugin", callback=lambda: click.echo("plugged in"))

    monkeypatch.setattr(
        "importlib.metadata.entry_points",
        lambda group: [Point()] if group == "flask.commands" else [],
    )
    group = FlaskGroup(name="mine", create_app=make_app, load_dotenv=False)
    assert CliRunner().invoke(group, ["plugin"]).output == "plugged in\n"


# Environment files.


def test_env_files_set_what_is_not_set_and_the_nearer_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".flaskenv").write_text("T_A=flaskenv\nT_B=flaskenv\nT_C=flaskenv\nT_D=flaskenv\n")
    (tmp_path / ".env").write_text("T_B=env\nT_C=env\nT_D=env\n")
    (tmp_path / "mine").write_text("T_C=mine\nT_D=mine\nT_EMPTY\n")
    monkeypatch.setenv("T_D", "set")
    assert load_dotenv(tmp_path / "mine") is True
    assert [os.environ[f"T_{x}"] for x in "ABCD"] == ["flaskenv", "env", "mine", "set"]
    assert "T_EMPTY" not in os.environ


def test_default_env_files_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("T_A=env\n")
    assert load_dotenv(load_defaults=False) is False
    assert "T_A" not in os.environ


def test_an_env_file_may_name_the_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    (tmp_path / "settings").write_text("FLASK_APP=shop.py\n")
    assert "<lambda>" in call("-e", "settings", "routes").stdout


def test_without_python_dotenv_a_tip_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    monkeypatch.setattr("vial.cli.groups.find_spec", lambda name: None)
    assert load_dotenv() is False
    assert capsys.readouterr().err == ""
    (tmp_path / ".env").write_text("T_A=env\n")
    assert load_dotenv() is False
    assert "Install python-dotenv" in capsys.readouterr().err
    assert "python-dotenv must be installed" in call("-e", ".env", "routes").stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "vial"], ["-c", "from vial.cli import main; main()"]])
def test_the_program_makes_flask_mean_vial(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from flask import Flask\nfrom vial import Vial\n"
        "app = Flask('x', static_folder=None)\n"
        "app.add_url_rule('/', str(issubclass(Flask, Vial)), lambda: '')\n"
    )
    done = subprocess.run(
        [sys.executable, *command, "routes"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.splitlines()[2].split() == ["True", "GET", "/"]
