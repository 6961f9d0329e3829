"""What test_shape.py measures: modules of a package as trees, and one small function per rule.

Each rule takes modules and returns the breaches as sentences, so it can be shown a bad one as well.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass
class Module:
    """One source file: `name` is dotted, from the package itself ("vial.routing.matcher")."""

    name: str
    source: str
    is_package: bool = False
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)

    @property
    def part(self) -> str:
        """The file or folder right under the package, which is what has a layer."""
        return self.name.split(".")[1] if "." in self.name else ""

    @cached_property
    def doc_lines(self) -> set[int]:
        """Lines of docstrings, and lines with nothing but a comment."""
        comments = self._token_lines.get(tokenize.COMMENT, set())
        return docstring_lines(self.tree) | (comments - self.code_lines)

    @cached_property
    def code_lines(self) -> set[int]:
        """Lines that hold at least one token of code."""
        kinds = self._token_lines.keys() - NOT_CODE
        lines = set().union(*(self._token_lines[kind] for kind in kinds))
        return lines - docstring_lines(self.tree)

    @cached_property
    def _token_lines(self) -> dict[int, set[int]]:
        """The lines that tokens of each kind are on."""
        found: dict[int, set[int]] = {}
        for token in tokenize.generate_tokens(io.StringIO(self.source).readline):
            lines = range(token.start[0], token.end[0] + 1)
            found.setdefault(token.type, set()).update(lines)
        return found

    @property
    def line_count(self) -> int:
        return len(self.source.splitlines())

    @property
    def functions(self) -> list[Function]:
        return [n for n in ast.walk(self.tree) if isinstance(n, Function)]

    @cached_property
    def imports(self) -> list[tuple[str, int, bool]]:
        """All imports as (dotted target, line, late?), but for those only for type checkers."""
        return [
            (target, node.lineno, late)
            for node, late in import_nodes(self.tree, late=False)
            for target in self._targets(node)
        ]

    def _targets(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        base = node.module or ""
        if node.level:
            keep = self.name.split(".")
            keep = keep[: len(keep) - node.level + self.is_package]
            base = ".".join([*keep, base] if base else keep)
        yield from (f"{base}:{alias.name}" for alias in node.names)


def load(root: Path) -> dict[str, Module]:
    """All modules of the package in `root`, by dotted name."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        modules[name] = Module(name, path.read_text(), package)
    return modules


