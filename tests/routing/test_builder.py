from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BaseConverter, BuildError, MapAdapter, Rule, ValidationError

from vial.routing import Builder, Map


def unasked() -> MapAdapter:
    raise AssertionError("the adapter was asked")


class Listed(BaseConverter):
    """Joins a list with plus signs; refuses an empty one."""

    def to_url(self, value: Any) -> str:
        if not value:
            raise ValidationError
        return "+".join(value)


def rule(path: str, endpoint: str | None = None, **options: Any) -> Rule:
    return Rule(path, endpoint=endpoint or path, **options)


def build(rules: list[Rule], endpoint: str, script_name: str = "/", **values: Any) -> str:
    """What the builder builds by itself."""
    url_map = Map(rules, converters={"listed": Listed})
    return Builder(url_map, trust_host=True).build(endpoint, values, unasked, script_name)


@pytest.mark.parametrize(
    ("path", "values", "url"),
    [
        ("/", {}, "/"),
        ("/a b/é", {}, "/a%20b/%C3%A9"),
        ("/<x>", {"x": "bob"}, "/bob"),
        ("/<x>", {"x": "a/b c?é"}, "/a/b%20c%3F%C3%A9"),
        ("/<x>", {"x": 7}, "/7"),
        ("/<int:x>/edit", {"x": "007"}, "/7/edit"),
        ("/<int(fixed_digits=3):x>", {"x": 7}, "/007"),
        ("/<path:x>", {"x": "/a//b"}, "/a//b"),
        ("/<any(a, b):x>", {"x": "b"}, "/b"),
        ("/<listed:x>", {"x": ["p", "q"]}, "/p+q"),
        ("/<x>-<y>.txt", {"x": "a", "y": 1}, "/a-1.txt"),
        ("/<x>", {"x": "a", "page": 2, "q": "b"}, "/a?page=2&q=b"),
        ("/<x>", {"x": "a", "q": "b c&é"}, "/a?q=b+c%26%C3%A9"),
        ("/<x>", {"x": "a", "q": ["b", "c"]}, "/a?q=b&q=c"),
        ("/<x>", {"x": "a", "q": None}, "/a"),
        ("/", {"q": True}, "/?q=True"),
        ("/", {"q": Decimal(1)}, "/?q=1"),
        ("/", {"q": None}, "/"),
        ("/", {"a b": "c"}, "/?a+b=c"),
    ],
)
def test_values_go_to_the_path_and_the_rest_to_the_query(path: str, values: Any, url: str) -> None:
    assert build([rule(path)], path, **values) == url


@pytest.mark.parametrize(("script_name", "url"), [("", "/a"), ("/app", "/app/a"), ("/p/", "/p/a")])
def test_a_url_starts_with_the_script_name(script_name: str, url: str) -> None:
    assert build([rule("/a")], "/a", script_name) == url
    assert build([rule("/<x>", "x")], "x", script_name, x="a") == url


def test_the_rule_that_takes_most_of_the_values_is_built() -> None:
    paths = {"/": {}, "/<int:x>": {"x": 1}, "/<int:x>/<y>": {"x": 1, "y": "b"}}
    urls = [build([rule(path, "e") for path in paths], "e", **values) for values in paths.values()]
    assert urls == ["/", "/1", "/1/b"]


def test_a_value_equal_to_a_default_is_left_out() -> None:
    def build_all(page: int) -> str:
        rules = [rule("/all", "all", defaults={"page": 1}), rule("/all/<int:page>", "all")]
        return build(rules, "all", page=page)

    assert (build_all(1), build_all(2)) == ("/all", "/all/2")


def test_a_value_that_one_rule_refuses_may_go_to_the_next() -> None:
    assert build([rule("/a/<listed:x>", "e"), rule("/b", "e")], "e", x=[]) == "/b"


def test_sorted_parameters_stay_sorted() -> None:
    builder = Builder(Map([rule("/a", "a")], sort_parameters=True), trust_host=True)
    assert builder.build("a", {"z": 1, "b": 2}, unasked) == "/a?b=2&z=1"


def test_an_error_of_a_converter_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="'c' is not one of 'a', 'b'"):
        build([rule("/<any(a, b):x>", "e")], "e", x="c")


@pytest.mark.parametrize("endpoint", ["one", "two", "unknown"])
@pytest.mark.parametrize("values", [{}, {"x": None}, {"y": 1}])
def test_a_build_error_is_that_of_the_adapter(endpoint: str, values: dict[str, Any]) -> None:
    url_map = Map([rule("/<x>", "one"), rule("/<x>/<z>", "two")])
    adapter = url_map.bind("localhost")
    with pytest.raises(BuildError) as expected:
        adapter.build(endpoint, values)
    with pytest.raises(BuildError) as caught:
        Builder(url_map, trust_host=True).build(endpoint, values, lambda: adapter)
    assert str(caught.value) == str(expected.value)
    assert caught.value.adapter is adapter


@pytest.mark.parametrize(
    ("rules", "trust_host", "url"),
    [
        ([rule("/a", "e", websocket=True)], True, "ws://localhost/a"),
        ([rule("/a", "e", subdomain="api")], True, "http://api.localhost/a"),
        ([rule("/a", "e", methods=["GET"]), rule("/b", "e", methods=["PUT"])], True, "/b"),
        ([rule("/a", "e")], False, "/a"),
    ],
)
def test_what_depends_on_the_request_is_built_by_the_adapter(
    rules: list[Rule], trust_host: bool, url: str
) -> None:
    url_map = Map(rules)
    adapter = url_map.bind("localhost", default_method="PUT")
    asked: list[MapAdapter] = []
    builder = Builder(url_map, trust_host)
    assert builder.build("e", {}, lambda: asked.append(adapter) or adapter) == url
    assert asked == [adapter]


def test_a_multidict_gives_each_of_its_values() -> None:
    url_map = Map([rule("/<x>", "e")])
    values = MultiDict([("x", "a"), ("q", "1"), ("q", "2")])
    builder = Builder(url_map, trust_host=True)
    assert builder.build("e", values, lambda: url_map.bind("localhost")) == "/a?q=1&q=2"


class Shouting(Rule):
    def build(self, values: Any, append_unknown: bool = True) -> tuple[str, str] | None:
        built = super().build(values, append_unknown)
        return built and (built[0], built[1].upper())


def test_a_rule_class_with_its_own_build_is_honoured() -> None:
    rules = [Shouting("/a", endpoint="a"), Shouting("/b/<x>", endpoint="b")]
    builder = Builder(url_map := Map(rules), trust_host=True)
    built = [
        builder.build(e, v, lambda: url_map.bind("h")) for e, v in [("a", {}), ("b", {"x": "y"})]
    ]
    assert built == ["/A", "/B/Y"]
