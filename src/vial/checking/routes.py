"""V105 to V109: rules and the views behind them.

Most mistakes of this kind end the program when it is imported. What is left is what a decorator
accepts and no request can use, and what stands in a function or module that has not run yet.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from werkzeug.routing import Rule

from ..blueprints import Blueprint
from .findings import Finding, near
from .project import ROUTES, Files, Project, text_of
from .sources import Function, Source

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
_DAV = (
    "PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH MKCALENDAR ACL BIND REBIND UNBIND"
    " LINK UNLINK PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE LIST VIEW"
)
_VARIABLE = re.compile(r"<(?:(\w+)(?:\((.*?)\))?:)?\w+>")


def hidden_routes(project: Project) -> Iterator[Finding]:
    """V105: a rule whose requests another one always gets.

    Of two rules that match the same URLs the first one wins. Rules with different converters are
    not compared: which URLs a converter matches is for Werkzeug to know.
    """
    first: dict[Any, list[Rule]] = {}
    for rule in project.app.url_map.iter_rules():
        same = first.setdefault(_shape(project, rule), [])
        other = next((r for r in same if _is_hidden(r, rule)), None)
        place = project.place_of_rule(rule) if other is not None else None
        if other is not None and place is not None:
            yield project.at(
                *place,
                "V105",
                f"{rule.rule!r} of {rule.endpoint!r} is never reached:"
                f" {other.rule!r} of {other.endpoint!r} gets the same requests before it.",
                "Change one of the rules, its methods or the converter.",
            )
        same.append(rule)


def _shape(project: Project, rule: Rule) -> Any:
    """Equal for rules that match the same URLs."""
    converters = project.app.url_map.converters

    def generic(match: re.Match[str]) -> str:
        converter = converters.get(match[1] or "default")
        return f"<{converter}({match[2] or ''})>"

    return _VARIABLE.sub(generic, rule.rule), rule.subdomain, rule.host, rule.websocket


def _is_hidden(first: Rule, second: Rule) -> bool:
    """Whether the first rule takes all requests of a later one of the same shape. HEAD and
    OPTIONS do not count, since Werkzeug adds them by itself."""
    if first.endpoint == second.endpoint or first.build_only or second.build_only:
        return False
    if second.methods is None or first.methods is None:
        return first.methods is None
    automatic = {"OPTIONS", "HEAD"}
    wanted = second.methods - automatic or second.methods
    return bool(wanted) and wanted <= first.methods


def view_arguments(project: Project) -> Iterator[Finding]:
    """V106: what a rule captures and what its view takes."""
    if project.overrides("dispatch_request", "full_dispatch_request", "ensure_sync"):
        return
    for endpoint, view, source, node in project.views():
        if not _takes_all(project, endpoint) or view is not inspect.unwrap(view):
            continue
        handlers = [view] if not hasattr(view, "view_class") else []
        if handlers and inspect.isfunction(view) and is_plain(node):
            for rule in project.rules.get(endpoint, ()):
                yield from _mismatch(project, rule, view, source, node)


def _takes_all(project: Project, endpoint: str) -> bool:
    """Whether nothing stands between rule and view that may take or add arguments."""
    found = project.app.url_value_preprocessors
    names = endpoint.split(".")
    return not any(found.get(key) for key in (None, *_prefixes(names)))


def _prefixes(parts: list[str]) -> list[str]:
    """``["a", "a.b"]`` of a, b and c: an endpoint's blueprint and those around it."""
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def is_plain(node: Function) -> bool:
    """Whether a function is decorated by nothing but what registers it."""
    return all(is_route(decorator) for decorator in node.decorator_list)


