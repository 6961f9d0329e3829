"""Which expressions of a function hold a visitor's own words.

Only what is certain counts: data that passes through a function that is not known, or that a
condition looks at, is taken as checked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .functions import own_nodes
from .project import Project
from .sources import Function, Source

WORDS = {
    f"flask.request.{name}" for name in (
        "args", "form", "values", "cookies", "headers", "json", "data", "url", "base_url", "path",
        "full_path", "query_string", "referrer", "files", "stream", "get_json", "get_data",
        "view_args",
    )
}  # fmt: skip
#: Those that a link to a page can set. The other ones lead back to the page or to where it was.
LINKED = {f"flask.request.{name}" for name in ("args", "form", "values", "cookies", "json")}
#: Methods and functions whose result holds what they were given.
_METHODS = {
    "get", "getlist", "pop", "strip", "lstrip", "rstrip", "lower", "upper", "title", "format",
    "join", "replace", "split", "read", "decode", "encode", "partition", "rpartition",
    "splitlines", "to_dict", "filename", "copy", "setdefault",
}  # fmt: skip
_FUNCTIONS = {
    "str", "repr", "format", "bytes", "list", "tuple", "dict", "sorted", "reversed",
}  # fmt: skip
_DOTTED = {
    "os.path.join", "pathlib.Path", "pathlib.PurePath", "io.BytesIO", "io.StringIO",
    "base64.b64decode", "urllib.parse.unquote", "json.loads", "copy.copy",
}  # fmt: skip
#: Converters that let everything through that can hurt.
_OPEN = {"default", "string", "path"}


class Flow:
    """The visitor's words in one function.

    :param arguments: parameters that hold some from the start.
    :param words: what of a request counts, as dotted names.
    """

    def __init__(
        self, source: Source, function: Function, arguments: set[str], words: set[str]
    ) -> None:
        self.source = source
        self.words = words
        self.nodes = list(own_nodes(function))
        self.checked = {name for node in self.nodes for name in _looked_at(node)}
        self.names = arguments - self.checked
        # Twice, for what a loop carries back. Names that also get something else are not certain.
        for _ in range(2):
            for name, value in self.assignments():
                if name not in self.checked and self.holds(value):
                    self.names.add(name)
        self.names -= self._cleaned()

    def assignments(self) -> Iterator[tuple[str, ast.expr]]:
        """Each name of the function with what it is set to, in no particular order."""
        for node in self.nodes:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                    | ast.NamedExpr(target=ast.Name(id=name), value=value)
                ):
                    yield name, value

    def _cleaned(self) -> set[str]:
        """Names that somewhere get what is harmless: by which path a call comes is not followed."""
        return {name for name, value in self.assignments() if not self.holds(value)}

    def holds(self, node: ast.AST | None) -> bool:
        """Whether an expression has the visitor's words in it."""
        match node:
            case ast.Name(id=name):
                return name in self.names
            case ast.Attribute(value=inner):
                return self.source.dotted(node) in self.words or self.holds(inner)
            case ast.Subscript(value=inner):
                return self.holds(inner)
            case ast.BinOp(left=left, right=right, op=ast.Add() | ast.Mod() | ast.Div()):
                return self.holds(left) or self.holds(right)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
                return any(self.holds(value) for value in values)
            case ast.JoinedStr(values=values):
                return any(self.holds(v.value) for v in values if isinstance(v, ast.FormattedValue))
            case ast.IfExp(body=body, orelse=orelse):
                return self.holds(body) or self.holds(orelse)
            case ast.Await(value=inner) | ast.Starred(value=inner) | ast.NamedExpr(value=inner):
                return self.holds(inner)
            case ast.Dict(values=values):
                return any(self.holds(value) for value in values)
            case ast.Call():
                return self._call(node)
        return False

    def _call(self, call: ast.Call) -> bool:
        """What a call gives back. ``request.args.get("page", type=int)`` has been converted; of
        functions that are not known it is not certain that anything comes through."""
        if any(k.arg == "type" for k in call.keywords):
            return False  # request.args.get("page", type=int)
        given = [*call.args, *(k.value for k in call.keywords)]
        if self.source.dotted(call.func) in self.words:
            return True
        if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
            return self.holds(call.func.value) or any(map(self.holds, given))
        name = self.source.dotted(call.func) or getattr(call.func, "id", "")
        return (name in _DOTTED or name in _FUNCTIONS) and any(map(self.holds, given))


def _looked_at(node: ast.AST) -> Iterator[str]:
    """Names that a condition tests for more than being there."""
    if isinstance(node, ast.Assert | ast.If | ast.While | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.BoolOp):
        tests = node.values[:-1]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
    elif isinstance(node, ast.Match):
        tests = [node.subject]
    else:
        return
    for test in tests:
        for part in ast.walk(test):
            if isinstance(part, ast.Compare | ast.Call) and not _is_none_test(part):
                yield from (n.id for n in ast.walk(part) if isinstance(n, ast.Name))


def _is_none_test(node: ast.AST) -> bool:
    """``x is None`` says nothing about what a text holds."""
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)


def flows(project: Project, source: Source, words: set[str] = WORDS) -> Iterator[Flow]:
    """The functions of a file, with the arguments that come from the URL as they are."""
    for function in source.functions:
        yield Flow(source, function, _url_arguments(project, source, function), words)


def _url_arguments(project: Project, source: Source, function: Function) -> set[str]:
    """The arguments of a view that hold text as it was in the URL: an ``<int:id>`` is safe."""
    rules = [r for e in project.endpoints_of(source, function) for r in project.rules.get(e, ())]
    converters = project.app.url_map.converters
    everything = {converters.get(name) for name in _OPEN}
    return {
        name for rule in rules for name, converter in rule._converters.items()
        if type(converter) in everything
    }  # fmt: skip
