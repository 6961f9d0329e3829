"""V201 to V205, and V401 in templates: templates, what they use, and who asks for them.

Templates are parsed by the app's own environment, so its extensions, delimiters and filters
count. None is compiled or rendered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateNotFound, nodes

from .findings import Finding, near
from .project import Project, Template, text_of
from .sources import Source

_RENDER = ("flask.render_template", "flask.stream_template")
#: What of a request is the visitor's own words.
WORDS = ("args", "form", "values", "cookies", "headers", "json", "data", "url", "base_url", "path",
         "full_path", "query_string", "referrer", "user_agent", "view_args")  # fmt: skip


def rendered_templates(project: Project, source: Source) -> Iterator[Finding]:
    """V201 for ``render_template`` in a Python file."""
    for call in source.calls:
        if call.args and source.dotted(call.func) in _RENDER:
            names = _names(call.args[0])
            if names and not any(_exists(project, name) for name in names):
                yield _missing(project, source, call.args[0].lineno, names[0])


def _names(node: ast.expr) -> list[str]:
    """The names that are tried; empty where one of them is not known."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    names = [text_of(item) for item in items]
    return [] if None in names else [name for name in names if name is not None]


def _exists(project: Project, name: str) -> bool:
    """Whether the application's own loader has a template."""
    env = project.app.jinja_env
    if env.loader is None:
        return True
    try:
        env.loader.get_source(env, name)
    except TemplateNotFound:
        return False
    except Exception:  # a loader of the program's own may want a request
        return True
    return True


def _missing(project: Project, place: Source | Template, line: int, name: str) -> Finding:
    known = {template.name for template in project.templates}
    where = ", ".join(repr(str(folder)) for folder in project.template_folders)
    return project.at(
        place,
        line,
        "V201",
        f"There is no template {name!r}.{near(name, known)}",
        f"Templates are looked for in {where or 'no folder at all: make one called templates'}.",
    )


def syntax_errors(project: Project, template: Template) -> Iterator[Finding]:
    """V202: what Jinja says of a file that it cannot read."""
    e = template.error
    if e is not None:
        text = (e.message or "").partition("\n")[0]
        yield project.at(template, e.lineno, "V202", text, "Nothing of the page shows until then.")


def used_templates(project: Project, template: Template) -> Iterator[Finding]:
    """V201 for ``extends``, ``include`` and ``import``."""
    if template.tree is None:
        return
    kinds: Any = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
    for node in template.tree.find_all(kinds):
        names = _template_names(node.template)
        if not names or getattr(node, "ignore_missing", False):
            continue
        if not any(_exists(project, name) for name in names):
            yield _missing(project, template, node.lineno, names[0])


def _template_names(node: nodes.Node) -> list[str]:
    """As :func:`_names`, for the tree of a template."""
    items = node.items if isinstance(node, nodes.List | nodes.Tuple) else [node]
    values = [item.value if isinstance(item, nodes.Const) else None for item in items]
    if isinstance(node, nodes.Const) and isinstance(node.value, tuple | list):
        values = [*node.value]
    return [v for v in values if isinstance(v, str)] if None not in values else []


def unknown_filters(project: Project, template: Template) -> Iterator[Finding]:
    """V203 and V204: filters and tests that neither Jinja nor the application or an extension has.

    Jinja itself finds out when the line is reached.
    """
    if template.tree is None:
        return
    env = project.app.jinja_env
    # {% if "markdown" is filter %} asks before it uses one.
    asked = {name for n in template.tree.find_all(nodes.Test) for name in _asked(n)}
    for code, kind, known, word in (
        ("V203", nodes.Filter, env.filters, "filter"),
        ("V204", nodes.Test, env.tests, "test"),
    ):
        for node in template.tree.find_all(kind):
            if node.name not in known and node.name not in asked:
                yield project.at(
                    template,
                    node.lineno,
                    code,
                    f"There is no {word} {node.name!r}.{near(node.name, known)}",
                    f"Mend the name, or add it by @app.template_{word}().",
                )


def _asked(node: nodes.Test) -> list[str]:
    """The filter or test that an expression asks whether there is one."""
    is_question = node.name in ("filter", "test") and isinstance(node.node, nodes.Const)
    return [node.node.value] if is_question and isinstance(node.node, nodes.Const) else []


def unsafe_markup(project: Project, template: Template) -> Iterator[Finding]:
    """V401 in templates: ``{{ request.args.q|safe }}``."""
    if template.tree is None:
        return
    for node in template.tree.find_all(nodes.Filter):
        if node.name == "safe" and node.node is not None and _is_word(node.node):
            yield project.at(
                template,
                node.lineno,
                "V401",
                "What a visitor sent becomes markup, script included.",
                "Leave '|safe' out.",
            )


def _is_word(node: nodes.Node) -> bool:
    """Whether an expression is a part of the request that its sender words."""
    path: list[object] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call):
        if isinstance(node, nodes.Getattr):
            path.append(node.attr)
        elif isinstance(node, nodes.Getitem):
            path.append(node.arg.value if isinstance(node.arg, nodes.Const) else None)
        node = node.node
    of_request = isinstance(node, nodes.Name) and node.name == "request"
    return of_request and bool(path) and path[-1] in WORDS


def blueprint_folders(project: Project) -> Iterator[Finding]:
    """V205: folders that a blueprint was given and that do not exist."""
    for source in project.sources:
        for node in source.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name() as name], value=ast.Call() as call):
                    blueprint = source.value(name)
                    if any(blueprint is b for b in project.app.blueprints.values()):
                        yield from _folders(project, source, call, blueprint)


def _folders(
    project: Project, source: Source, call: ast.Call, blueprint: object
) -> Iterator[Finding]:
    """The folders that a call of ``Blueprint`` names. Without a name none is expected."""
    for keyword in call.keywords:
        given = text_of(keyword.value)
        if given is None or keyword.arg not in ("template_folder", "static_folder"):
            continue
        folder = Path(getattr(blueprint, "root_path", "")) / given
        if not folder.is_dir():
            yield project.at(
                source,
                keyword.value.lineno,
                "V205",
                f"The folder {given!r} of a blueprint does not exist; it would be {str(folder)!r}.",
                "Make it, or mend the path; it is relative to the blueprint's file.",
            )
