"""Flask-RESTX: namespaces, models, their validation, and the Swagger of an API.

An ``Api`` replaces ``app.handle_exception`` and ``app.handle_user_exception`` on the instance.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Blueprint, Flask, make_response
from flask_restx import Api, Namespace, Resource, abort, fields, inputs, reqparse
from werkzeug.datastructures import FileStorage

TASKS = {1: {"id": 1, "task": "sleep", "secret": "dream"}, 2: {"id": 2, "task": "eat"}}


class NoTaskError(Exception):
    pass


def todos() -> Any:
    """A namespace as the documentation's example has it."""
    ns = Namespace("todos", description="What is to be done")
    task = {
        "id": fields.Integer(readonly=True, description="The task's number"),
        "task": fields.String(required=True, min_length=2),
        "uri": fields.Url("todos_todo", absolute=True),
    }
    model = ns.model("Todo", task)

    @ns.route("/")
    class TodoList(Resource):
        @ns.marshal_list_with(model)
        def get(self) -> Any:
            """List the tasks"""
            return list(TASKS.values())

        @ns.expect(model, validate=True)
        @ns.marshal_with(model, code=201, envelope="made")
        def post(self) -> Any:
            return {"id": 3, **ns.payload}, 201

    @ns.route("/<int:id>", endpoint="todos_todo")
    @ns.response(404, "There is no such task")
    class Todo(Resource):
        @ns.marshal_with(model)
        def get(self, id: int) -> Any:
            if id not in TASKS:
                raise NoTaskError(id)
            return TASKS[id]

        @ns.doc("delete_todo")
        def delete(self, id: int) -> Any:
            ns.abort(403, "Tasks stay.", why="they are few")

    @ns.errorhandler(NoTaskError)
    def no_task(error: NoTaskError) -> Any:
        return {"message": f"There is no task {error}"}, 404, {"X-Task": str(error)}

    return ns


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.logger.disabled = True
    return app


@pytest.fixture
def api(app: Flask) -> Any:
    app.config["RESTX_ERROR_404_HELP"] = False
    api = Api(app, version="1.1", title="Tasks", description="An API of tasks", doc="/doc/")
    api.add_namespace(todos())
    return api


def test_models_say_what_is_answered(
    app: Flask, api: Any, assert_fast: Any, over_asgi: Any
) -> None:
    client = app.test_client()
    one = {"id": 1, "task": "sleep", "uri": "http://localhost/todos/1"}
    assert client.get("/todos/1").json == one
    listed = client.get("/todos/", headers={"X-Fields": "id"})
    assert listed.json == [{"id": 1}, {"id": 2}]
    assert over_asgi(app, "/todos/1").body == client.get("/todos/1").data
    # Only from an error on it goes by the methods that the API replaced.
    assert_fast(app)


def test_a_payload_is_validated_against_its_model(app: Flask, api: Any, over_asgi: Any) -> None:
    client = app.test_client()
    made = client.post("/todos/", json={"task": "walk"})
    assert made.status_code == 201
    assert made.json["made"] == {"id": 3, "task": "walk", "uri": "http://localhost/todos/3"}
    for wrong, error in (
        ({}, "'task' is a required property"),
        ({"task": 7}, "7 is not of type 'string'"),
        ({"task": "x"}, "'x' is too short"),
    ):
        refused = client.post("/todos/", json=wrong)
        assert (refused.status_code, refused.json["message"]) == (
            400,
            "Input payload validation failed",
        )
        assert error in "".join(refused.json["errors"].values())
    assert client.post("/todos/", data="task").status_code == 415
    headers = [("Content-Type", "application/json")]
    assert over_asgi(app, "/todos/", "POST", headers=headers, body=b"{}").status == 400


def test_errors_are_handled_by_their_namespace_and_the_others_are_flasks(
    app: Flask, api: Any, over_asgi: Any
) -> None:
    app.errorhandler(404)(lambda e: ("no page", 404))
    client = app.test_client()
    missing = client.get("/todos/7")
    assert (missing.status_code, missing.json) == (404, {"message": "There is no task 7"})
    assert missing.headers["X-Task"] == "7"
    refused = client.delete("/todos/1")
    assert refused.status_code == 403
    assert refused.json == {"message": "Tasks stay.", "why": "they are few"}
    assert client.patch("/todos/1").json["message"].startswith("The method is not allowed")
    assert client.get("/none").text == "no page"
    answer = over_asgi(app, "/todos/7")
    assert (answer.status, answer["x-task"], answer.body) == (404, "7", missing.data)


def test_what_no_handler_is_for_goes_to_the_default_one(app: Flask) -> None:
    api = Api(app)

    @api.route("/broken")
    class Broken(Resource):
        def get(self) -> Any:
            return 1 / 0

    client = app.test_client()
    broken = client.get("/broken")
    assert (broken.status_code, broken.json) == (500, {"message": "Internal Server Error"})

    @api.errorhandler
    def default(error: Exception) -> Any:
        return {"message": f"default: {error}"}, getattr(error, "code", 503)

    broken = client.get("/broken")
    assert (broken.status_code, broken.json) == (503, {"message": "default: division by zero"})
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        client.get("/broken")


def test_a_404_below_an_api_suggests_what_is_near(app: Flask) -> None:
    api = Api(app, catch_all_404s=True)
    api.add_namespace(todos())
    response = app.test_client().get("/todo/")
    assert response.status_code == 404
    assert "did you mean /todos/" in response.json["message"]


