"""Werkzeug's state machine of rules, compiled into nodes that are quick to walk.

The order in which alternatives are tried is taken from the machine itself (its states are sorted
by weight in ``Map.update``), so no knowledge of weights is repeated here. What is added: patterns
compiled once, methods looked up in a table, and trailing-slash cases folded into that table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from werkzeug.routing import BaseConverter, Map, Rule, ValidationError
from werkzeug.routing.converters import IntegerConverter
from werkzeug.routing.matcher import State, StateMachineMatcher
from werkzeug.routing.rules import RulePart, Weighting

Convert = Callable[[str], Any]
Texts = Callable[[re.Match[str]], Sequence[str]]

#: Methods that a rule without ``methods`` is entered under; any other is entered as ``OTHER``.
METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]
)
#: Table key of a method that no rule names. Lower case: Werkzeug upper-cases real ones.
OTHER = "other"
#: Prefix of a table key for WebSocket rules. Lower case for the same reason.
WEBSOCKET = "ws "

#: A map with a rule of more parts is left to Werkzeug: two calls deep for each, a request would
#: come near the interpreter's recursion limit where Werkzeug does not.
DEEPEST = 100

_GROUP = "__werkzeug_"
_EMPTY = RulePart(
    content=r"\Z", final=False, static=False, suffixed=False, weight=Weighting(0, [], 0, [])
)

# The two patterns that nearly all rules consist of, answered by str methods: `\d` in a str
# pattern and str.isdecimal both mean Unicode category Nd.
# PERF: benchmarks/dispatch.py, `<int:id>`: 30 ns instead of 200 for re.Pattern.match and group.
_SIMPLE: dict[str, Callable[[str], Any]] = {
    r"(?P<__werkzeug_0>[^/]{1,})\Z": len,
    r"(?P<__werkzeug_0>\d+)\Z": str.isdecimal,
}


class Leaf:
    """What to do when one rule matched: convert, add defaults, or ask Werkzeug."""

    __slots__ = ("ask", "before", "converters", "defaults", "providers", "rule")

    def __init__(self, rule: Rule, before: tuple[Rule, ...], ask: bool, providers: list[Rule]):
        self.rule = rule
        #: Rules of the same node that were looked at first; they count for a 405.
        self.before = before
        #: The answer is a redirect that only Werkzeug builds.
        self.ask = ask
        #: Rules that may claim the request because the values equal their defaults.
        self.providers = providers
        self.defaults = rule.defaults
        names = enumerate(rule._converters.items())
        self.converters = [(i, str(name), _convert(c)) for i, (name, c) in names]

    @property
    def direct(self) -> bool:
        """Whether the answer is the rule with the path's values, whatever they are."""
        return not (self.ask or self.defaults or self.providers)

    def arguments(self, values: list[str]) -> dict[str, Any]:
        """Convert the texts of the path; a ``ValidationError`` means that nothing matches."""
        args: dict[str, Any] = {}
        for i, name, convert in self.converters:
            args[name] = values[i] if convert is None else convert(values[i])
        if self.defaults:
            args.update(self.defaults)
        return args


class Edge:
    """A dynamic part: ``accept`` gives a true value for text it matches.

    ``texts`` gives the converters' texts of what ``accept`` returned; ``None`` says that the whole
    text is the only one. A ``final`` edge takes all that remains of the path, and, if it is
    ``suffixed``, leaves the slash at its end to be matched.
    """

    __slots__ = ("accept", "final", "node", "suffixed", "texts")

    def __init__(self, part: RulePart, node: Node):
        self.node = node
        self.final = part.final
        self.suffixed = part.suffixed
        self.texts: Texts | None = None
        if not part.final and part.content in _SIMPLE:
            self.accept: Callable[[str], Any] = _SIMPLE[part.content]
        else:
            pattern = re.compile(part.content)
            self.accept = pattern.match
            self.texts = _texts(pattern)


class Node:
    """A state: ways on, what ends here by method, and the rules that a 405 would name."""

    __slots__ = ("edges", "rules", "static", "table")

    def __init__(self, rules: list[Rule], table: dict[str, Leaf]):
        self.static: dict[str, Node] = {}
        self.edges: tuple[Edge, ...] = ()
        self.rules = rules
        self.table = table


def find(
    node: Node, parts: list[str], i: int, values: list[str], key: str, missed: list[Node]
) -> Leaf | None:
    """Return the leaf for ``parts[i:]``, its texts appended to ``values``, or ``None``.

    Each node of the tree is entered at most once, so the work is bounded by the smaller of the
    rules and, without alternatives, the segments. ``missed`` collects nodes whose rules fit the
    path but not the method ``key``.
    """
    end = len(parts)
    while i < end:
        part = parts[i]
        i += 1
        child = node.static.get(part)
        if node.edges:
            if child is not None:
                leaf = find(child, parts, i, values, key, missed)
                if leaf is not None:
                    return leaf
            return _branch(node.edges, parts, i, values, key, missed)
        if child is None:
            return None
        node = child
    leaf = node.table.get(key)
    if leaf is None and node.rules:
        missed.append(node)
    return leaf


