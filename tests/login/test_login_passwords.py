"""Passwords: one computation for each attempt, whoever it names."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import argon2
import pytest
from werkzeug.exceptions import BadRequest
from werkzeug.security import generate_password_hash

from vial import Vial, request
from vial.login import (
    PasswordTooLong,
    hash_password,
    hash_password_async,
    passwords,
    verify_password,
    verify_password_async,
)

CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


@pytest.fixture
def app() -> Any:
    app = Vial("passwords", static_folder=None)
    app.config["PASSWORD_ARGON2"] = CHEAP
    with app.app_context():
        yield app


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were computed: which parameters."""
    seen: list[str] = []
    verify, check = argon2.PasswordHasher.verify, passwords.check_password_hash

    def verified(self: Any, hash: str, password: bytes) -> Any:
        seen.append(hash.rsplit("$", 2)[0])
        return verify(self, hash, password)

    def checked(hash: str, password: str) -> Any:
        seen.append(hash.split("$")[0])
        return check(hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", verified)
    monkeypatch.setattr(passwords, "check_password_hash", checked)
    return seen


def test_a_password_is_right_or_wrong(app: Vial) -> None:
    stored = hash_password("secret")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert stored != hash_password("secret")
    right, wrong = verify_password(stored, "secret"), verify_password(stored, "Secret")
    assert (right.ok, right.needs_rehash, bool(right)) == (True, False, True)
    assert (wrong.ok, wrong.needs_rehash, bool(wrong)) == (False, False, False)


def test_the_cost_is_that_of_argon2_cffi_if_nothing_is_said() -> None:
    assert passwords._hasher().memory_cost == argon2.DEFAULT_MEMORY_COST


def test_a_user_that_does_not_exist_costs_the_same_computation(
    app: Vial, computed: list[str]
) -> None:
    stored = hash_password("secret")
    for known in (stored, None, "", "!", "$2b$12$abc"):
        assert not verify_password(known, "wrong")
    assert computed == ["$argon2id$v=19$m=8,t=1,p=1"] * 5


def test_nobodys_hash_has_the_form_of_a_real_one(app: Vial) -> None:
    lengths = {tuple(map(len, h.split("$"))) for h in (hash_password("x"), nobodys())}
    assert len(lengths) == 1


def nobodys() -> str:
    return passwords._nobodys(passwords._hasher())


def test_another_cost_asks_for_a_new_hash(app: Vial) -> None:
    stored = hash_password("secret")
    app.config["PASSWORD_ARGON2"] = {**CHEAP, "time_cost": 2}
    assert verify_password(stored, "secret").needs_rehash
    assert not verify_password(stored, "wrong").needs_rehash
    assert not verify_password(hash_password("secret"), "secret").needs_rehash


@pytest.mark.parametrize("method", ["scrypt:1024:8:1", "pbkdf2:sha256:1"])
def test_hashes_of_werkzeug_are_verified_and_to_be_replaced(
    app: Vial, computed: list[str], method: str
) -> None:
    stored = generate_password_hash("secret", method)
    right = verify_password(stored, "secret")
    assert (right.ok, right.needs_rehash) == (True, True)
    wrong = verify_password(stored, "wrong")  # which nobody may be told to store
    assert (wrong.ok, wrong.needs_rehash) == (False, False)
    assert computed == [method] * 2


@pytest.mark.parametrize("stored", ["scrypt:x$a$b", "pbkdf2:", "$argon2id$v=19$damaged", "plain"])
def test_a_damaged_hash_is_nobodys_password(app: Vial, stored: str) -> None:
    assert not verify_password(stored, "plain")


def test_another_kind_of_hash_is_told_of(app: Vial, caplog: pytest.LogCaptureFixture) -> None:
    assert not verify_password("$2b$12$secret", "x")
    assert not verify_password("!", "x")
    (message,) = caplog.messages
    assert "'$2b$'" in message and "secret" not in message


def test_a_long_password_is_refused_before_anything_is_computed(
    app: Vial, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.add_url_rule(
        "/", "login", lambda: str(verify_password(None, request.form["p"])), methods=["POST"]
    )
    answer = app.test_client().post("/", data={"p": "x" * 100_000})
    assert answer.status_code == 400 and "at most 1024 bytes" in answer.text
    stored = hash_password("é" * 512)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", pytest.fail)
    for long in ("x" * 1_000_000, "x" * 1025, "é" * 513):
        with pytest.raises(PasswordTooLong):
            hash_password(long)
        with pytest.raises(PasswordTooLong):
            verify_password(stored, long)
    assert computed == []
    assert verify_password(stored, "é" * 512)
    app.config["PASSWORD_MAX_LENGTH"] = 10
    with pytest.raises(PasswordTooLong, match="at most 10 bytes"):
        verify_password(stored, "x" * 11)


@pytest.mark.parametrize("given", [None, 5, ["x"], {}, b"x"])
def test_what_is_no_text_is_a_bad_request(app: Vial, given: Any) -> None:
    with pytest.raises(BadRequest, match="A password is text, not"):
        verify_password(None, given)


def test_any_text_may_be_a_password(app: Vial) -> None:
    for text in ("", " ", "\0", "pass\0word", "\ud800", "日本"):
        assert verify_password(hash_password(text), text)
    assert not verify_password(hash_password("pass\0word"), "pass")
    assert not verify_password(generate_password_hash("x", "scrypt:1024:8:1"), "\ud800")


def test_beside_a_loop_it_is_done_in_a_thread(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[Any] = []
    hasher = passwords._hasher

    def noted() -> Any:
        threads.append(threading.current_thread())
        return hasher()

    monkeypatch.setattr(passwords, "_hasher", noted)

    async def both() -> bool:
        return bool(await verify_password_async(await hash_password_async("x"), "x"))

    assert asyncio.run(both())
    assert threading.main_thread() not in threads and len(threads) == 2


def test_no_more_at_once_than_there_are_cores(app: Vial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_at_once", threading.BoundedSemaphore(1))
    running: list[int] = []
    most: list[int] = []
    real = argon2.PasswordHasher.hash

    def noted(self: Any, password: bytes) -> str:
        running.append(1)
        most.append(len(running))
        result = real(self, password)
        running.pop()
        return result

    monkeypatch.setattr(argon2.PasswordHasher, "hash", noted)

    def work() -> None:
        with app.app_context():
            hash_password("x")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_argon2_is_loaded_when_it_is_used() -> None:
    code = "import sys, vial.login; print('argon2' in sys.modules, 'redis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_without_argon2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)
    with pytest.raises(RuntimeError, match=r"pip install 'vial-web\[login\]'"):
        passwords._make_hasher(time_cost=7)
