from __future__ import annotations

import gc
import re
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import (
    BaseConverter,
    MapAdapter,
    RequestRedirect,
    Rule,
    ValidationError,
    WebsocketMismatch,
)

from vial.routing import Map, Matcher
from vial.routing.tree import DEEPEST


def unasked() -> MapAdapter:
    raise AssertionError("the adapter was asked")


class Asked:
    """Gives an adapter, and counts."""

    def __init__(self, url_map: Map, **options: Any) -> None:
        self.adapter = url_map.bind("localhost", **options)
        self.count = 0

    def __call__(self) -> MapAdapter:
        self.count += 1
        return self.adapter


def rule(path: str, endpoint: str | None = None, **options: Any) -> Rule:
    return Rule(path, endpoint=endpoint or path, **options)


class Even(BaseConverter):
    regex = r"\d"
    calls = 0

    def to_python(self, value: str) -> int:
        type(self).calls += 1
        if int(value) % 2:
            raise ValidationError
        return int(value)


class Grouped(BaseConverter):
    regex = r"(a|b)(?P<own>\d)?"


def matching(*rules: Rule) -> Callable[..., tuple[str, Any]]:
    """A function from a request to what is found without the adapter: the rule's path, the args."""
    matcher = Matcher(Map(rules, converters={"even": Even, "grouped": Grouped}), trust_host=True)

    def match(path: str, method: str = "GET", **options: Any) -> tuple[str, Any]:
        found, args = matcher.match(path, method, unasked, **options)
        return found.rule, args

    return match


def python_calls(call: Callable[[], object]) -> int:
    """How many Python functions a call enters, its own ``lambda`` not counted."""
    count = -1

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event == "call"

    gc.disable()  # Hypothesis is called at each collection
    sys.setprofile(profile)
    try:
        call()
    except NotFound:
        pass
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


# What it knows by itself


def test_a_static_rule_is_found_with_new_arguments_each_time() -> None:
    about = rule("/about")
    matcher = Matcher(Map([about]), trust_host=True)
    found, args = matcher.match("/about", "GET", unasked)
    assert found is about
    assert args == {}
    args["added"] = 1
    assert matcher.match("/about", "GET", unasked)[1] == {}


def test_a_rule_gives_its_defaults_and_a_caller_cannot_spoil_them() -> None:
    matcher = Matcher(Map([rule("/all", defaults={"page": 1})]), trust_host=True)
    args = matcher.match("/all", "GET", unasked)[1]
    assert args == {"page": 1}
    args.clear()
    assert matcher.match("/all", "GET", unasked)[1] == {"page": 1}


UUID = "12345678-1234-1234-1234-123456789abc"


@pytest.mark.parametrize(
    ("path", "request_path", "args"),
    [
        ("/<x>", "/é", {"x": "é"}),
        ("/<x>", "x", {"x": "x"}),
        ("/<x>", "///x", {"x": "x"}),
        ("/<string(length=2):x>", "/ab", {"x": "ab"}),
        ("/<int:x>", "/007", {"x": 7}),
        ("/<int:x>", "/٣", {"x": 3}),
        ("/<int(fixed_digits=3):x>", "/007", {"x": 7}),
        ("/<int(signed=True):x>", "/-7", {"x": -7}),
        ("/<float:x>", "/1.5", {"x": 1.5}),
        ("/<uuid:x>", f"/{UUID}", {"x": uuid.UUID(UUID)}),
        ("/<path:x>", "/a/b//c", {"x": "a/b//c"}),
        ("/<path:x>/edit", "/a/b/edit", {"x": "a/b"}),
        ("/<any(a, b):x>", "/b", {"x": "b"}),
        ("/<x>-<int:y>.txt", "/a-b-7.txt", {"x": "a-b", "y": 7}),
        ("/<x>/and/<y>", "/1/and/2", {"x": "1", "y": "2"}),
    ],
)
def test_each_builtin_converter_converts(path: str, request_path: str, args: Any) -> None:
    assert matching(rule(path))(request_path) == (path, args)


