"""V301 to V306: functions that the framework calls, and files that get in its way.

A function is found by the file and line of the code object that the app holds, below decorators
that set ``__wrapped__``. What other decorators make of it is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from werkzeug.exceptions import default_exceptions

from ..app import Vial
from .findings import Finding, near
from .project import Files, Project, shown
from .routes import is_plain
from .sources import Function, Source

#: Calls that hold up every request of an event loop, each with what to use.
BLOCKING = {
    "time.sleep": "await asyncio.sleep(…)",
    "urllib.request.urlopen": "await asyncio.to_thread(…), or an async client",
    "os.system": "await asyncio.create_subprocess_shell(…)",
    **{
        f"subprocess.{name}": "await asyncio.create_subprocess_exec(…)"
        for name in ("run", "call", "check_call", "check_output")
    },
    **{
        f"{client}.{name}": "httpx.AsyncClient, or await asyncio.to_thread(…)"
        for client in ("requests", "httpx")
        for name in ("get", "post", "put", "patch", "delete", "head", "request")
    },
}
#: Functions that surely return: others may abort the request inside.
_COME_BACK = {
    "render_template", "redirect", "jsonify", "make_response", "print", "flash", "append",
    "commit", "add", "info", "debug", "warning", "error", "save", "pop", "update",
}  # fmt: skip
#: Files by these names hide a library from the program beside which they are.
LIBRARIES = {
    "flask", "vial", "socketio", "engineio", "flask_socketio", "flask_login", "flask_wtf",
    "flask_sqlalchemy", "flask_bootstrap", "flask_script", "flask_cors", "flask_migrate",
    "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker", "granian",
    "wtforms", "sqlalchemy", "redis", "requests", "httpx", "celery", "dotenv", "json",
    "logging", "random", "email", "socket", "ssl", "secrets", "types", "typing", "asyncio",
    "http", "html", "string", "select", "signal", "queue", "threading", "inspect", "re", "enum",
    "dataclasses", "uuid", "datetime", "decimal", "copy",
}  # fmt: skip


def silent_views(project: Project) -> Iterator[Finding]:
    """V301: a view in which no path returns anything."""
    if project.overrides("make_response", "dispatch_request", "full_dispatch_request"):
        return
    for endpoint, _, source, node in project.views():
        if is_plain(node) and not _is_websocket(project, endpoint) and _is_silent(node):
            yield project.at(
                source,
                node.lineno,
                "V301",
                f"The view {node.name}() returns nothing, which is an error for each request.",
                f"{_what_to_return(node)}",
            )


def _is_websocket(project: Project, endpoint: str) -> bool:
    """Whether an endpoint has a WebSocket, whose view returns nothing."""
    return any(rule.websocket for rule in project.rules.get(endpoint, ()))


def _is_silent(node: Function) -> bool:
    """Whether a view surely gives no response: no ``return`` has a value, and its end can be
    reached. Generators are responses."""
    inside = list(own_nodes(node))
    if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inside):
        return False
    returned = [n.value for n in inside if isinstance(n, ast.Return)]
    if any(value is not None and not _is_none(value) for value in returned):
        return False
    return bool(returned) or not _ends(node.body)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes in it."""
    left: list[ast.AST] = [*function.body]
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            left.extend(ast.iter_child_nodes(node))


def _ends(body: list[ast.stmt]) -> bool:
    """Whether the end of a block is never reached."""
    match body[-1]:
        case ast.Raise():
            return True
        case ast.If(body=yes, orelse=no):
            return bool(no) and _ends(yes) and _ends(no)
        case ast.While(test=ast.Constant(value=value)):
            return bool(value)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return _ends(inner)
        case ast.Try():
            return True  # too many ways to know
        case ast.Match():
            return True
        case (
            ast.Expr(value=ast.Call(func=func))
            | ast.Expr(value=ast.Await(value=ast.Call(func=func)))
        ):
            return not _returns(func)
    return False


def _returns(func: ast.expr) -> bool:
    """Whether a call surely comes back."""
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in _COME_BACK


def _what_to_return(node: Function) -> str:
    """The cure, by the last line: a page that was made and not returned is the usual mistake."""
    match node.body[-1]:
        case ast.Expr(value=ast.Call() as call):
            return f"Write 'return {ast.unparse(call)[:60]}' if that is the answer."
    return "Return a text, a dict, a template or a response; ('', 204) for none."