def test_a_parser_is_validated_and_documented(app: Flask) -> None:
    api = Api(app)
    parser = reqparse.RequestParser(bundle_errors=True)
    parser.add_argument("page", type=inputs.int_range(1, 9), default=1, location="args")
    parser.add_argument("tag", action="split", location="args")
    parser.add_argument("on", type=inputs.boolean, location="args")
    parser.add_argument("since", type=inputs.date_from_iso8601, required=True, location="args")
    upload = api.parser().add_argument("f", type=FileStorage, location="files", required=True)

    @api.route("/search")
    class Search(Resource):
        @api.expect(parser)
        def get(self) -> Any:
            args = parser.parse_args()
            return {**args, "since": args["since"].year}

        @api.expect(upload)
        def post(self) -> Any:
            return upload.parse_args()["f"].read().decode()

    client = app.test_client()
    found = client.get("/search?page=3&tag=a,b&on=true&since=2024-05-06")
    assert found.json == {"page": 3, "tag": ["a", "b"], "on": True, "since": 2024}
    refused = client.get("/search?page=10")
    assert (refused.status_code, set(refused.json["errors"])) == (400, {"page", "since"})
    assert client.post("/search", data={"f": (io.BytesIO(b"text"), "f.txt")}).json == "text"
    search = client.get("/swagger.json").json["paths"]["/search"]
    assert [p["name"] for p in search["get"]["parameters"]] == ["page", "tag", "on", "since"]
    assert search["post"]["consumes"] == ["multipart/form-data"]


def test_the_swagger_tells_of_the_whole_api(app: Flask, api: Any, over_asgi: Any) -> None:
    response = app.test_client().get("/swagger.json")
    swagger = response.json
    assert (swagger["swagger"], swagger["basePath"]) == ("2.0", "/")
    assert swagger["info"]["title"] == "Tasks"
    assert set(swagger["paths"]) == {"/todos/", "/todos/{id}"}
    assert swagger["paths"]["/todos/"]["get"]["summary"] == "List the tasks"
    todo = swagger["paths"]["/todos/{id}"]
    assert todo["delete"]["operationId"] == "delete_todo"
    (number,) = todo["parameters"]
    assert (number["name"], number["in"], number["type"]) == ("id", "path", "integer")
    assert swagger["definitions"]["Todo"]["required"] == ["task"]
    assert over_asgi(app, "/swagger.json").body == response.data
    with app.test_request_context():
        assert api.specs_url == "/swagger.json"
        assert api.as_postman()["name"] == "Tasks 1.1"


def test_the_swagger_ui_and_its_files_are_served(app: Flask, api: Any, over_asgi: Any) -> None:
    client = app.test_client()
    page = client.get("/doc/")
    assert page.mimetype == "text/html"
    assert "<title>Tasks</title>" in page.text
    assert 'url: "/swagger.json"' in page.text
    with client.get("/swaggerui/swagger-ui-bundle.js") as script:
        assert script.mimetype == "text/javascript"
        assert "SwaggerUIBundle" in script.text
    assert client.get("/").status_code == 404
    assert over_asgi(app, "/doc/").body == page.data


def test_the_page_of_the_documentation_is_the_applications_to_write(app: Flask) -> None:
    api = Api(app, doc="/doc")
    api.documentation(lambda: f"<h1>{api.title}</h1>")
    assert app.test_client().get("/doc").text == "<h1>API</h1>"
    assert app.test_client().get("/swagger.json").json["info"]["title"] == "API"


def test_blueprints_carry_apis_of_their_own(app: Flask, assert_fast: Any) -> None:
    for version in ("v1", "v2"):
        blueprint = Blueprint(version, __name__, url_prefix=f"/{version}")
        Api(blueprint, title=version).add_namespace(plain(version))
        app.register_blueprint(blueprint)
    client = app.test_client()
    for version in ("v1", "v2"):
        assert client.get(f"/{version}/cats/").json == [version]
        swagger = client.get(f"/{version}/swagger.json").json
        assert (swagger["info"]["title"], swagger["basePath"]) == (version, f"/{version}")
        assert f"<title>{version}</title>" in client.get(f"/{version}/").text
    refused = client.get("/v2/cats/0")
    assert (refused.status_code, refused.json["message"]) == (409, "v2")
    assert_fast(app)


def plain(version: str) -> Any:
    ns = Namespace("cats", path="/cats")

    @ns.route("/")
    class Cats(Resource):
        def get(self) -> Any:
            return [version]

    @ns.route("/<int:id>")
    class Cat(Resource):
        def get(self, id: int) -> Any:
            abort(409, version)

    return ns


def test_another_representation_is_made_where_it_is_accepted(app: Flask) -> None:
    api = Api(app)

    @api.representation("application/xml")
    def xml(data: Any, code: int, headers: Any = None) -> Any:
        response = make_response(f"<n>{data['n']}</n>", code)
        response.headers.extend(headers or {})
        return response

    @api.route("/n")
    class Number(Resource):
        def get(self) -> Any:
            return {"n": 1}, 202, {"X-N": "1"}

    client = app.test_client()
    response = client.get("/n", headers={"Accept": "application/xml"})
    assert (response.status_code, response.text) == (202, "<n>1</n>")
    assert (response.mimetype, response.headers["X-N"]) == ("application/xml", "1")
    assert client.get("/n").json == {"n": 1}
