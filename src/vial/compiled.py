"""What an app compiles of its setup: plans, the matcher, the URL builder; forgotten on change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from werkzeug.routing import Rule

from . import flow, plans
from .callables import is_async
from .gateways.forwarded import Proxies, proxies_of
from .routing import Builder, Matcher
from .routing.map import binds_itself, watch
from .sansio.app import App
from .watched import WatchedDict, WatchedList
from .wrappers import Response

if TYPE_CHECKING:
    from .app import Vial
    from .config import Config

T = TypeVar("T")


class Compiled(App):
    """The part of :class:`~vial.Vial` that knows when to compile again."""

    _matcher: Matcher | None = None
    _builder: Builder | None = None
    #: Whether the app overrides a step of a request or makes its contexts in its own way.
    #: 0: it does not, and the request is to be looked at first (``TRUSTED_PROXIES``).
    _by_methods: int | None = None
    #: How gateways with a loop get an answer: "plans", "methods" or "wsgi"; "proxied": by plans,
    #: once the request was looked at.
    _way: str | None = None

    if TYPE_CHECKING:

        def _own_wsgi_app(self) -> Any: ...
        def _has_own(self, *names: str) -> bool: ...
        def make_default_options_response(self) -> Response: ...

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        watched = isinstance(old, (WatchedDict, WatchedList))
        if watched and type(value) is not type(old):  # a registry is replaced by a plain one
            value = old.like(value)  # type: ignore[union-attr]
        super().__setattr__(name, value)
        if name == "url_map" and old is not None:
            watch(self.url_map, self._thaw)
        if watched or name in plans.COMPILED:
            self._thaw()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in plans.COMPILED:
            self._thaw()

    def _thaw(self) -> None:
        self._plans = {}  # another one: see _keep()
        self._matcher = self._builder = self._by_methods = self._way = None

    def _keep(self, name: str, plans: dict[str | None, flow.Plan], compiled: T) -> T:
        """Keep what was compiled since the app had these plans, unless a change came meanwhile."""
        setattr(self, name, compiled)
        if self._plans is not plans:  # asked last: a change that is later forgets it by itself
            setattr(self, name, None)
        return compiled

    def _goes_by_methods(self) -> bool:
        """Whether gateways call the methods of this app, one after the other, as Flask does."""
        known = self._by_methods
        if known is None:
            steps = [step for step in plans.STEPS if step not in plans.ERROR_STEPS]
            # Such a response is called before the request is torn down.
            before, calls = self._plans, getattr(self.response_class, "_asks_request", True)
            known = bool(calls or self._has_own(*plans.CONTEXTS, *steps))
            if not known and self._proxies() is not None:
                known = 0
            self._keep("_by_methods", before, known)
        return bool(known)

    def _find_way(self) -> str:
        before, way = self._plans, "methods" if self._goes_by_methods() else "plans"
        if way == "plans" and self._proxies() is not None:
            way = "proxied"
        return self._keep("_way", before, way if self._own_wsgi_app() is None else "wsgi")

    def _proxies(self) -> Proxies | None:
        return proxies_of(self.config.get("TRUSTED_PROXIES"))

    def _make_plan(self, endpoint: str | None) -> flow.Plan:
        before, compatible = self._plans, self._goes_by_methods()
        plan = plans.make_plan(
            cast("Vial", self),
            endpoint,
            compatible,
            compatible or self._has_own(*plans.ERROR_STEPS),
        )
        view = self.view_functions.get(endpoint or "")
        if view is not None and self.debug and is_async(view):
            from .hints.blocking import warn_of_blocking

            warn_of_blocking(view)
        before[endpoint] = plan  # dropped, where a change came meanwhile
        return plan

    def _socket_plan(self, endpoint: str | None) -> Any:
        """The plan of a WebSocket, with an ``on_loop`` in any case."""
        plan = self._plans.get(("websocket", endpoint))
        if plan is None:
            before = self._plans
            plan = before["websocket", endpoint] = plans.make_socket_plan(
                cast("Vial", self), endpoint
            )
        return plan

    def _plan_of(self, rule: Rule | None, method: str, on_loop: bool = False) -> flow.Plan:
        """The plan of a rule, or of no rule; for OPTIONS the one that answers with ``Allow``."""
        endpoint = None if rule is None else rule.endpoint
        plan = self._plans.get(endpoint) or self._make_plan(endpoint)
        if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            plan = self._options_plan(plan)
        return plans.awaiting(plan) if on_loop else plan

    def _options_plan(self, plan: flow.Plan) -> flow.Plan:
        def view(**view_args: Any) -> Response:
            return self.make_default_options_response()

        on_loop = plan.on_loop and replace(plan.on_loop, view=plan.on_loop.lane(view))
        return replace(plan, view=view, on_loop=on_loop)

    _without_hooks = staticmethod(plans.without_hooks)

    def _start(self) -> None:
        """Refuse further setup from the first request on; its plans are the last to call this."""
        if not self._got_first_request:
            self._got_first_request = True
            self._plans = {}
            if "WORKER_THREADS" in self.config or "WORKER_QUEUE" in self.config:
                _size_pool(self.config)

    def _trusts_host(self) -> bool:
        own_adapter = self._has_own("create_url_adapter") or binds_itself(self.url_map)
        return not (self.subdomain_matching or own_adapter)

    def _make_matcher(self) -> Matcher:
        return self._keep("_matcher", self._plans, Matcher(self.url_map, self._trusts_host()))

    def _make_builder(self) -> Builder:
        return self._keep("_builder", self._plans, Builder(self.url_map, self._trusts_host()))


def _size_pool(config: Config) -> None:
    """Let the pool of the process be as an app wants it; with several apps the last one started
    decides."""
    from .concurrency import worker_pool

    pool = worker_pool()
    pool.size = config.get("WORKER_THREADS", pool.size)
    pool.queue = config.get("WORKER_QUEUE", pool.queue)