def registered_functions(project: Project) -> Iterator[tuple[Source, Function]]:
    """Functions of the program that the framework calls for a request."""
    app = project.app
    tables = (app.before_request_funcs, app.after_request_funcs, app.before_websocket_funcs)
    hooks: list[Any] = [f for table in tables for functions in table.values() for f in functions]
    for function in [*app.view_functions.values(), *hooks]:
        found = project.definition(function)
        if found is not None:
            yield found


def blocking_calls(project: Project) -> Iterator[Finding]:
    """V302: in async views and hooks, what stops the loop, and so each request that it serves.

    Functions inside of them are left out: they may run in a thread.
    """
    seen = {(source, node) for source, node in registered_functions(project)}
    for source, function in seen:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in own_nodes(function):
            name = source.dotted(node.func) if isinstance(node, ast.Call) else ""
            if name in BLOCKING and isinstance(node, ast.Call):
                yield project.at(
                    source,
                    node.lineno,
                    "V302",
                    f"{name}() in async {function.name}() holds up all other requests.",
                    f"Use {BLOCKING[name]}.",
                )


def bool_hooks(project: Project) -> Iterator[Finding]:
    """V303: ``return False`` in a hook, which some frameworks read as a refusal."""
    for functions in project.app.before_request_funcs.values():
        for function in functions:
            found = project.definition(function)
            if found is not None and not found[1].decorator_list[1:]:
                yield from _returned_bools(project, *found)


def _returned_bools(project: Project, source: Source, function: Function) -> Iterator[Finding]:
    for node in own_nodes(function):
        if isinstance(node, ast.Return) and _is_bool(node.value):
            yield project.at(
                source,
                node.lineno,
                "V303",
                f"{function.name}() is a before_request function; what it returns is the response,"
                " and a bool is none.",
                "Return nothing to go on, or abort(403) to refuse.",
            )


def _is_bool(node: ast.expr | None) -> bool:
    """Whether an expression is surely True or False."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    return isinstance(node, ast.Compare) or (
        isinstance(node, ast.Constant) and isinstance(node.value, bool)
    )


def error_codes(project: Files, source: Source) -> Iterator[Finding]:
    """V304: the number of an error handler that no HTTP error has."""
    for call in source.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name not in ("errorhandler", "app_errorhandler", "register_error_handler"):
            continue
        code = call.args[0] if call.args else None
        number = code.value if isinstance(code, ast.Constant) else None
        if code is not None and type(number) is int and number not in default_exceptions:
            yield project.at(
                source,
                code.lineno,
                "V304",
                f"{number} is not the code of an HTTP error."
                f"{near(str(number), map(str, default_exceptions))}",
                "Handle a code that there is, or a subclass of HTTPException.",
            )


def unguarded_run(project: Project, source: Source) -> Iterator[Finding]:
    """V305: a program that starts the debugger when it is only imported.

    Conditions and functions count as guards, whatever they are.
    """
    for call in source.calls:
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "run"):
            continue
        named = [call.func.value, *call.args]
        is_app = any(isinstance(source.value(node), Vial) for node in named)
        is_on = any(k.arg == "debug" and _is_true(k.value) for k in call.keywords)
        if is_app and is_on and not _is_guarded(source.above(call)):
            yield project.at(
                source,
                call.lineno,
                "V305",
                "This starts a debugger, which runs code for whoever reaches it, wherever the"
                " file is imported.",
                "Put it below 'if __name__ == \"__main__\":', or use 'vial run --debug'.",
            )


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_guarded(above: Iterable[ast.AST]) -> bool:
    """Whether a condition or a function is around a call."""
    return any(isinstance(node, ast.If | Function) for node in above)


def hiding_files(project: Files) -> Iterator[Finding]:
    """V306: a file beside the program that Python finds before the library of that name.

    Of the standard library only what web programs and their libraries import is looked for.
    """
    for name in sorted(LIBRARIES):
        path = project.folder / f"{name}.py"
        if path.is_file():
            yield Finding(
                shown(path),
                1,
                "V306",
                f"{path.name!r} hides the library {name!r} from this program.",
                "Rename the file.",
            )
