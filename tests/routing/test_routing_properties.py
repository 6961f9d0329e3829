r"""The matcher and the builder give the answers of Werkzeug's ``MapAdapter``, on generated maps.

Each example is a map of a few rules that overlap on purpose (every built-in converter, custom
ones with awkward regexes, methods, defaults, aliases, redirects, strict and merged slashes,
WebSocket rules, subdomains, host matching), and forty requests or URLs to build, made from the
rules' own paths with noise. Demanded: the same rule object, the same arguments, or the same error
with the same redirect, ``Allow`` list and message.

The default run is short and always the same. To search for disagreements, set the number of
examples (each property gets that many, chosen at random)::

    VIAL_HYPOTHESIS_EXAMPLES=20000 pytest -o faulthandler_timeout=0 \
        tests/routing/test_routing_properties.py

That takes several minutes for each property and makes about two million comparisons.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from itertools import chain
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.routing import (
    BaseConverter,
    MapAdapter,
    RequestRedirect,
    Rule,
    ValidationError,
)

from vial.routing import Builder, Map, Matcher

EXAMPLES = os.environ.get("VIAL_HYPOTHESIS_EXAMPLES")
searching = settings(
    max_examples=int(EXAMPLES or 25),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Even(BaseConverter):
    """Its conversion fails after its regex fitted."""

    regex = r"\d"

    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError
        return int(value)

    def to_url(self, value: Any) -> str:
        if int(value) % 2:
            raise ValidationError
        return f"{int(value)}"


class Loud(BaseConverter):
    """Its conversion fails with an error that is not a ValidationError."""

    regex = "[a-c]+"
    weight = 60

    def to_python(self, value: str) -> str:
        if value == "b":
            raise ValueError("b is too loud")
        return value.upper()


class Grouped(BaseConverter):
    """Has groups of its own, named and not."""

    regex = r"(a|b)(?P<own>\d)?"


class Blank(BaseConverter):
    """Fits the empty text too."""

    regex = r"[^/]*"


class Slashed(BaseConverter):
    """Fits slashes."""

    regex = r"[^/]+(?:/[^/]+)?"
    weight = 150


CONVERTERS = {"even": Even, "loud": Loud, "grouped": Grouped, "blank": Blank, "slashed": Slashed}
STATIC = ["", "a", "b", "foo", "1", "42", "é", "a b", "a.b", "%41", "a|b"]
UUID = "12345678-1234-1234-1234-123456789abc"
DYNAMIC = [
    "<{}>",
    "<string:{}>",
    "<string(length=2):{}>",
    "<string(minlength=2, maxlength=3):{}>",
    "<int:{}>",
    "<int(fixed_digits=2):{}>",
    "<int(min=2, max=50):{}>",
    "<int(signed=True):{}>",
    "<float:{}>",
    "<float(signed=True, min=-1.5):{}>",
    "<uuid:{}>",
    "<path:{}>",
    "<any(a, b, foo, 'a.b'):{}>",
    "v<int:{}>",
    "<{}>.txt",
    "<{0}>-<int:{0}2>",
    "<even:{}>",
    "<loud:{}>",
    "<grouped:{}>",
    "<blank:{}>",
    "<slashed:{}>",
]
TEXTS = [
    *STATIC,
    *["0", "7", "007", "50", "-7", "-1.5", "1.5", "nan", "inf", "1.", "٣", "²", "1_0", " 1", "+1"],
    *[UUID, UUID.upper(), UUID[:-1], "a/b", "a//b", "ab", "abc", "a1", "v1", "x.txt", "x-2", "-"],
    *["a\nb", "a\n", "\n", "?", "#", "\x00", "\ud800", "9" * 5000, "B", "../x", "%2F", "/"],
]
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "PROPFIND", "FOO", "other", ""]
NAMES = ["x", "y", "z", "x2", "y2"]
ENDPOINTS = ["one", "two", "three"]
VALUES = [*TEXTS[:-1], 0, 7, 42, 1.5, -7, True, None, "", uuid.UUID(UUID), ["p", "q"], ("p",)]

segments = st.one_of(st.sampled_from(STATIC[:4]), st.sampled_from(STATIC), st.sampled_from(DYNAMIC))
often = st.sampled_from([True, True, True, False])
rarely = st.sampled_from([False] * 9 + [True])
maybe = st.sampled_from([None, None, None, True, False])


def redirect_callable(adapter: MapAdapter, **values: Any) -> str:
    return "to/" + "/".join(map(str, values))


@st.composite
def rule_options(draw: st.DrawFn, simple: bool) -> dict[str, Any]:
    websocket = not simple and draw(rarely)
    few = ["GET", "OPTIONS"] if websocket else ["GET", "POST", "PUT", "PROPFIND"]
    options: dict[str, Any] = {
        "endpoint": draw(st.sampled_from(ENDPOINTS)),
        "methods": draw(st.none() | st.lists(st.sampled_from(few), max_size=2)),
        "websocket": websocket,
    }
    if simple or draw(often):
        return options
    return options | {
        "strict_slashes": draw(maybe),
        "merge_slashes": draw(maybe),
        "build_only": draw(rarely),
        "alias": draw(rarely),
        "redirect_to": draw(st.sampled_from([None, None, "new", "to/<x>", redirect_callable])),
        "defaults": draw(
            st.none() | st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=2)
        ),
        "subdomain": draw(
            st.sampled_from([None, None, None, "www", "", "<sub>", "api", "<blank:s>"])
        ),
        "host": draw(st.sampled_from([None, "localhost", "<host>", "other.test"])),
    }


@st.composite
def rules(draw: st.DrawFn, simple: bool) -> list[Rule]:
    """A rule, and sometimes one that takes its requests because the values are defaults."""
    parts = draw(st.lists(segments, min_size=0, max_size=3))
    named = [part.format(name) for part, name in zip(parts, NAMES, strict=False)]
    path = "/" + "/".join(named) + draw(st.sampled_from(["", "", "/"]))
    rule = Rule(path, **draw(rule_options(simple)))
    names = re.findall(r"(\w+)>", path)
    if simple or not names or draw(often):
        return [rule]
    defaults = {name: draw(st.sampled_from(["a", "b", 7, 42, 1.5])) for name in names}
    other = Rule(draw(st.sampled_from(["/all", "/a/b"])), defaults, endpoint=rule.endpoint)
    return [rule, other]


@st.composite
def maps(draw: st.DrawFn, simple: bool = False) -> Map:
    options: dict[str, Any] = {}
    if not simple and (draw(rarely) or draw(rarely)):
        flags = ["strict_slashes", "merge_slashes", "redirect_defaults", "sort_parameters"]
        options = {flag: draw(st.booleans()) for flag in flags}
        options["default_subdomain"] = draw(st.sampled_from(["", "www"]))
        options["host_matching"] = draw(rarely)
    url_map = Map(converters=CONVERTERS, **options)
    for rule in chain(*draw(st.lists(rules(simple), min_size=1, max_size=6))):
        try:
            url_map.add(rule)
        except Exception:  # defaults that the rule's converter refuses
            continue
    return url_map


def chance(random: Random) -> bool:
    return random.random() < 0.1


def text(random: Random, rule: Rule, name: str) -> str:
    """A text for a variable: often a short one that may meet a static part, or one that fits."""
    regex = rule._converters[name].regex if name in rule._converters else ""
    fits = [text for text in TEXTS if re.fullmatch(regex, text)]
    return random.choice(random.choice([["a", "b", "foo"], fits, fits or TEXTS, TEXTS]) or TEXTS)


def path_for(random: Random, url_map: Map) -> str:
    """A path that one of the rules takes, or nearly."""
    known = list(url_map.iter_rules())
    if not known or chance(random):
        return "".join(random.choices("/ab1é.\n%", k=random.randrange(9)))
    rule = random.choice(known)
    trace = rule._trace[rule._trace.index((False, "|")) + 1 :]
    pieces = [text(random, rule, data) if is_dynamic else data for is_dynamic, data in trace]
    if chance(random):
        pieces.insert(random.randint(0, len(pieces)), random.choice(TEXTS))
    path = "".join(pieces)
    noise = [path] * 8 + [path.rstrip("/"), f"{path}/", f"//{path}", path.lstrip("/")]
    return random.choice([*noise, path.replace("/", "//", 2)])


def target_for(random: Random, url_map: Map) -> tuple[str, Any]:
    """An endpoint and values that one of its rules takes, or nearly."""
    endpoint = random.choice([*ENDPOINTS, *ENDPOINTS, "unknown"])
    values = {random.choice(NAMES): random.choice(VALUES) for _ in range(random.randrange(3))}
    known = [rule for rule in url_map.iter_rules() if rule.endpoint == endpoint]
    if known and not chance(random):
        rule = random.choice(known)
        good = {name: text(random, rule, name) for name in sorted(rule.arguments)}
        values = good | values if chance(random) else values | good
    return endpoint, MultiDict(values) if chance(random) else values


def outcome(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a call returned, or all that can be told of what it raised."""
    try:
        value = call(*args, **options)
    except Exception as error:
        if isinstance(error, RequestRedirect):
            return RequestRedirect, error.new_url
        # Werkzeug lists a set: the order of Allow is that of string hashes, different in each run.
        return type(error), sorted(getattr(error, "valid_methods", None) or []), str(error)
    if isinstance(value, str):
        return value
    rule, values = value
    return id(rule), [(name, type(text), text) for name, text in values.items()]


