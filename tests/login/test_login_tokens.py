"""Remember tokens: one for each login, for a time, unreadable, and revoked in three ways."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from login_site import KEY, Site
from werkzeug.test import TestResponse

from vial import session
from vial.login import (
    RememberStore,
    confirm_login,
    current_user,
    decode_cookie,
    encode_cookie,
    login_remembered,
    login_user,
    renew_session,
    user_loaded_from_cookie,
)
from vial.login import tokens as tokens_module


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which the clock of the server is ahead."""
    ahead = [0.0]

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=ahead[0])

    monkeypatch.setattr(tokens_module, "datetime", Ahead)
    return ahead


def token_of(client: Any) -> str:
    cookie = client.get_cookie("remember_token")
    assert cookie is not None
    return str(cookie.value)


def bearing(site: Site, token: str) -> Any:
    client = site.app.test_client()
    client.set_cookie("remember_token", token)
    return client


def set_cookie(response: TestResponse) -> str:
    (found,) = [h for h in response.headers.getlist("Set-Cookie") if h.startswith("remember_token")]
    return found


def test_a_remembered_user_comes_back_and_is_told_of(site: Site) -> None:
    heard: list[Any] = []
    user_loaded_from_cookie.connect(lambda app, user: heard.append(user.id), site.app, weak=False)
    client = site.remembered()
    assert client.get("/me").text == client.get("/me").text == "ada"
    assert heard == ["ada"]
    client.get("/logout")
    assert client.get_cookie("remember_token") is None


def test_two_logins_have_two_tokens_and_neither_can_be_read(site: Site) -> None:
    one, two = token_of(site.remembered()), token_of(site.remembered())
    assert one != two
    serializer = tokens_module.signing_serializer(site.app, "vial.login.remember")
    payload = serializer.loads(one)
    assert "ada" not in one + str(payload) and "hash" not in str(payload)
    assert not re.search(b"ada|hash", tokens_module.urlsafe_b64decode(payload[1]))


def test_a_forged_or_damaged_token_is_nobody_and_is_taken_away(site: Site) -> None:
    token = token_of(site.remembered())
    for i in range(0, len(token), 3):
        other = "A" if token[i] != "A" else "B"
        assert bearing(site, token[:i] + other + token[i + 1 :]).get("/page").text == "nobody"
    serializer = tokens_module.signing_serializer(site.app, "vial.login.remember")
    odd = [
        serializer.dumps(x) for x in (1, [], ["a", "b"], ["a", "YQ"], ["a", 1], {"a": 1, "b": 2})
    ]
    with site.app.test_request_context():
        odd.append(encode_cookie("ada"))
    for forged in ("", "x", "ada|0", "é", *odd):
        client = bearing(site, forged)
        assert client.get("/page").text == "nobody", forged
        assert client.get("/me").status_code == 302
    assert client.get_cookie("remember_token") is None


def test_the_server_says_when_a_token_is_too_old(site: Site, clock: list[float]) -> None:
    site.app.config["REMEMBER_COOKIE_DURATION"] = timedelta(days=2)
    token = token_of(site.remembered())
    clock[0] = 2 * 86400 - 60
    assert bearing(site, token).get("/me").text == "ada"
    clock[0] = 2 * 86400 + 60
    assert bearing(site, token).get("/me").status_code == 302
    clock[0] = -60
    assert bearing(site, token).get("/me").status_code == 302
    clock[0] = 0
    site.app.config["REMEMBER_COOKIE_DURATION"] = 0
    clock[0] = 5
    assert bearing(site, token).get("/me").status_code == 302


def test_a_login_may_be_remembered_for_a_time_of_its_own(site: Site, clock: list[float]) -> None:
    app, ada = site.app, site.users["ada"]
    hour = timedelta(hours=1)
    app.add_url_rule("/short", "short", lambda: str(login_user(ada, True, duration=hour)))
    client = app.test_client()
    expires = set_cookie(client.get("/short"))
    at = datetime.strptime(expires.split("Expires=")[1][:29], "%a, %d %b %Y %H:%M:%S GMT")
    assert abs(at.replace(tzinfo=UTC) - datetime.now(UTC) - hour) < timedelta(minutes=1)
    token = token_of(client)
    clock[0] = 3500
    restored = bearing(site, token)
    assert restored.get("/me").text == "ada"
    with restored.session_transaction() as kept:
        assert kept["_remember_seconds"] == 3600
    clock[0] = 3700
    assert bearing(site, token).get("/me").status_code == 302
    with app.test_request_context(), pytest.raises(Exception, match="timedelta, not 5"):
        login_user(ada, True, duration=5)  # type: ignore[arg-type]


