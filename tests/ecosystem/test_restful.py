"""Flask-RESTful: resources, parsed arguments, marshalled answers, and errors of an API's own.

An ``Api`` replaces ``app.handle_exception`` and ``app.handle_user_exception`` on the instance.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Flask, got_request_exception, make_response
from flask_restful import Api, Resource, abort, fields, marshal_with, marshal_with_field, reqparse
from werkzeug.datastructures import FileStorage


class Todo(Resource):
    """The documentation's list of things to do."""

    todos: dict[str, str]

    def __init__(self, todos: dict[str, str]) -> None:
        self.todos = todos

    def get(self, todo_id: str) -> Any:
        if todo_id not in self.todos:
            abort(404, message=f"Todo {todo_id} does not exist")
        return {todo_id: self.todos[todo_id]}

    def put(self, todo_id: str) -> Any:
        parser = reqparse.RequestParser()
        parser.add_argument("task", required=True, location="form", help="What is to be done?")
        self.todos[todo_id] = parser.parse_args()["task"]
        return {todo_id: self.todos[todo_id]}, 201, {"X-Todo": todo_id}

    def delete(self, todo_id: str) -> Any:
        del self.todos[todo_id]
        return "", 204


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.logger.disabled = True
    return app


@pytest.fixture
def api(app: Flask) -> Any:
    api = Api(app, prefix="/api")
    api.add_resource(Todo, "/todos/<todo_id>", resource_class_args=({"1": "sleep"},))
    return api


def test_a_resource_answers_its_methods_with_json(app: Flask, api: Any, assert_fast: Any) -> None:
    client = app.test_client()
    put = client.put("/api/todos/2", data={"task": "eat"})
    assert (put.status_code, put.json, put.headers["X-Todo"]) == (201, {"2": "eat"}, "2")
    got = client.get("/api/todos/2")
    assert (got.json, got.content_type) == ({"2": "eat"}, "application/json")
    assert client.delete("/api/todos/2").status_code == 204
    assert client.get("/api/todos/2").status_code == 404
    assert set(client.options("/api/todos/2").allow) == {"DELETE", "GET", "HEAD", "OPTIONS", "PUT"}
    # Only from an error on it goes by the methods that the API replaced.
    assert_fast(app)


def test_errors_below_the_api_are_json_and_the_others_flasks(app: Flask, api: Any) -> None:
    app.add_url_rule("/page", "page", lambda: "page")
    client = app.test_client()
    missing = client.get("/api/todos/none")
    assert (missing.status_code, missing.json) == (404, {"message": "Todo none does not exist"})
    refused = client.patch("/api/todos/1")
    assert refused.status_code == 405
    assert refused.json == {"message": "The method is not allowed for the requested URL."}
    assert "GET" in refused.headers["Allow"]
    for response in (client.get("/none"), client.post("/page")):
        assert response.mimetype == "text/html"


def test_an_api_may_answer_every_404_of_the_app(app: Flask) -> None:
    Api(app, catch_all_404s=True)
    response = app.test_client().get("/none")
    assert (response.status_code, response.mimetype) == (404, "application/json")
    assert response.json["message"].startswith("The requested URL was not found")


def test_arguments_are_parsed_from_where_they_are_said_to_be(app: Flask) -> None:
    parser = reqparse.RequestParser(bundle_errors=True)
    parser.add_argument("page", type=int, location="args", default=1)
    parser.add_argument("tag", action="append", location="args")
    parser.add_argument("X-Token", dest="token", location="headers")
    parser.add_argument("who", location="cookies")
    parser.add_argument("color", choices=("red", "blue"), location="json")
    parser.add_argument(
        "rate", type=float, required=True, location="json", help="Rate: {error_msg}"
    )

    class Search(Resource):
        def post(self) -> Any:
            return dict(parser.parse_args())

    Api(app).add_resource(Search, "/search")
    client = app.test_client()
    client.set_cookie("who", "Ada")
    given = {"color": "red", "rate": "0.5"}
    found = client.post("/search?page=3&tag=a&tag=b", headers={"X-Token": "t"}, json=given)
    assert found.json == {
        "page": 3,
        "tag": ["a", "b"],
        "token": "t",
        "who": "Ada",
        "color": "red",
        "rate": 0.5,
    }
    wrong = client.post("/search", json={"color": "green", "rate": "high"})
    assert wrong.status_code == 400
    assert set(wrong.json["message"]) == {"color", "rate"}
    assert wrong.json["message"]["rate"].startswith("Rate: could not convert")


