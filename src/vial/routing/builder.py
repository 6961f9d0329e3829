"""From an endpoint and its values to a URL path, as Werkzeug 3.1 answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.routing import Map, MapAdapter, Rule


class Builder:
    """The endpoints of ``url_map`` as they are now; a later change of the map needs a new builder.

    ``trust_host`` means what it means for ``Matcher``. Safe to use from several threads.
    """

    def __init__(self, url_map: Map, trust_host: bool) -> None:
        url_map.update()
        self._domain = url_map.default_subdomain or ""
        #: In the order in which Werkzeug tries them, where the request's method has no say in it.
        self._rules: dict[Any, list[Rule]] = {}
        #: The path of endpoints that need no values.
        self._constant: dict[Any, str] = {}
        if trust_host and not url_map.host_matching:
            for rule in url_map.iter_rules():
                self._rules.setdefault(rule.endpoint, []).append(rule)
        for endpoint, rules in list(self._rules.items()):
            self._compile(endpoint, rules)

    def _compile(self, endpoint: Any, rules: list[Rule]) -> None:
        if any(r.websocket or r.methods != rules[0].methods for r in rules):
            del self._rules[endpoint]
            return
        if all(type(r).build is Rule.build for r in rules):
            path = self._path(rules, {})
            if path is not None:
                self._constant[endpoint] = path

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
            path = self._constant.get(endpoint)
        elif endpoint in self._rules and type(values) is dict:
            values = {k: v for k, v in values.items() if v is not None}
            path = self._path(self._rules[endpoint], values)
        if path is None:
            return adapter().build(endpoint, values)
        return f"{script_name.rstrip('/')}/{path}"

    def _path(self, rules: list[Rule], values: Mapping[str, Any]) -> str | None:
        for rule in rules:
            if rule.suitable_for(values):
                built = rule.build(values)
                if built is not None:
                    return built[1].lstrip("/") if built[0] == self._domain else None
        return None