def test_a_duration_that_is_none_is_told(site: Site) -> None:
    site.app.config["REMEMBER_COOKIE_DURATION"] = "a year"
    with pytest.raises(Exception, match="REMEMBER_COOKIE_DURATION is a"):
        site.logged_in(remember="yes")


def test_a_new_password_revokes_tokens(site: Site) -> None:
    client = site.remembered()
    site.users["ada"].password_hash = "another"
    assert client.get("/me").status_code == 302
    assert client.get_cookie("remember_token") is None


def test_who_changes_the_password_is_still_remembered(site: Site) -> None:
    @site.app.post("/password")
    def change() -> str:
        current_user.password_hash = "another"
        renew_session()
        return "changed"

    here, elsewhere = site.logged_in(remember="yes"), site.logged_in(remember="yes")
    here.post("/password")
    for client in (here, elsewhere):
        client.delete_cookie("session")
    assert here.get("/me").text == "ada"
    assert elsewhere.get("/me").status_code == 302


def test_log_out_everywhere_is_a_number_that_counts_up(site: Site) -> None:
    ada: Any = site.users["ada"]
    ada.epoch = 1
    ada.get_session_fingerprint = lambda: str(ada.epoch)
    client, other = site.remembered(), site.logged_in()
    ada.epoch = 2
    assert client.get("/me").status_code == other.get("/me").status_code == 302
    assert site.logged_in().get("/me").text == "ada"


class Store(RememberStore):
    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, datetime]] = {}

    def add(self, token_id: str, user_id: str, expires: datetime) -> None:
        self.kept[token_id] = user_id, expires

    def has(self, token_id: str, user_id: str) -> bool:
        return self.kept.get(token_id, ("",))[0] == user_id

    def remove(self, token_id: str, user_id: str) -> None:
        self.kept.pop(token_id, None)


def test_single_tokens_are_revoked_where_they_are_kept(site: Site) -> None:
    site.manager.remember_store = store = Store()
    one, two = site.remembered(), site.remembered()
    copy = bearing(site, token_of(two))
    assert [user_id for user_id, _ in store.kept.values()] == ["ada", "ada"]
    store.remove(next(iter(store.kept)), "ada")
    assert one.get("/me").status_code == 302
    assert two.get("/me").text == "ada"
    two.get("/logout")
    assert store.kept == {}
    assert copy.get("/me").status_code == 302


def test_tokens_outlive_a_change_of_keys(site: Site) -> None:
    token = token_of(site.remembered())
    site.app.config.update(SECRET_KEY="newest", SECRET_KEY_FALLBACKS=["newer", KEY])
    assert bearing(site, token).get("/me").text == "ada"
    assert token_of(site.remembered()) != token
    site.app.config["SECRET_KEY_FALLBACKS"] = ["newer"]
    assert bearing(site, token).get("/me").status_code == 302


def test_the_cookie_has_flags(site: Site) -> None:
    client = site.app.test_client()
    form = {"id": "ada", "remember": "yes"}
    header = set_cookie(client.post("/login", data=form))
    assert header.endswith("; HttpOnly; Path=/; SameSite=Lax") and "Secure" not in header
    header = set_cookie(client.post("/login", data=form, base_url="https://localhost"))
    assert header.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")
    names = ("NAME", "DOMAIN", "PATH", "SECURE", "HTTPONLY", "SAMESITE")
    values = ("me", "example.com", "/app", True, False, "Strict")
    own = dict(zip((f"REMEMBER_COOKIE_{name}" for name in names), values, strict=True))
    site.app.config.update(own)
    header = client.post("/login", data=form).headers.getlist("Set-Cookie")[0]
    assert header.startswith("me=")
    assert header.endswith("; Secure; Path=/app; SameSite=Strict")
    assert "Domain=example.com" in header


