"""Locust: its web interface, served by gevent, starts and stops a real load test of httpbin."""

from __future__ import annotations

import csv
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ecosystem.running import Running, running, until

pytestmark = pytest.mark.service

LOCUSTFILE = """
from locust import HttpUser, SequentialTaskSet, constant, events, task


class Steps(SequentialTaskSet):
    @task
    def good(self):
        self.client.get("/get")

    @task
    def bad(self):
        self.client.get("/status/404", name="/missing")

    @task
    def broken(self):
        raise RuntimeError("a fault of the visitor")


class Visitor(HttpUser):
    wait_time = constant(0.01)
    tasks = [Steps]


@events.init.add_listener
def add_page(environment, **kwargs):
    from flask import request

    @environment.web_ui.app.route("/own/<name>")
    def own(name):
        return f"{name} at {request.path}"
"""
LOGIN = """
import flask
import flask_login
from locust import events


class Account(flask_login.UserMixin):
    id = "admin"


@events.init.add_listener
def add_login(environment, **kwargs):
    ui = environment.web_ui
    ui.app.secret_key = "secret"
    ui.login_manager.user_loader(lambda identity: Account())
    ui.auth_args = {"username_password_callback": "/enter"}

    @ui.app.route("/enter", methods=["POST"])
    def enter():
        if flask.request.form["password"] != "right":
            flask.session["auth_error"] = "Wrong password"
            return flask.redirect("/login")
        flask_login.login_user(Account())
        return flask.redirect("/")
"""
WEB = ("--web-host", "127.0.0.1", "--web-port", "{port}")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = "gunicorn --no-control-socket --threads 4 -b 127.0.0.1:{port} httpbin:app"
    with running(tmp_path_factory.mktemp("target"), *command.split(), ready="/get") as server:
        yield server


@pytest.fixture
def locust(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    with running(tmp_path, "locust", *WEB) as ui:
        yield ui


def stats_of(ui: Running) -> dict[str, Any]:
    """What the page shows; Locust keeps it for two seconds."""
    return ui.ask("/stats/requests").json()  # type: ignore[no-any-return]


def start(ui: Running, target: Running) -> dict[str, Any]:
    """Start a test, and wait until each of its tasks was done."""
    wanted = {"user_count": 3, "spawn_rate": 100, "host": target.url}
    answer = ui.ask("/swarm", "POST", data=wanted).json()
    until(lambda: len(table(ui, "/stats/requests/csv")) == 3, "the visitors do not visit")
    until(lambda: ui.ask("/exceptions").json()["exceptions"], "nothing is broken")
    return answer  # type: ignore[no-any-return]


def table(ui: Running, path: str) -> list[dict[str, str]]:
    answer = ui.ask(path)
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment;filename=")
    return [*csv.DictReader(answer.text.splitlines())]


def test_a_load_test_from_start_to_stop(locust: Running, target: Running) -> None:
    locust.assert_on_vial()
    page = locust.ask("/").text
    assert "<title>Locust</title>" in page
    started = start(locust, target)
    assert (started["success"], started["host"]) == (True, target.url)
    stats = stats_of(locust)
    assert (stats["state"], stats["user_count"]) == ("running", 3)
    assert {entry["name"] for entry in stats["stats"]} == {"/get", "/missing", "Aggregated"}
    assert "404" in stats["errors"][0]["error"]
    assert locust.ask("/stop").json()["success"]
    until(lambda: stats_of(locust)["state"] == "stopped", "the visitors do not leave")
    assert locust.stop(signal.SIGINT) == 1  # what it says when requests failed


def test_downloads_of_a_load_test(locust: Running, target: Running) -> None:
    start(locust, target)
    locust.ask("/stop")
    rows = {row["Name"]: row for row in table(locust, "/stats/requests/csv")}
    assert int(rows["/get"]["Request Count"]) > 0 == int(rows["/get"]["Failure Count"])
    assert rows["/missing"]["Failure Count"] == rows["/missing"]["Request Count"]
    (failure,) = table(locust, "/stats/failures/csv")
    assert (failure["Name"], failure["Method"]) == ("/missing", "GET")
    (exception,) = table(locust, "/exceptions/csv")
    assert exception["Message"] == "a fault of the visitor"
    report = locust.ask("/stats/report?download=1")
    assert "/missing" in report.text
    assert report.headers["Content-Disposition"].startswith("attachment;filename=")
    assert locust.ask("/stats/reset").text == "ok"
    assert {row["Request Count"] for row in table(locust, "/stats/requests/csv")} == {"0"}


def test_the_rest_of_the_interface(locust: Running) -> None:
    tasks = locust.ask("/tasks").json()["per_class"]["Visitor"]["tasks"]["Steps"]["tasks"]
    assert {name: task["ratio"] for name, task in tasks.items()} == pytest.approx(
        {"good": 1 / 3, "bad": 1 / 3, "broken": 1 / 3}
    )
    assert any("Starting web interface" in line for line in locust.ask("/logs").json()["master"])
    assert locust.ask("/own/n%C3%A4me").text == "näme at /own/näme"
    assert locust.ask("/assets/favicon-dark.png").content.startswith(b"\x89PNG")
    assert locust.ask("/assets/none.png").status_code == 404
    assert locust.ask("/swarm").status_code == 405
    assert locust.ask("/swarm", "POST", data={"user_count": "many"}).status_code == 500
    assert "invalid literal for int() with base 10: 'many'" in locust.log


def test_a_run_that_starts_and_ends_by_itself(tmp_path: Path, target: Running) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    limits = ("--autostart", "--autoquit", "0", "-u", "2", "-r", "9", "-t", "3s")
    with running(tmp_path, "locust", *WEB, *limits, "-H", target.url) as ui:
        assert ui.process.wait(20) == 1
    assert "--autoquit time reached, shutting down" in ui.log
    assert {"/get", "/missing"} < set(ui.log.split())


def test_the_interface_behind_a_login(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE + LOGIN)
    with running(tmp_path, "locust", *WEB, "--web-login", ready="/login") as ui:
        refused = ui.ask("/stats/requests")
        assert refused.status_code == 302
        assert refused.headers["Location"] == "/login?next=%2Fstats%2Frequests"
        wrong = ui.ask("/enter", "POST", data={"password": "wrong"})
        assert "Wrong password" in ui.ask("/login", cookies=wrong.cookies).text
        right = ui.ask("/enter", "POST", data={"password": "right"})
        assert (right.status_code, right.headers["Location"]) == (302, "/")
        assert ui.ask("/stats/requests", cookies=right.cookies).json()["state"] == "ready"
