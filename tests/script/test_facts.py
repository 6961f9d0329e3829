"""Names and parameters, compared with a table of Flask-Script 2.0.6's.

It cannot be compared itself: it imports a module that Flask has not had since 2.0.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import vial.script
import vial.script.cli
import vial.script.commands
from vial.script import Command, Manager

PROMPTS = {
    "prompt": "name, default=None",
    "prompt_bool": "name, default=False, yes_choices=None, no_choices=None",
    "prompt_choices": "name, choices, default=None, no_choice=('none',)",
    "prompt_pass": "name, default=None",
}
MANAGER = {
    "__init__": "self, app=None, with_default_commands=None, usage=None, help=None,"
    " description=None, disable_argcomplete=False",
    "add_default_commands": "self",
    "add_option": "self, *args, **kwargs",
    "__call__": "self, app=None, **kwargs",
    "create_app": "self, *args, **kwargs",
    "create_parser": "self, prog, func_stack=(), parent=None",
    "get_options": "self",
    "add_command": "self, *args, **kwargs",
    "command": "self, func",
    "option": "self, *args, **kwargs",
    "shell": "self, func",
    "set_defaults": "self",
    "handle": "self, prog, args=None",
    "run": "self, commands=None, default_command=None",
}
COMMAND = {
    "__init__": "self, func=None",
    "add_option": "self, option",
    "get_options": "self",
    # Theirs passes them to argparse too; these two are not for it.
    "create_parser": "self, *args, func_stack=(), parent=None, **kwargs",
    "__call__": "self, app=None, *args, **kwargs",
    # Theirs takes nothing, and only says that subclasses have to define it; so type checkers
    # refuse every subclass whose run() takes an option.
    "run": "self, *args, **kwargs",
}
SHELL = {
    "__init__": "self, banner=None, make_context=None, use_ipython=True, use_bpython=True,"
    " use_ptipython=True, use_ptpython=True",
    "get_options": "self",
    "get_context": "self",
    # Theirs has no defaults, so that Shell(use_ipython=False), which has no --no-ipython, fails.
    "run": "self, no_ipython=False, no_bpython=False, no_ptipython=False, no_ptpython=False",
}
SERVED = (
    "host, port, use_debugger, use_reloader, threaded, processes, passthrough_errors, ssl_crt,"
    " ssl_key"
)
SERVER = {
    "__init__": "self, host='127.0.0.1', port=5000, use_debugger=None, use_reloader=None,"
    " threaded=False, processes=1, passthrough_errors=False, ssl_crt=None, ssl_key=None,"
    " **options",
    "get_options": "self",
    "__call__": f"self, app, {SERVED}",
}
CLASSES: dict[str, dict[str, str]] = {
    "Command": COMMAND,
    "Shell": SHELL,
    "Server": SERVER,
    # Theirs takes **kwargs, and of these the four.
    "Group": {
        "__init__": "self, *options, title=None, description=None, exclusive=None, required=None",
        "get_options": "self",
    },
    "Option": {"__init__": "self, *args, **kwargs"},
    "Clean": {"run": "self"},
    "ShowUrls": {
        "__init__": "self, order='rule'",
        "get_options": "self",
        "run": "self, url, order",
    },
    "InvalidCommand": {},
}
#: Where programs import names from.
MODULES = {
    vial.script: {"Manager", "Group", "Option", "Command", "Server", "Shell", *PROMPTS},
    vial.script.commands: {*CLASSES, *PROMPTS},
    vial.script.cli: {*PROMPTS},
}


def parameters(function: Any) -> str:
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))[1:-1]


def methods(owner: type) -> dict[str, str]:
    """What the class itself defines."""
    found = {n: f for n, f in vars(owner).items() if inspect.isfunction(f)}
    return {n: parameters(f) for n, f in found.items() if n in CALLED or not n.startswith("_")}


CALLED = {"__init__", "__call__"}


def test_modules_have_the_names_that_programs_import() -> None:
    for module, names in MODULES.items():
        assert [name for name in names if not hasattr(module, name)] == []


def test_functions_take_what_theirs_take() -> None:
    assert {name: parameters(getattr(vial.script, name)) for name in PROMPTS} == PROMPTS


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_methods_that_theirs_have(name: str) -> None:
    ours = methods(getattr(vial.script.commands, name))
    if name == "InvalidCommand":
        del ours["__init__"]  # that of exceptions, which takes anything
    assert ours == CLASSES[name]


def test_managers_have_the_methods_that_theirs_have() -> None:
    assert methods(Manager) == {**MANAGER, "as_click": "self, name"}  # as_click is Vial's own


def test_attributes_are_those_that_programs_set() -> None:
    assert list(Manager.help_args) == ["-?", "--help"]
    assert (Command.help_args, Command.option_list) == (None, ())
    manager = Manager(usage="What it does")
    assert (manager.app, manager.parent, manager.with_default_commands) == (None, None, None)
    assert (manager.usage, manager.help, manager.description) == ("What it does",) * 3
    assert vars(vial.script.Server(port=1, threaded=True, extra_files=[]))["server_options"] == {
        "extra_files": []
    }
