from __future__ import annotations

import hashlib
import importlib
import string
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import flask.sessions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner
from markupsafe import Markup

import vial
import vial.sessions
from vial.flask_mode import Flask as VialInFlaskMode

KEY = "a key for tests that is long enough"
DATA = {
    "user_id": 17,
    "_fresh": True,
    "cart": [("tea", 2), b"\x00\xff"],
    "note": Markup("<b>"),
    "seen": datetime(2024, 2, 29, tzinfo=UTC),
    "id": uuid.UUID(int=7),
}


@pytest.fixture(params=["flask", "vial"])
def web(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The framework under test, by role: the same case runs on Flask and on Vial."""
    package = importlib.import_module(request.param)
    return SimpleNamespace(
        App=package.Flask if request.param == "flask" else VialInFlaskMode,
        session=package.session,
        request=package.request,
        make_response=package.make_response,
        sessions=importlib.import_module(f"{request.param}.sessions"),
    )


@pytest.fixture
def app(web: SimpleNamespace) -> Any:
    app = web.App("app")
    app.secret_key = KEY
    route(app, "/set", lambda: web.session.update(a=1) or "set")
    route(app, "/get", lambda: repr(dict(web.session)))
    route(app, "/clear", lambda: web.session.clear() or "cleared")
    route(app, "/quiet", lambda: "quiet")
    return app


def route(app: Any, path: str, view: Callable[[], Any]) -> None:
    app.add_url_rule(path, path, view)


def make_app(kind: Any = VialInFlaskMode, **config: Any) -> Any:
    app = kind("app")
    app.config.update({"SECRET_KEY": KEY} | config)
    return app


def serializer(app: Any) -> Any:
    return app.session_interface.get_signing_serializer(app)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that signatures are made and read at, in seconds."""
    clock = SimpleNamespace(now=1_700_000_000)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: clock.now)
    return clock


# -- the cookie is Flask's --------------------------------------------------------------------


@pytest.mark.parametrize("data", [DATA, {"a": 1}, {"long": "x" * 500}, {" t": []}, {"é": "\ud800"}])
def test_flask_and_vial_write_the_same_cookie(data: Any, clock: SimpleNamespace) -> None:
    theirs, ours = serializer(make_app(flask.Flask)), serializer(make_app())
    cookie = ours.dumps(data)
    assert cookie == theirs.dumps(data)
    assert ours.loads(cookie) == theirs.loads(cookie) == data


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.binary(), max_size=3))
def test_each_reads_the_cookies_of_the_other(data: dict[str, Any]) -> None:
    theirs, ours = serializer(make_app(flask.Flask)), serializer(make_app())
    assert ours.loads(theirs.dumps(data), max_age=60) == data
    assert theirs.loads(ours.dumps(data), max_age=60) == data


@pytest.mark.parametrize(
    "settings",
    [
        {"salt": "another"},
        {"key_derivation": "django-concat"},
        {"key_derivation": "concat"},
        {"digest_method": staticmethod(hashlib.sha256)},
        {"serializer": flask.json},
    ],
    ids=lambda s: "".join(s),
)
def test_a_changed_interface_stays_compatible(
    settings: dict[str, Any], clock: SimpleNamespace
) -> None:
    cookies = set()
    for kind, module in ((flask.Flask, flask.sessions), (VialInFlaskMode, vial.sessions)):
        app = make_app(kind)
        base = module.SecureCookieSessionInterface
        app.session_interface = type("Interface", (base,), settings)()
        cookies.add(serializer(app).dumps({"a": [1]}))
    assert len(cookies) == 1
    assert cookies != {serializer(make_app()).dumps({"a": [1]})}


# -- tampering, keys and age ------------------------------------------------------------------

ALPHABET = string.ascii_letters + string.digits + "-_.=!\x00é"