def docstring_lines(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node):
            lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def import_nodes(node: ast.AST, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Import statements below `node`; late means inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, late
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.orelse:
                yield from import_nodes(ast.Module([statement], []), late)
        else:
            yield from import_nodes(child, late or isinstance(child, Function | ast.Lambda))


def resolve(target: str, modules: Mapping[str, Module]) -> str:
    """`package:name` is the module `package.name` if there is one, else `package`."""
    base, _, name = target.partition(":")
    return f"{base}.{name}" if name and f"{base}.{name}" in modules else base


def inner_imports(
    module: Module, modules: Mapping[str, Module], late: bool
) -> Iterator[tuple[Module, int]]:
    """Modules of the package itself that `module` imports, with the line."""
    for target, line, is_late in module.imports:
        name = resolve(target, modules)
        if is_late == late and name in modules and name != module.name:
            yield modules[name], line


# The rules.


def layer_breaches(modules: Mapping[str, Module], layers: Mapping[str, int]) -> list[str]:
    """Imports that go up, and modules that the table does not know."""
    named = {m.part for m in modules.values() if m.part}
    found = [f"{part} has no layer: add it to LAYERS" for part in sorted(named - set(layers))]
    for module in modules.values():
        if not module.part or module.part not in layers:
            continue
        for other, line in inner_imports(module, modules, late=False):
            above = layers.get(other.part, -1) if other.part else max(layers.values())
            if above > layers[module.part]:
                found.append(f"{module.name}:{line} imports {other.name}, a layer above it")
    return found


def cycles(modules: Mapping[str, Module]) -> list[str]:
    """Each group of modules that import each other when they are loaded, once."""
    edges = {
        name: {other.name for other, _ in inner_imports(module, modules, late=False)}
        for name, module in modules.items()
    }
    reach = {name: reachable(name, edges) for name in edges}
    groups = {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in edges
        if name in reach[name]
    }
    return [" <-> ".join(sorted(group)) for group in groups]


def reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(edges[name])
    return seen


def late_imports(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """What each module imports only when a function runs: modules, of the package or of others."""
    found: dict[str, set[str]] = {}
    for name, module in modules.items():
        targets = {resolve(target, modules) for target, _, late in module.imports if late}
        targets |= imports_by_call(module)
        if targets:
            found[name] = targets
    return found


def imports_by_call(module: Module) -> set[str]:
    """Modules named in `import_module("...")` or in the package's own `late("...", name)`."""
    calls = (n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and n.args)
    return {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func).endswith(("import_module", "__import__", "late"))
        and isinstance(call.args[0], ast.Constant)
    }


def function_sizes(modules: Iterable[Module]) -> list[tuple[int, str]]:
    """Code lines of every function, with where it is; longest first."""
    sizes = []
    for module in modules:
        for node in module.functions:
            lines = module.code_lines & set(range(node.lineno, node.end_lineno + 1))
            sizes.append((len(lines), f"{module.name}:{node.lineno} {node.name}"))
    return sorted(sizes, reverse=True)


def calls_inside_functions(
    module: Module, banned: Iterable[str], except_in: Container[str] = ()
) -> list[str]:
    """Calls of `inspect.<anything>` (for a ban "inspect.*") or of a name, wherever it is found."""
    found = []
    for function in module.functions:
        if f"{module.name} {function.name}" in except_in:
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if any(is_banned(name, ban) for ban in banned):
                    found.append(f"{module.name}:{node.lineno} {function.name} calls {name}")
    return found


def is_banned(name: str, ban: str) -> bool:
    if ban.endswith("*"):
        return name.startswith(ban[:-1])
    return name == ban or name.endswith(f".{ban}")


class Plain(ast.NodeTransformer):
    """Rewrites a function as if it were not async, without the names and notes that may differ."""

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        return self.generic_visit(ast.For(node.target, node.iter, node.body, node.orelse))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> Any:
        return self.generic_visit(ast.With(node.items, node.body))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return self._function(node)

    def _function(self, node: Function) -> Any:
        body = node.body[1:] if ast.get_docstring(node) else node.body
        self.visit(node.args)
        inner = [self.visit(statement) for statement in body]
        return ast.FunctionDef("f", node.args, inner, [], None)

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.Pass()
        return self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Name(sync_name(node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return ast.Attribute(self.visit(node.value), sync_name(node.attr), node.ctx)


def sync_name(name: str) -> str:
    """`_async_send`, `AsyncThing` and `aiter` are their sync twins under another name."""
    for mark in ("async_", "_async", "Async", "async"):
        name = name.replace(mark, "")
    return {"aiter": "iter", "anext": "next"}.get(name, name)


def twins(modules: Iterable[Module]) -> list[str]:
    """Pairs of functions of three statements or more that differ only by `async` and `await`."""
    sides: dict[str, list[tuple[bool, str]]] = {}
    for module in modules:
        # Parsed again: the rewriting below changes the tree.
        for node in Module(module.name, module.source).functions:
            waits = any(
                isinstance(n, ast.Await | ast.AsyncFor | ast.AsyncWith) for n in ast.walk(node)
            )
            is_async = isinstance(node, ast.AsyncFunctionDef)
            where = f"{module.name}:{node.lineno} {node.name}"
            small = sum(isinstance(n, ast.stmt) for n in ast.walk(node)) < 4
            if not small and waits == is_async:
                plain = ast.dump(Plain().visit(node))
                sides.setdefault(plain, []).append((is_async, where))
    return [
        f"{a[1]} and {b[1]} differ only by await"
        for same in sides.values()
        for a, b in combinations(same, 2)
        if a[0] != b[0]
    ]


def battery_breaches(modules: Mapping[str, Module], batteries: set[str]) -> list[str]:
    """Batteries that import another battery, or a private name of the core."""
    found = []
    for module in modules.values():
        if module.part not in batteries:
            continue
        for target, line, _ in module.imports:
            other = modules.get(resolve(target, modules))
            if other is None or other.part == module.part:
                continue
            if other.part in batteries:
                found.append(f"{module.name}:{line} imports the battery {other.part}")
            elif target.rpartition(":")[2].startswith("_") and ":" in target:
                found.append(f"{module.name}:{line} imports the private {target}")
    return found
