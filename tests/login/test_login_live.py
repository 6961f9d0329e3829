"""Logins on a real server, by each of its interfaces: two workers, many visitors, sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from serving import SOON, Served, serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.service

PROGRAM = """
import asyncio
from vial import Vial, redirect, request, websocket
from vial.login import (
    LoginManager, UserMixin, current_user, hash_password, login_required, login_user, logout_user,
    safe_next, throttle_login, verify_password, verify_password_async,
)

app = Vial(__name__)
app.secret_key = "a secret of the tests, which is long"
app.config["PASSWORD_ARGON2"] = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}
manager = LoginManager(app)
manager.login_view = "login"

class User(UserMixin):
    def __init__(self, id):
        self.id = id
        self.password_hash = "one for all processes"

with app.app_context():
    STORED = hash_password("secret")

@manager.user_loader
LOADER

@app.route("/login", methods=["GET", "POST"])
@throttle_login
def login():
    if request.method == "GET":
        return "who?"
    if not verify_password(STORED, request.form["password"]):
        return "wrong", 401
    login_user(User(request.form["name"]), remember=True)
    return redirect(safe_next("/me"))

@app.get("/me")
@login_required
def me():
    return current_user.id

@app.get("/async-me")
@login_required
async def async_me():
    return current_user.id

@app.get("/logout")
def logout():
    logout_user()
    return "bye"

@app.get("/ready")
def ready():
    return "yes"
"""
SYNC = "def load(id):\n    return User(id)\n"
ASYNC = "async def load(id):\n    await asyncio.sleep(0)\n    return User(id)\n"
SOCKETS = """
from vial.socketio import SocketIO
socketio = SocketIO(app)

@app.websocket("/ws")
@login_required
async def ws():
    await websocket.send(current_user.id)

@socketio.on("whoami")
@login_required
async def whoami():
    return current_user.id
"""


@pytest.fixture(params=["wsgi", "asgi", "rsgi"])
def served(request: Any, tmp_path: Path) -> Iterator[Served]:
    is_wsgi = request.param == "wsgi"
    text = PROGRAM.replace("LOADER", SYNC if is_wsgi else ASYNC) + ("" if is_wsgi else SOCKETS)
    (tmp_path / "hello.py").write_text(text)
    with serving(tmp_path, "hello.py", "-w", "2", "--interface", request.param) as server:
        yield server


class Browser:
    def __init__(self, server: Served) -> None:
        self.server, self.jar = server, CookieJar()
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(self.jar))

    def get(self, path: str, **form: str) -> tuple[int, str, str]:
        data = urlencode(form).encode() if form else None
        try:
            answer = self.opener.open(self.server.url + path, data, SOON)
        except HTTPError as e:
            answer = e
        with answer:
            path = answer.geturl().removeprefix(self.server.url)
            return answer.status, path, answer.read().decode()

    def cookies(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{c.name}={c.value}" for c in self.jar)}


def test_visitors_are_who_they_said(served: Served) -> None:
    def visit(name: str) -> None:
        browser = Browser(served)
        assert browser.get("/me")[:2] == (200, "/login?next=%2Fme")
        assert browser.get("/login", name=name, password="wrong")[0] == 401
        form = {"name": name, "password": "secret"}
        assert browser.get("/login?next=//evil", **form) == (200, "/me", name)
        for path in ["/me", "/async-me"] * 5:
            assert browser.get(path) == (200, path, name)
        browser.jar.clear("127.0.0.1", "/", "session")
        assert browser.get("/me") == (200, "/me", name)
        assert browser.get("/logout")[2] == "bye"
        assert browser.get("/me")[1] == "/login?next=%2Fme"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, [f"visitor-{i}" for i in range(24)]))


def test_many_wrong_passwords_are_too_many(served: Served) -> None:
    browser = Browser(served)
    codes = [browser.get("/login", name="ada", password="wrong")[0] for _ in range(25)]
    assert 429 in codes and codes.count(401) <= 20  # ten for each of two workers


@pytest.mark.parametrize("served", ["asgi", "rsgi"], indirect=True)
def test_sockets_are_for_users_and_end_with_the_login(served: Served) -> None:
    async def scenario() -> None:
        url = served.url.replace("http", "ws")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url}/ws")
        assert refused.value.response.status_code == 401
        browser = Browser(served)
        form = {"name": "ada", "password": "secret"}
        await asyncio.to_thread(browser.get, "/login", **form)
        async with connect(f"{url}/ws", additional_headers=browser.cookies()) as plain:
            assert await plain.recv() == "ada"
        path = "/socket.io/?EIO=4&transport=websocket"
        async with connect(url + path, additional_headers=browser.cookies()) as socket:
            await socket.recv()
            await socket.send("40")
            await socket.recv()
            await socket.send('421["whoami"]')
            assert json.loads(str(await socket.recv())[3:]) == ["ada"]
            await asyncio.to_thread(browser.get, "/logout")
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(SOON):
                    await socket.recv()

    asyncio.run(scenario())