def test_no_cookie_with_one_character_changed_is_accepted() -> None:
    signed = serializer(make_app())
    cookie = signed.dumps(DATA)
    tried = accepted = 0
    for at, old in enumerate(cookie):
        for new in ALPHABET.replace(old, ""):
            tried += 1
            accepted += is_accepted(signed, cookie[:at] + new + cookie[at + 1 :])
    assert tried > 10_000
    assert accepted == 0


def test_no_cookie_that_is_longer_or_shorter_is_accepted() -> None:
    signed = serializer(make_app())
    cookie = signed.dumps({"a": 1})
    edits = [cookie[:at] for at in range(len(cookie))]
    edits += [cookie[:at] + c + cookie[at:] for at in range(len(cookie) + 1) for c in "A.=!\n"]
    assert [edit for edit in edits if is_accepted(signed, edit)] == []
    assert is_accepted(signed, cookie)


def is_accepted(signed: Any, cookie: str) -> bool:
    try:
        signed.loads(cookie, max_age=60)
    except BadSignature:
        return False
    return True


def test_a_signature_for_another_purpose_is_no_session() -> None:
    app = make_app()
    signed = serializer(app)
    other = signed.dumps({"a": 1}, salt="reset-password")
    with pytest.raises(BadSignature):
        signed.loads(other)
    assert signed.loads(other, salt="reset-password") == {"a": 1}
    assert serializer(make_app(flask.Flask)).loads(other, salt="reset-password") == {"a": 1}


def test_the_newest_key_signs_and_the_others_only_verify() -> None:
    oldest, old, new = "the oldest key", b"the old key", "the new key"
    cookies = {key: serializer(make_app(SECRET_KEY=key)).dumps({"a": 1}) for key in (oldest, old)}
    rotated = make_app(SECRET_KEY=new, SECRET_KEY_FALLBACKS=[oldest, old])
    for cookie in cookies.values():
        assert serializer(rotated).loads(cookie) == {"a": 1}
    renewed = serializer(rotated).dumps({"a": 1})
    assert serializer(make_app(SECRET_KEY=new)).loads(renewed) == {"a": 1}
    assert serializer(make_app(flask.Flask, SECRET_KEY=new)).loads(renewed) == {"a": 1}
    rotated.config["SECRET_KEY_FALLBACKS"] = [old]
    assert serializer(rotated).loads(cookies[old]) == {"a": 1}
    with pytest.raises(BadSignature):
        serializer(rotated).loads(cookies[oldest])


def test_a_session_signed_by_an_old_key_is_signed_by_the_new_one_when_it_changes(
    app: Any,
) -> None:
    client = app.test_client()
    client.get("/set")
    app.config.update(SECRET_KEY="the new key", SECRET_KEY_FALLBACKS=[KEY])
    assert client.get("/get").text == "{'a': 1}"
    client.get("/set")
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert client.get("/get").text == "{'a': 1}"


def test_the_serializer_is_made_once_and_again_when_a_key_changes() -> None:
    app = make_app()
    first = serializer(app)
    assert serializer(app) is first
    assert serializer(make_app()) is first
    app.config["SECRET_KEY_FALLBACKS"] = ["old"]
    second = serializer(app)
    assert second is not first
    app.config["SECRET_KEY_FALLBACKS"].append("older")
    assert serializer(app) is not second
    app.secret_key = KEY.encode()
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert serializer(app).dumps({}) == first.dumps({})
    app.secret_key = ""
    assert serializer(app) is None


def test_the_serializer_notices_a_changed_interface() -> None:
    app = make_app()
    app.session_interface = vial.sessions.SecureCookieSessionInterface()
    cookie = serializer(app).dumps({})
    app.session_interface.salt = "other"
    with pytest.raises(BadSignature):
        serializer(app).loads(cookie)


def test_the_serializer_tells_the_time_of_a_cookie_when_asked(clock: SimpleNamespace) -> None:
    signed = serializer(make_app())
    read = signed.loads(signed.dumps({"a": 1}), return_timestamp=True)
    assert read == ({"a": 1}, datetime.fromtimestamp(clock.now, UTC))