@pytest.mark.parametrize(
    ("path", "request_path"),
    [
        ("/a", "/b"),
        ("/a", "/a/b"),
        ("/<x>", "/"),
        ("/<string(length=2):x>", "/abc"),
        ("/<int:x>", "/-7"),
        ("/<int:x>", "/²"),
        ("/<int:x>", "/1_0"),
        ("/<int:x>", "/7\n"),
        ("/<int(fixed_digits=3):x>", "/7"),
        ("/<int(max=50):x>", "/51"),
        ("/<float:x>", "/nan"),
        ("/<float:x>", "/inf"),
        ("/<float:x>", "/1."),
        ("/<uuid:x>", f"/{UUID}0"),
        ("/<path:x>", "/a\nb"),
        ("/<any(a, b):x>", "/ab"),
    ],
)
def test_what_no_rule_fits_is_not_found(path: str, request_path: str) -> None:
    with pytest.raises(NotFound):
        matching(rule(path))(request_path)


@pytest.mark.parametrize("path", ["/<int:x>", "/<int:x>/edit", "/<int(signed=True):x>"])
def test_an_int_of_5000_digits_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        matching(rule(path))(path.replace(path[1 : path.index(">") + 1], "9" * 5000))


def test_a_method_that_no_rule_takes_is_405_with_all_that_are_taken() -> None:
    match = matching(rule("/x", methods=["GET"]), rule("/<x>", methods=["PUT"]))
    with pytest.raises(MethodNotAllowed) as caught:
        match("/x", "POST")
    assert set(caught.value.valid_methods or ()) == {"GET", "HEAD", "PUT"}


def test_another_rule_may_take_the_method_that_the_first_does_not() -> None:
    match = matching(rule("/x", methods=["GET"]), rule("/<x>", methods=["PUT"]))
    assert match("/x", "PUT") == ("/<x>", {"x": "x"})


@pytest.mark.parametrize("method", ["GET", "get", "PROPFIND", "other", "*"])
def test_a_rule_without_methods_takes_any(method: str) -> None:
    match = matching(rule("/a"), rule("/<int:x>"))
    assert match("/a", method) == ("/a", {})
    assert match("/7", method) == ("/<int:x>", {"x": 7})


def test_a_method_is_known_in_any_case() -> None:
    match = matching(rule("/a", methods=["GET", "PROPFIND"]), rule("/<x>", methods=["put"]))
    assert [match("/a", method)[0] for method in ("get", "Propfind", "Put")] == ["/a", "/a", "/<x>"]


def test_groups_and_slashes_in_the_regex_of_a_converter_are_its_own() -> None:
    match = matching(rule("/<grouped:x>-<int:y>"), rule("/p/<path:x>/", strict_slashes=False))
    assert match("/b1-7")[1] == {"x": "b1", "y": 7}
    assert match("/p/a/b") == match("/p/a/b/") == ("/p/<path:x>/", {"x": "a/b"})


def test_rules_are_tried_in_order_of_weight_not_of_registration() -> None:
    match = matching(*map(rule, ["/<path:p>", "/<x>", "/<int:x>", "/7", "/<x>/y"]))
    found = [match(path)[0] for path in ("/7", "/8", "/a", "/a/y", "/a/b")]
    assert found == ["/7", "/<int:x>", "/<x>", "/<x>/y", "/<path:p>"]


def test_a_static_part_that_leads_nowhere_does_not_hide_a_dynamic_one() -> None:
    match = matching(*map(rule, ["/<x>/b", "/a/c", "/<x>/<int:y>"]))
    assert match("/a/b") == ("/<x>/b", {"x": "a"})
    assert match("/a/7") == ("/<x>/<int:y>", {"x": "a", "y": 7})


def test_lenient_slashes_need_no_redirect() -> None:
    match = matching(rule("/a", strict_slashes=False), rule("/b/", strict_slashes=False))
    assert [match(path)[0] for path in ("/a", "/a/", "/b", "/b/")] == ["/a", "/a", "/b/", "/b/"]


def test_websocket_and_http_rules_of_one_path_are_kept_apart() -> None:
    rules = [
        rule("/x", "http"),
        rule("/x", "socket", websocket=True),
        rule("/y/<z>", websocket=True),
    ]
    matcher = Matcher(Map(rules), trust_host=True)
    assert matcher.match("/x", "GET", unasked)[0].endpoint == "http"
    assert matcher.match("/x", "GET", unasked, websocket=True)[0].endpoint == "socket"
    assert matcher.match("/y/1", "GET", unasked, websocket=True)[1] == {"z": "1"}
    with pytest.raises(WebsocketMismatch):
        matcher.match("/y/1", "GET", unasked)