def bind(url_map: Map, subdomain: str, **options: Any) -> MapAdapter:
    domain = None if url_map.host_matching else subdomain
    options = {"script_name": "/app", "query_args": "q=1&r=é"} | options
    return url_map.bind("localhost", subdomain=domain, **options)


# The requests come from a Random seeded by the example: many for each map, at little cost.
randoms = st.randoms(use_true_random=True)


@searching
@given(maps(), often, randoms)
def test_the_matcher_answers_every_request_as_werkzeug_does(
    url_map: Map, trust_host: bool, random: Random
) -> None:
    domain = random.choice(["", "www", "<invalid>", "api", "x"])
    adapter = bind(url_map, url_map.default_subdomain if trust_host else domain)
    matcher = Matcher(url_map, trust_host)
    for _ in range(40 if trust_host else 5):
        path, method, websocket = path_for(random, url_map), random.choice(METHODS), chance(random)
        expected = outcome(adapter.match, path, method, return_rule=True, websocket=websocket)
        found = outcome(matcher.match, path, method, lambda: adapter, websocket)
        assert found == expected, (url_map, path, method, websocket)


@searching
@given(maps(simple=True), randoms)
def test_on_a_simple_map_only_redirects_and_odd_slashes_are_left_to_werkzeug(
    url_map: Map, random: Random
) -> None:
    adapter = bind(url_map, "")
    matcher = Matcher(url_map, trust_host=True)
    asked: list[MapAdapter] = []
    for _ in range(40):
        asked.clear()
        path, method = path_for(random, url_map), random.choice(METHODS)
        expected = outcome(adapter.match, path, method, return_rule=True, websocket=False)
        found = outcome(matcher.match, path, method, lambda: asked.append(adapter) or adapter)
        assert found == expected, (url_map, path, method)
        if asked:
            exempt = found[0] in (RequestRedirect, UnicodeEncodeError, re.error)
            assert exempt or not path or not method or "//" in path


@searching
@given(maps(), st.sampled_from(["/", "", "/app", "/app/", "//"]), randoms)
def test_the_builder_builds_every_url_as_werkzeug_does(
    url_map: Map, script_name: str, random: Random
) -> None:
    builder = Builder(url_map, trust_host=True)
    options = {"script_name": script_name, "default_method": random.choice(METHODS)}
    adapter = bind(url_map, url_map.default_subdomain, **options)
    for _ in range(40):
        endpoint, values = target_for(random, url_map)
        expected = outcome(adapter.build, endpoint, values)
        found = outcome(builder.build, endpoint, values, lambda: adapter, script_name)
        assert found == expected, (url_map, endpoint, values)
