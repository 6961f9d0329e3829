"""flask-smorest: an API whose arguments and answers are marshmallow schemas, with its OpenAPI."""

from __future__ import annotations

import io
import json
from typing import Any

import marshmallow as ma
import pytest
from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, Page, abort
from flask_smorest.fields import Upload

JSON = ("Content-Type", "application/json")


class PetSchema(ma.Schema):
    id = ma.fields.Int(dump_only=True)
    name = ma.fields.String(required=True)


class PetQuery(ma.Schema):
    name = ma.fields.String()


class CursorPage(Page):
    @property
    def item_count(self) -> int:
        return len(self.collection)


class FilesSchema(ma.Schema):
    file = Upload(required=True)


class Pets:
    """What the documentation's example keeps its pets in."""

    def __init__(self) -> None:
        self.all = {1: {"id": 1, "name": "Rex"}}

    def get(self, number: int) -> dict[str, Any]:
        if number not in self.all:
            abort(404, message="There is no such pet.", errors={"id": ["unknown"]})
        return self.all[number]


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.config.update(
        API_TITLE="Pets",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.2",
        OPENAPI_URL_PREFIX="/docs",
        OPENAPI_SWAGGER_UI_PATH="/swagger",
        OPENAPI_SWAGGER_UI_URL="https://cdn.example/swagger-ui/",
        OPENAPI_REDOC_PATH="/redoc",
        OPENAPI_REDOC_URL="https://cdn.example/redoc.js",
    )
    app.logger.disabled = True
    return app


@pytest.fixture
def pets(app: Flask) -> Pets:
    pets = Pets()
    Api(app).register_blueprint(pets_api(pets))
    return pets


def pets_api(pets: Pets) -> Any:
    blp = Blueprint("pets", "pets", url_prefix="/pets", description="Operations on pets")

    @blp.route("/")
    class PetList(MethodView):
        @blp.etag
        @blp.arguments(PetQuery, location="query")
        @blp.response(200, PetSchema(many=True))
        def get(self, query: dict[str, Any]) -> Any:
            """List pets"""
            return [p for p in pets.all.values() if query.get("name") in (None, p["name"])]

        @blp.arguments(PetSchema, example={"name": "Tom"})
        @blp.response(201, PetSchema, headers={"X-Pets": {"description": "How many there are"}})
        def post(self, new: dict[str, Any]) -> Any:
            """Add a pet"""
            number = max(pets.all) + 1
            pets.all[number] = {"id": number, "secret": "x", **new}
            return pets.all[number], {"X-Pets": str(len(pets.all))}

    @blp.route("/<int:number>")
    class PetByNumber(MethodView):
        @blp.etag
        @blp.response(200, PetSchema)
        @blp.alt_response(404, description="There is no such pet")
        def get(self, number: int) -> Any:
            return pets.get(number)

        @blp.etag
        @blp.arguments(PetSchema)
        @blp.response(200, PetSchema)
        def put(self, changed: dict[str, Any], number: int) -> Any:
            blp.check_etag(pets.get(number), PetSchema)
            pets.all[number] = {"id": number, **changed}
            return pets.all[number]

    return blp


def test_arguments_are_loaded_and_answers_dumped(
    app: Flask, pets: Pets, assert_fast: Any, over_asgi: Any
) -> None:
    client = app.test_client()
    made = client.post("/pets/", json={"name": "Tom"})
    assert (made.status_code, made.json) == (201, {"id": 2, "name": "Tom"})
    assert made.headers["X-Pets"] == "2"
    assert client.get("/pets/?name=Tom").json == [{"id": 2, "name": "Tom"}]
    assert client.get("/pets/1").json == {"id": 1, "name": "Rex"}
    answer = over_asgi(app, "/pets/", "POST", headers=[JSON], body=b'{"name": "Ann"}')
    assert (answer.status, json.loads(answer.text)) == (201, {"id": 3, "name": "Ann"})
    assert_fast(app)


def test_what_a_schema_refuses_is_told_as_json(app: Flask, pets: Pets, over_asgi: Any) -> None:
    client = app.test_client()
    refused = client.post("/pets/", json={"age": 3})
    assert refused.status_code == 422
    assert refused.json["status"] == "Unprocessable Entity"
    assert refused.json["errors"] == {
        "json": {"age": ["Unknown field."], "name": ["Missing data for required field."]}
    }
    wrong = client.post("/pets/", json={"name": 7})
    assert wrong.json["errors"] == {"json": {"name": ["Not a valid string."]}}
    broken = client.post("/pets/", data="{", headers=[JSON])
    assert broken.status_code == 400
    assert broken.json["errors"] == {"json": ["Invalid JSON body."]}
    assert over_asgi(app, "/pets/", "POST", headers=[JSON], body=b"{").body == broken.data