def test_a_parser_takes_files_and_a_strict_one_nothing_unknown(app: Flask) -> None:
    upload = reqparse.RequestParser()
    upload.add_argument("picture", type=FileStorage, location="files", required=True)
    named = upload.copy().add_argument("name", location="form")
    strict = reqparse.RequestParser().add_argument("name", location="json")

    class Upload(Resource):
        def post(self) -> Any:
            args = named.parse_args()
            return {"name": args["name"], "size": len(args["picture"].read())}

        def put(self) -> Any:
            return dict(strict.parse_args(strict=True))

    Api(app).add_resource(Upload, "/upload")
    client = app.test_client()
    form = {"name": "me", "picture": (io.BytesIO(b"four"), "me.png")}
    assert client.post("/upload", data=form).json == {"name": "me", "size": 4}
    missing = client.post("/upload", data={"name": "me"})
    assert (missing.status_code, list(missing.json["message"])) == (400, ["picture"])
    assert client.put("/upload", json={"name": "me"}).json == {"name": "me"}
    refused = client.put("/upload", json={"name": "me", "color": "red"})
    assert (refused.status_code, "color" in refused.json["message"]) == (400, True)


def test_answers_are_marshalled_with_the_urls_of_the_api(
    app: Flask, api: Any, over_asgi: Any
) -> None:
    task = {
        "name": fields.String(attribute="title"),
        "at": fields.DateTime(dt_format="iso8601"),
        "cost": fields.Fixed(decimals=2),
        "owner": fields.Nested({"name": fields.String(default="nobody")}),
        "tags": fields.List(fields.String),
        "uri": fields.Url("task", absolute=True),
    }

    class Task(Resource):
        @marshal_with(task, envelope="task")
        def get(self, id: int) -> Any:
            at = datetime(2024, 5, 6, tzinfo=UTC)
            found = {"id": id, "title": "eat", "at": at, "cost": 2, "secret": 1}
            return found | {"owner": {}, "tags": ["a"]}, 200, {"X-Id": str(id)}

    class Tags(Resource):
        @marshal_with_field(fields.List(fields.Integer))
        def get(self) -> Any:
            return ["1", 2.0]

    api.add_resource(Task, "/task/<int:id>", endpoint="task")
    api.add_resource(Tags, "/tags", endpoint="tags")
    response = app.test_client().get("/api/task/7")
    assert response.json == {
        "task": {
            "name": "eat",
            "at": "2024-05-06T00:00:00+00:00",
            "cost": "2.00",
            "owner": {"name": "nobody"},
            "tags": ["a"],
            "uri": "http://localhost/api/task/7",
        }
    }
    assert response.headers["X-Id"] == "7"
    assert app.test_client().get("/api/tags").json == [1, 2]
    answer = over_asgi(app, "/api/task/7")
    assert (answer.status, answer.body) == (200, response.data)
    with app.test_request_context():
        assert api.url_for(Task, id=3) == "/api/task/3"


