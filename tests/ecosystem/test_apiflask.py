"""APIFlask: a subclass of Flask with schemas for what comes in and goes out, and its OpenAPI.

It overrides ``make_response``, and so is answered by its methods.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from apiflask import (
    APIBlueprint,
    APIFlask,
    FileSchema,
    HTTPBasicAuth,
    HTTPError,
    HTTPTokenAuth,
    PaginationSchema,
    Schema,
    abort,
    pagination_builder,
)
from apiflask.fields import File, Integer, List, Nested, String
from apiflask.validators import FileType, Length, OneOf
from apiflask.views import MethodView
from click.testing import CliRunner
from flask import Flask, make_response
from flask.cli import FlaskGroup
from pydantic import BaseModel, Field

JSON = ("Content-Type", "application/json")
PETS = [{"id": 0, "name": "Kitty", "category": "cat"}, {"id": 1, "name": "Coco", "category": "dog"}]


class PetIn(Schema):
    name = String(required=True, validate=Length(1, 10))
    category = String(required=True, validate=OneOf(["cat", "dog"]))


class PetOut(Schema):
    id = Integer()
    name = String()
    category = String()


class PetQuery(Schema):
    page = Integer(load_default=1)
    per_page = Integer(load_default=1)


class PetsOut(Schema):
    pets = List(Nested(PetOut))
    pagination = Nested(PaginationSchema)


class ImageIn(Schema):
    image = File(required=True, validate=FileType([".png"]))
    name = String()


class ToyIn(BaseModel):
    name: str = Field(min_length=1)
    price: float = 1.5


class ToyOut(BaseModel):
    id: int
    name: str


@pytest.fixture
def app() -> Any:
    app = APIFlask(__name__, title="Pets", version="2.0")
    app.logger.disabled = True

    @app.get("/pets/<int:pet_id>")
    @app.output(PetOut)
    @app.doc(summary="One pet", tags=["Pet"])
    def get_pet(pet_id: int) -> Any:
        if pet_id >= len(PETS):
            abort(404, "No such pet.", detail={"id": pet_id}, headers={"X-Pet": "none"})
        return PETS[pet_id]

    @app.post("/pets")
    @app.input(PetIn)
    @app.output(PetOut, status_code=201)
    def create_pet(json_data: dict[str, Any]) -> Any:
        """Add a pet"""
        return {"id": 2, "secret": 1, **json_data}, 201, {"X-Made": "2"}

    return app


def test_input_is_loaded_and_output_dumped(
    app: Any, assert_by_methods: Any, over_asgi: Any
) -> None:
    assert isinstance(app, Flask)
    client = app.test_client()
    assert client.get("/pets/1").json == PETS[1]
    made = client.post("/pets", json={"name": "Tom", "category": "cat"})
    assert (made.status_code, made.headers["X-Made"]) == (201, "2")
    assert made.json == {"id": 2, "name": "Tom", "category": "cat"}
    body = b'{"name": "Tom", "category": "cat"}'
    answer = over_asgi(app, "/pets", "POST", headers=[JSON], body=body)
    assert (answer.status, answer["x-made"], answer.body) == (201, "2", made.data)
    assert_by_methods(app)


def test_errors_are_json_with_their_detail(app: Any, over_asgi: Any) -> None:
    client = app.test_client()
    wrong = client.post("/pets", json={"name": "", "category": "fish"})
    assert (wrong.status_code, wrong.json["message"]) == (422, "Validation error")
    assert wrong.json["detail"]["json"] == {
        "name": ["Length must be between 1 and 10."],
        "category": ["Must be one of: cat, dog."],
    }
    missing = client.get("/pets/7")
    assert (missing.status_code, missing.headers["X-Pet"]) == (404, "none")
    assert missing.json == {"message": "No such pet.", "detail": {"id": 7}}
    assert client.get("/none").json == {"message": "Not Found", "detail": {}}
    assert client.delete("/pets").json == {"message": "Method Not Allowed", "detail": {}}
    answer = over_asgi(app, "/pets/7")
    assert (answer.status, answer.body) == (404, missing.data)


def test_an_error_processor_writes_every_error(app: Any, over_asgi: Any) -> None:
    class PetGone(HTTPError):
        status_code = 410
        message = "The pet is gone."

        def __init__(self) -> None:
            super().__init__(extra_data={"code": "gone"})

    @app.error_processor
    def mine(error: Any) -> Any:
        body = {"error": error.message, "detail": error.detail, **error.extra_data}
        return body, error.status_code, {**error.headers, "X-Error": "mine"}

    @app.get("/gone")
    def gone() -> Any:
        raise PetGone

    @app.get("/broken")
    def broken() -> Any:
        raise ZeroDivisionError

    client = app.test_client()
    for path, status, error in (
        ("/gone", 410, "The pet is gone."),
        ("/none", 404, "Not Found"),
        ("/broken", 500, "Internal Server Error"),
    ):
        response = client.get(path)
        assert (response.status_code, response.json["error"]) == (status, error)
        assert response.headers["X-Error"] == "mine"
    assert client.get("/gone").json["code"] == "gone"
    assert client.post("/pets", json={}).json["error"] == "Validation error"
    assert over_asgi(app, "/broken").status == 500


def test_query_form_files_headers_and_cookies_are_input_too(app: Any) -> None:
    @app.post("/images")
    @app.input(ImageIn, location="form_and_files")
    @app.input({"tag": String()}, location="query", schema_name="Tag")
    @app.input({"X-Token": Integer(required=True)}, location="headers", schema_name="Token")
    @app.input({"who": String()}, location="cookies", schema_name="Who")
    def images(**data: Any) -> Any:
        form, token = data["form_and_files_data"], data["headers_data"]["X-Token"]
        found = {"file": form["image"].filename, "size": len(form["image"].read())}
        found |= data["query_data"] | data["cookies_data"]
        return {**found, "name": form["name"], "token": token}

    client = app.test_client()
    client.set_cookie("who", "Ada")
    form = {"image": (io.BytesIO(b"four"), "a.png"), "name": "Rex"}
    response = client.post("/images?tag=t", data=form, headers={"X-Token": "7"})
    assert response.json == {
        "file": "a.png",
        "size": 4,
        "tag": "t",
        "who": "Ada",
        "name": "Rex",
        "token": 7,
    }
    form = {"image": (io.BytesIO(b"four"), "a.gif")}
    refused = client.post("/images", data=form, headers={"X-Token": "7"})
    assert (refused.status_code, list(refused.json["detail"])) == (422, ["form_and_files"])


def test_models_of_pydantic_are_schemas(app: Any) -> None:
    @app.post("/toys")
    @app.input(ToyIn)
    @app.output(ToyOut, status_code=201)
    def make_toy(json_data: ToyIn) -> Any:
        return {"id": 1, "name": f"{json_data.name} for {json_data.price}"}

    client = app.test_client()
    made = client.post("/toys", json={"name": "ball"})
    assert (made.status_code, made.json) == (201, {"id": 1, "name": "ball for 1.5"})
    assert client.post("/toys", json={"name": ""}).status_code == 422
    schema = client.get("/openapi.json").json["components"]["schemas"]["ToyIn"]
    assert schema["properties"]["name"]["minLength"] == 1


def test_basic_and_token_auth_protect_views(app: Any, over_asgi: Any) -> None:
    basic, token = HTTPBasicAuth(), HTTPTokenAuth(description="A token")

    @basic.verify_password
    def verify(username: str, password: str) -> Any:
        return {"name": username} if password == "cat" else None

    basic.get_user_roles(lambda user: ["admin"] if user["name"] == "ada" else [])
    token.verify_token(lambda given: given == "good" and "bearer")

    @app.get("/secret")
    @app.auth_required(basic, roles=["admin"])
    def secret() -> Any:
        return {"user": basic.current_user}

    blueprint = APIBlueprint("inner", __name__, url_prefix="/inner")
    blueprint.before_request(token.login_required(lambda: None))

    @blueprint.get("/")
    @blueprint.auth_required(token)
    def inner() -> Any:
        return {"user": token.current_user}

    app.register_blueprint(blueprint)
    client = app.test_client()
    assert client.get("/secret", auth=("ada", "cat")).json == {"user": {"name": "ada"}}
    refused = client.get("/secret", auth=("bob", "cat"))
    assert (refused.status_code, refused.json["message"]) == (403, "Forbidden")
    anonymous = client.get("/secret")
    assert (anonymous.status_code, anonymous.json["message"]) == (401, "Unauthorized")
    assert anonymous.headers["WWW-Authenticate"] == 'Basic realm="Authentication Required"'
    good = [("Authorization", "Bearer good")]
    assert client.get("/inner/", headers=good).json == {"user": "bearer"}
    assert client.get("/inner/", headers=[("Authorization", "Bearer bad")]).status_code == 401
    assert over_asgi(app, "/inner/", headers=good).status == 200
    spec = client.get("/openapi.json").json
    schemes = spec["components"]["securitySchemes"]
    assert schemes["BasicAuth"] == {"type": "http", "scheme": "basic"}
    assert spec["paths"]["/inner/"]["get"]["security"] == [{"BearerAuth": []}]


def test_classes_of_views_are_routed_and_documented(app: Any) -> None:
    @app.route("/cats/<int:cat_id>")
    class Cat(MethodView):
        @app.output(PetOut)
        def get(self, cat_id: int) -> Any:
            """One cat"""
            return PETS[cat_id]

        @app.input(PetIn(partial=True))
        @app.output(PetOut)
        def patch(self, cat_id: int, json_data: Any) -> Any:
            return PETS[cat_id] | json_data

        @app.output({}, status_code=204)
        def delete(self, cat_id: int) -> Any:
            return ""

    client = app.test_client()
    assert client.get("/cats/0").json["name"] == "Kitty"
    assert client.patch("/cats/0", json={"name": "Max"}).json["name"] == "Max"
    assert client.patch("/cats/0", json={"category": "fish"}).status_code == 422
    deleted = client.delete("/cats/0")
    assert (deleted.status_code, deleted.data) == (204, b"")
    cat = client.get("/openapi.json").json["paths"]["/cats/{cat_id}"]
    assert (cat["get"]["summary"], cat["patch"]["summary"]) == ("One cat", "Patch Cat")


def test_an_async_view_and_an_async_error_processor_answer(app: Any, over_asgi: Any) -> None:
    @app.post("/later")
    @app.input(PetIn)
    @app.output(PetOut)
    async def later(json_data: Any) -> Any:
        return {"id": 5, **json_data}

    @app.get("/plain")
    async def plain() -> Any:
        abort(409, "Later.")

    @app.error_processor
    async def mine(error: Any) -> Any:
        return {"later": error.message}, error.status_code

    client = app.test_client()
    made = client.post("/later", json={"name": "Tom", "category": "cat"})
    assert made.json == {"id": 5, "name": "Tom", "category": "cat"}
    refused = client.get("/plain")
    assert (refused.status_code, refused.json) == (409, {"later": "Later."})
    body = b'{"name": "Tom", "category": "cat"}'
    answer = over_asgi(app, "/later", "POST", headers=[JSON], body=body)
    assert (answer.status, answer.body) == (200, made.data)
    assert over_asgi(app, "/plain").body == refused.data


def test_the_openapi_document_and_its_page_are_served(app: Any, over_asgi: Any) -> None:
    app.config["DESCRIPTION"] = "An API of pets"

    @app.spec_processor
    def more(spec: Any) -> Any:
        spec["info"]["x-more"] = True
        return spec

    client = app.test_client()
    response = client.get("/openapi.json")
    spec = response.json
    assert spec["info"] == {"title": "Pets", "version": "2.0", "x-more": True} | {
        "description": "An API of pets"
    }
    assert set(spec["paths"]) == {"/pets", "/pets/{pet_id}"}
    got = spec["paths"]["/pets/{pet_id}"]["get"]
    assert (got["summary"], got["tags"]) == ("One pet", ["Pet"])
    assert set(got["responses"]) == {"200", "404"}
    assert set(spec["paths"]["/pets"]["post"]["responses"]) == {"201", "422"}
    assert spec["components"]["schemas"]["PetIn"]["required"] == ["category", "name"]
    assert spec["servers"] == [{"url": "http://localhost/"}]
    page = client.get("/docs")
    assert page.mimetype == "text/html"
    assert 'url: "/openapi.json"' in page.text
    assert over_asgi(app, "/openapi.json").body == response.data
    assert over_asgi(app, "/docs").body == page.data


def test_the_command_line_prints_and_writes_the_document(app: Any, tmp_path: Any) -> None:
    flask, file = FlaskGroup(create_app=lambda: app), tmp_path / "spec.json"
    printed = CliRunner().invoke(flask, ["spec", "--indent", "4"])
    assert printed.output.startswith('{\n    "')
    assert json.loads(printed.output)["paths"].keys() == {"/pets", "/pets/{pet_id}"}
    written = CliRunner().invoke(flask, ["spec", "--output", str(file), "--quiet"])
    assert (written.exit_code, written.output) == (0, "")
    assert json.loads(file.read_text()) == json.loads(printed.output)
    assert "Show the OpenAPI spec." in CliRunner().invoke(flask, ["--help"]).output


def test_answers_have_an_envelope_and_pages(app: Any) -> None:
    class Envelope(Schema):
        message = String()
        data = Nested(PetsOut)

    app.config["BASE_RESPONSE_SCHEMA"] = Envelope

    class Paged:
        page, per_page, pages, total = 2, 1, 2, 2
        next_num = has_next = None
        prev_num = has_prev = 1

    @app.get("/pages")
    @app.input(PetQuery, location="query")
    @app.output(PetsOut)
    def pages(query_data: Any) -> Any:
        paged = pagination_builder(Paged())
        return {"message": "ok", "data": {"pets": [PETS[1]], "pagination": paged}}

    response = app.test_client().get("/pages?page=2")
    assert response.json["message"] == "ok"
    assert response.json["data"]["pets"] == [PETS[1]]
    told = response.json["data"]["pagination"]
    assert (told["total"], told["prev"]) == (2, "http://localhost/pages?page=1&per_page=1")


def test_files_and_plain_answers_are_sent_as_they_are(app: Any) -> None:
    @app.get("/image")
    @app.output(FileSchema, content_type="image/png")
    def image() -> Any:
        return make_response(b"png", {"Content-Type": "image/png"})

    @app.get("/list")
    def listed() -> Any:
        return [], 200

    client = app.test_client()
    response = client.get("/image")
    assert (response.data, response.mimetype) == (b"png", "image/png")
    assert client.get("/list").json == []
    content = client.get("/openapi.json").json["paths"]["/image"]["get"]["responses"]["200"]
    assert list(content["content"]) == ["image/png"]
