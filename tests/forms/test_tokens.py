"""Tokens: whose they are, how long they are good for, and what keys they are signed with."""

from __future__ import annotations

import itsdangerous.timed
import pytest
from wtforms import ValidationError

from vial import Vial, session
from vial.forms.csrf import csrf_meta_tag, generate_csrf, validate_csrf
from vial.sessions import signing_serializer

from .conftest import made

SALT = "wtf-csrf-token"


def refused(data: str | None, **options: object) -> str:
    with pytest.raises(ValidationError) as caught:
        validate_csrf(data, **options)  # type: ignore[arg-type]
    return str(caught.value)


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    now = itsdangerous.timed.TimestampSigner.get_timestamp
    clock = "itsdangerous.timed.TimestampSigner.get_timestamp"
    monkeypatch.setattr(clock, lambda self: now(self) + seconds)


def test_a_token_is_good_in_its_session_alone(both: Vial) -> None:
    with both.test_request_context():
        token, other = generate_csrf(), session["csrf_token"]
        validate_csrf(token)
        assert generate_csrf() == token  # throughout a request
        session["csrf_token"] = "of another one"
        assert refused(token).startswith("The CSRF tokens do not match.")
        del session["csrf_token"]
        assert refused(token).startswith("The CSRF session token is missing.")
        session["csrf_token"] = other
        validate_csrf(token)


def test_a_session_that_begins_anew_gets_another_token(both: Vial) -> None:
    with both.test_request_context():
        before = generate_csrf()
        session.clear()
        assert generate_csrf() != before
        validate_csrf(generate_csrf())
        own = generate_csrf("own")
        validate_csrf(own, "own")
        validate_csrf(generate_csrf())


def test_no_two_tokens_are_alike_and_none_tells_the_secret(app: Vial) -> None:
    tokens = set()
    for _ in range(3):
        with app.test_request_context():
            session["csrf_token"] = "secret"
            tokens.add(generate_csrf())
    assert len({token[:40] for token in tokens}) == 3
    payloads = [signing_serializer(app, SALT).loads(token) for token in tokens]
    assert not any("secret" in payload for payload in payloads)


def test_a_token_is_good_for_an_hour_or_as_long_as_is_set(
    both: Vial, monkeypatch: pytest.MonkeyPatch
) -> None:
    with both.test_request_context():
        token = generate_csrf()
        later(monkeypatch, 3600)
        validate_csrf(token)
        later(monkeypatch, 60)
        assert refused(token).startswith("The CSRF token has expired.")
        validate_csrf(token, time_limit=4000)
        both.config["WTF_CSRF_TIME_LIMIT"] = 4000
        validate_csrf(token)
        both.config["WTF_CSRF_TIME_LIMIT"] = None
        later(monkeypatch, 10**8)
        validate_csrf(token)


@pytest.mark.parametrize("data", ["x", "é", "a.b.c", "." * 9000, "\x00", "\ud800", 5, {"a": 1}])
def test_what_is_no_token_is_refused(both: Vial, data: str) -> None:
    with both.test_request_context():
        generate_csrf()
        assert refused(data).startswith("The CSRF token is invalid.")


def test_what_the_app_signed_for_something_else_is_no_token(app: Vial) -> None:
    with app.test_request_context():
        token = generate_csrf()
        payload = signing_serializer(app, SALT).loads(token)
        assert refused(signing_serializer(app, "mail").dumps(payload)).startswith(
            "The CSRF token is invalid."
        )
        for strange in ([payload], {"a": 1}, None, 1):
            signed = str(signing_serializer(app, SALT).dumps(strange))
            assert refused(signed).startswith("The CSRF token is invalid.")
        for strange in ("", payload[:16], payload[:-1], payload + "=", "é"):
            signed = str(signing_serializer(app, SALT).dumps(strange))
            assert refused(signed).startswith("The CSRF tokens do not match.")


@pytest.mark.parametrize("data", ["", None])
def test_an_absent_token_is_missing(both: Vial, data: str | None) -> None:
    with both.test_request_context():
        assert refused(data).startswith("The CSRF token is missing.")


def test_a_session_that_somebody_else_wrote_is_no_error(app: Vial) -> None:
    with app.test_request_context():
        token = generate_csrf()
        session["csrf_token"] = {"a": 1}
        assert refused(token).startswith("The CSRF session token is missing.")


def test_a_token_outlives_the_rotation_of_the_secret_key(both: Vial) -> None:
    with both.test_request_context():
        token = generate_csrf()
        both.secret_key, both.config["SECRET_KEY_FALLBACKS"] = "new", ["k"]
        validate_csrf(token)
        # As forms pass it.
        validate_csrf(token, secret_key="new")
        both.config["SECRET_KEY_FALLBACKS"] = None
        assert refused(token).startswith("The CSRF token is invalid.")


def test_tokens_may_have_a_key_of_their_own(both: Vial) -> None:
    both.config["WTF_CSRF_SECRET_KEY"] = "own"
    with both.test_request_context():
        token = generate_csrf()
        validate_csrf(token)
        validate_csrf(token, secret_key="own")
        both.config["WTF_CSRF_SECRET_KEY"] = None
        assert refused(token).startswith("The CSRF token is invalid.")
    with both.test_request_context():
        token = generate_csrf("given", "place")
        assert "place" in session
        validate_csrf(token, "given", token_key="place")
        assert refused(token, token_key="place").startswith("The CSRF token is invalid.")


def test_the_tag_escapes_the_name_that_is_set() -> None:
    app = made(Vial)
    app.config["WTF_CSRF_META_NAME"] = '"><script>'
    with app.test_request_context():
        assert csrf_meta_tag().startswith('<meta name="&#34;&gt;&lt;script&gt;" content="')


def test_a_token_of_a_key_that_was_set_by_bytes() -> None:
    app = made(Vial)
    app.secret_key = b"\xff"
    with app.test_request_context():
        validate_csrf(generate_csrf())