def test_a_custom_converter_is_called_once_and_its_refusal_is_final() -> None:
    match = matching(rule("/<even:x>"), rule("/<x>"))
    assert match("/4") == ("/<even:x>", {"x": 4})
    Even.calls = 0
    with pytest.raises(NotFound):
        match("/5")
    assert Even.calls == 1


def test_a_refusal_after_rules_for_other_methods_is_405() -> None:
    match = matching(rule("/<even:x>", methods=["PUT"]), rule("/<even:x>", methods=["GET"]))
    with pytest.raises(MethodNotAllowed) as caught:
        match("/5")
    assert caught.value.valid_methods == ["PUT"]


def test_slashes_that_werkzeug_strips_from_the_front_never_match() -> None:
    match = matching(*(rule(path, merge_slashes=False) for path in ("//a", "//b/<x>", "//<int:x>")))
    for path in ("//a", "/a", "//b/1", "//7"):
        with pytest.raises(NotFound):
            match(path)


# What it leaves to the adapter


@pytest.mark.parametrize(
    ("path", "new_path"),
    [
        ("/branch", "/branch/"),
        ("/a//b", "/a/b"),
        ("/all/page/1", "/all"),
        ("/old/7", "/new/7"),
        ("/alias", "/b"),
        ("", "/"),
    ],
)
def test_redirects_are_those_of_the_adapter(path: str, new_path: str) -> None:
    url_map = Map(
        [
            rule("/"),
            rule("/branch/"),
            rule("/a/b"),
            rule("/all", "all", defaults={"page": 1}),
            rule("/all/page/<int:page>", "all"),
            rule("/old/<int:x>", redirect_to="new/<x>"),
            rule("/b", "b"),
            rule("/alias", "b", alias=True),
        ]
    )
    asked = Asked(url_map)
    with pytest.raises(RequestRedirect) as caught:
        Matcher(url_map, trust_host=True).match(path, "GET", asked)
    assert caught.value.new_url == f"http://localhost{new_path}"
    assert asked.count == 1


def test_a_slash_redirect_comes_before_a_dynamic_rule() -> None:
    url_map = Map([rule("/a/b/"), rule("/a/<x>")])
    with pytest.raises(RequestRedirect):
        Matcher(url_map, trust_host=True).match("/a/b", "GET", Asked(url_map))


def test_values_other_than_the_defaults_need_no_adapter() -> None:
    match = matching(rule("/all", "e", defaults={"page": 1}), rule("/all/<int:page>", "e"))
    assert match("/all/2") == ("/all/<int:page>", {"page": 2})


def test_an_empty_method_is_the_one_of_the_adapter() -> None:
    url_map = Map([rule("/", "get", methods=["GET"]), rule("/", "put", methods=["PUT"])])
    found, _ = Matcher(url_map, trust_host=True).match(
        "/", "", Asked(url_map, default_method="PUT")
    )
    assert found.endpoint == "put"


def test_without_trust_in_the_host_the_adapter_is_always_asked() -> None:
    url_map = Map([rule("/a")])
    asked = Asked(url_map, subdomain="<invalid>")
    with pytest.raises(NotFound):
        Matcher(url_map, trust_host=False).match("/a", "GET", asked)
    assert asked.count == 1


def test_host_matching_is_left_to_the_adapter() -> None:
    url_map = Map([rule("/a", "here", host="localhost"), rule("/a", host="x")], host_matching=True)
    asked = Asked(url_map)
    found, _ = Matcher(url_map, trust_host=True).match("/a", "GET", asked)
    assert (found.endpoint, asked.count) == ("here", 1)


def test_rules_of_other_subdomains_are_out_of_reach() -> None:
    match = matching(rule("/a", subdomain="api"), rule("/b", subdomain="<user>"), rule("/c"))
    assert match("/c")[0] == "/c"
    for path in ("/a", "/b"):
        with pytest.raises(NotFound):
            match(path)


def test_a_subdomain_pattern_that_fits_the_default_is_left_to_the_adapter() -> None:
    url_map = Map([rule("/a", subdomain="<user>"), rule("/b")], default_subdomain="www")
    asked = Asked(url_map)
    found, args = Matcher(url_map, trust_host=True).match("/a", "GET", asked)
    assert (found.rule, args, asked.count) == ("/a", {"user": "www"}, 1)


