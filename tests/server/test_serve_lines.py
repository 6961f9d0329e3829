"""`vial serve` in parts: lines of the log, Unix sockets, how many workers, what is refused."""

from __future__ import annotations

import json
import os
import socket
import stat
from contextlib import ExitStack, closing, suppress
from math import inf
from pathlib import Path
from typing import Any

import pytest

from vial import Vial, flash, session
from vial.server.production import Address, default_workers
from vial.server.production.access import Request, access_log, as_json, common, id_of
from vial.server.production.checks import refusal_of
from vial.server.production.listening import CannotListen, Listeners
from vial.server.production.settings import MOST_WORKERS, _quota

HOSTILE = '\x1b[2J\r\n"\\\x00\x9b31m\u202e\ud800\x7f' + "é" * 9000
GOOD = "a-key-2-be-tried"


def request(**other: Any) -> Request:
    parts = {
        "id": "an-id",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/a%20b",
        "query": "x=1",
        "version": "1.1",
        "referer": None,
        "agent": "me",
    }
    return Request(**{**parts, **other})


def test_a_line_says_what_was_asked_and_answered() -> None:
    line = common(request(), 200, "5", 0.0021)
    assert line.startswith("127.0.0.1 - - [")
    assert line.endswith('] "GET /a%20b?x=1 HTTP/1.1" 200 5 2.1ms an-id\n')
    assert common(request(query="", client=""), 404, None, 0).startswith("- - - [")
    found = json.loads(as_json(request(), 200, "5", 0.0021))
    assert found.pop("time").endswith("+00:00") and found.pop("pid") == os.getpid()
    wanted: dict[str, Any] = request()._asdict() | {"http": "1.1"}
    del wanted["version"]
    assert found == {**wanted, "status": 200, "bytes": 5, "ms": 2.1}


@pytest.mark.parametrize("kind", ["common", "json"])
@pytest.mark.parametrize("part", ["client", "method", "query", "referer", "agent", "all"])
def test_what_a_client_sends_neither_ends_a_line_nor_reaches_a_terminal(
    kind: str, part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["client", "method", "query", "referer", "agent"] if part == "all" else [part]
    log = access_log(kind)
    assert log is not None
    log(request(path="/x" * 9000, **dict.fromkeys(names, HOSTILE)), 200, "x", 0.0)
    line = capfd.readouterr().out
    assert line.endswith("\n") and line[:-1].isascii() and line[:-1].isprintable()
    assert len(line) <= 4096  # so much goes to a pipe in one piece
    if kind == "json":
        assert json.loads(line)["bytes"] is None
    else:
        assert line.count('"') == 2


@pytest.mark.parametrize("given", [None, "", "a b", "x\n", "\u00e9", "x" * 129, '"', "\x1b[2J"])
def test_an_id_that_is_no_word_is_not_taken_over(given: str | None) -> None:
    new = id_of(given)
    assert new != given and len(new) == 16 and new.isalnum()
    assert id_of("1-67891233-abcdef0123") == "1-67891233-abcdef0123"


# Unix sockets


def test_the_socket_of_a_server_that_hangs_is_not_taken_over(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with ExitStack() as stack:
        hangs = stack.enter_context(socket.socket(socket.AF_UNIX))
        hangs.bind(path)
        hangs.listen(0)
        with suppress(BlockingIOError):
            while True:  # until its queue is full
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(path)
        with pytest.raises(CannotListen, match="another server listens there"):
            Listeners(Address(path=path), 0o660)
    with closing(Listeners(Address(path=path), 0o640)) as listeners:  # it has ended
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        listeners.remove()
        assert not os.path.exists(path)


# How many workers


def a_group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_share_of_a_container_counts_wherever_a_limit_is(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/system.slice/shop.service\n")
    assert _quota(root, own) == inf  # no groups at all
    a_group(root / "system.slice" / "shop.service", cpu__max="max 100000\n")
    assert _quota(root, own) == inf
    a_group(root / "system.slice", cpu__max="250000 100000\n")
    assert _quota(root, own) == 2.5
    a_group(root / "system.slice" / "shop.service", cpu__max="50000 100000\n")
    assert _quota(root, own) == 0.5
    a_group(root, cpu__max="10000 100000\n")
    assert _quota(root, own) == 0.1
    assert _quota(root, tmp_path / "missing") == 0.1


def test_groups_of_the_first_version_count_too(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("4:cpu,cpuacct:/\n")
    a_group(root / "cpu", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert _quota(root, own) == inf
    a_group(root / "cpu", cpu__cfs_quota_us="150000\n")
    assert _quota(root, own) == 1.5


@pytest.mark.parametrize(
    ("cores", "quota", "workers"),
    [(8, inf, 8), (8, 2.5, 3), (1, 0.1, 1), (8, 8.0, 8), (200, inf, MOST_WORKERS)],
)
def test_there_are_as_many_workers_as_the_share_of_the_machine_allows(
    cores: int, quota: float, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vial.server.production.settings._cores", lambda: cores)
    monkeypatch.setattr("vial.server.production.settings._quota", lambda: quota)
    assert default_workers() == workers


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot say")
def test_cores_that_the_process_may_not_use_do_not_count() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert default_workers() == 1
    finally:
        os.sched_setaffinity(0, before)


# What is refused


def an_app(**config: Any) -> Vial:
    app = Vial("shop", static_folder=None, root_path="/")
    app.config.update(config)
    return app


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"DEBUG": True}, "debug mode is for 'vial run'"),
        ({"SECRET_KEY": ""}, "is shorter than 16 bytes"),
        ({"SECRET_KEY": "dev"}, "is shorter than 16 bytes"),
        ({"SECRET_KEY": b"fifteen bytes.."}, "is shorter than 16 bytes"),
        ({"SECRET_KEY": "Change_me, change-me!"}, "is an example of some documentation"),
        ({"SECRET_KEY": "your-secret-key-here"}, "is an example of some documentation"),
        ({"SECRET_KEY": "abc" * 20}, "has hardly any different characters"),
        ({"SECRET_KEY": GOOD, "SECRET_KEY_FALLBACKS": [GOOD[::-1], "old"]}, "is shorter than 16"),
    ],
)
def test_what_is_not_for_production_is_refused(config: dict[str, Any], words: str) -> None:
    why = refusal_of(an_app(**config))
    assert why is not None and words in why
    if "SECRET_KEY" in config:
        assert "Make one with: python -c 'import secrets; print(secrets.token_hex())'" in why
        key = config["SECRET_KEY"]
        assert not key or str(key) not in why


@pytest.mark.parametrize("config", [{}, {"SECRET_KEY": GOOD}, {"SECRET_KEY": GOOD.encode()}])
def test_a_good_key_or_none_where_none_is_needed_is_served(config: dict[str, Any]) -> None:
    assert refusal_of(an_app(**config)) is None


def test_a_session_without_a_key_is_refused_and_the_view_named() -> None:
    def cart() -> str:
        return str(session.get("cart"))

    def note() -> str:
        flash("noted")
        return ""

    for function in (cart, note):
        app = an_app()
        app.add_url_rule("/", "x", function)
        why = refusal_of(app)
        assert why is not None and f"{function.__name__} uses the session, and the app has" in why
        app.secret_key = GOOD
        assert refusal_of(app) is None
    hooked = an_app()
    hooked.before_request(cart)
    assert "uses the session" in str(refusal_of(hooked))
