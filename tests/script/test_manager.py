"""Managers and their commands, within the process."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import click
import pytest
from click.testing import CliRunner

from vial import Vial, current_app, g, request
from vial.cli import FlaskGroup
from vial.script import Command, Group, Manager, Option, Server, Shell
from vial.script.commands import Clean, InvalidCommand, ShowUrls

Runs = Callable[..., Any]


@pytest.fixture
def app() -> Vial:
    app = Vial("program", static_folder=None)
    app.add_url_rule("/pages/<int:number>", "page", lambda number: "")
    app.add_url_rule("/", "home", lambda: "")
    return app


@pytest.fixture
def manager(app: Vial) -> Manager:
    return Manager(app)


def run(manager: Manager, *args: str) -> Any:
    return manager.handle("/somewhere/manage.py", args)


def refused(manager: Manager, *args: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        run(manager, *args)
    return ended.value.code


# -- functions ----------------------------------------------------------------------------------


def test_parameters_become_arguments_options_and_flags(manager: Manager) -> None:
    @manager.command
    def greet(name, greeting="Hello", times=1, loud=False, *, end=None, **more):  # type: ignore[no-untyped-def]
        return name, greeting, times, loud, end, more

    assert run(manager, "greet", "Ann") == ("Ann", "Hello", 1, False, None, {})
    line = ["greet", "-g", "Hi", "Ann", "--times=3", "-l", "--end", "!"]
    assert run(manager, *line) == ("Ann", "Hi", "3", True, "!", {})
    assert run(manager, "greet", "Zoë", "--greet", "こんにちは")[:2] == ("Zoë", "こんにちは")
    assert greet("Ann", loud=True)[3] is True  # and it stays a function


def test_commands_run_in_a_request_context_of_the_app(manager: Manager, app: Vial) -> None:
    @manager.command
    def where() -> Any:
        g.seen = True
        return current_app._get_current_object(), request.path  # type: ignore[attr-defined]

    assert run(manager, "where") == (app, "/")
    assert not current_app


def test_two_parameters_with_one_letter_are_refused_at_once(manager: Manager) -> None:
    message = r"copy\(\): both 'source' and 'size' would be -s on the command line"
    with pytest.raises(TypeError, match=message):

        @manager.command
        def copy(source="", size=0):  # type: ignore[no-untyped-def]
            pass


def test_an_option_that_argparse_does_not_know_is_refused_at_once(manager: Manager) -> None:
    with pytest.raises(TypeError, match=r"Option\('--name', colour='red'\) cannot be read: .*col"):
        manager.add_option("--name", colour="red")
    with pytest.raises(TypeError, match="cannot be read"):
        Option("name", "--name")


def test_options_of_decorators_add_up(manager: Manager) -> None:
    @manager.option("-n", "--name", default="joe", help="who")
    @manager.option("-u", "--url", dest="address", type=int)
    def hello(name: str = "", address: int | None = None, again: bool = False, all: int = 0) -> Any:
        "Says hello."
        return name, address

    assert run(manager, "hello") == ("joe", None)
    assert run(manager, "hello", "--url", "3", "-n", "Ann") == ("Ann", 3)
    assert manager._commands["hello"].description == "Says hello."
    assert Command.description == Command().description == ""

    @manager.option("--times", type=int)
    @manager.command
    def again(word: str, times: int | None = None) -> Any:
        return word, times

    assert manager._commands["again"].get_options()[-1].args == ("--times",)


# -- classes ------------------------------------------------------------------------------------


class Everything(Command):
    "Takes all that argparse has."

    class Upper(argparse.Action):
        def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
            setattr(namespace, self.dest, values.upper())

    option_list = (
        Option("--name", "-n", dest="who", default="joe", metavar="WHO"),
        Option("--tags", nargs="*"),
        Option("--level", nargs="?", const="high", default="low", choices=("low", "high")),
        Option("--point", nargs=2, type=float),
        Option("-v", action="count", default=0),
        Option("--plus", action="append"),
        Option("--upper", action=Upper),
        Option("--must", required=True),
        Option("file", nargs="?"),
        Group(
            Option("--on", action="store_true"),
            Option("--off", action="store_true"),
            exclusive=True,
        ),
        Group(Option("--x"), title="Rare", description="Hardly used"),
    )

    def run(self, **options: Any) -> Any:
        return options


def test_an_option_may_be_anything_that_argparse_takes(manager: Manager, capsys: Any) -> None:
    manager.add_command("all", Everything)
    line = "all --must 1 --tags a b --level --point 1 2 -vv --plus 1 --plus 2 --upper up --on f"
    assert run(manager, *line.split()) == {
        "who": "joe",
        "tags": ["a", "b"],
        "level": "high",
        "point": [1.0, 2.0],
        "v": 2,
        "plus": ["1", "2"],
        "upper": "UP",
        "must": "1",
        "file": "f",
        "on": True,
        "off": False,
        "x": None,
    }
    assert refused(manager, "all") == 2
    assert "the following arguments are required: --must" in capsys.readouterr().err
    assert refused(manager, "all", "--must", "1", "--on", "--off") == 2
    assert "argument --off: not allowed with argument --on" in capsys.readouterr().err
    assert refused(manager, "all", "--must", "1", "--level", "top") == 2
    assert "invalid choice: 'top'" in capsys.readouterr().err
    assert refused(manager, "all", "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: manage.py all [-?] [--name WHO]")
    assert "Takes all that argparse has." in text and "Rare:\n  Hardly used" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_group_is_exclusive_or_has_a_heading() -> None:
    with pytest.raises(TypeError, match="Leave out title and description, or exclusive"):
        Group(Option("-a"), title="A", exclusive=True)


def test_options_may_depend_on_the_instance_which_need_not_call_init(manager: Manager) -> None:
    class Hello(Command):
        def __init__(self, default: str) -> None:
            self.default = default

        def get_options(self) -> Sequence[Option]:
            return [Option("--name", default=self.default)]

        def run(self, name: str) -> str:
            return name

    manager.add_command("hello", Hello("Joe"))
    assert run(manager, "hello") == "Joe"


def test_an_option_of_one_command_is_not_that_of_its_class(manager: Manager) -> None:
    class Plain(Command):
        def run(self, **options: Any) -> Any:
            return options

    one, other = Plain(), Plain()
    one.add_option(Option("--x"))
    manager.add_command("one", one)
    manager.add_command("other", other)
    assert (run(manager, "one"), run(manager, "other")) == ({"x": None}, {})


def test_a_command_can_have_all_that_no_option_takes(manager: Manager) -> None:
    class Test(Command):
        capture_all_args = True
        option_list = (Option("-x"),)

        def run(self, remaining: list[str], x: str | None) -> Any:
            return remaining, x

    manager.add_command(Test)
    assert run(manager, "test", "a", "-x", "1", "-z", "--b=2") == (["a", "-z", "--b=2"], "1")


def test_a_command_without_run_says_so(manager: Manager) -> None:
    manager.add_command("odd", Command())
    with pytest.raises(NotImplementedError, match=r"Command needs a run\(\) method"):
        run(manager, "odd")
    with pytest.raises(RuntimeError, match="Command needs an application"):
        Command(list)()


def test_names_come_from_the_line_the_attribute_or_the_class(manager: Manager) -> None:
    class ImportCommand(Command):
        def run(self) -> None: ...

    class Named(ImportCommand):
        name = "called"

    def function() -> None: ...

    manager.add_command(ImportCommand)
    manager.add_command(Named())
    manager.add_command(function)
    manager.add_command("given", Named)
    manager.add_command("inner", Named, namespace="outer")
    assert list(manager._commands) == ["import", "called", "function", "given", "outer"]
    assert list(manager._commands["outer"]._commands) == ["inner"]
    with pytest.raises(TypeError, match=r"add_command\('odd', 3\): a command is a Command, a sub"):
        manager.add_command("odd", 3)


# -- the line -----------------------------------------------------------------------------------


def test_without_a_command_there_is_help(manager: Manager, capsys: Any) -> None:
    @manager.command
    def create() -> None:
        """Create
        the tables.

        More about it.
        """

    assert refused(manager) == 2
    text = capsys.readouterr().out
    assert refused(manager, "--help") == refused(manager, "-?") == 0
    assert capsys.readouterr().out == text * 2
    assert text.startswith("usage: manage.py [-?] COMMAND ...\n")
    assert "  create     Create the tables.\n" in text
    assert "  shell      Runs a Python shell in the application's context.\n" in text
    assert "  runserver  Runs the development server.\n" in text
    assert refused(manager, "create", "--help") == 0
    assert "\n\nCreate the tables. More about it.\n\n" in capsys.readouterr().out


def test_a_mistyped_command_is_named_with_those_that_are_close(
    manager: Manager, capsys: Any
) -> None:
    assert refused(manager, "shel") == 2
    error = capsys.readouterr().err
    assert "manage.py: error: there is no command 'shel'. Did you mean 'shell'?" in error
    assert refused(manager, "xyz") == 2
    assert "there is no command 'xyz'. The help lists them." in capsys.readouterr().err
    assert refused(manager, "runserver", "too", "much") == 2
    error = capsys.readouterr().err
    assert "manage.py runserver: error: unrecognized arguments: too much" in error


def test_help_flags_can_be_chosen_and_options_go_before_them(manager: Manager, capsys: Any) -> None:
    manager.help_args = ("-h", "--help")

    @manager.command
    def connect(host: str = "localhost") -> str:
        return host

    assert refused(manager, "-h") == 0
    assert run(manager, "connect", "-h", "example.com") == "example.com"
    manager._commands["connect"].help_args = ("--aid",)
    capsys.readouterr()
    assert refused(manager, "connect", "--aid") == 0
    assert "usage: manage.py connect [--aid] [-h HOST]" in capsys.readouterr().out


# -- apps ---------------------------------------------------------------------------------------


def test_options_of_the_manager_go_to_the_factory() -> None:
    def create_app(config: str | None = None) -> Vial:
        app = Vial("program")
        app.config["FROM"] = config
        return app

    manager = Manager(create_app)
    manager.add_option("-c", "--config", dest="config", required=False)

    @manager.option("-c", "--clue", dest="clue")
    def hello(clue: str | None) -> Any:
        return current_app.config["FROM"], clue

    assert run(manager, "-c", "dev.cfg", "hello", "-c", "x") == ("dev.cfg", "x")


def test_the_app_is_made_after_the_whole_line_was_read(capsys: Any) -> None:
    def create_app() -> Vial:
        raise AssertionError("made for nothing")

    manager = Manager(create_app)
    assert refused(manager, "shell", "--help") == refused(manager) - 2 == 0
    assert refused(manager, "shell", "--unknown") == 2


def test_a_manager_without_an_app_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"This manager has no application.*Manager\(app\)"):
        run(Manager(), "shell")


def test_options_for_an_app_that_is_made_already_have_no_effect(manager: Manager) -> None:
    manager.add_option("-c", "--config")
    manager.add_command("go", lambda: 1)
    assert run(manager, "go") == 1
    with pytest.warns(UserWarning, match="'config': 'x'} have no effect"):
        assert run(manager, "-c", "x", "go") == 1


def test_an_outer_context_does_not_change_the_app(manager: Manager, app: Vial) -> None:
    manager.add_command("name", lambda: current_app.name)
    with Vial("other").app_context():
        assert run(manager, "name") == "program"


def test_a_sub_manager_gets_the_app_and_may_replace_it(manager: Manager, app: Vial) -> None:
    seen: list[Any] = []

    def admin(app: Vial, **options: Any) -> Any:
        seen.append((app, options))
        return Vial("admin") if options["other"] else None

    sub, deep = Manager(admin), Manager()
    sub.add_option("--other", action="store_true")
    deep.add_command("name", lambda: current_app.name)
    manager.add_command("sub", sub)
    sub.add_command("deep", deep)
    assert run(manager, "sub", "deep", "name") == "program"
    assert run(manager, "sub", "--other", "deep", "name") == "admin"
    assert seen == [(app, {"other": False}), (app, {"other": True})]
    assert (deep.parent, list(sub._commands)) == (sub, ["deep"])  # no default commands


def test_a_sub_manager_with_an_app_or_a_factory_of_its_own_uses_that_above(
    manager: Manager,
) -> None:
    for sub in (Manager(Vial("own")), Manager(lambda config=None: Vial("own"))):
        sub.add_command("name", lambda: current_app.name)
        manager.add_command("sub", sub)
        assert run(manager, "sub", "name") == "program"


def test_default_commands_can_be_left_out_or_replaced(app: Vial) -> None:
    assert refused(Manager(app, with_default_commands=False), "shell") == 2
    manager = Manager(app)
    manager.add_command("runserver", lambda: "own")
    assert run(manager, "runserver") == "own"


# -- the commands that come along ---------------------------------------------------------------


def test_the_server_gets_what_the_line_and_the_constructor_say(
    manager: Manager, app: Vial, monkeypatch: Any, capsys: Any
) -> None:
    ran: list[dict[str, Any]] = []
    monkeypatch.setattr(app, "run", lambda **options: ran.append(options))
    own = Server(host="::1", port=9000, use_debugger=True, use_reloader=False, extra_files=["x"])
    manager.add_command("own", own)
    run(manager, "runserver")
    run(
        manager,
        "runserver",
        *["-h", "0.0.0.0", "-p", "8", "-d", "--ssl-crt", "a", "--ssl-key", "b", "--threaded"],
    )
    run(manager, "own", "-r", "--processes", "2")
    app.config["DEBUG"] = None
    run(manager, "runserver", "--no-reload")
    shown = [[o[n] for n in ("host", "port", "debug", "use_reloader", "ssl_context")] for o in ran]
    assert shown == [
        ["127.0.0.1", 5000, False, False, None],
        ["0.0.0.0", 8, True, True, ("a", "b")],
        ["::1", 9000, True, True, None],
        ["127.0.0.1", 5000, True, False, None],
    ]
    assert "Debug mode is on: DEBUG is None." in capsys.readouterr().err
    assert (ran[1]["threaded"], ran[2]["processes"], ran[2]["extra_files"]) == (True, 2, ["x"])
    with pytest.raises(InvalidCommand, match="give both --ssl-crt and --ssl-key"):
        run(manager, "runserver", "--ssl-crt", "a")
    assert refused(manager, "runserver", "--port", "http") == 2


def test_routes_are_shown_sorted_and_matched(manager: Manager, capsys: Any) -> None:
    manager.add_command("urls", ShowUrls())
    assert run(manager, "urls") is None
    rows = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows if not row.startswith("-")] == [
        ["Rule", "Endpoint"],
        ["/", "home"],
        ["/pages/<int:number>", "page"],
    ]
    run(manager, "urls", "/pages/3")
    assert capsys.readouterr().out.splitlines()[2].split(maxsplit=2)[1:] == [
        "page",
        "{'number': 3}",
    ]
    assert run(manager, "urls", "/nowhere") == 1
    assert capsys.readouterr().err == "/nowhere: 404 Not Found\n"
    with pytest.raises(InvalidCommand, match="rules have no 'size'"):
        run(manager, "urls", "--order", "size")


def test_clean_removes_compiled_files_only(
    manager: Manager, tmp_path: Any, monkeypatch: Any, capsys: Any
) -> None:
    (tmp_path / "inside").mkdir()
    for name in ("a.pyc", "inside/b.pyo", "inside/c.py"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    manager.add_command("clean", Clean)
    run(manager, "clean")
    assert [p.name for p in tmp_path.rglob("*.*")] == ["c.py"]
    assert "Removing ./a.pyc\n" in capsys.readouterr().out


def test_the_shell_has_the_names_of_its_context(
    manager: Manager, app: Vial, monkeypatch: Any
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("code.interact", lambda banner, local: started.append((banner, local)))
    plain = ["--no-ipython", "--no-bpython", "--no-ptpython", "--no-ptipython"]
    run(manager, "shell", *plain)
    manager.shell(lambda: {"n": 1})
    run(manager, "shell", *plain)
    manager.add_command("own", Shell("Hi", lambda: {"n": 2}, False, False, False, False))
    run(manager, "own")
    assert started == [(None, {"app": app}), (None, {"n": 1}), ("Hi", {"n": 2})]
    assert manager._commands["own"].get_options() == []


def test_the_shell_prefers_what_is_installed(
    manager: Manager, tmp_path: Any, monkeypatch: Any, capsys: Any
) -> None:
    (tmp_path / "bpython.py").write_text("def embed(banner, locals_): print('b', banner, locals_)")
    (tmp_path / "IPython.py").write_text("def embed(banner1, user_ns): print('i', user_ns)")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("ptpython", "ptpython.ipython", "ptpython.repl"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    manager.add_command("own", Shell("Hi", lambda: {"n": 2}))
    run(manager, "own")
    run(manager, "own", "--no-bpython")
    assert capsys.readouterr().out == "b Hi {'n': 2}\ni {'n': 2}\n"


# -- click --------------------------------------------------------------------------------------


def test_a_manager_is_a_group_of_the_vial_command(
    app: Vial, manager: Manager, monkeypatch: Any
) -> None:
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "false")  # which the command line changes

    @manager.command
    def add(name: str, times: int = 1) -> int:
        "Add one."
        click.echo(f"{name} {times} {current_app.name}")
        return 3

    manager.help = "Things."
    app.cli.add_command(manager.as_click("things"))
    cli = FlaskGroup(create_app=lambda: app, load_dotenv=False)
    runner = CliRunner()
    done = runner.invoke(cli, ["things", "add", "Zoë", "-t", "2"])
    assert (done.output, done.exit_code) == ("Zoë 2 program\n", 3)
    assert "  things  Things.\n" in runner.invoke(cli, ["--help"]).output
    done = runner.invoke(cli, ["things"])
    assert done.exit_code == 2 and "  add  Add one.\n" in done.output
    assert "shell" not in done.output
    done = runner.invoke(cli, ["things", "ad"])
    assert done.exit_code == 2 and "Did you mean 'add'?" in done.output
    assert "usage: " in runner.invoke(cli, ["things", "add", "--help"]).output


def test_shells_complete_commands(manager: Manager) -> None:
    from click.shell_completion import ShellComplete

    manager.add_command("sub", Manager())
    manager._commands["sub"].add_command("create", lambda: None)
    complete = ShellComplete(manager.as_click("manage"), {}, "manage", "_MANAGE_COMPLETE")
    assert [c.value for c in complete.get_completions([], "s")] == ["sub"]
    assert [c.value for c in complete.get_completions(["sub"], "c")] == ["create"]


def test_an_invalid_command_ends_the_program_unless_it_is_caught(manager: Manager) -> None:
    def bad() -> None:
        raise InvalidCommand("foo and bar are", "incompatible")

    manager.add_command("bad", bad)
    with pytest.raises(InvalidCommand) as caught:
        run(manager, "bad")
    assert isinstance(caught.value, Exception) and isinstance(caught.value, SystemExit)
    assert caught.value.code == "foo and bar are incompatible"
    assert InvalidCommand().code == "InvalidCommand"
