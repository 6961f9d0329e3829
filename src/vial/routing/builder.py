"""From an endpoint and its values to a URL path, as Werkzeug 3.1 answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule, ValidationError

#: The names, the quoted text before the first, and, for each in order, the name, what makes text
#: of its value, and the quoted text that follows.
_Slots = tuple[set[str], str, list[tuple[str, Callable[[Any], str], str]]]


class Builder:
    """The endpoints of ``url_map`` as they are now; a later change of the map needs a new builder.

    ``trust_host`` means what it means for ``Matcher``. Safe to use from several threads.
    """

    def __init__(self, url_map: Map, trust_host: bool) -> None:
        self._domain = url_map.default_subdomain or ""
        #: In Werkzeug's order, of endpoints where the request's method has no say in it.
        self._rules: dict[Any, list[Rule]] = {}
        #: The path of endpoints that need no values.
        self._constants: dict[Any, str] = {}
        #: Endpoints of one rule without defaults.
        self._slots: dict[Any, _Slots] = {}
        if trust_host and not url_map.host_matching:
            by_endpoint: dict[Any, list[Rule]] = {}
            for rule in url_map.iter_rules():
                by_endpoint.setdefault(rule.endpoint, []).append(rule)
            for endpoint, rules in by_endpoint.items():
                self._compile(endpoint, rules)

    def _compile(self, endpoint: Any, rules: list[Rule]) -> None:
        if any(rule.websocket or rule.methods != rules[0].methods for rule in rules):
            return
        self._rules[endpoint] = rules
        if not all(map(_is_plain, rules)):
            return
        path = self._path(rules, {})
        if path is not None:
            self._constants[endpoint] = path
        domain = rules[0].subdomain or ""
        simple = domain == self._domain == quote(domain) and not rules[0].defaults
        if len(rules) == 1 and simple and not rules[0].map.sort_parameters:
            self._slots[endpoint] = _slots(rules[0])

    def build(
        self,
        endpoint: Any,
        values: Mapping[str, Any],
        adapter: Callable[[], MapAdapter],
        script_name: str = "/",
    ) -> str:
        """Return the path under ``script_name``, values that no rule takes in its query string.

        Equal to ``adapter().build(endpoint, values)``, and ``adapter`` is called when the answer
        is not known here: another domain, a WebSocket rule, rules of one endpoint that differ in
        their methods, or nothing that fits.

        :raises BuildError: no rule of the endpoint fits the values.
        """
        path = None
        if not values:
            path = self._constants.get(endpoint)
        elif type(values) is dict:  # a MultiDict has rules of its own
            path = self._fill(endpoint, values)
            if path is None and endpoint in self._rules:
                values = {name: value for name, value in values.items() if value is not None}
                path = self._path(self._rules[endpoint], values)
        if path is None:
            return adapter().build(endpoint, values)
        return f"{script_name.rstrip('/')}/{path}"

    def _fill(self, endpoint: Any, values: dict[str, Any]) -> str | None:
        # Half the time of Rule.suitable_for and Rule.build, which templates call for every link.
        slots = self._slots.get(endpoint)
        if slots is None:
            return None
        for value in values.values():  # None means missing, which is an error before any other
            if value is None:
                return None
        names, first, rest = slots
        query = "" if values.keys() == names else _query(names, values)
        if query is None:
            return None
        texts = [first]
        try:
            for name, to_url, after in rest:
                texts += (to_url(values[name]), after)
        except ValidationError:
            return None
        return "".join(texts).lstrip("/") + query

    def _path(self, rules: list[Rule], values: Mapping[str, Any]) -> str | None:
        for rule in rules:
            if rule.suitable_for(values):
                built = rule.build(values)
                if built is not None:
                    return built[1].lstrip("/") if built[0] == self._domain else None
        return None


def _is_plain(rule: Rule) -> bool:
    cls = type(rule)
    return all(
        getattr(cls, name) is getattr(Rule, name)
        for name in ("build", "suitable_for", "_encode_query_vars")
    )


def _slots(rule: Rule) -> _Slots:
    texts = [""]
    names: list[str] = []
    for is_dynamic, data in rule._trace[rule._trace.index((False, "|")) + 1 :]:
        if is_dynamic:
            names.append(data)
            texts.append("")
        else:
            texts[-1] += quote(data, safe="!$&'()*+,/:;=@")  # what Werkzeug does to rule text
    to_url = [_to_url(rule._converters[name]) for name in names]
    return set(names), texts[0], list(zip(names, to_url, texts[1:], strict=True))


def _query(names: set[str], values: dict[str, Any]) -> str | None:
    """The query string of the values beyond ``names``, if quoting would not change it."""
    if not values.keys() > names:
        return None
    query = ""
    for name, value in values.items():
        if name not in names:
            text = str(value) if type(value) is int else value
            if not (_is_safe(text) and _is_safe(name)):
                return None
            query += f"{'&' if query else '?'}{name}={text}"
    return query


def _is_safe(text: Any) -> bool:
    return type(text) is str and text.isascii() and text.replace("_", "").isalnum()


def _to_url(converter: BaseConverter) -> Callable[[Any], str]:
    """The converter's own method, with a short cut for text that quoting would not change."""
    own = converter.to_url
    if getattr(own, "__func__", None) is not BaseConverter.to_url:
        return own

    def quoted(value: Any) -> str:
        return value if _is_safe(value) else own(value)

    return quoted