def test_the_cookie_may_be_sent_again_each_time(site: Site) -> None:
    site.app.config["REMEMBER_COOKIE_REFRESH_EACH_REQUEST"] = True
    client = site.logged_in(remember="yes")
    before = token_of(client)
    client.get("/me")
    assert token_of(client) != before
    not_remembered = site.logged_in()
    not_remembered.get("/me")
    assert not_remembered.get_cookie("remember_token") is None


def test_whether_somebody_is_remembered_can_be_asked(site: Site) -> None:
    site.app.add_url_rule("/asked", "asked", lambda: str(login_remembered()))
    client = site.logged_in(remember="yes")
    assert client.get("/asked").text == "True"
    client.get("/logout")
    assert client.get("/asked").text == "False"
    assert bearing(site, "forged").get("/asked").text == "False"


def test_a_login_of_somebody_else_ends_the_remembered_one(site: Site) -> None:
    site.manager.remember_store = store = Store()
    client = site.logged_in(remember="yes")
    site.logged_in("bob", client)
    client.delete_cookie("session")
    assert client.get("/page").text == "nobody" and store.kept == {}
    client = site.logged_in(remember="yes")
    site.logged_in("ada", client)
    client.delete_cookie("session")
    assert client.get("/page").text == "ada"


def test_a_token_that_was_revoked_is_not_replaced(site: Site) -> None:
    site.app.config["REMEMBER_COOKIE_REFRESH_EACH_REQUEST"] = True
    site.app.add_url_rule("/renew", "renew", lambda: str(renew_session()))
    site.manager.remember_store = store = Store()
    client = site.logged_in(remember="yes")
    store.kept.clear()
    client.get("/renew")
    assert client.get("/me").text == "ada" and store.kept == {}


def test_a_cookie_is_taken_away_with_its_flags(site: Site) -> None:
    client = site.logged_in(remember="yes")
    header = set_cookie(client.get("/logout", base_url="https://localhost"))
    assert "Max-Age=0; Secure; HttpOnly; Path=/; SameSite=Lax" in header


def test_a_logout_at_once_is_not_remembered(site: Site) -> None:
    from vial.login import logout_user

    def both() -> str:
        login_user(site.users["ada"], remember=True)
        logout_user()
        return str(dict(session))

    site.app.add_url_rule("/both", "both", both)
    response = site.app.test_client().get("/both")
    assert response.text == "{}" and "remember_token" not in str(response.headers)


def test_a_remembered_login_is_of_no_use_to_a_csrf_token_of_before(site: Site) -> None:
    client = site.remembered()
    with client.session_transaction() as planted:
        planted.update(csrf_token="known to an attacker", cart=[1])
    client.get("/me")
    with client.session_transaction() as kept:
        assert "csrf_token" not in kept and kept["cart"] == [1]


def test_confirming_gives_another_token(site: Site) -> None:
    site.app.add_url_rule("/again", "again", lambda: str(confirm_login()))
    client = site.logged_in(remember="yes")
    before = token_of(client)
    client.get("/again")
    assert token_of(client) != before


def test_texts_are_signed_as_flask_login_does(site: Site) -> None:
    # The digest was made by Flask-Login 0.6.3.
    digest = (
        "33e7ead27dc6dc216287892157488967a4af71753164a04d20b96eb33c87a9491cfd019dfd0ef81b1756877e0d"
        "58686fad430a9750f02988dd731cc5246e05a6"
    )
    site.app.config.update(SECRET_KEY="k")
    with site.app.test_request_context():
        assert encode_cookie("é|x") == f"é|x|{digest}"
        assert decode_cookie(f"é|x|{digest}") == "é|x"
        assert decode_cookie(encode_cookie("x", key="other"), key=b"other") == "x"
        assert [decode_cookie(bad) for bad in ("", "x", "x|", "x|é", f"x|{digest}")] == [None] * 5
        site.app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["k"])
        assert decode_cookie(f"é|x|{digest}") == "é|x"