def _branch(
    edges: tuple[Edge, ...],
    parts: list[str],
    i: int,
    values: list[str],
    key: str,
    missed: list[Node],
) -> Leaf | None:
    """``find`` for the dynamic ways on, in order; ``i`` is past the part to be matched."""
    part = parts[i - 1]
    mark = len(values)
    for edge in edges:
        text = "/".join(parts[i - 1 :]) if edge.final else part
        found = edge.accept(text)
        if not found:
            continue
        if edge.texts is None:
            values.append(text)
        else:
            values += edge.texts(found)
        if edge.final:
            rest = [""] if edge.suffixed and found.groups()[-1] == "/" else []
            leaf = find(edge.node, rest, 0, values, key, missed)
        else:
            leaf = find(edge.node, parts, i, values, key, missed)
        if leaf is not None:
            return leaf
        del values[mark:]
    return None


class Tree:
    """The rules that a request for the map's default domain can reach.

    ``root`` is ``None`` when the map has something that only Werkzeug can decide: host matching,
    a subdomain pattern that also fits the default subdomain, a rule of over ``DEEPEST`` parts, or
    a pattern that does not compile.
    """

    def __init__(self, url_map: Map):
        url_map.update()
        self._map = url_map
        named = [rule.methods for rule in url_map.iter_rules() if rule.methods]
        #: Every method that can make a difference.
        self.methods = METHODS.union(*named)
        self._providers = _providers(url_map)
        try:
            state = _default_domain(url_map)
            self.root = None if state is None else self._node(state)
        except re.error:  # from custom converters; Werkzeug raises it where a request meets it
            self.root = None

    def static_nodes(self) -> Iterator[tuple[str, Node]]:
        """Yield each path of static parts alone, with the node it leads to."""
        todo = [] if self.root is None else [("", self.root)]
        while todo:
            path, node = todo.pop()
            yield path, node
            todo += [(f"{path}/{part}", child) for part, child in node.static.items()]

    def _node(self, state: State) -> Node:
        slash = state.static[""].rules if "" in state.static else []
        node = Node(state.rules.copy(), self._table(state.rules, slash))
        node.static = {part: self._node(child) for part, child in state.static.items()}
        node.edges = tuple(Edge(part, self._node(child)) for part, child in state.dynamic)
        lenient = [rule for rule in state.rules if not rule.strict_slashes]
        if lenient:  # "/a/" also fits rule "/a", after everything else
            node.edges += (Edge(_EMPTY, Node(lenient, self._table(lenient, []))),)
        return node

    def _table(self, rules: list[Rule], slash: list[Rule]) -> dict[str, Leaf]:
        """First come, first served: rules that end here, then those that want one more slash."""
        table: dict[str, Leaf] = {}
        for i, rule in enumerate([*rules, *slash]):
            redirect = i >= len(rules) and bool(rule.strict_slashes)
            leaf = self._leaf(rule, tuple(rules[:i]), redirect)
            prefix = WEBSOCKET if rule.websocket else ""
            for method in (*self.methods, OTHER) if rule.methods is None else rule.methods:
                table.setdefault(prefix + method, leaf)
        return table

    def _leaf(self, rule: Rule, before: tuple[Rule, ...], redirect: bool) -> Leaf:
        alias = rule.alias and self._map.redirect_defaults
        ask = bool(redirect or alias or rule.redirect_to is not None)
        return Leaf(rule, before, ask, self._providers.get(id(rule), []))


def _default_domain(url_map: Map) -> State | None:
    if url_map.host_matching or type(url_map._matcher) is not StateMachineMatcher:
        return None
    if any(len(rule._parts) > DEEPEST for rule in url_map.iter_rules()):
        return None
    domain = url_map.default_subdomain or ""
    root = url_map._matcher._root
    if any(part.final or re.match(part.content, domain) for part, _ in root.dynamic):
        return None
    state = root.static.get(domain, State())
    # A subdomain with a slash in it reads like a path to the machine; leave such a map to it.
    return None if state.dynamic else state.static.get("", State())


def _providers(url_map: Map) -> dict[int, list[Rule]]:
    """By ``id`` of a rule, the rules that come before it and whose defaults can replace it."""
    providers: dict[int, list[Rule]] = {}
    earlier: dict[Any, list[Rule]] = {}
    for rule in url_map.iter_rules() if url_map.redirect_defaults else ():
        candidates = earlier.setdefault(rule.endpoint, [])
        providers[id(rule)] = [r for r in candidates if r.provides_defaults_for(rule)]
        if rule.defaults:
            candidates.append(rule)
    return providers


def _convert(converter: BaseConverter) -> Convert | None:
    """``None`` for the identity, ``to_int`` for an int without limits, else the own method."""
    if getattr(converter.to_python, "__func__", None) is BaseConverter.to_python:
        return None
    if type(converter) is not IntegerConverter or converter.fixed_digits:
        return converter.to_python
    return to_int if converter.min is None and converter.max is None else converter.to_python


def to_int(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:  # more than sys.get_int_max_str_digits()
        raise ValidationError from error


def _texts(pattern: re.Pattern[str]) -> Texts:
    """Werkzeug names the group of the nth converter ``__werkzeug_n``; regexes may have others."""
    named = [(name, i) for name, i in pattern.groupindex.items() if name.startswith(_GROUP)]
    groups = [i for _, i in sorted(named, key=lambda item: int(item[0][len(_GROUP) :]))]
    if groups == [*range(1, pattern.groups + 1)]:
        return re.Match.groups
    return lambda found: [found[i] for i in groups]
