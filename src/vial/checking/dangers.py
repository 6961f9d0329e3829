"""V401 to V409: what a visitor sends, where it does harm.

A rule is a set of functions, of which the first argument must not hold a visitor's words. Those
that need to know more, such as ``shell=True``, are in :func:`_problems`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .findings import Finding
from .project import Files, Project
from .sources import Source
from .taint import LINKED, Flow, flows

_SQL = re.compile(r"\s*(select|insert|update|delete|replace|drop|alter|create|with)\b", re.I)
_MARKUP = {"flask.Markup", "markupsafe.Markup"}
_TEMPLATE = {"flask.render_template_string", "flask.stream_template_string", "jinja2.Template"}
_PICKLE = {
    f"{m}.{f}" for m in ("pickle", "dill", "cloudpickle", "marshal") for f in ("load", "loads")
}
_SHELL = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
_PROCESS = {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen")}
_CODE = {"eval", "exec", "compile"}
_UNSAFE_LOADERS = {"yaml.Loader", "yaml.UnsafeLoader", "yaml.CLoader"}

#: What calls of these names do with their first argument.
_SINKS: tuple[tuple[set[str], str, str, str], ...] = (
    (
        _MARKUP,
        "V401",
        "What a visitor sent becomes markup, script included.",
        "Leave Markup(…) out, or write Markup('…%s') % value, which escapes.",
    ),
    (
        _TEMPLATE,
        "V402",
        "What a visitor sent becomes a template, which can run code here.",
        "Write the template as a constant and give the data as arguments.",
    ),
    (
        {"flask.send_file"},
        "V403",
        "A visitor says which file of this machine is sent.",
        "Use send_from_directory(folder, name), which stays in the folder.",
    ),
    (
        _PICKLE,
        "V407",
        "Unpickling what a visitor sent runs what code they like.",
        "Use JSON.",
    ),
    (
        _SHELL,
        "V408",
        "A visitor's text becomes part of a shell command.",
        "Use subprocess.run([program, argument]) without a shell.",
    ),
    (
        _CODE,
        "V409",
        "What a visitor sent is run as code.",
        "Use ast.literal_eval or JSON for data.",
    ),
)


def dangers(project: Project, source: Source) -> Iterator[Finding]:
    """All of them in a file, but for what needs no request (V406)."""
    for flow in flows(project, source):
        for node in flow.nodes:
            if isinstance(node, ast.Call):
                for problem in _problems(project, flow, node):
                    yield project.at(source, node.lineno, *problem)


def _problems(project: Project, flow: Flow, call: ast.Call) -> Iterator[tuple[str, str, str]]:
    """Code, message and cure of what one call does with the visitor's words."""
    name = flow.source.dotted(call.func) or _builtin(flow.source, call.func)
    first = call.args[0] if call.args else None
    for names, *problem in _SINKS:
        if name in names and flow.holds(first):
            yield problem[0], problem[1], problem[2]
    if name in _PROCESS and _is_true(call, "shell") and flow.holds(first):
        yield _SINKS[4][1:]
    if _executes(call) and _is_spliced(flow, first):
        yield (
            "V404",
            "What a visitor sent becomes part of an SQL statement.",
            "Put a placeholder there and give the value as a parameter.",
        )


def open_redirects(project: Project, source: Source) -> Iterator[Finding]:
    """V405."""
    if "redirect" not in {name.rpartition(".")[2] for name in source.imported.values()}:
        return
    for flow in flows(project, source, LINKED):
        for node in flow.nodes:
            is_redirect = isinstance(node, ast.Call) and _is_redirect(project, source, node)
            if isinstance(node, ast.Call) and is_redirect and _is_led(flow, node.args[0]):
                yield project.at(
                    source,
                    node.lineno,
                    "V405",
                    "A visitor says where this leads: a link to here can end on a stranger's page.",
                    "Redirect to an endpoint, or see first that the location is on this site.",
                )


def _is_redirect(project: Project, source: Source, call: ast.Call) -> bool:
    is_named = bool(call.args) and source.dotted(call.func) == "flask.redirect"
    return is_named and _may_leave(project, call)


def _is_led(flow: Flow, node: ast.expr) -> bool:
    """Whether a location begins as the visitor says, also where it got its name."""
    values = [v for name, v in flow.assignments() if isinstance(node, ast.Name) and name == node.id]
    return flow.holds(_start(node)) and all(flow.holds(_start(value)) for value in values)


def _builtin(source: Source, func: ast.expr) -> str:
    """The name of a builtin function, where the file does not give it another meaning."""
    is_own = isinstance(func, ast.Name) and (func.id in source.rebound | source.imported.keys())
    return func.id if isinstance(func, ast.Name) and not is_own else ""


def _is_true(call: ast.Call, name: str) -> bool:
    """Whether a call has ``name=True``."""
    return any(
        k.arg == name and isinstance(k.value, ast.Constant) and k.value.value is True
        for k in call.keywords
    )


def _may_leave(project: Project, call: ast.Call) -> bool:
    """Whether this redirect can leave the site: where Vial's own default stands it cannot."""
    return _is_true(call, "external") or bool(project.app.config.get("EXTERNAL_REDIRECTS", True))


def _start(node: ast.expr | None) -> ast.expr | None:
    """The beginning of a text: what follows a constant one cannot change the site."""
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        return first.value if isinstance(first, ast.FormattedValue) else None
    while isinstance(node, ast.BinOp):
        node = node.left
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node if node.func.attr not in ("format", "join") else None
    return node


def _executes(call: ast.Call) -> bool:
    """Whether a method by this name runs SQL: those of DB-API cursors, SQLAlchemy, Django's
    managers and asyncpg."""
    names = (
        "execute",
        "executemany",
        "executescript",
        "scalar",
        "scalars",
        "raw",
        "fetch",
        "fetchrow",
    )
    return isinstance(call.func, ast.Attribute) and call.func.attr in names


def _is_spliced(flow: Flow, node: ast.expr | None) -> bool:
    """Whether an expression is an SQL statement with the visitor's words spliced in."""
    if isinstance(node, ast.Name):
        values = [value for name, value in flow.assignments() if name == node.id]
        return len(values) == 1 and _is_spliced(flow, values[0])
    if isinstance(node, ast.Call) and flow.source.dotted(node.func).endswith(".text"):
        return bool(node.args) and _is_spliced(flow, node.args[0])
    if not isinstance(node, ast.JoinedStr | ast.BinOp | ast.Call):
        return False
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    is_sql = any(isinstance(text, str) and _SQL.match(text) for text in texts)
    return is_sql and flow.holds(node)


def unsafe_yaml(project: Files, source: Source) -> Iterator[Finding]:
    """V406."""
    for call in source.calls:
        name = source.dotted(call.func)
        loader = next((k.value for k in call.keywords if k.arg == "Loader"), None)
        loader = call.args[1] if loader is None and len(call.args) > 1 else loader
        if name in ("yaml.unsafe_load", "yaml.unsafe_load_all") or (
            name in ("yaml.load", "yaml.load_all")
            and (loader is None or source.dotted(loader) in _UNSAFE_LOADERS)
        ):
            yield project.at(
                source,
                call.lineno,
                "V406",
                f"{name}() can run code that the document asks for.",
                "Use yaml.safe_load(…).",
            )