def test_a_representation_is_chosen_by_what_the_client_accepts(app: Flask) -> None:
    api = Api(app, default_mediatype=None)

    @api.representation("text/csv")
    def csv(data: Any, code: int, headers: Any = None) -> Any:
        response = make_response(";".join(map(str, data)), code)
        response.headers.extend(headers or {})
        return response

    class Numbers(Resource):
        def get(self) -> Any:
            return [1, 2], 200, {"X-Numbers": "2"}

    api.add_resource(Numbers, "/numbers")
    client = app.test_client()
    response = client.get("/numbers", headers={"Accept": "text/csv, application/json;q=0.5"})
    assert (response.text, response.content_type) == ("1;2", "text/csv")
    assert response.headers["X-Numbers"] == "2"
    assert client.get("/numbers", headers={"Accept": "application/json"}).json == [1, 2]
    refused = client.get("/numbers", headers={"Accept": "image/png"})
    assert (refused.status_code, refused.mimetype) == (406, "application/json")


class UserExistsError(Exception):
    pass


def test_exceptions_are_answered_by_the_table_of_errors(app: Flask) -> None:
    errors = {"UserExistsError": {"message": "That name is taken.", "status": 409}}
    api = Api(app, errors=errors)

    class Users(Resource):
        def post(self) -> Any:
            raise UserExistsError

        def get(self) -> Any:
            raise ZeroDivisionError

    api.add_resource(Users, "/users")
    heard: list[Any] = []
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    client = app.test_client()
    with got_request_exception.connected_to(lambda _, exception: heard.append(exception), app):
        response = client.post("/users")
        assert (response.status_code, response.json) == (409, errors["UserExistsError"])
        broken = client.get("/users")
        assert (broken.status_code, broken.json) == (500, {"message": "Internal Server Error"})
        assert client.get("/broken").mimetype == "text/html"
    assert {type(e) for e in heard} == {UserExistsError, ZeroDivisionError}
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        client.get("/users")


def test_an_api_handles_errors_and_401_in_its_own_way(app: Flask, over_asgi: Any) -> None:
    class OwnApi(Api):
        def handle_error(self, e: Exception) -> Any:
            if isinstance(e, UserExistsError):
                return self.make_response({"error": str(e)}, 409)
            return super().handle_error(e)

    api = OwnApi(app, serve_challenge_on_401=True)
    left: list[BaseException | None] = []
    app.teardown_request(left.append)
    app.after_request(lambda response: response.headers.update({"X-After": "yes"}) or response)

    class Users(Resource):
        def post(self) -> Any:
            raise UserExistsError("Ada")

        def get(self) -> Any:
            abort(401)

    api.add_resource(Users, "/users")
    client = app.test_client()
    taken = client.post("/users")
    assert (taken.status_code, taken.json) == (409, {"error": "Ada"})
    assert taken.headers["X-After"] == "yes"
    refused = client.get("/users")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="flask-restful"'
    answer = over_asgi(app, "/users", "POST")
    assert (answer.status, answer["x-after"], answer.body) == (409, "yes", taken.data)
    assert left == [None, None, None]


def test_a_blueprint_carries_an_api(app: Flask, assert_fast: Any) -> None:
    blueprint = Blueprint("v1", __name__, url_prefix="/v1")
    api = Api(blueprint, prefix="/api", decorators=[tagged])
    api.add_resource(Todo, "/todos/<todo_id>", resource_class_args=({"1": "sleep"},))
    blueprint.add_url_rule("/page", "page", lambda: "page")
    app.register_blueprint(blueprint)
    client = app.test_client()
    response = client.get("/v1/api/todos/1")
    assert (response.json, response.headers["X-Tag"]) == ({"1": "sleep"}, "v1")
    assert client.get("/v1/api/todos/2").json == {"message": "Todo 2 does not exist"}
    assert client.get("/v1/page").text == "page"
    with app.test_request_context("/v1/api/todos/1"):
        assert api.url_for(Todo, todo_id="x") == "/v1/api/todos/x"
    assert_fast(app)


def tagged(view: Any) -> Any:
    @wraps(view)
    def tagging(*args: Any, **kwargs: Any) -> Any:
        response = make_response(view(*args, **kwargs))
        response.headers["X-Tag"] = "v1"
        return response

    return tagging