def test_errors_of_the_whole_app_are_json(app: Flask, pets: Pets, over_asgi: Any) -> None:
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    client = app.test_client()
    missing = client.get("/pets/7")
    assert missing.json == {
        "code": 404,
        "status": "Not Found",
        "message": "There is no such pet.",
        "errors": {"id": ["unknown"]},
    }
    assert missing.status_code == 404
    assert client.get("/none").json == {"code": 404, "status": "Not Found"}
    assert client.delete("/pets/1").json == {"code": 405, "status": "Method Not Allowed"}
    broken = client.get("/broken")
    assert (broken.status_code, broken.json["status"]) == (500, "Internal Server Error")
    answer = over_asgi(app, "/broken")
    assert (answer.status, answer.body) == (500, broken.data)


def test_a_client_with_the_same_etag_gets_304_and_without_one_may_not_write(
    app: Flask, pets: Pets, over_asgi: Any
) -> None:
    client = app.test_client()
    tag = client.get("/pets/1").headers["ETag"]
    same = client.get("/pets/1", headers={"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    assert over_asgi(app, "/pets/1", headers=[("If-None-Match", tag)]).status == 304
    assert client.put("/pets/1", json={"name": "Max"}).status_code == 428
    put = client.put("/pets/1", json={"name": "Max"}, headers={"If-Match": tag})
    assert (put.status_code, put.json) == (200, {"id": 1, "name": "Max"})
    assert put.headers["ETag"] not in ("", tag)
    late = client.put("/pets/1", json={"name": "Tim"}, headers={"If-Match": tag})
    assert (late.status_code, pets.all[1]["name"]) == (412, "Max")


def test_lists_are_paginated(app: Flask, over_asgi: Any) -> None:
    numbers = range(1, 26)
    blp = Blueprint("numbers", __name__, url_prefix="/numbers")

    @blp.route("/")
    @blp.response(200, PetSchema(many=True))
    @blp.paginate()
    def counted(pagination_parameters: Any) -> Any:
        pagination_parameters.item_count = len(numbers)
        start = pagination_parameters.first_item
        stop = pagination_parameters.last_item + 1
        return [{"id": n, "name": str(n)} for n in numbers[start:stop]]

    @blp.route("/page")
    @blp.response(200, PetSchema(many=True))
    @blp.paginate(CursorPage, page_size=5, max_page_size=10)
    def cursor() -> Any:
        return [{"id": n, "name": str(n)} for n in numbers]

    Api(app).register_blueprint(blp)
    client = app.test_client()
    response = client.get("/numbers/?page=3")
    assert [pet["id"] for pet in response.json] == [21, 22, 23, 24, 25]
    told = {"total": 25, "total_pages": 3, "first_page": 1, "last_page": 3, "page": 3}
    assert json.loads(response.headers["X-Pagination"]) == told | {"previous_page": 2}
    assert over_asgi(app, "/numbers/?page=3")["x-pagination"] == response.headers["X-Pagination"]
    assert [pet["id"] for pet in client.get("/numbers/page?page=2").json] == [6, 7, 8, 9, 10]
    too_large = client.get("/numbers/page?page_size=11")
    assert (too_large.status_code, list(too_large.json["errors"]["query"])) == (422, ["page_size"])


def test_files_forms_headers_and_cookies_are_arguments_too(app: Flask) -> None:
    blp = Blueprint("files", __name__)
    Token = ma.Schema.from_dict({"x_token": ma.fields.Int(data_key="X-Token", required=True)})
    Who = ma.Schema.from_dict({"who": ma.fields.String(load_default="nobody")})

    @blp.route("/files", methods=["POST"])
    @blp.arguments(FilesSchema, location="files")
    @blp.arguments(PetSchema, location="form")
    @blp.arguments(Token(unknown=ma.EXCLUDE), location="headers")
    @blp.arguments(Who, location="cookies", as_kwargs=True)
    @blp.response(200)
    def files(files: Any, form: Any, headers: Any, who: str) -> Any:
        text = files["file"].read().decode()
        return {"file": text, "name": form["name"], "token": headers["x_token"], "who": who}

    Api(app).register_blueprint(blp)
    client = app.test_client()
    client.set_cookie("who", "Ada")
    form = {"file": (io.BytesIO(b"text"), "f.txt"), "name": "Rex"}
    response = client.post("/files", data=form, headers={"X-Token": "7"})
    assert response.json == {"file": "text", "name": "Rex", "token": 7, "who": "Ada"}
    assert client.post("/files", data={"name": "Rex"}).status_code == 422


def test_the_openapi_document_and_its_pages_are_served(
    app: Flask, pets: Pets, over_asgi: Any
) -> None:
    client = app.test_client()
    response = client.get("/docs/openapi.json")
    spec = response.json
    assert (spec["openapi"], spec["info"]) == ("3.0.2", {"title": "Pets", "version": "v1"})
    assert set(spec["paths"]) == {"/pets/", "/pets/{number}"}
    added = spec["paths"]["/pets/"]["post"]
    assert added["summary"] == "Add a pet"
    assert added["responses"]["201"]["headers"]["X-Pets"] == {"description": "How many there are"}
    number = spec["paths"]["/pets/{number}"]["parameters"][0]
    assert (number["in"], number["name"], number["schema"]["type"]) == ("path", "number", "integer")
    assert spec["components"]["schemas"]["Pet"]["required"] == ["name"]
    assert spec["tags"] == [{"name": "pets", "description": "Operations on pets"}]
    page = client.get("/docs/swagger")
    assert "https://cdn.example/swagger-ui/" in page.text
    assert "/docs/openapi.json" in page.text
    assert "https://cdn.example/redoc.js" in client.get("/docs/redoc").text
    assert over_asgi(app, "/docs/openapi.json").body == response.data


def test_the_command_line_prints_the_openapi_document(
    app: Flask, pets: Pets, tmp_path: Any
) -> None:
    runner = app.test_cli_runner()
    printed = runner.invoke(args=["openapi", "print"])
    served = app.test_client().get("/docs/openapi.json").json
    assert (printed.exit_code, json.loads(printed.output)) == (0, served)
    written = runner.invoke(args=["openapi", "write", str(tmp_path / "api.json")])
    assert written.exit_code == 0
    assert json.loads((tmp_path / "api.json").read_text()) == served


def test_two_apis_of_one_app_have_documents_of_their_own(app: Flask, assert_fast: Any) -> None:
    for version in ("V1", "V2"):
        app.config.update(
            {
                f"{version}_API_TITLE": f"Pets {version}",
                f"{version}_API_VERSION": version,
                f"{version}_OPENAPI_VERSION": "3.1.0",
                f"{version}_OPENAPI_URL_PREFIX": f"/{version.lower()}",
            }
        )
        blp = pets_api(Pets())
        inner = Blueprint("inner", __name__, url_prefix="/inner")
        inner.add_url_rule("/one", view_func=inner.response(200)(lambda: {"one": 1}))
        blp.register_blueprint(inner)
        api = Api(app, config_prefix=version)
        api.register_blueprint(blp, name=f"pets-{version}", url_prefix=f"/{version.lower()}/pets")
    client = app.test_client()
    for version in ("v1", "v2"):
        spec = client.get(f"/{version}/openapi.json").json
        assert spec["info"]["version"] == version.upper()
        assert set(spec["paths"]) == {f"/{version}/pets/", f"/{version}/pets/{{number}}"} | {
            f"/{version}/pets/inner/one"
        }
        assert client.get(f"/{version}/pets/1").json["name"] == "Rex"
        assert client.get(f"/{version}/pets/inner/one").json == {"one": 1}
    assert_fast(app)


def test_an_async_view_has_arguments_and_an_answer(
    app: Flask, assert_fast: Any, over_asgi: Any
) -> None:
    blp = Blueprint("later", __name__)

    @blp.route("/later", methods=["POST"])
    @blp.etag
    @blp.arguments(PetSchema)
    @blp.response(200, PetSchema)
    async def later(new: dict[str, Any]) -> Any:
        return {"id": 4, **new}

    Api(app).register_blueprint(blp)
    response = app.test_client().post("/later", json={"name": "Tom"})
    assert (response.status_code, response.json) == (200, {"id": 4, "name": "Tom"})
    answer = over_asgi(app, "/later", "POST", headers=[JSON], body=b'{"name": "Tom"}')
    assert (answer.status, answer.body) == (200, response.data)
    assert_fast(app)
