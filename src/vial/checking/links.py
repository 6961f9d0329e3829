"""V101 to V104: what ``url_for`` is asked for, in Python and in templates.

Nothing is reported where a function of the program may add arguments (``url_defaults``), mend a
link that cannot be built (``url_build_error_handlers``) or take the place of ``url_for``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import nodes
from werkzeug.routing import Rule, ValidationError
from werkzeug.routing import converters as standard
from werkzeug.security import safe_join

from .findings import Finding, near, nearest
from .project import Project, Template, files_in, text_of
from .sources import Source

UNKNOWN = object()  # a value that only the running program knows
_Problem = tuple[str, str, str]
_STANDARD = (
    standard.IntegerConverter,
    standard.FloatConverter,
    standard.UUIDConverter,
    standard.AnyConverter,
)


def python_links(project: Project, source: Source) -> Iterator[Finding]:
    """Calls of ``url_for`` in a Python file."""
    for call in source.calls:
        if not _is_url_for(project, source, call.func) or not call.args:
            continue
        given = {k.arg: _constant(k.value) for k in call.keywords if k.arg is not None}
        is_open = any(k.arg is None for k in call.keywords) or len(call.args) > 1
        function = source.function_of(call)
        own = project.endpoints_of(source, function) if function is not None else []
        for endpoint in _literals(call.args[0]):
            for problem in problems(project, endpoint, given, is_open, own):
                yield project.at(source, call.args[0].lineno, *problem)


def _is_url_for(project: Project, source: Source, func: ast.expr) -> bool:
    """Whether a call is that of the library or of the checked application itself."""
    if source.dotted(func) in ("flask.url_for", "flask.current_app.url_for"):
        return True
    is_method = isinstance(func, ast.Attribute) and func.attr == "url_for"
    return is_method and source.value(func.value) is project.app  # type: ignore[attr-defined]


def _literals(node: ast.expr) -> list[str]:
    """The endpoints that an argument may be, as far as they are written out."""
    if isinstance(node, ast.IfExp):
        return _literals(node.body) + _literals(node.orelse)
    text = text_of(node)
    return [] if text is None else [text]


def _constant(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else UNKNOWN


def template_links(project: Project, template: Template) -> Iterator[Finding]:
    """Calls of ``url_for`` in a template."""
    if template.tree is None or not _has_own_url_for(project, template.tree):
        return
    for call in template.tree.find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name == "url_for" and call.args):
            continue
        endpoint = call.args[0]
        if not (isinstance(endpoint, nodes.Const) and isinstance(endpoint.value, str)):
            continue
        if _is_optional(project, template, endpoint.value):
            continue
        given = {k.key: _template_constant(k.value) for k in call.kwargs}
        is_open = call.dyn_kwargs is not None or len(call.args) > 1
        for problem in problems(project, endpoint.value, given, is_open, []):
            yield project.at(template, endpoint.lineno, *problem)


def _has_own_url_for(project: Project, tree: nodes.Template) -> bool:
    """Whether ``url_for`` in a template is the app's, not a macro, a variable or another
    function that the program put there."""
    stored = {n.name for n in tree.find_all(nodes.Name) if n.ctx != "load"}
    stored |= {macro.name for macro in tree.find_all(nodes.Macro)}
    for node in tree.find_all(nodes.FromImport):
        stored |= {name if isinstance(name, str) else name[1] for name in node.names}
    return (
        "url_for" not in stored
        and project.app.jinja_env.globals.get("url_for") == project.app.url_for
    )


def _is_optional(project: Project, template: Template, endpoint: str) -> bool:
    """Whether a link is for a blueprint that is not there, in one of its own templates or in one
    that asks for it: ``{% if "admin" in current_app.blueprints %}``."""
    owner = endpoint.rpartition(".")[0]
    if not owner or owner in project.app.blueprints:
        return False
    asks = any(".blueprints" in line for line in template.lines)
    return asks or template.name.startswith(f"{owner}/")


def _template_constant(node: nodes.Expr) -> Any:
    return node.value if isinstance(node, nodes.Const) else UNKNOWN


def problems(
    project: Project, endpoint: str, given: dict[str, Any], is_open: bool, own: list[str]
) -> Iterator[_Problem]:
    """What is wrong with ``url_for(endpoint, **given)``.

    :param is_open: there are arguments that cannot be known.
    :param own: endpoints of the view that asks, which a relative one starts from.
    """
    app = project.app
    if app.url_build_error_handlers or project.overrides("url_for", "create_url_adapter"):
        return
    names = _absolute(project, endpoint, own)
    rules = [rule for name in names for rule in project.rules.get(name, ())]
    if not rules:
        yield _unknown(project, endpoint)
        return
    yield from _static(project, names, given)
    is_injected = any(app.url_default_functions.get(key) for key in _owners(names))
    if not is_open and not is_injected:
        yield from _arguments(endpoint, rules, given)


def _owners(names: list[str]) -> Iterator[str | None]:
    """The keys under which functions for the URLs of these endpoints are registered."""
    yield None
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:i]) for i in range(1, len(parts)))


def _absolute(project: Project, endpoint: str, own: list[str]) -> list[str]:
    """The endpoints that a relative one may mean."""
    if not endpoint.startswith("."):
        return [endpoint]
    if own:
        return [(name.rpartition(".")[0] + endpoint).lstrip(".") for name in own]
    # Which blueprint asks is not known: any that has such an endpoint will do.
    return [name for name in project.rules if name == endpoint[1:] or name.endswith(endpoint)]


def _unknown(project: Project, endpoint: str) -> _Problem:
    """The problem of an endpoint that no rule has. One by the same name in another blueprint is
    what was meant more often than one that is spelt alike."""
    tail = endpoint.rpartition(".")[2]
    same = [name for name in project.rules if name.rpartition(".")[2] == tail]
    hint = f" Did you mean {same[0]!r}?" if len(same) == 1 else near(endpoint, project.rules)
    cure = "Name a view function, with its blueprint: 'blueprint.view'."
    if not hint and not endpoint.endswith("static"):
        cure = "'vial routes' lists the endpoints. Views of a blueprint are 'blueprint.view'."
    return "V101", f"There is no endpoint {endpoint!r}.{hint}", cure


def _arguments(endpoint: str, rules: list[Rule], given: dict[str, Any]) -> Iterator[_Problem]:
    """What each rule of an endpoint misses. What is left over becomes the query string and is no
    mistake, unless it looks like what is missing."""
    needed = [rule.arguments - set(rule.defaults or ()) for rule in rules]
    if not any(names <= given.keys() for names in needed):
        missing = sorted(min(needed, key=len) - given.keys())
        extra = [n for n in given if not n.startswith("_") and n not in rules[0].arguments]
        typo = next((n for n in extra if nearest(n, missing)), None)
        hint = f" {typo!r} looks like {nearest(typo, missing)!r}." if typo is not None else ""
        what = ", ".join(map(repr, missing))
        yield (
            "V102",
            f"url_for({endpoint!r}) lacks {what}, which {rules[0].rule!r} needs.{hint}",
            f"Add {', '.join(f'{name}=…' for name in missing)}.",
        )
        return
    if len(rules) == 1:
        yield from _values(endpoint, rules[0], given)


def _values(endpoint: str, rule: Rule, given: dict[str, Any]) -> Iterator[_Problem]:
    """Literal values that Werkzeug's own converters refuse. Those of a program may do anything,
    so they are not called."""
    for name, value in given.items():
        converter = rule._converters.get(name)
        if value is UNKNOWN or value is None or not isinstance(converter, _STANDARD):
            continue
        try:
            converter.to_url(value)
        except (ValueError, TypeError, ValidationError, AttributeError):
            yield (
                "V103",
                f"{value!r} does not fit {name!r} of {rule.rule!r}, to which"
                f" url_for({endpoint!r}) leads.",
                f"Give what {type(converter).__name__} takes.",
            )


def _static(project: Project, names: list[str], given: dict[str, Any]) -> Iterator[_Problem]:
    """A ``filename`` that is in no static folder."""
    filename = given.get("filename")
    if not isinstance(filename, str) or len(names) != 1:
        return
    folder = static_folder(project, names[0])
    if folder is None:
        return
    path = safe_join(str(folder), filename.partition("?")[0])
    if path is not None and Path(path).exists():
        return
    known = [file.relative_to(folder).as_posix() for file in files_in(folder)]
    yield (
        "V104",
        f"There is no file {filename!r} in {str(folder)!r}.{near(filename, known)}",
        "Put it there, or mend the name; case counts.",
    )


def static_folder(project: Project, endpoint: str) -> Path | None:
    """The folder of a static endpoint; None where the program serves such files otherwise."""
    app = project.app
    head, _, tail = endpoint.rpartition(".")
    owner = app.blueprints.get(head) if head else app
    if tail != "static" or owner is None or not owner.has_static_folder:
        return None
    if project.overrides("send_static_file") or project.definition(app.view_functions[endpoint]):
        return None
    return Path(owner.static_folder or "")
