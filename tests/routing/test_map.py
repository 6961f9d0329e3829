from __future__ import annotations

import pytest
from werkzeug.routing import Rule

from vial.routing import Map


@pytest.fixture
def changes() -> list[str]:
    return []


@pytest.fixture
def url_map(changes: list[str]) -> Map:
    url_map = Map([Rule("/", endpoint="index")])
    url_map.watch(lambda: changes.append("changed"))
    return url_map


def test_watching_a_map_is_no_change(url_map: Map, changes: list[str]) -> None:
    assert changes == []


def test_every_watcher_hears_of_a_rule_when_it_is_in_the_map(url_map: Map) -> None:
    seen: list[int] = []
    url_map.watch(lambda: seen.append(len(list(url_map.iter_rules()))))
    url_map.watch(lambda: seen.append(0))
    url_map.add(Rule("/a", endpoint="a"))
    assert seen == [2, 0]


@pytest.mark.parametrize("name", ["host_matching", "merge_slashes", "redirect_defaults"])
def test_setting_an_option_of_the_map_is_a_change(
    url_map: Map, changes: list[str], name: str
) -> None:
    setattr(url_map, name, not getattr(url_map, name))
    assert changes == ["changed"]


def test_matching_and_building_are_no_change(url_map: Map, changes: list[str]) -> None:
    adapter = url_map.bind("localhost")
    assert adapter.match("/") == ("index", {})
    assert adapter.build("index") == "/"
    assert changes == []


def test_a_rule_that_cannot_be_added_is_told_too(url_map: Map, changes: list[str]) -> None:
    with pytest.raises(LookupError, match="nosuch"):
        url_map.add(Rule("/<nosuch:x>", endpoint="a"))
    assert changes == ["changed"]


def test_watchers_of_one_map_do_not_hear_of_another(url_map: Map, changes: list[str]) -> None:
    Map().add(Rule("/a", endpoint="a"))
    assert changes == []