def is_route(node: ast.expr) -> bool:
    """``@x.route(...)`` and its like."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ROUTES
    )


def _mismatch(
    project: Project, rule: Rule, view: Any, source: Source, node: Function
) -> Iterator[Finding]:
    """What a function takes and a rule does not give, or the other way round."""
    parameters = inspect.signature(view).parameters.values()
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    given = rule.arguments | set(rule.defaults or ())
    missing = [n for n, p in named.items() if p.default is p.empty and n not in given]
    is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
    extra = [] if is_open else sorted(given - named.keys())
    if not missing and not extra:
        return
    says = [f"the rule has no {n!r}{near(n, extra)}" for n in missing]
    says += [f"the function does not take {n!r}" for n in extra if not missing]
    yield project.at(
        source,
        node.lineno,
        "V106",
        f"{node.name}() does not fit {rule.rule!r}: {'; '.join(says).rstrip('?')}.",
        f"Make it 'def {node.name}({', '.join(sorted(given))})', or change the rule.",
    )


def wrong_methods(project: Files, source: Source) -> Iterator[Finding]:
    """V107: ``methods=`` that is no list of methods.

    A text is refused when the route is registered; a method that does not exist is not, and the
    view is simply never called. WebDAV's and other registered methods exist (IANA).
    """
    for call in source.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name not in ("route", "add_url_rule"):
            continue
        for keyword in call.keywords:
            if keyword.arg == "methods" and call.args and (text_of(call.args[0]) or "")[:1] == "/":
                yield from _wrong(project, source, keyword.value)


def _wrong(project: Files, source: Source, value: ast.expr) -> Iterator[Finding]:
    """A text in the place of a list, and names that are no methods, in any case of letters."""
    if text_of(value) is not None:
        yield project.at(
            source,
            value.lineno,
            "V107",
            f"methods={text_of(value)!r} is a text, not a list of methods.",
            f"Write methods=[{text_of(value)!r}].",
        )
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        return
    for item in value.elts:
        method = text_of(item)
        if method is not None and method.upper() not in (*METHODS, *_DAV.split()):
            yield project.at(
                source,
                item.lineno,
                "V107",
                f"{method!r} is no HTTP method.{near(method.upper(), METHODS)}",
                "Write each method as a text of its own: methods=['GET', 'POST'].",
            )


def duplicate_endpoints(project: Files, source: Source) -> Iterator[Finding]:
    """V108: two functions that one module registers under the same endpoint."""
    seen: dict[tuple[str, str], int] = {}
    for node in source.tree.body:
        if not isinstance(node, Function):
            continue
        for owner, endpoint in {_endpoint(d, node) for d in node.decorator_list if is_route(d)}:
            before = seen.setdefault((owner, endpoint), node.lineno)
            if endpoint and before != node.lineno:
                yield project.at(
                    source,
                    node.lineno,
                    "V108",
                    f"The endpoint {endpoint!r} is the function in line {before} already.",
                    "Rename one of them, or give one 'endpoint=' of its own.",
                )


def _endpoint(decorator: ast.expr, node: Function) -> tuple[str, str]:
    """Owner and endpoint of a route; an empty endpoint where it is not written out."""
    assert isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)
    owner = ast.unparse(decorator.func.value)
    named = next((k.value for k in decorator.keywords if k.arg == "endpoint"), None)
    if any(k.arg is None for k in decorator.keywords):
        return owner, ""
    return owner, node.name if named is None else text_of(named) or ""


def forgotten_blueprints(project: Project, source: Source) -> Iterator[Finding]:
    """V109: a blueprint that was made and that the app does not have.

    One that is named in any call of ``register_blueprint`` is left alone: the program decides.
    """
    registered = {id(blueprint) for blueprint in project.app.blueprints.values()}
    for node in source.tree.body:
        name = _new_blueprint(source, node)
        made = vars(source.module).get(name) if name and source.module is not None else None
        if (
            isinstance(made, Blueprint)
            and id(made) not in registered
            and not _is_used(project, name)
        ):
            yield _forgotten(project, source, node, made.name)


def unimported_blueprints(project: Project, source: Source) -> Iterator[Finding]:
    """V109 for a file that nothing imports."""
    stem = source.path.stem
    words = re.compile(rf"\b{re.escape(stem)}\b")
    if any(words.search(line) for other in project.sources for line in other.lines):
        return  # it may be imported under a condition
    for node in source.tree.body:
        name = _new_blueprint(source, node)
        if name:
            yield _forgotten(project, source, node, name, f" Nothing imports {stem!r}.")


def _new_blueprint(source: Source, node: ast.stmt) -> str:
    """The name that a statement ``name = Blueprint(...)`` defines."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            return name if source.dotted(call.func) == "flask.Blueprint" else ""
    return ""


def _is_used(project: Project, name: str) -> bool:
    """Whether some code registers a blueprint by that name, if only under a condition."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "register_blueprint"
        and any(_mentions(arg, name) for arg in call.args)
        for source in project.sources
        for call in source.calls
    )


def _mentions(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(n, ast.Name) and n.id == name)
        or (isinstance(n, ast.Attribute) and n.attr == name)
        for n in ast.walk(node)
    )


def _forgotten(
    project: Project, source: Source, node: ast.stmt, name: str, why: str = ""
) -> Finding:
    return project.at(
        source,
        node.lineno,
        "V109",
        f"The blueprint {name!r} is never registered, so its routes do not exist.{why}",
        "Call app.register_blueprint(…) with it.",
    )
