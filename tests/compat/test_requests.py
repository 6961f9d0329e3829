"""What a view can ask of the request."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException

from .harness import Web, same

ATTRIBUTES = """
    method scheme path full_path url base_url root_url url_root host host_url script_root
    root_path query_string remote_addr remote_user is_secure mimetype mimetype_params
    content_type content_length content_encoding is_json args form values files cookies data
    referrer origin access_route date max_forwards range pragma accept_mimetypes
    accept_languages accept_encodings accept_charsets authorization cache_control if_match
    if_none_match if_modified_since if_unmodified_since if_range endpoint blueprint blueprints
    view_args is_multithread is_multiprocess is_run_once want_form_data_parsed shallow server
    user_agent routing_exception url_rule max_content_length max_form_parts max_form_memory_size
    content_md5 access_control_request_method access_control_request_headers
"""


@same
def test_every_attribute(web: Web) -> None:
    app = web.app()

    def view(**values: Any) -> str:
        for name in ATTRIBUTES.split():
            web.note(name, str(getattr(web.request, name)))
        web.note(sorted(web.request.headers))
        web.note(sorted(str(k) for k in web.request.environ if not k.startswith("werkzeug")))
        return repr(web.request)

    app.add_url_rule("/v/<int:n>/", "v", view, methods=["GET", "POST"])
    web.get("/v/1/")
    web.get("/v/2/?a=1&a=2&b=%C3%BC&c=+&d", base_url="https://example.org:8443/root ü")
    web.post("/v/3/", data={"a": "1", "b": ["x", "y"]}, environ_base={"REMOTE_ADDR": "10.0.0.1"})
    web.post("/v/4/", data={"f": (BytesIO(b"file"), "n.txt"), "a": "ü"})
    web.post("/v/5/?q=1", json={"x": [1]})
    web.get(
        "/v/6/",
        headers={
            "Accept": "text/html;q=0.5, application/json",
            "Accept-Language": "de, en;q=0.3",
            "Accept-Encoding": "gzip",
            "Authorization": "Basic dXNlcjpwYXNz",
            "Cookie": "a=1; b=2; =x",
            "Cache-Control": "max-age=0",
            "If-None-Match": '"x", W/"y"',
            "If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT",
            "Range": "bytes=1-2",
            "Referer": "http://r",
            "Origin": "http://o",
            "User-Agent": "agent/1.0",
            "X-Forwarded-For": "1.2.3.4, 5.6.7.8",
            "Content-Type": "text/plain; charset=utf-8; x=1",
        },
    )


@same
def test_attributes_of_a_request_that_matched_nothing(web: Web) -> None:
    app = web.app()

    @app.before_request
    def look() -> None:
        r = web.request
        web.note(r.endpoint, r.url_rule, r.view_args, r.blueprint, r.blueprints)
        web.note(type(r.routing_exception).__name__)

    app.add_url_rule("/x", "x", lambda: "x")
    web.every("/none", "/x")
    web.post("/x")


@same
def test_forms_and_files(web: Web) -> None:
    app = web.app()

    @app.post("/")
    def view() -> Any:
        files = {
            name: [
                (f.filename, f.mimetype, f.read().decode()) for f in web.request.files.getlist(name)
            ]
            for name in web.request.files
        }
        return web.jsonify(web.request.form.to_dict(False), files, len(web.request.data))

    web.post("/", data={"a": ["1", "2"], "b": "ü &="})
    web.post("/", data=b"a=1&b=%FF&c", content_type="application/x-www-form-urlencoded")
    web.post("/", data={"f": [(BytesIO(b"one"), "1.txt"), (BytesIO(b"two"), "ü/2.png")], "a": "x"})
    web.post("/", data=b"--x\r\nnonsense", content_type="multipart/form-data; boundary=x")
    web.post("/", data=b"body", content_type="multipart/form-data")
    web.post("/", data=b"a=1", content_type="text/plain")
    web.open("/", method="POST")


@same
def test_the_body_is_read_in_many_ways(web: Web) -> None:
    app = web.app()
    r = web.request
    ways = {
        "data": lambda: r.data,
        "get_data": lambda: r.get_data(),
        "text": lambda: r.get_data(as_text=True),
        "twice": lambda: r.get_data() + r.get_data(),
        "uncached": lambda: r.get_data(cache=False) + r.get_data(),
        "form_first": lambda: str(r.form) + str(r.get_data()),
        "data_first": lambda: str(r.get_data()) + str(r.form),
        "parsed": lambda: r.get_data(parse_form_data=True) + str(r.form).encode(),
        "stream": lambda: r.stream.read(3) + b"|" + r.stream.read(),
        "lines": lambda: repr(list(r.stream)),
        "input": lambda: r.input_stream.read(4),
        "json": lambda: r.get_json(force=True, silent=True) or "none",
    }
    for name, way in ways.items():
        app.add_url_rule(f"/{name}", name, way, methods=["POST"])
    for name in ways:
        web.post(f"/{name}", data="a=1\nb=ü", content_type="application/x-www-form-urlencoded")
        web.post(f"/{name}", data='{"a": "ü"}')


@pytest.mark.parametrize("debug", [True, False])
@same
def test_json_of_requests(web: Web, debug: bool) -> None:
    app = web.app(DEBUG=debug, PROPAGATE_EXCEPTIONS=False)
    r = web.request
    ways = {
        "json": lambda: web.jsonify(r.json),
        "get": lambda: web.jsonify(r.get_json()),
        "silent": lambda: web.jsonify(r.get_json(silent=True)),
        "force": lambda: web.jsonify(r.get_json(force=True)),
        "twice": lambda: web.jsonify(r.get_json(silent=True), r.get_json(silent=True)),
    }
    for name, way in ways.items():
        app.add_url_rule(f"/{name}", name, way, methods=["POST"])
    for name in ways:
        web.post(f"/{name}", json={"a": [1, None, "ü"]})
        web.post(f"/{name}", data="{not json", content_type="application/json")
        web.post(f"/{name}", data='{"a": 1}', content_type="application/vnd.api+json")
        web.post(f"/{name}", data='{"a": 1}', content_type="text/plain")
        web.post(f"/{name}", data="", content_type="application/json")
        web.post(f"/{name}", data=b"\xff", content_type="application/json")
        web.post(f"/{name}", data='"ü"'.encode("utf-16"), content_type="application/json")


@same
def test_json_errors_are_told_in_ones_own_words(web: Web) -> None:
    class Own(web.Request):  # type: ignore[misc, name-defined]
        def on_json_loading_failed(self, e: ValueError | None) -> Any:
            return {"failed": e is not None}

    app = web.app()
    app.request_class = Own
    app.add_url_rule("/", "i", lambda: web.jsonify(web.request.get_json()), methods=["POST"])
    web.post("/", data="{", content_type="application/json")
    web.post("/", data="{", content_type="text/plain")


@same
def test_limits_of_bodies_and_forms(web: Web) -> None:
    app = web.app(MAX_CONTENT_LENGTH=50)

    @app.post("/<what>")
    def view(what: str) -> str:
        value = getattr(web.request, what)
        return str(value.read() if what == "stream" else value)

    for what in ("form", "data", "files", "json", "stream"):
        web.post(f"/{what}", data="x" * 51, content_type="application/x-www-form-urlencoded")
        web.post(f"/{what}", data="x" * 50, content_type="text/plain")
    app.config.update(MAX_CONTENT_LENGTH=None, MAX_FORM_MEMORY_SIZE=10, MAX_FORM_PARTS=2)
    web.post("/form", data={"a": "x" * 9, "f": (BytesIO(b"y" * 99), "f")})
    web.post("/form", data={"a": "x" * 11, "f": (BytesIO(b"y"), "f")})
    web.post("/form", data={"a": "1", "b": "2", "f": (BytesIO(b"y"), "f")})
    web.post("/form", data={"a": "x" * 99})


@same
def test_limits_of_one_request(web: Web) -> None:
    app = web.app(MAX_CONTENT_LENGTH=1000, MAX_FORM_MEMORY_SIZE=100, MAX_FORM_PARTS=10)

    @app.before_request
    def change() -> None:
        r = web.request
        web.note(r.max_content_length, r.max_form_memory_size, r.max_form_parts)
        for name, value in r.args.items():
            setattr(r, name, None if value == "None" else int(value))
        web.note(r.max_content_length, r.max_form_memory_size, r.max_form_parts)

    app.add_url_rule("/", "i", lambda: str(web.request.form), methods=["POST"])
    form = {"a": "x" * 50, "f": (BytesIO(b"y" * 50), "f")}
    for limit in ("max_content_length", "max_form_memory_size", "max_form_parts"):
        for value in ("None", "1", "100000"):
            form["f"] = (BytesIO(b"y" * 50), "f")
            web.post(f"/?{limit}={value}", data=form)


@same
def test_a_handler_of_413(web: Web) -> None:
    app = web.app(MAX_CONTENT_LENGTH=5)
    app.errorhandler(413)(lambda e: ("too large", 413))
    app.add_url_rule("/", "i", lambda: web.request.form.get("a", ""), methods=["POST"])
    web.post("/", data={"a": "x" * 50})


@same
def test_a_request_class_of_ones_own(web: Web) -> None:
    class Own(web.Request):  # type: ignore[misc, name-defined]
        max_content_length = 20
        parameter_storage_class = dict

        @property
        def user(self) -> str:
            return self.headers.get("X-User", "nobody")

        def make_form_data_parser(self) -> Any:
            web.note("parser")
            return super().make_form_data_parser()

        def _load_form_data(self) -> None:
            web.note("load")
            super()._load_form_data()

    app = web.app()
    app.request_class = Own
    app.add_url_rule("/", "i", lambda: f"{web.request.user} {type(web.request.args).__name__}")
    app.add_url_rule("/form", "f", lambda: str(len(web.request.form)), methods=["POST"])
    web.get("/", headers={"X-User": "u"})
    web.post("/form", data={"a": "1"})
    web.post("/form", data={"a": "1" * 30})


@pytest.mark.parametrize("host", ["localhost", "example.org", "a.example.org", "evil", "x:80", ""])
@same
def test_trusted_hosts(web: Web, host: str) -> None:
    app = web.app(TRUSTED_HOSTS=["localhost", ".example.org"])
    app.add_url_rule("/", "i", lambda: f"{web.request.host} {web.url_for('i', _external=True)}")
    app.add_url_rule("/x/<int:n>", "x", lambda n: str(n))
    app.before_request(web.noting("before"))
    app.errorhandler(HTTPException)(lambda e: (f"{type(e).__name__}", e.code))
    for path in ("/", "/x/1", "/none"):
        web.get(path, headers={"Host": host})


@same
def test_missing_values_are_bad_requests(web: Web) -> None:
    app = web.app()
    for name in ("args", "form", "files", "values", "cookies", "headers", "view_args"):
        app.add_url_rule(f"/{name}", name, lambda name=name: getattr(web.request, name)["none"])
    for name in ("args", "form", "files", "values", "cookies", "headers", "view_args"):
        web.get(f"/{name}")


@same
def test_the_request_object_is_werkzeugs_too(web: Web) -> None:
    from werkzeug.wrappers import Request, Response

    app = web.app()

    def view() -> str:
        r = web.request._get_current_object()
        return f"{isinstance(r, Request)} {type(r).__name__} {r == web.request} {bool(web.request)}"

    app.add_url_rule("/", "i", view)
    web.get("/")
    web.note(isinstance(web.Response(), Response), bool(web.request), bool(web.session))
    web.note(bool(web.g), bool(web.current_app))
    web.attempt(lambda: web.request.path)
    web.attempt(lambda: web.session["x"])
    web.attempt(lambda: web.g.x)
    web.attempt(lambda: web.current_app.name)


@same
def test_environ_and_headers_refer_to_the_same_request(web: Web) -> None:
    app = web.app()

    @app.before_request
    def change() -> None:
        web.request.environ["HTTP_X_ADDED"] = "1"

    app.add_url_rule("/", "i", lambda: web.request.headers["X-Added"])
    web.get("/")