def test_a_map_with_a_rule_of_very_many_parts_is_left_to_the_adapter() -> None:
    names = [f"<x{i}>" for i in range(DEEPEST)]
    match = matching(rule("/" + "/".join(names[2:])))
    assert len(match("/a" * (DEEPEST - 2))[1]) == DEEPEST - 2
    url_map = Map([rule("/" + "/".join(names))])
    asked = Asked(url_map)
    args = Matcher(url_map, trust_host=True).match("/a" * DEEPEST, "GET", asked)[1]
    assert (len(args), asked.count) == (DEEPEST, 1)


class Unclosed(BaseConverter):
    regex = "("


def test_a_pattern_that_does_not_compile_fails_only_the_requests_that_meet_it() -> None:
    url_map = Map([rule("/a"), rule("/b/<bad:x>")], converters={"bad": Unclosed})
    matcher = Matcher(url_map, trust_host=True)
    assert matcher.match("/a", "GET", Asked(url_map))[0].rule == "/a"
    with pytest.raises(re.error):
        matcher.match("/b/1", "GET", Asked(url_map))


# Costs, as counts


def test_a_static_hit_is_one_python_call_and_so_is_an_int_at_the_end() -> None:
    matcher = Matcher(Map([rule("/a"), rule("/user/<int:x>")]), trust_host=True)
    assert python_calls(lambda: matcher.match("/a", "GET", unasked)) == 1
    assert python_calls(lambda: matcher.match("/user/7", "GET", unasked)) == 1


@cache
def many_rules(count: int) -> Matcher:
    rules = [rule(f"/r{i}/<int:x>/{kind}") for i in range(count // 2) for kind in ("a", "b")]
    return Matcher(Map([*rules, rule("/<path:p>/end")]), trust_host=True)


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", ["/r3/7/b", "/r3/7/end", "/r3/7/c", "/nothing"])
def test_many_rules_cost_no_more_calls_than_ten(count: int, path: str) -> None:
    few, many = many_rules(10), many_rules(count)
    calls = python_calls(lambda: few.match(path, "GET", unasked))
    assert python_calls(lambda: many.match(path, "GET", unasked)) == calls <= 20


def test_five_thousand_segments_cost_no_more_calls_than_rules_are_deep() -> None:
    rules = [rule("/<a>/<b>/<c>"), rule("/a/<b>/c/<d>"), rule("/<path:p>/end"), rule("/a/a/a/a")]
    matcher = Matcher(Map(rules), trust_host=True)
    path = "/a" * 5000
    assert python_calls(lambda: matcher.match(path, "GET", unasked)) <= 20
    assert matcher.match(f"{path}/end", "GET", unasked)[1] == {"p": path[1:]}


def test_no_pattern_is_compiled_by_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    url_map = Map([rule("/<float:x>/<path:p>"), rule("/<uuid:x>")])
    matcher = Matcher(url_map, trust_host=True)
    re.purge()
    with monkeypatch.context() as patch:  # pytest compiles patterns as soon as the test ends
        patch.setattr(re, "compile", unasked)
        patch.setattr(re, "_compile", unasked)
        _, args = matcher.match("/1.5/a/b", "GET", unasked)
    assert args == {"x": 1.5, "p": "a/b"}


def test_threads_that_share_a_matcher_get_their_own_answers() -> None:
    matcher = Matcher(Map([rule("/<x>/<y>"), rule("/<int:x>/<path:p>")]), trust_host=True)

    def one(i: int) -> bool:
        found = (
            matcher.match(f"/{i}/a/b", "GET", unasked),
            matcher.match(f"/n{i}/{i}", "GET", unasked),
        )
        return [args for _, args in found] == [{"x": i, "p": "a/b"}, {"x": f"n{i}", "y": str(i)}]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(500)))


def test_a_rule_added_later_is_unknown_until_a_new_matcher_is_made() -> None:
    url_map = Map([rule("/a")])
    matcher = Matcher(url_map, trust_host=True)
    url_map.add(rule("/b"))
    with pytest.raises(NotFound):
        matcher.match("/b", "GET", unasked)
    assert Matcher(url_map, trust_host=True).match("/b", "GET", unasked)[0].rule == "/b"
