"""The shape of the source, as rules for a machine to check: CONTRIBUTING.md says why they exist."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import flask
import pytest
import shape
from shape import Module

import vial
from vial.sessions import SecureCookieSessionInterface

# One row per layer, lowest first. A module imports from its own row or a lower one.
LAYERS = [
    "typing signals config logging bodies callables defaults endpoints late lazy packages watched",
    "routing",
    "wrappers ctx globals flow driver teardown concurrency json",
    "gateways",
    "sansio compiled served life app blueprints plans responses sessions templating rendering"
    " streaming events event_bodies views helpers websockets debughelpers hints",
    "testing testing_websockets checking cli server flask_mode __main__ socketio forms login"
    " sqlalchemy bootstrap script",
]
BATTERIES = {"socketio", "forms", "login", "sqlalchemy", "bootstrap", "script"}

# Imports inside functions: the only ones, each because it must not be paid for, or cannot be
# resolved, when `vial` is imported.
LATE_IMPORTS: dict[str, set[str]] = {
    "vial.app": {
        "vial.concurrency",
        "vial.debughelpers",
        "vial.hints.explain",
        "vial.hints.http",
        "vial.hints.running",
        "vial.server",
        "vial.templating",
        "vial.testing",
    },
    "vial.bodies": {"vial.concurrency"},
    # The one field that is WTForms'; the battery works without it.
    "vial.bootstrap": {"vial.bootstrap.switch"},
    "vial.cli.check": {"vial.checking"},
    "vial.cli.environment": {"dotenv"},
    "vial.cli.generate": {"vial.cli.projects.generation"},
    "vial.cli.new": {"vial.cli.projects.creation"},
    "vial.cli.run": {"vial.server"},
    # Shells that may be installed.
    "vial.cli.shell": {
        "IPython",
        "asyncio",
        "bpython",
        "ptpython.repl",
        "readline",
        "rlcompleter",
        "traitlets.config",
    },
    "vial.cli.serve": {"vial.server.production"},
    "vial.compiled": {"vial.concurrency", "vial.hints.blocking"},
    "vial.events": {"vial.event_bodies"},
    "vial.flask_mode": {"importlib.metadata"},
    # Hints are for what fails.
    "vial.globals": {"vial.hints.contexts"},
    "vial.login.passwords": {"argon2", "argon2.exceptions"},
    "vial.login.throttle": {"redis"},
    "vial.plans": {"vial.concurrency", "vial.gateways.threads"},
    "vial.sansio.app": {"vial.hints.names", "vial.templating"},
    "vial.sansio.scaffold": {"jinja2", "vial.cli"},
    "vial.server.development": {"vial.server.debugger"},
    "vial.sessions": {"vial.hints.sessions"},
    "vial.server.reloader": {"termios"},
    "vial.server.rerun": {"vial.server.broken"},
    "vial.served": {"vial.gateways.asgi", "vial.gateways.rsgi", "vial.life"},
    # Alembic.
    "vial.sqlalchemy.migrating": {"vial.sqlalchemy.migrating.commands"},
    "vial.sqlalchemy.migrating.cli": {"vial.sqlalchemy.migrating.commands"},
    "vial.socketio.options": {"vial.socketio.packed"},
    "vial.socketio.bus": {"redis", "redis.backoff", "redis.retry"},
    "vial.streaming": {"vial.concurrency"},
    "vial.templating": {"vial.debughelpers"},
    "vial.testing": {"vial.testing_websockets"},
    "vial.wrappers": {"vial.concurrency", "vial.debughelpers"},
}

# What runs for every request, where nothing may be inspected or compiled.
REQUEST_PATH = (
    "wrappers",
    "ctx",
    "globals",
    "flow",
    "driver",
    "gateways",
    "routing.matcher",
    "routing.tree",
)
SETUP = {"vial.routing.tree __init__"}  # functions of those modules that run only at setup
BANNED_PER_REQUEST = ("inspect.*", "iscoroutinefunction", "isawaitable", "signature", "re.compile")

LINE_LIMITS = {"vial.flow": 200, "vial.gateways": 150}  # of a file, or of each file of a package
MODULE_LINES = 500
FUNCTION_LINES = 40
HELLO_CALLS = 20
EXTENDED_CALLS = 30  # with hooks of all kinds; without the hooks themselves

FIRST_LINE = "from vial import Vial, request, session, url_for, render_template"
NOT_LOADED = {"jinja2", "click", "granian", "sqlalchemy", "asyncio", "socketio", "watchfiles"}

MODULES = shape.load(Path(vial.__file__).parent)
LAYER_OF = {part: level for level, row in enumerate(LAYERS) for part in row.split()}


def test_the_tables_of_this_file_name_modules_that_exist() -> None:
    named = [*LINE_LIMITS, *LATE_IMPORTS, *(f"vial.{part}" for part in REQUEST_PATH)]
    assert [n for n in named if not any(is_inside(m, n) for m in MODULES)] == []


def test_imports_go_down_only() -> None:
    assert shape.layer_breaches(MODULES, LAYER_OF) == []


def test_no_modules_import_each_other() -> None:
    assert shape.cycles(MODULES) == []


def test_imports_inside_functions_are_a_closed_list() -> None:
    assert shape.late_imports(MODULES) == LATE_IMPORTS


def test_the_package_itself_is_only_a_list_of_names() -> None:
    allowed = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.Expr
    assert [n for n in MODULES["vial"].tree.body if not isinstance(n, allowed)] == []


def test_no_function_is_over_forty_lines_and_half_are_small() -> None:
    sizes = shape.function_sizes(MODULES.values())
    assert [where for size, where in sizes if size > FUNCTION_LINES] == []
    assert median(size for size, _ in sizes) <= 8


def test_no_module_is_long_without_a_reason() -> None:
    long = [m.name for m in MODULES.values() if is_too_long(m)]
    assert long == []


def is_inside(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def is_too_long(module: Module) -> bool:
    """Over 500 lines without a first line `# Over 500 lines: ...`, or over its own limit."""
    for name, limit in LINE_LIMITS.items():
        if is_inside(module.name, name):
            return module.line_count > limit
    excused = module.source.startswith(f"# Over {MODULE_LINES} lines: ")
    return module.line_count > MODULE_LINES and not excused


def test_nothing_is_inspected_or_compiled_on_the_request_path() -> None:
    names = [f"vial.{part}" for part in REQUEST_PATH]
    path = [m for m in MODULES.values() if any(is_inside(m.name, n) for n in names)]
    found = [b for m in path for b in shape.calls_inside_functions(m, BANNED_PER_REQUEST, SETUP)]
    assert found == []


@pytest.mark.slow
def test_no_two_functions_differ_only_by_await() -> None:
    assert shape.twins(MODULES.values()) == []


def test_batteries_use_public_names_and_not_each_other() -> None:
    assert shape.battery_breaches(MODULES, BATTERIES) == []


def test_there_is_a_fifth_to_a_third_as_much_documentation_as_code() -> None:
    docs = sum(len(m.doc_lines) for m in MODULES.values())
    code = sum(len(m.code_lines) for m in MODULES.values())
    assert 0.2 <= docs / code <= 0.35, f"{docs} lines of documentation for {code} of code"


def test_the_first_line_of_a_program_loads_nothing_heavy() -> None:
    report = "; import sys, json; print(json.dumps(sorted(sys.modules)))"
    run = [sys.executable, "-I", "-c", FIRST_LINE + report]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert NOT_LOADED & set(json.loads(done.stdout)) == set()


def test_hello_takes_at_most_twenty_python_calls() -> None:
    app = vial.Vial(__name__, static_folder=None)

    @app.get("/")
    def hello() -> str:
        return "Hello"

    for _ in range(3):
        assert ask(app) == b"Hello"
    calls = called(lambda: ask(app))
    assert "hello" in calls
    assert len(calls) <= HELLO_CALLS, calls


class Extension:
    """Uses what Flask offers to extensions, and overrides no step of a request."""

    class Sessions(SecureCookieSessionInterface):
        def get_cookie_name(self, app: Any) -> str:
            return "own"

    def __init__(self, app: Any) -> None:
        app.extensions["extension"] = app.extension = self
        app.session_interface = self.Sessions()
        app.config.setdefault("EXTENSION", 1)
        app.before_request(self.see_request)
        app.after_request(self.see_response)
        app.teardown_request(self.see_end)
        app.teardown_appcontext(self.see_end)
        app.context_processor(dict)
        app.shell_context_processor(dict)
        app.errorhandler(404)(self.see_end)
        app.url_value_preprocessor(self.see_url)
        app.url_defaults(self.see_url)
        app.url_build_error_handlers.append(self.see_url)
        app.jinja_env.globals["extension"] = self
        app.cli.command("extension")(self.see_request)
        # Not steps, or not other ones than before.
        app.log_exception = self.see_end
        app.json.sort_keys = False
        app.dispatch_request = app.dispatch_request

    def see_request(self) -> None:
        pass

    def see_response(self, response: Any) -> Any:
        return response

    def see_end(self, error: Any) -> None:
        pass

    def see_url(self, *args: Any) -> None:
        pass


def test_an_extension_leaves_an_app_on_the_fast_path() -> None:
    app = vial.Vial(__name__, static_folder=None)
    app.get("/")(view)
    Extension(app)
    for _ in range(3):
        assert ask(app) == b"Hello"
    calls = called(lambda: ask(app))
    own = [name for name in calls if name.startswith("see_")]
    assert own == ["see_url", "see_request", "see_response", "see_end", "see_end"]
    assert not any(plan.compatible for plan in app._plans.values())
    assert len(calls) - len(own) <= EXTENDED_CALLS, calls


def view() -> str:
    return "Hello"


def ask(app: Any) -> bytes:
    """One GET / of a WSGI application, as a server calls it."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
    }

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        pass

    return b"".join(app(environ, start_response))


