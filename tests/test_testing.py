"""The test client and the command runner, on sync and async views."""

from __future__ import annotations

from typing import Any

import click
import pytest
from werkzeug.test import EnvironBuilder as BaseBuilder
from werkzeug.wrappers import Request as BaseRequest

from vial import Response, Vial, current_app, g, has_request_context, redirect, request, session
from vial.testing import EnvironBuilder, FlaskClient, FlaskCliRunner


@pytest.fixture
def app() -> Vial:
    app = Vial("shop", root_path="/", static_folder=None)
    app.secret_key = "not a secret"

    @app.route("/", methods=["GET", "POST"])
    def show() -> dict[str, Any]:
        g.seen = True
        return {
            "url": request.url,
            "data": request.get_data(as_text=True),
            "agent": request.headers["User-Agent"],
            "peer": request.remote_addr,
            "type": request.mimetype,
        }

    @app.get("/async")
    async def show_later() -> str:
        return request.path

    @app.get("/count")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    @app.get("/away")
    def away() -> Any:
        return redirect("/count")

    return app


@pytest.fixture
def client(app: Vial) -> FlaskClient:
    return app.test_client()


def test_sync_and_async_views_answer(client: FlaskClient) -> None:
    assert client.get("/").get_json()["url"] == "http://localhost/"
    assert client.get("/async").text == "/async"


def test_redirects_are_followed_and_cookies_kept(client: FlaskClient) -> None:
    assert client.get("/away").status_code == 302
    assert client.get("/away", follow_redirects=True).text == "1"
    assert client.get("/count").text == "2"


def test_every_request_starts_from_the_base_environ(client: FlaskClient) -> None:
    shown = client.get("/").get_json()
    assert shown["agent"].startswith("Werkzeug/3.") and shown["peer"] == "127.0.0.1"
    client.environ_base["HTTP_USER_AGENT"] = "tester"
    assert client.get("/").get_json()["agent"] == "tester"
    shown = client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}).get_json()
    assert (shown["agent"], shown["peer"]) == ("tester", "192.0.2.1")


def test_json_is_written_by_the_provider_of_the_app(app: Vial, client: FlaskClient) -> None:
    app.json.sort_keys = False  # type: ignore[attr-defined]
    shown = client.post("/", json={"b": 1, "a": 2}).get_json()
    assert shown["data"].replace(" ", "") == '{"b":1,"a":2}'
    assert shown["type"] == "application/json"


@pytest.mark.parametrize(
    ("config", "args", "url"),
    [
        ({}, {}, "http://localhost/"),
        ({}, {"path": "/?a=1"}, "http://localhost/?a=1"),
        ({}, {"path": "https://example.org/?a=1"}, "https://example.org/?a=1"),
        ({}, {"url_scheme": "https"}, "https://localhost/"),
        ({}, {"subdomain": "api"}, "http://api.localhost/"),
        ({}, {"base_url": "https://example.org/shop"}, "https://example.org/shop/"),
        ({"SERVER_NAME": "example.org:8000"}, {}, "http://example.org:8000/"),
        ({"SERVER_NAME": "example.org"}, {"subdomain": "api"}, "http://api.example.org/"),
        ({"APPLICATION_ROOT": "/shop"}, {}, "http://localhost/shop/"),
        ({"PREFERRED_URL_SCHEME": "https"}, {}, "https://localhost/"),
    ],
)
def test_a_request_is_addressed_as_the_app_is_configured(
    config: dict[str, Any], args: dict[str, Any], url: str, app: Vial
) -> None:
    app.config.update(config)
    assert EnvironBuilder(app, **args).get_request().url == url


@pytest.mark.parametrize("extra", [{"subdomain": "api"}, {"url_scheme": "https"}])
def test_a_base_url_excludes_what_it_contains(extra: dict[str, str], app: Vial) -> None:
    with pytest.raises(AssertionError, match="give either base_url, or subdomain and url_scheme"):
        EnvironBuilder(app, base_url="http://example.org", **extra)


@pytest.mark.parametrize("kind", ["builder", "environ", "request"])
def test_a_request_made_elsewhere_is_sent(kind: str, app: Vial, client: FlaskClient) -> None:
    builder = BaseBuilder(path="/", data="body", method="POST")
    made: Any = {
        "builder": builder,
        "environ": builder.get_environ(),
        "request": BaseRequest(builder.get_environ()),
    }[kind]
    shown = client.open(made).get_json()
    assert shown["data"] == "body" and shown["agent"].startswith("Werkzeug/")


def test_a_response_of_the_app_class_comes_back(app: Vial, client: FlaskClient) -> None:
    class Mine(Response):
        colour = "green"

    app.response_class = Mine
    assert app.test_client().get("/async").colour == "green"  # type: ignore[attr-defined]


def test_the_context_stays_open_inside_a_with_block(client: FlaskClient) -> None:
    with client:
        client.get("/count")
        assert (request.path, session["count"]) == ("/count", 1)
        client.get("/")
        assert (request.path, g.seen) == ("/", True)
    assert not has_request_context()


def test_no_context_stays_open_without_a_with_block(client: FlaskClient) -> None:
    client.get("/")
    assert not has_request_context()


def test_a_client_in_a_with_block_cannot_be_nested(client: FlaskClient) -> None:
    with client, pytest.raises(RuntimeError, match="already in a 'with' block"), client:
        pass
    with client:
        client.get("/")


def test_a_session_is_read_and_written_between_requests(client: FlaskClient) -> None:
    with client.session_transaction() as before:
        before["count"] = 41
    assert client.get("/count").text == "42"
    with client.session_transaction() as after:
        assert after["count"] == 42
    assert not has_request_context()


def test_a_session_transaction_needs_cookies(app: Vial) -> None:
    client = app.test_client(use_cookies=False)
    with pytest.raises(TypeError, match="use_cookies=True"), client.session_transaction():
        pass


def test_a_session_transaction_needs_a_session(
    client: FlaskClient, app: Vial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.session_interface, "open_session", lambda app, request: None)
    with pytest.raises(RuntimeError, match="did not open a session"), client.session_transaction():
        pass


def test_an_error_in_a_view_reaches_the_test_only_when_testing(app: Vial) -> None:
    @app.get("/crash")
    def crash() -> str:
        raise ZeroDivisionError

    app.logger.disabled = True
    assert app.test_client().get("/crash").status_code == 500
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/crash")


def test_an_app_names_its_own_client_and_runner(app: Vial) -> None:
    class Client(FlaskClient):
        def __init__(self, *args: Any, token: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.token = token

    class Runner(FlaskCliRunner):
        pass

    app.test_client_class, app.test_cli_runner_class = Client, Runner
    assert app.test_client(token="secret").token == "secret"  # type: ignore[attr-defined]
    assert isinstance(app.test_cli_runner(), Runner)


def test_a_runner_invokes_a_command_of_the_app(app: Vial) -> None:
    @app.cli.command("greet")
    @click.option("--name")
    def greet(name: str) -> None:
        click.echo(f"{name} from {current_app.name}")

    runner = app.test_cli_runner()
    assert runner.invoke(args=["greet", "--name", "hi"]).output == "hi from shop\n"
    assert runner.invoke(greet, "--name hi").output == "hi from shop\n"
