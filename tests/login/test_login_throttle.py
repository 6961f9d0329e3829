"""Ten attempts a minute for an account from one address."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from cases.entrances import Asgi
from login_site import KEY

from vial import Vial, request
from vial.login import LoginThrottle, throttle, throttle_login


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def make(limit: LoginThrottle | None = None) -> Any:
    app = Vial(f"throttle-{uuid.uuid4().hex}", static_folder=None)
    app.secret_key = KEY
    guard = LoginThrottle() if limit is None else limit

    async def a_login() -> str:
        return "tried"

    methods = ["GET", "POST"]
    app.add_url_rule("/login", "login", guard(lambda: "tried"), methods=methods)
    app.add_url_rule("/async", "async", guard(a_login), methods=methods)
    return app


@pytest.fixture
def client(clock: Clock) -> Any:
    return make().test_client()


def attempts(client: Any, count: int, name: str = "ada", **options: Any) -> list[int]:
    if "json" not in options:
        options.setdefault("data", {"username": name, "password": "x"})
    return [client.post("/login", **options).status_code for _ in range(count)]


def test_the_eleventh_attempt_in_a_minute_is_one_too_many(client: Any, clock: Clock) -> None:
    assert attempts(client, 12) == [200] * 10 + [429] * 2
    clock.now += 30
    answer = client.post("/login", data={"username": "ada"})
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "30"
    assert "too many attempts" in answer.text
    assert client.get("/login").status_code == 200
    clock.now += 30.5
    assert attempts(client, 11) == [200] * 10 + [429]


def test_the_window_slides(client: Any, clock: Clock) -> None:
    for _ in range(9):
        clock.now += 7
        assert attempts(client, 1) == [200]
    assert attempts(client, 2) == [200, 429]  # nine are within the minute
    clock.now += 5
    assert attempts(client, 2) == [200, 429]


def test_accounts_and_addresses_are_counted_by_themselves(client: Any) -> None:
    attempts(client, 10)
    assert attempts(client, 1, "bob") == [200]
    elsewhere = {"REMOTE_ADDR": "10.1.1.1"}
    assert attempts(client, 1, environ_base=elsewhere) == [200]
    assert attempts(client, 1) == [429]


@pytest.mark.parametrize("name", ["ADA", " ada ", "\uff41da", "aDa"])
def test_spellings_of_an_account_are_one(client: Any, name: str) -> None:
    attempts(client, 10)
    assert attempts(client, 1, name) == [429]


def test_nobody_is_believed_who_says_where_he_comes_from(client: Any) -> None:
    for i in range(10):
        attempts(client, 1, headers={"X-Forwarded-For": f"10.0.0.{i}"})
    assert attempts(client, 1, headers={"X-Forwarded-For": "10.0.0.99"}) == [429]


def test_an_address_of_ipv6_is_its_network(client: Any) -> None:
    for i in range(10):
        attempts(client, 1, environ_base={"REMOTE_ADDR": f"2001:db8::{i}"})
    assert attempts(client, 1, environ_base={"REMOTE_ADDR": "2001:db8::99"}) == [429]
    assert attempts(client, 1, environ_base={"REMOTE_ADDR": "2001:db8:0:1::1"}) == [200]
    assert throttle.network_of("::ffff:10.0.0.1") == throttle.network_of("10.0.0.1") == "10.0.0.1"
    assert throttle.network_of("fe80::1%eth0") == "fe80::/64"
    assert throttle.network_of("") == ""


def test_json_names_accounts_too_and_nonsense_is_counted_as_nobody(client: Any) -> None:
    for data in ({"email": "ada"}, [1], "x", None, {"email": ["ada"]}, {"email": "\ud800" * 500}):
        assert client.post("/login", json=data).status_code == 200
    assert attempts(client, 11, json={"email": "ada"}) == [200] * 9 + [429] * 2


def test_a_field_that_nobody_reads_does_not_begin_a_new_count(client: Any) -> None:
    codes = [attempts(client, 1, data={"email": "ada", "username": f"x{i}"})[0] for i in range(11)]
    assert codes == [200] * 10 + [429]


def test_all_accounts_together_have_ten_times_as_many_from_one_address(client: Any) -> None:
    codes = [attempts(client, 1, f"user-{i}")[0] for i in range(101)]
    assert codes == [200] * 100 + [429]
    assert attempts(client, 1, environ_base={"REMOTE_ADDR": "10.1.1.1"}) == [200]


def test_a_field_and_a_limit_may_be_named(clock: Clock) -> None:
    client = make(LoginThrottle(2, 5, field="mail")).test_client()
    data = {"username": "x", "mail": "ada"}
    assert attempts(client, 3, data=data) == [200, 200, 429]
    assert attempts(client, 1, data={**data, "mail": "bob"}) == [200]
    clock.now += 6
    assert attempts(client, 1, data=data) == [200]
    with pytest.raises(ValueError, match="both are above zero"):
        LoginThrottle(0)


def test_views_that_are_async_are_limited_too(clock: Clock) -> None:
    app = make()
    asked = [Asgi().ask(app, "/async", "POST", body=b"") for _ in range(11)]
    assert [answer.status for answer in asked] == [200] * 10 + [429]


def test_an_app_can_turn_it_off_and_apps_do_not_count_together(clock: Clock) -> None:
    limit = LoginThrottle()
    one, two = make(limit), make(limit)
    attempts(one.test_client(), 10)
    assert attempts(two.test_client(), 1) == [200]
    one.config["LOGIN_THROTTLE"] = False
    assert attempts(one.test_client(), 1) == [200]


def test_it_takes_a_bounded_amount_of_memory(clock: Clock) -> None:
    counted = throttle.Attempts(60.0, most=100)
    for i in range(1000):
        assert counted.wait(str(i), 10) == 0
    assert len(counted._times) == 100
    for _ in range(1000):
        counted.wait("same", 10)
    assert len(counted._times["same"]) == 10


def test_the_ready_made_one_is_ten_a_minute() -> None:
    assert (throttle_login.limit, throttle_login.per) == (10, 60)


def test_it_can_be_asked_without_a_decorator(clock: Clock) -> None:
    app = make()
    limit = LoginThrottle(1)

    @app.get("/by-link/<name>")
    def by_link(name: str) -> str:
        limit.check(name)
        return request.path

    client = app.test_client()
    codes = [client.get(f"/by-link/{n}").status_code for n in ("ada", "ada", "bob")]
    assert codes == [200, 429, 200]


@pytest.fixture
def redis_url() -> Any:
    url = "redis://127.0.0.1:6379/0"
    throttle._redis.cache_clear()
    yield url
    client = throttle._redis(url)
    for key in client.scan_iter("vial:login:throttle-*"):
        client.delete(key)
    client.close()
    throttle._redis.cache_clear()


@pytest.mark.service
def test_processes_count_together_by_redis(redis_url: str) -> None:
    first = make()
    second = make()
    second.name = first.name
    for app in (first, second):
        app.config["LOGIN_THROTTLE_REDIS"] = redis_url
    assert attempts(first.test_client(), 6) + attempts(second.test_client(), 5) == [200] * 10 + [
        429
    ]
    answer = Asgi().ask(second, "/async", "POST", body=b"")
    assert answer.status == 200
    answer = first.test_client().post("/login", data={"username": "ada"})
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 60
    client = throttle._redis(redis_url)
    keys = list(client.scan_iter(f"vial:login:{first.name}:*"))
    assert keys and all(0 < client.pttl(key) <= 60_000 for key in keys)
    assert b"ada" not in b"".join(keys)


@pytest.mark.service
def test_without_redis_each_process_counts_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make()
    app.config["LOGIN_THROTTLE_REDIS"] = "redis://127.0.0.1:1/0"
    assert attempts(app.test_client(), 11) == [200] * 10 + [429]
    (message,) = caplog.messages
    assert "counted by each process" in message