def test_threads_share_the_serializer() -> None:
    signed = serializer(make_app())
    wrong: list[Any] = []

    def work(number: int) -> None:
        for i in range(200):
            data = {"n": number * 1000 + i}
            if signed.loads(signed.dumps(data)) != data:
                wrong.append(data)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("days", [-1, 32, 400])
def test_a_cookie_that_is_too_old_or_from_the_future_gives_an_empty_session(
    app: Any, days: int, clock: SimpleNamespace
) -> None:
    client = app.test_client()
    client.get("/set")
    assert client.get("/get").text == "{'a': 1}"
    clock.now += days * 24 * 3600
    assert client.get("/get").text == "{}"
    with pytest.raises(SignatureExpired):
        serializer(app).loads(client.get_cookie("session").value, max_age=31 * 24 * 3600)


def test_a_signed_cookie_that_holds_no_session_gives_an_empty_one() -> None:
    app = make_app()
    route(app, "/get", lambda: repr(dict(vial.session)))
    client = app.test_client()
    for payload in (b"bm90IGpzb24", b".bm90IHpsaWI", b"!", b"eyIgdSI6MX0"):
        signed = serializer(app).make_signer().sign(payload).decode()
        client.set_cookie("session", signed)
        assert client.get("/get").text == "{}"


# -- when the cookie is sent ------------------------------------------------------------------

READS: dict[str, Callable[[Any], Any]] = {
    "get": lambda s: s.get("a"),
    "item": lambda s: s["a"],
    "in": lambda s: "a" in s,
    "len": len,
    "iter": lambda s: list(iter(s)),
    "keys": lambda s: list(s.keys()),
    "values": lambda s: list(s.values()),
    "items": lambda s: list(s.items()),
    "setdefault": lambda s: s.setdefault("a", 2),
    "bool": bool,
    "copy": lambda s: dict(s),
    "permanent": lambda s: s.permanent,
    "equal": lambda s: s == {},
    "pop default": lambda s: s.pop("none", None),
}
WRITES: dict[str, Callable[[Any], Any]] = {
    "set": lambda s: s.__setitem__("b", 1),
    "del": lambda s: s.__delitem__("a"),
    "pop": lambda s: s.pop("a"),
    "popitem": lambda s: s.popitem(),
    "update": lambda s: s.update(b=1),
    "setdefault": lambda s: s.setdefault("b", 1),
    "clear": lambda s: s.clear(),
    "permanent": lambda s: setattr(s, "permanent", False),
    "modified": lambda s: setattr(s, "modified", True),
}


