"""From a path and a method to a rule and its arguments, as Werkzeug 3.1 answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule, ValidationError, WebsocketMismatch

from .tree import OTHER, WEBSOCKET, Convert, Node, Tree, find, to_int

Match = tuple[Rule, dict[str, Any]]
_Last = tuple[dict[str, Node], Callable[[str], Any], dict[str, tuple[Rule, str, Convert]]]


class Matcher:
    """The rules of ``url_map`` as they are now; a later change of the map needs a new matcher.

    ``trust_host`` is the caller's word that the adapter of every request is, or would be, bound
    with ``subdomain=url_map.default_subdomain or ""`` (what Flask does unless
    ``subdomain_matching`` is on), and that a Host header which makes binding fail is refused
    elsewhere. The domain part of every match is then known beforehand. Without it, and for a map
    with ``host_matching``, only the adapter knows the domain (a foreign Host even gets the
    subdomain ``<invalid>``), so every request is handed to it.

    Safe to use from several threads: nothing is written after construction.
    """

    def __init__(self, url_map: Map, trust_host: bool) -> None:
        tree = Tree(url_map)
        self._root = tree.root if trust_host else None
        self._methods = tree.methods
        self._merge_slashes = url_map.merge_slashes
        # Paths that need no tree, because they lead to what Werkzeug tries first: static parts
        # alone, and static parts before one last segment that is a whole string or int.
        self._static: dict[str, dict[str, Rule]] = {}
        self._last: dict[str, _Last] = {}
        for path, node in tree.static_nodes() if trust_host else ():
            if path.startswith("//"):  # Werkzeug strips such slashes before it matches
                continue
            if path:  # the empty path is the adapter's
                self._static[path] = _constants(node, tree.methods)
            if path != "/" and (last := _last_segment(node, tree.methods)) is not None:
                self._last[path] = last

    def match(
        self,
        path: str,
        method: str,
        adapter: Callable[[], MapAdapter],
        websocket: bool = False,
    ) -> Match:
        """Return the rule and a new dict of its arguments, as ``MapAdapter.match`` would.

        ``path`` is the decoded ``PATH_INFO``. ``adapter`` is called when the answer is not known
        here: redirects, an empty path or method, a double slash that fits no rule, and maps that
        cannot be compiled.

        :raises NotFound, MethodNotAllowed, WebsocketMismatch, RequestRedirect: as Werkzeug does.
        """
        # PERF: benchmarks/dispatch.py, hello: one call, two dict lookups.
        if path in self._static and not websocket:
            rule = self._static[path].get(method)
            if rule is not None:
                return rule, {}
        # PERF: benchmarks/dispatch.py, `<int:id>`: 0.4 of the tree's time, and no call.
        head, _, tail = path.rpartition("/")
        if head in self._last and not websocket:
            siblings, accept, rules = self._last[head]
            if method in rules and tail not in siblings and accept(tail):
                rule, name, convert = rules[method]
                try:
                    return rule, {name: convert(tail)}
                except ValueError:  # int: more than sys.get_int_max_str_digits()
                    pass
        return self._search(path, method, adapter, websocket)

    def _search(
        self, path: str, method: str, adapter: Callable[[], MapAdapter], websocket: bool
    ) -> Match:
        if self._root is None or not path or not method:
            return _ask(adapter, path, method, websocket)
        if path[0] != "/" or path[1:2] == "/":
            path = f"/{path.lstrip('/')}"
        key = method
        if websocket or method not in self._methods:
            method, key = self._normal(method, websocket)
        values: list[str] = []
        missed: list[Node] = []
        leaf = find(self._root, path.split("/"), 1, values, key, missed)
        if leaf is None:
            if self._merge_slashes and "//" in path:
                return _ask(adapter, path, method, websocket)
            if missed and _edited(missed, method, websocket):
                return _ask(adapter, path, method, websocket)
            raise _no_match(missed, (), method, websocket)
        if leaf.ask:
            return _ask(adapter, path, method, websocket)
        try:
            args = leaf.arguments(values)
        except ValidationError:
            raise _no_match(missed, leaf.before, method, websocket) from None
        if leaf.providers and any(rule.suitable_for(args, method) for rule in leaf.providers):
            return _ask(adapter, path, method, websocket)
        return leaf.rule, args

    def _normal(self, method: str, websocket: bool) -> tuple[str, str]:
        """The method as rules name it, and its key in the tables."""
        method = method.upper()
        key = method if method in self._methods else OTHER
        return method, WEBSOCKET + key if websocket else key


def _ask(adapter: Callable[[], MapAdapter], path: str, method: str, websocket: bool) -> Match:
    rule, args = adapter().match(path, method, return_rule=True, websocket=websocket)
    return rule, args  # type: ignore[return-value]


def _edited(missed: list[Node], method: str, websocket: bool) -> bool:
    """Whether a rule got the method after it was compiled: ``rule.methods.add("PATCH")``."""
    return any(
        rule.methods is not None and method in rule.methods and rule.websocket == websocket
        for node in missed
        for rule in node.rules
    )


def _no_match(
    missed: list[Node], before: Sequence[Rule], method: str, websocket: bool
) -> HTTPException:
    """405 with the methods of every rule that fits the path, in Werkzeug's order, or else 404."""
    if not missed and not before:
        return NotFound()
    allowed: set[str] = set()
    mismatch = False
    for rule in chain(*(node.rules for node in missed), before):
        if rule.methods is not None and method not in rule.methods:
            allowed.update(rule.methods)
        elif rule.websocket != websocket:
            mismatch = True
    if allowed:
        return MethodNotAllowed(valid_methods=list(allowed))
    return WebsocketMismatch() if mismatch else NotFound()


def _constants(node: Node, methods: Iterable[str]) -> dict[str, Rule]:
    found = ((method, node.table.get(method)) for method in methods)
    return {m: leaf.rule for m, leaf in found if leaf and leaf.direct and not leaf.converters}


def _last_segment(node: Node, methods: Iterable[str]) -> _Last | None:
    """What the first edge of a node does to a last segment, if that needs no more than a look."""
    if not node.edges:
        return None
    edge = node.edges[0]
    if edge.texts is not None or edge.final:
        return None
    rules: dict[str, tuple[Rule, str, Convert]] = {}
    for method in methods:
        leaf = edge.node.table.get(method)
        if leaf and leaf.direct and len(leaf.converters) == 1:
            _, name, convert = leaf.converters[0]
            if convert is None or convert is to_int:
                rules[method] = leaf.rule, name, str if convert is None else int
    return node.static, edge.accept, rules
