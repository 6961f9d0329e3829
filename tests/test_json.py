from __future__ import annotations

import dataclasses
import importlib
import io
import json
import math
import threading
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import flask.json.tag
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import vial.json.tag
from vial.json.provider import DefaultJSONProvider, JSONProvider


@pytest.fixture(params=["flask", "vial"])
def web(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The framework under test, by role: the same case runs on Flask and on Vial."""
    package = importlib.import_module(request.param)
    return SimpleNamespace(
        App=getattr(package, request.param.title()),
        json=package.json,
        jsonify=package.jsonify,
        provider=importlib.import_module(f"{request.param}.json.provider"),
        tag=importlib.import_module(f"{request.param}.json.tag"),
        request=package.request,
    )


class Owner:
    """Where a provider is tested without an app."""


OWNER: Any = Owner()


@dataclasses.dataclass
class Point:
    x: int
    y: Decimal


class OnPaper:
    def __html__(self) -> str:
        return "<b>paper</b>"


MORE_TYPES = [
    (date(2024, 2, 29), "Thu, 29 Feb 2024 00:00:00 GMT"),
    (datetime(2024, 2, 29, 23, 59, 58), "Thu, 29 Feb 2024 23:59:58 GMT"),
    (
        datetime(2024, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
        "Thu, 29 Feb 2024 23:00:00 GMT",
    ),
    (Decimal("1.50"), "1.50"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (Point(1, Decimal(2)), {"x": 1, "y": "2"}),
    (Markup("<p>"), "<p>"),
    (OnPaper(), "<b>paper</b>"),
]


@pytest.mark.parametrize(("value", "written"), MORE_TYPES)
def test_more_types_than_jsons_own_are_written(
    web: SimpleNamespace, value: Any, written: Any
) -> None:
    app = web.App(__name__)
    assert json.loads(app.json.dumps({"value": [value]})) == {"value": [written]}
    assert json.loads(web.json.dumps(value)) == written


def test_a_type_without_json_is_a_type_error_that_names_it(web: SimpleNamespace) -> None:
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        web.App(__name__).json.dumps({"a": {1}})
    with pytest.raises(TypeError, match="Object of type type is not JSON serializable"):
        web.App(__name__).json.dumps(int)


def test_keys_are_sorted_and_text_is_ascii_unless_the_app_says_otherwise(
    web: SimpleNamespace,
) -> None:
    app = web.App(__name__)
    assert app.json.dumps({"b": "é", "a": 1}) == '{"a": 1, "b": "\\u00e9"}'
    app.json.ensure_ascii = False
    app.json.sort_keys = False
    assert app.json.dumps({"b": "é", "a": 1}) == '{"b": "é", "a": 1}'
    app.json.default = lambda o: "?"
    assert app.json.dumps([{1}]) == '["?"]'


def test_sorting_wants_keys_of_one_type(web: SimpleNamespace) -> None:
    app = web.App(__name__)
    with pytest.raises(TypeError):
        app.json.dumps({1: 2, "a": 3})
    assert app.json.dumps({1: 2, "a": 3}, sort_keys=False) == '{"1": 2, "a": 3}'


@pytest.mark.parametrize(
    "options",
    [
        {"separators": (",", ":")},
        {"separators": [",", ":"]},
        {"indent": 1},
        {"indent": "\t", "separators": (",", "=")},
        {"sort_keys": False},
        {"ensure_ascii": False},
        {"default": str},
        {"skipkeys": True, "sort_keys": False},
        {"cls": json.JSONEncoder, "default": None},
        {"check_circular": False},
    ],
)
def test_options_of_json_dumps_may_be_given(web: SimpleNamespace, options: dict[str, Any]) -> None:
    value = {"b": ["é", {}, []], "a": {"z": 1.5, "y": None}}
    wanted = json.dumps(value, **({"ensure_ascii": True, "sort_keys": True} | options))
    app = web.App(__name__)
    assert app.json.dumps(value, **options) == wanted
    with app.app_context():
        assert web.json.dumps(value, **options) == wanted


def test_an_unknown_option_is_an_error(web: SimpleNamespace) -> None:
    with pytest.raises(TypeError, match="sorted"):
        web.App(__name__).json.dumps({}, sorted=True)


def test_a_ring_is_a_value_error_and_the_next_value_is_unharmed(web: SimpleNamespace) -> None:
    ring: list[Any] = []
    ring.append({"again": ring})
    app = web.App(__name__)
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular reference"):
            app.json.dumps(ring)
    assert app.json.dumps([[], [], ring[0].keys().__len__()]) == "[[], [], 1]"


def test_an_error_half_way_leaves_nothing_behind() -> None:
    provider = DefaultJSONProvider(OWNER)
    shared: dict[str, Any] = {"a": {"b": object()}}
    with pytest.raises(TypeError):
        provider.dumps(shared)
    shared["a"]["b"] = 1
    assert provider.dumps(shared) == '{"a": {"b": 1}}'


def test_threads_may_write_the_same_object_at_once() -> None:
    provider = DefaultJSONProvider(OWNER)
    shared: dict[str, Any] = {}
    meeting = threading.Barrier(2, timeout=5)
    shared["meet"] = [Meeting(meeting)]
    results: list[str] = []

    def default(value: Meeting) -> str:
        value.barrier.wait()  # both threads are inside of the same list now
        return "met"

    provider.default = default
    threads = [
        threading.Thread(target=lambda: results.append(provider.dumps(shared))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ['{"meet": ["met"]}'] * 2


class Meeting:
    def __init__(self, barrier: threading.Barrier) -> None:
        self.barrier = barrier


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_VALUES, st.sampled_from([None, 2]), st.booleans())
def test_the_text_is_that_of_the_standard_library(value: Any, indent: Any, ascii_: bool) -> None:
    provider = DefaultJSONProvider(OWNER)
    provider.ensure_ascii = ascii_
    wanted = json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=ascii_)
    assert provider.dumps(value, indent=indent) == wanted
    assert provider.loads(wanted) == value
    assert provider.loads(wanted.encode("utf-8", "surrogatepass")) == value


DOCUMENTS: list[str | bytes] = [
    "{}",
    " [1] ",
    "[1]\n",
    "\n\t{}",
    '"é"',
    "null",
    b'{"\xc3\xa9": 1}',
    '{"é": 1}'.encode("utf-16"),
    '{"é": 1}'.encode("utf-16-le"),
    '{"é": 1}'.encode("utf-32-be"),
    b"\xef\xbb\xbf[1]",
    "\ufeff[1]",
    b"[\xff]",
    b'["\xff"]',
    b'["\xed\xa0\x80"]',
    '["\\ud800"]',
    "[NaN, Infinity, -Infinity]",
    '{"a": 1, "a": 2}',
    "[1e999]",
    "[1]]",
    "[1] [",
    "[1]\x0b",
    "[1]\u00a0",
    "[1,]",
    "{'a': 1}",
    "[",
    "{",
    b"[",
    "",
    b"",
    "x",
    b"{\x00",
    "[01]",
    '["a\nb"]',
    "[" + "9" * 4301 + "]",
    "9" * 5000,
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: repr(d[:12]))
def test_documents_are_read_or_refused_as_the_standard_library_does(document: Any) -> None:
    provider = DefaultJSONProvider(OWNER)
    try:
        wanted = json.loads(document)
    except ValueError as error:
        with pytest.raises(ValueError) as caught:
            provider.loads(document)
        assert (type(caught.value), str(caught.value)) == (type(error), str(error))
    else:
        assert repr(provider.loads(document)) == repr(wanted)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("kind", [str.encode, str])
def test_json_that_nests_too_deep_is_a_value_error(opening: str, kind: Any) -> None:
    provider = DefaultJSONProvider(OWNER)
    for text in (opening * 1_000_000, " " + opening * 1_000_000):
        with pytest.raises(ValueError, match="nests arrays or objects too deep"):
            provider.loads(kind(text))
    with pytest.raises(ValueError, match="nests arrays or objects too deep"):
        provider.loads(kind(opening * 1_000_000), parse_int=str)


BAD_BODIES = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" + b"9" * 5000 + b"]",
    b'["\xff"]',
    b"[",
    b"",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda b: repr(b[:6]))
def test_a_bad_json_body_is_400(body: bytes) -> None:
    app = vial.Vial(__name__)
    app.post("/")(lambda: app.json.dumps(vial.request.get_json()))
    answer = app.test_client().post("/", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_a_body_of_odd_strings_comes_back_as_valid_utf_8(web: SimpleNamespace) -> None:
    app = web.App(__name__)
    app.post("/")(lambda: web.jsonify(web.request.get_json()))
    answer = app.test_client().post(
        "/", data=b'["\\ud800x", "\\ud83d\\ude00"]', content_type="application/json"
    )
    assert answer.status_code == 200
    assert json.loads(answer.data.decode()) == ["\ud800x", "\U0001f600"]


def test_half_of_a_surrogate_pair_is_escaped_where_text_is_not_ascii() -> None:
    app = vial.Vial(__name__)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.get("/")(lambda: ["é\ud800"])
    answer = app.test_client().get("/")
    assert answer.data == '["é\\ud800"]\n'.encode()
    assert answer.json == ["é\ud800"]


def test_numbers_that_are_none_are_accepted_both_ways(web: SimpleNamespace) -> None:
    app = web.App(__name__)
    assert app.json.dumps([math.nan, math.inf]) == "[NaN, Infinity]"
    assert math.isnan(app.json.loads("NaN"))


def test_jsonify_takes_one_value_several_or_keywords(web: SimpleNamespace) -> None:
    app = web.App(__name__)
    with app.app_context():
        assert web.jsonify().json is None
        assert web.jsonify(0).json == 0
        assert web.jsonify([]).json == []
        assert web.jsonify(1, 2).json == [1, 2]
        assert web.jsonify(b=1, a=2).get_data() == b'{"a":2,"b":1}\n'
        with pytest.raises(TypeError, match="either args or kwargs"):
            web.jsonify(1, a=2)
    with pytest.raises(RuntimeError, match="outside of application context"):
        web.jsonify(1)


def test_a_json_response_is_indented_in_debug_mode_or_when_not_compact(
    web: SimpleNamespace,
) -> None:
    app = web.App(__name__)
    with app.app_context():
        assert web.jsonify(a=[1]).data == b'{"a":[1]}\n'
        app.debug = True
        assert web.jsonify(a=[1]).data == b'{\n  "a": [\n    1\n  ]\n}\n'
        app.json.compact = True
        assert web.jsonify(a=1).data == b'{"a":1}\n'
        app.debug = False
        app.json.compact = False
        assert web.jsonify(a=1).data == b'{\n  "a": 1\n}\n'


def test_a_json_response_has_the_mimetype_of_the_provider(web: SimpleNamespace) -> None:
    app = web.App(__name__)
    app.get("/")(lambda: {"a": 1})
    answer = app.test_client().get("/")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == "8"
    app.json.mimetype = "application/vnd.api+json"
    assert app.test_client().get("/").mimetype == "application/vnd.api+json"


def test_the_module_functions_use_the_provider_of_the_current_app(web: SimpleNamespace) -> None:
    class Loud(web.provider.JSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return f"{self._app.name}:{json.dumps(obj, **kwargs)}".upper()

        def loads(self, s: str | bytes, **kwargs: Any) -> Any:
            return [s, kwargs]

    class App(web.App):
        json_provider_class = Loud

    app = App("loud")
    with app.app_context():
        assert web.json.dumps("a", indent=1) == 'LOUD:"A"'
        assert web.json.loads("x", strict=False) == ["x", {"strict": False}]
        assert web.json.load(io.BytesIO(b"y")) == [b"y", {}]
        web.json.dump("b", file := io.StringIO())
        assert file.getvalue() == 'LOUD:"B"'
        assert web.jsonify("c").data == b'LOUD:"C"'
        assert web.jsonify("c").mimetype == "application/json"


def test_the_module_functions_are_the_standard_library_without_an_app(
    web: SimpleNamespace,
) -> None:
    assert web.json.dumps({"b": Decimal(1), "a": 2}) == '{"b": "1", "a": 2}'
    assert web.json.loads('{"a": [1.0]}', parse_float=str) == {"a": ["1.0"]}
    assert web.json.load(io.StringIO("[1]")) == [1]
    web.json.dump([date(2024, 2, 29)], file := io.StringIO(), default=str)
    assert file.getvalue() == '["2024-02-29"]'


def test_a_subclass_that_writes_json_itself_writes_the_responses_too(web: SimpleNamespace) -> None:
    class Provider(web.provider.DefaultJSONProvider):
        def dumps(self, obj: Any, **kwargs: Any) -> str:
            return repr((obj, kwargs))

    app = web.App(__name__)
    app.json = Provider(app)
    with app.app_context():
        assert web.jsonify(1).get_data(as_text=True) == "(1, {'separators': (',', ':')})\n"


def test_a_provider_must_write_dumps_and_loads() -> None:
    provider = JSONProvider(OWNER)
    for call in (provider.dumps, provider.loads):
        with pytest.raises(NotImplementedError):
            call("")


TAGGED = [
    (1, '{"v":1}'),
    ((1, (2,)), '{"v":{" t":[1,{" t":[2]}]}}'),
    (b"\xff", '{"v":{" b":"/w=="}}'),
    (Markup("<b>"), '{"v":{" m":"<b>"}}'),
    (uuid.UUID(int=1), '{"v":{" u":"00000000000000000000000000000001"}}'),
    (datetime(2024, 2, 29, tzinfo=UTC), '{"v":{" d":"Thu, 29 Feb 2024 00:00:00 GMT"}}'),
    ({" t": [1]}, '{"v":{" di":{" t__":[1]}}}'),
    ({" t": [1], "x": 2}, '{"v":{" t":[1],"x":2}}'),
    ({" di": {" di": ()}}, '{"v":{" di":{" di__":{" di":{" di__":{" t":[]}}}}}}'),
    ([None, True, 1.5, {"a": []}], '{"v":[null,true,1.5,{"a":[]}]}'),
]


@pytest.mark.parametrize(("value", "written"), TAGGED)
def test_tags_keep_the_types_json_has_none_for(
    web: SimpleNamespace, value: Any, written: str
) -> None:
    serializer = web.tag.TaggedJSONSerializer()
    assert serializer.dumps({"v": value}) == written
    read = serializer.loads(written)["v"]
    assert read == value
    assert type(read) is type(value)


def test_what_has_html_comes_back_as_markup(web: SimpleNamespace) -> None:
    serializer = web.tag.TaggedJSONSerializer()
    read = serializer.loads(serializer.dumps(OnPaper()))
    assert (type(read), read) == (Markup, "<b>paper</b>")


TAG_VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.text()
    | st.binary()
    | st.uuids()
    | st.builds(Markup, st.text())
    | st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)).map(
        lambda d: d.replace(microsecond=0)
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from([" t", " di"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(TAG_VALUES)
def test_flask_and_vial_write_the_same_tags_and_read_each_others(value: Any) -> None:
    theirs, ours = flask.json.tag.TaggedJSONSerializer(), vial.json.tag.TaggedJSONSerializer()
    written = ours.dumps(value)
    assert written == theirs.dumps(value)
    assert ours.loads(written) == theirs.loads(written) == value


def test_another_tag_can_be_registered_also_for_a_kind_of_string(web: SimpleNamespace) -> None:
    class TagLoud(web.tag.JSONTag):
        key = "loud"

        def check(self, value: Any) -> bool:
            return isinstance(value, str) and value.isupper()

        def to_json(self, value: str) -> str:
            return value.lower()

        def to_python(self, value: str) -> str:
            return value.upper()

    serializer = web.tag.TaggedJSONSerializer()
    serializer.register(TagLoud)
    assert serializer.dumps(["A", "b"]) == '[{"loud":"a"},"b"]'
    assert serializer.loads('[{"loud":"a"},"b"]') == ["A", "b"]
    with pytest.raises(KeyError, match="Tag 'loud' is already registered"):
        serializer.register(TagLoud)
    serializer.register(TagLoud, force=True, index=0)
    assert isinstance(serializer.order[0], TagLoud)


def test_a_tag_for_a_kind_of_dict_goes_before_dict(web: SimpleNamespace) -> None:
    class Pairs(dict[str, Any]):
        pass

    class TagPairs(web.tag.JSONTag):
        __slots__ = ()
        key = " p"

        def check(self, value: Any) -> bool:
            return isinstance(value, Pairs)

        def to_json(self, value: Any) -> Any:
            return [[key, self.serializer.tag(item)] for key, item in value.items()]

        def to_python(self, value: Any) -> Any:
            return Pairs(value)

    serializer = web.tag.TaggedJSONSerializer()
    serializer.register(TagPairs, index=0)
    written = serializer.dumps({"x": Pairs(b=(1,), a=2)})
    assert written == '{"x":{" p":[["b",{" t":[1]}],["a",2]]}}'
    read = serializer.loads(written)["x"]
    assert isinstance(read, Pairs)
    assert list(read.items()) == [("b", (1,)), ("a", 2)]


def test_a_tag_must_say_what_it_does(web: SimpleNamespace) -> None:
    tag = web.tag.JSONTag(web.tag.TaggedJSONSerializer())
    for call in (tag.check, tag.to_json, tag.to_python):
        with pytest.raises(NotImplementedError):
            call(1)