@pytest.mark.parametrize("name", READS)
def test_reading_the_session_in_any_way_varies_by_the_cookie(
    web: SimpleNamespace, app: Any, name: str
) -> None:
    route(app, "/read", lambda: repr(READS[name](web.session)))
    client = app.test_client()
    client.get("/set")
    answer = client.get("/read")
    assert answer.headers.getlist("Vary") == ["Cookie"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("name", WRITES)
def test_changing_the_session_sends_the_cookie_and_varies_by_it(
    web: SimpleNamespace, app: Any, name: str
) -> None:
    route(app, "/write", lambda: repr(WRITES[name](web.session)))
    client = app.test_client()
    client.get("/set")
    answer = client.get("/write")
    assert answer.headers.getlist("Vary") == ["Cookie"]
    assert len(answer.headers.getlist("Set-Cookie")) == 1


def test_a_view_that_leaves_the_session_alone_neither_varies_nor_sets_it(app: Any) -> None:
    client = app.test_client()
    for _ in range(2):  # the second time the client has a cookie
        answer = client.get("/quiet")
        assert "Vary" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        client.get("/set")


def test_a_response_that_varies_already_varies_by_the_cookie_too(
    web: SimpleNamespace, app: Any
) -> None:
    @app.get("/read")
    def read() -> Any:
        assert not web.session
        response = web.make_response("x")
        response.headers["Vary"] = "Accept, cookie" if "c" in web.request.args else "Accept"
        return response

    client = app.test_client()
    assert client.get("/read").headers.getlist("Vary") == ["Accept, Cookie"]
    assert client.get("/read?c").headers.getlist("Vary") == ["Accept, cookie"]


def test_an_emptied_session_deletes_the_cookie(app: Any) -> None:
    app.config.update(SESSION_COOKIE_DOMAIN="localhost", SESSION_COOKIE_PATH="/")
    client = app.test_client()
    client.get("/set")
    assert client.get_cookie("session") is not None
    answer = client.get("/clear")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("session=; Domain=localhost; Expires=Thu, 01 Jan 1970 00:00:00 GMT;")
    assert answer.headers["Vary"] == "Cookie"
    assert client.get_cookie("session") is None
    assert client.get("/get").text == "{}"


def test_a_permanent_session_is_sent_again_with_every_response_unless_told_otherwise(
    web: SimpleNamespace, app: Any
) -> None:
    @app.get("/permanent")
    def permanent() -> str:
        web.session.permanent = True
        return "ok"

    client = app.test_client()
    assert "Expires=" in client.get("/permanent").headers["Set-Cookie"]
    for path in ("/quiet", "/get"):
        answer = client.get(path)
        assert "Expires=" in answer.headers["Set-Cookie"]
        assert answer.headers["Vary"] == "Cookie"
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    for path in ("/quiet", "/get"):
        assert "Set-Cookie" not in client.get(path).headers


@pytest.mark.parametrize(
    ("header", "may"),
    [
        ("", False),
        ("other=1", False),
        ("session={plain}", False),
        ("a=1; session={plain}; b=2", False),
        ("session={permanent}", True),
        ("a=1;session={permanent}", True),
        ("a=1; session={long}", True),
        ("xsession={plain}; session={permanent}", True),
        ('a="; session={plain}', True),
        ("session=?", False),
        ("session=", True),
        ("session=A", True),
    ],
)
def test_a_look_at_the_cookie_tells_that_nothing_must_be_sent_again(header: str, may: bool) -> None:
    app = make_app()
    cookies = {
        "plain": serializer(app).dumps({"a": 1}),
        "permanent": serializer(app).dumps({"a": 1, "_permanent": True}),
        "long": serializer(app).dumps({"_permanent": True, "x": "x" * 500}),
    }
    assert app.session_interface.may_refresh(app, header.format(**cookies)) is may
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert app.session_interface.may_refresh(app, header.format(**cookies)) is False


def test_a_cookie_of_another_format_may_always_have_to_be_sent_again() -> None:
    app = make_app()
    app.session_interface = vial.sessions.SecureCookieSessionInterface()
    app.session_interface.serializer = vial.json  # type: ignore[assignment]
    cookie = serializer(app).dumps({"a": 1})
    assert app.session_interface.may_refresh(app, f"session={cookie}") is True


def test_a_permanent_session_ends_after_its_lifetime(web: SimpleNamespace, app: Any) -> None:
    app.permanent_session_lifetime = timedelta(hours=2)
    interface = app.session_interface
    session = web.sessions.SecureCookieSession({"_permanent": True})
    ends = interface.get_expiration_time(app, session)
    assert abs(ends - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=5)
    session.permanent = False
    assert interface.get_expiration_time(app, session) is None


def test_the_client_may_open_a_session_of_its_own(app: Any) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["a"] = (1, b"2")
    assert client.get("/get").text == "{'a': (1, b'2')}"
    client.get("/set")
    with client.session_transaction() as session:
        assert session == {"a": 1}


# -- the cookie's attributes ------------------------------------------------------------------


def attributes(app: Any, **kwargs: Any) -> set[str]:
    cookie = app.test_client().get("/set", **kwargs).headers["Set-Cookie"]
    return {part.strip() for part in cookie.split(";")[1:]}


def test_the_cookie_has_the_attributes_of_the_config(app: Any) -> None:
    assert attributes(app) == {"HttpOnly", "Path=/"}
    app.config.update(
        SESSION_COOKIE_NAME="sid",
        SESSION_COOKIE_DOMAIN="example.com",
        SESSION_COOKIE_PATH="/app",
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PARTITIONED=True,
    )
    assert attributes(app) == {
        "Domain=example.com",
        "Path=/app",
        "Secure",
        "SameSite=Strict",
        "Partitioned",
    }
    cookie = app.test_client().get("/set").headers["Set-Cookie"]
    assert cookie.startswith("sid=")


def test_the_cookies_path_falls_back_to_the_root_of_the_app(app: Any) -> None:
    app.config["APPLICATION_ROOT"] = "/shop"
    assert "Path=/shop" in attributes(app)


def modern_app(**config: Any) -> Any:
    app = make_app(vial.Vial, **config)
    route(app, "/set", lambda: vial.session.update(a=1) or "set")
    return app


def test_by_default_the_cookie_is_lax_and_secure_when_the_request_is() -> None:
    app = modern_app()
    assert attributes(app) == {"HttpOnly", "Path=/", "SameSite=Lax"}
    secure = attributes(app, base_url="https://localhost/")
    assert secure == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


def test_an_undecided_secure_is_off_outside_of_a_request() -> None:
    app = modern_app()
    assert app.session_interface.get_cookie_secure(app) is False
    with app.test_request_context(base_url="https://localhost/"), app.app_context():
        assert app.session_interface.get_cookie_secure(app) is True


def test_a_cookie_for_other_sites_is_secure_unless_that_is_switched_off() -> None:
    app = modern_app(SESSION_COOKIE_SAMESITE="None")
    assert {"SameSite=None", "Secure"} <= attributes(app)
    app.config.update(SESSION_COOKIE_SECURE=False, SESSION_COOKIE_PARTITIONED=True)
    assert {"SameSite=None", "Secure", "Partitioned"} <= attributes(app)
    app.config.update(SESSION_COOKIE_PARTITIONED=False, TESTING=True)
    with pytest.raises(RuntimeError, match=r"SameSite=None but not Secure.*SESSION_COOKIE_SECURE"):
        attributes(app)


def test_an_unknown_samesite_is_an_error(app: Any) -> None:
    app.config.update(SESSION_COOKIE_SAMESITE="sometimes", TESTING=True)
    with pytest.raises(ValueError, match="SameSite"):
        attributes(app)


def test_a_cookie_that_browsers_would_drop_is_warned_of(web: SimpleNamespace, app: Any) -> None:
    noise = hashlib.shake_256(b"").hexdigest(5000)
    route(app, "/big", lambda: web.session.update(big=noise) or "big")
    with pytest.warns(UserWarning, match=r"The 'session' cookie is too large: .* limit is 4093"):
        app.test_client().get("/big")


# -- sessions without a key, and of other kinds -------------------------------------------------


def test_without_a_secret_key_the_session_can_be_read_and_writing_names_the_cure(
    web: SimpleNamespace, app: Any
) -> None:
    app.config.update(SECRET_KEY=None, TESTING=True)
    client = app.test_client()
    answer = client.get("/get")
    assert answer.text == "{}"
    for path in ("/set", "/clear"):
        with pytest.raises(RuntimeError, match=r"no secret key was set\. +Set .*secret_key"):
            client.get(path)


NULL_WRITES = {**WRITES, "pop default": lambda s: s.pop("a", 1), "or": lambda s: s.__ior__({})}
del NULL_WRITES["modified"]


@pytest.mark.parametrize("name", NULL_WRITES)
def test_a_null_session_refuses_every_way_of_writing(name: str) -> None:
    session = vial.sessions.NullSession()
    with pytest.raises(RuntimeError, match="SECRET_KEY in the config, to something unique"):
        NULL_WRITES[name](session)
    assert dict(session) == {}


def test_saving_after_the_key_was_taken_away_names_the_cure() -> None:
    app = make_app(SECRET_KEY=None)
    session = vial.sessions.SecureCookieSession()
    session["a"] = 1
    with pytest.raises(RuntimeError, match="no secret key was set"):
        app.session_interface.save_session(app, session, app.response_class())


@pytest.mark.parametrize("name", WRITES)
def test_a_session_notices_its_changes(web: SimpleNamespace, name: str) -> None:
    session = web.sessions.SecureCookieSession({"a": 1})
    assert (session.modified, session.new, session.permanent) == (False, False, False)
    for read in READS.values():
        read(session)
    assert session.modified is False
    WRITES[name](session)
    assert session.modified is True


def test_a_session_merged_with_a_dict_is_modified(web: SimpleNamespace) -> None:
    session = web.sessions.SecureCookieSession()
    session |= {"a": 1}
    assert (session, session.modified) == ({"a": 1}, True)


def test_another_interface_may_keep_sessions_elsewhere(web: SimpleNamespace, app: Any) -> None:
    class Session(dict[str, Any], web.sessions.SessionMixin):
        pass

    class Interface(web.sessions.SessionInterface):
        kept: dict[str, Any]

        def open_session(self, app: Any, request: Any) -> Any:
            return Session(self.kept)

        def save_session(self, app: Any, session: Any, response: Any) -> None:
            assert session.modified
            response.headers["X-Accessed"] = str(session.accessed)
            self.kept = dict(session)

    app.session_interface = Interface()
    app.session_interface.kept = {"b": 2}
    client = app.test_client()
    assert client.get("/set").headers["X-Accessed"] == "True"
    assert client.get("/get").text == "{'b': 2, 'a': 1}"
    assert client.get("/quiet").headers["X-Accessed"] == "False"


def test_an_interface_that_gives_none_gets_a_null_session(web: SimpleNamespace, app: Any) -> None:
    class Null(web.sessions.NullSession):
        pass

    class Interface(web.sessions.SessionInterface):
        null_session_class = Null

        def open_session(self, app: Any, request: Any) -> None:
            return None

    app.session_interface = Interface()
    route(app, "/kind", lambda: type(web.session._get_current_object()).__name__)
    assert app.test_client().get("/kind").text == "Null"
    assert app.session_interface.is_null_session(web.sessions.NullSession()) is False


def test_the_bare_interface_says_what_is_missing(web: SimpleNamespace, app: Any) -> None:
    interface = web.sessions.SessionInterface()
    assert interface.pickle_based is False
    with pytest.raises(NotImplementedError):
        interface.open_session(app, None)
    with pytest.raises(NotImplementedError):
        interface.save_session(app, None, None)


@pytest.fixture(autouse=True)
def no_serializer_is_left() -> Iterator[None]:
    yield
    vial.sessions._signing_serializer.cache_clear()


def test_tokens_are_signed_by_the_new_key_and_read_by_the_old_ones_for_their_use_only() -> None:
    app = vial.Vial(__name__)
    app.secret_key = "the old key"
    old = vial.sessions.signing_serializer(app, "mail").dumps({"id": 7})
    app.config.update(SECRET_KEY="the new key", SECRET_KEY_FALLBACKS=["the old key"])
    tokens = vial.sessions.signing_serializer(app, "mail")
    assert tokens.loads(old) == {"id": 7}
    with pytest.raises(BadSignature):
        vial.sessions.signing_serializer(app, "login").loads(old)
    app.config["SECRET_KEY_FALLBACKS"] = None
    with pytest.raises(BadSignature):
        vial.sessions.signing_serializer(app, "mail").loads(old)
    assert vial.sessions.signing_serializer(app, "mail").loads(tokens.dumps([1])) == [1]


def test_without_a_key_nothing_is_signed_and_the_message_says_how_to_make_one() -> None:
    with pytest.raises(RuntimeError, match=r"Nothing can be signed.*token_hex"):
        vial.sessions.signing_serializer(vial.Vial(__name__), "mail")