def called(action: Any) -> list[str]:
    """Names of the Python functions that `action` enters, without those of the harness."""
    names: list[str] = []

    def note(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return [name for name in names if name not in ("<lambda>", "ask", "start_response")]


def public_names(module: ModuleType) -> dict[str, Any]:
    """Names that a user imports from there; annotations is left by `from __future__`."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name != "annotations"
        and (name == "json" or not isinstance(value, ModuleType))
    }


FLASK = public_names(flask)
FLASK["Vial"] = FLASK.pop("Flask")

# What Vial has besides. A name is added here on purpose, never by accident.
OWN = {
    "EventStream",
    "Markup",
    "ServerSentEvent",
    "UnsafeRedirect",
    "escape",
    "install_as_flask",
    "websocket",
}


def test_the_public_list_is_flasks_and_these_few() -> None:
    assert set(vial.__all__) == set(FLASK) | OWN
    assert len(vial.__all__) == len(set(vial.__all__))
    assert [name for name in vial.__all__ if not hasattr(vial, name)] == []


@pytest.mark.parametrize("name", [n for n, value in FLASK.items() if inspect.isfunction(value)])
def test_functions_take_what_flasks_take(name: str) -> None:
    assert signature_gaps(FLASK[name], getattr(vial, name)) == []


@pytest.mark.parametrize("name", [n for n, value in FLASK.items() if inspect.isclass(value)])
def test_classes_have_what_flasks_have(name: str) -> None:
    theirs, ours = FLASK[name], getattr(vial, name)
    names = [n for n in dir(theirs) if n == "__init__" or not n.startswith("_")]
    assert [n for n in names if not hasattr(ours, n)] == []
    methods = [n for n in names if inspect.isfunction(inspect.getattr_static(theirs, n))]
    gaps = {n: signature_gaps(bound(theirs, n), bound(ours, n)) for n in methods}
    assert {n: gap for n, gap in gaps.items() if gap} == {}


def bound(owner: type, name: str) -> Any:
    """The method as its callers see it: without `self`, whatever that is called."""
    method = inspect.getattr_static(owner, name)
    return method.__get__(object()) if inspect.isfunction(method) else getattr(owner, name)


def signature_gaps(theirs: Any, ours: Any) -> list[str]:
    """Parameters that differ in name, place, kind or default; ours may add keyword-only ones."""
    wanted = inspect.signature(theirs).parameters
    given = inspect.signature(ours).parameters
    gaps = [n for n, p in wanted.items() if n not in given or not same_parameter(p, given[n])]
    extra = [n for n, p in given.items() if n not in wanted and p.kind is not p.KEYWORD_ONLY]
    in_order = [n for n in given if n in wanted] == list(wanted)
    return gaps + extra + ([] if in_order else ["order"])


def same_parameter(theirs: inspect.Parameter, ours: inspect.Parameter) -> bool:
    markers = type(theirs.default) is type(ours.default) is object  # each module has its own
    return theirs.kind == ours.kind and (markers or theirs.default == ours.default)


# The rules themselves are tested on modules that break them.

TWINS = """
def send(self, x: int) -> None:
    "Docs."
    self.count += 1
    self.last = x
    self.out.send(x)

async def async_send(self, x: str) -> None:
    self.count += 1
    self.last = x
    await self.out.async_send(x)
"""
LATE = """
def run():
    from .server import serve
    import jinja2

x = late("vial.cli", "AppGroup")
"""


def modules(**sources: str) -> dict[str, Module]:
    """Modules of a package `vial` with these sources; a double underscore stands for a dot."""
    names = {f"vial.{name.replace('__', '.')}": text for name, text in sources.items()}
    return {name: Module(name, text) for name, text in names.items()}


def test_an_import_upwards_is_seen_in_every_spelling() -> None:
    for line in (
        "from .app import Vial",
        "from . import app",
        "import vial.app",
        "from vial.app import x",
    ):
        breaches = shape.layer_breaches(modules(ctx=line, app=""), LAYER_OF)
        assert breaches == ["vial.ctx:1 imports vial.app, a layer above it"]


def test_the_public_list_is_above_all_layers() -> None:
    with_root = modules(app="from vial import g\nfrom . import g") | {
        "vial": Module("vial", "", True)
    }
    assert len(shape.layer_breaches(with_root, LAYER_OF)) == 2


def test_an_unknown_module_must_be_given_a_layer() -> None:
    assert shape.layer_breaches(modules(odd=""), LAYER_OF) == ["odd has no layer: add it to LAYERS"]


def test_an_import_for_type_checkers_counts_nowhere() -> None:
    text = "if TYPE_CHECKING:\n    from .app import Vial\n"
    assert shape.layer_breaches(modules(ctx=text, app="from . import ctx"), LAYER_OF) == []
    assert shape.cycles(modules(ctx=text, app="from . import ctx")) == []


def test_a_cycle_is_seen() -> None:
    ring = modules(
        app="from .views import a", views="from .helpers import b", helpers="from . import app"
    )
    assert shape.cycles(ring) == ["vial.app <-> vial.helpers <-> vial.views"]


def test_a_late_import_is_seen() -> None:
    found = shape.late_imports(modules(app=LATE, server="") | modules(app=LATE, server=""))
    assert found == {"vial.app": {"vial.server", "vial.cli", "jinja2"}}


def test_code_lines_leave_out_docs_comments_and_blanks() -> None:
    text = (
        'def f(\n    a,\n):\n    """One\n    two."""\n\n    # why\n    return """x\n    y"""  # z\n'
    )
    module = Module("vial.x", text)
    assert shape.function_sizes([module]) == [(5, "vial.x:1 f")]
    assert len(module.doc_lines) == 3


def test_a_long_module_is_seen_unless_it_says_why() -> None:
    assert is_too_long(Module("vial.app", "x = 1\n" * 501))
    assert not is_too_long(Module("vial.app", "# Over 500 lines: a table.\n" + "x = 1\n" * 501))
    assert is_too_long(Module("vial.flow", "# Over 500 lines: no.\n" + "x = 1\n" * 200))
    assert is_too_long(Module("vial.gateways.wsgi", "x = 1\n" * 151))


@pytest.mark.parametrize(
    "call",
    ["inspect.signature(f)", "asyncio.iscoroutinefunction(f)", "re.compile('x')", "signature(f)"],
)
def test_inspection_on_the_request_path_is_seen(call: str) -> None:
    at_import, inside = (
        Module("vial.flow", f"x = {call}"),
        Module("vial.flow", f"def run():\n    {call}"),
    )
    assert shape.calls_inside_functions(at_import, BANNED_PER_REQUEST) == []
    assert len(shape.calls_inside_functions(inside, BANNED_PER_REQUEST)) == 1


def test_functions_that_differ_only_by_await_are_seen() -> None:
    found = shape.twins(modules(a=TWINS).values())
    assert found == ["vial.a:2 send and vial.a:8 async_send differ only by await"]
    assert shape.twins(modules(a=TWINS.replace("+= 1", "+= 2", 1)).values()) == []


def test_batteries_that_lean_on_each_other_are_seen() -> None:
    found = shape.battery_breaches(
        modules(login="from .forms import Form\nfrom .app import _secret", forms="", app=""),
        BATTERIES,
    )
    assert found == [
        "vial.login:1 imports the battery forms",
        "vial.login:2 imports the private vial.app:_secret",
    ]


def test_a_signature_that_differs_is_seen() -> None:
    def theirs(a: int, b: int = 1, **c: int) -> None: ...
    def renamed(a: int, x: int = 1, **c: int) -> None: ...
    def fewer_defaults(a: int, b: int, **c: int) -> None: ...
    def more(a: int, b: int = 1, *, d: int = 2, **c: int) -> None: ...

    assert signature_gaps(theirs, more) == []
    assert signature_gaps(theirs, renamed)
    assert signature_gaps(theirs, fewer_defaults)
