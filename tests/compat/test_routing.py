"""Rules, methods and ``url_for``."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.routing import BaseConverter, BuildError, RequestRedirect, Rule

from .harness import Web, same


@same
def test_converters_pass_typed_arguments(web: Web) -> None:
    app = web.app()
    for kind in ("string", "int", "float", "path", "uuid", "any(a, b)", "int(min=3)"):
        rule = f"/{kind.split('(')[0]}{'-min' if 'min' in kind else ''}/<{kind}:x>"
        app.add_url_rule(rule, rule, lambda x: repr(x))
    web.every("/string/ä b", "/int/007", "/int/-1", "/int/x", "/float/1.5", "/float/1")
    web.every("/path/a/b//c", "/any/a", "/any/c", "/int-min/2", "/int-min/3")
    web.get("/uuid/12345678-1234-5678-1234-567812345678")


@same
def test_a_missing_slash_redirects_and_an_extra_one_is_not_found(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/branch/", "branch", lambda: "branch")
    app.add_url_rule("/leaf", "leaf", lambda: "leaf")
    app.add_url_rule("/either/", "either", lambda: "either", strict_slashes=False)
    web.every("/branch", "/branch/", "/branch?x=1&y=ä", "/leaf", "/leaf/", "/either", "/either/")
    web.post("/branch")


@same
def test_slashes_are_merged_by_a_redirect(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/a/b", "ab", lambda: "ab")
    app.add_url_rule("/raw//x", "raw", lambda: "raw", merge_slashes=False)
    web.every("/a//b", "/a/b", "/raw//x", "/raw/x", "/a///b?q=1")


@same
def test_methods_of_a_rule(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/get", "get", lambda: "get")
    app.add_url_rule("/post", "post", lambda: "post", methods=["post"])
    app.add_url_rule("/both", "both", lambda: web.request.method, methods=["GET", "PUT"])
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE", "BREW"):
        for path in ("/get", "/post", "/both", "/none"):
            web.open(path, method=method)


@same
def test_two_views_share_a_url_by_method(web: Web) -> None:
    app = web.app()

    @app.get("/item")
    def show() -> str:
        return "show"

    @app.post("/item")
    def change() -> str:
        return "change"

    @app.delete("/item")
    def remove() -> str:
        return "remove"

    @app.put("/item")
    def replace() -> str:
        return "replace"

    @app.patch("/item")
    def patch() -> str:
        return "patch"

    for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"):
        web.open("/item", method=method)


@same
def test_automatic_options_can_be_turned_off_or_taken_over(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/auto", "auto", lambda: "auto")
    app.add_url_rule("/off", "off", lambda: "off", provide_automatic_options=False)
    app.add_url_rule("/own", "own", lambda: "own", methods=["GET", "OPTIONS"])

    def attribute() -> str:
        return "attribute"

    attribute.provide_automatic_options = False  # type: ignore[attr-defined]
    attribute.methods = ["GET", "OPTIONS"]  # type: ignore[attr-defined]
    app.add_url_rule("/attribute", view_func=attribute)

    def required() -> str:
        return web.request.method

    required.required_methods = ["PUT"]  # type: ignore[attr-defined]
    app.add_url_rule("/required", view_func=required)
    for path in ("/auto", "/off", "/own", "/attribute", "/required"):
        web.open(path, method="OPTIONS")
    web.open("/required", method="PUT")


@same
def test_automatic_options_that_are_asked_for_want_the_method_too(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/asked", "asked", lambda: "", provide_automatic_options=True)
    both = {"methods": ["GET", "OPTIONS"], "provide_automatic_options": True}
    app.add_url_rule("/both", "both", lambda: "", **both)

    def required() -> str:
        return "never for OPTIONS"

    required.required_methods = ["OPTIONS"]  # type: ignore[attr-defined]
    app.add_url_rule("/required", view_func=required)
    for path in ("/asked", "/both", "/required"):
        web.open(path, method="OPTIONS")
        web.open(path, method="DELETE")


@same
def test_automatic_options_can_be_off_for_all(web: Web) -> None:
    app = web.app(PROVIDE_AUTOMATIC_OPTIONS=False)
    app.add_url_rule("/", "index", lambda: "index")
    web.open("/", method="OPTIONS")


@same
def test_defaults_redirect_to_the_shorter_url(web: Web) -> None:
    app = web.app()

    @app.route("/pages/", defaults={"page": 1})
    @app.route("/pages/<int:page>")
    def pages(page: int) -> str:
        return f"{page} {web.url_for('pages', page=1)} {web.url_for('pages', page=2)}"

    web.every("/pages/", "/pages/1", "/pages/2")


@same
def test_redirect_to_and_alias_rules(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/new/<int:x>", "new", lambda x: f"new {x}")
    app.url_map.add(Rule("/old/<int:x>", endpoint="old", redirect_to="new/<x>"))
    app.url_map.add(
        Rule("/call/<int:x>", endpoint="call", redirect_to=lambda adapter, x: f"new/{x + 1}")
    )
    app.add_url_rule("/other/<int:x>", "new", alias=True)
    web.every("/old/3", "/call/3", "/other/3", "/new/3")


@same
def test_a_converter_of_the_application_sees_the_request(web: Web) -> None:
    app = web.app(SECRET_KEY="k")

    class ListConverter(BaseConverter):
        def to_python(self, value: str) -> Any:
            web.note("to_python", web.request.path, web.session.get("x"))
            return value.split("+")

        def to_url(self, value: Any) -> str:
            return "+".join(super(ListConverter, self).to_url(v) for v in value)

    app.url_map.converters["list"] = ListConverter

    @app.route("/l/<list:names>")
    def names(names: list[str]) -> str:
        return f"{names} {web.url_for('names', names=['x y', 'z'])}"

    web.every("/l/a+b", "/l/a")


@same
def test_a_converter_that_fails_otherwise_is_an_error_of_the_server(web: Web) -> None:
    app = web.app()

    class Broken(BaseConverter):
        def to_python(self, value: str) -> Any:
            raise ZeroDivisionError

    app.url_map.converters["broken"] = Broken
    app.add_url_rule("/b/<broken:x>", "b", lambda x: "never")
    app.teardown_request(lambda e: web.note("teardown", type(e).__name__))
    web.get("/b/1")


@same
def test_url_for_fills_the_path_and_then_the_query(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/user/<name>/<int:n>", "user", lambda name, n: "")
    app.add_url_rule("/float/<float:x>", "float", lambda x: "")
    app.add_url_rule("/path/<path:p>", "path", lambda p: "")

    @app.route("/")
    def index() -> Any:
        return web.jsonify(
            [
                web.url_for("index"),
                web.url_for("index", q="a b&c", r=None, l=[1, 2], e=""),
                web.url_for("user", name="ä/ö?", n=7),
                web.url_for("user", name="x", n=7, z=1, _anchor="part two/ä"),
                web.url_for("float", x=3),
                web.url_for("path", p="a/b c"),
                web.url_for("index", _external=True),
                web.url_for("index", _scheme="https"),
                web.url_for("index", _external=False),
                web.url_for("static", filename="x.css"),
                web.url_for("index", _method="GET"),
                web.url_for("index", _anchor=""),
            ]
        )

    web.get("/")
    web.get("/", base_url="https://example.org:8443/app/")
    web.get("/", headers={"Host": "other.example"})


@same
def test_url_for_raises_for_what_it_cannot_build(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/x/<int:n>", "x", lambda n: "", methods=["POST"])
    with app.test_request_context("/"):
        for args, kwargs in (
            (("nothing",), {}),
            (("x",), {}),
            (("x",), {"n": "text"}),
            (("x",), {"n": 1, "_method": "GET"}),
            (("x",), {"n": 1, "_scheme": "https", "_external": False}),
            ((".x",), {"n": 1}),
            (("x",), {"n": 1}),
        ):
            web.attempt(web.url_for, *args, **kwargs)


@same
def test_url_for_outside_of_a_request(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/x", "x", lambda: "")
    web.attempt(app.url_for, "x")
    with app.app_context():
        web.attempt(web.url_for, "x")
    app.config.update(SERVER_NAME="example.org", APPLICATION_ROOT="/app")
    app.config["PREFERRED_URL_SCHEME"] = "https"
    web.attempt(app.url_for, "x")
    with app.app_context():
        web.attempt(web.url_for, "x")
        web.attempt(web.url_for, "x", _external=False)
        web.attempt(web.url_for, "x", _scheme="ftp")


@same
def test_the_blueprint_is_put_before_an_endpoint_with_a_dot(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("shop", "app", url_prefix="/shop")
    app.add_url_rule("/", "index", lambda: web.url_for(".index"))
    bp.add_url_rule("/", "index", lambda: web.url_for(".index") + web.url_for("index"))
    app.register_blueprint(bp)
    web.every("/", "/shop/")


@same
def test_url_build_error_handlers_are_asked_in_turn(web: Web) -> None:
    app = web.app()

    def none(error: BuildError, endpoint: str, values: dict[str, Any]) -> Any:
        web.note(endpoint, sorted(values.items(), key=str))

    def other(error: BuildError, endpoint: str, values: dict[str, Any]) -> Any:
        if endpoint == "known":
            return "/known"
        raise error

    app.url_build_error_handlers += [none, other]
    with app.test_request_context("/"):
        web.attempt(web.url_for, "known", x=1)
        web.attempt(web.url_for, "unknown")
        web.attempt(web.url_for, "known", _external=True, _anchor="a")


@same
def test_url_defaults_and_value_preprocessors(web: Web) -> None:
    app = web.app()
    app.url_defaults(lambda endpoint, values: values.setdefault("lang", web.g.lang))

    @app.url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, Any] | None) -> None:
        web.note(endpoint, values)
        web.g.lang = (values or {}).pop("lang", "en")

    @app.route("/<lang>/about")
    def about() -> str:
        return f"{web.g.lang} {web.url_for('about')} {web.url_for('about', lang='fr')}"

    web.every("/de/about", "/none")


@same
def test_a_preprocessor_may_replace_the_arguments(web: Web) -> None:
    app = web.app()

    @app.url_value_preprocessor
    def change(endpoint: str | None, values: dict[str, Any] | None) -> None:
        web.request.view_args = {"x": "replaced"}

    app.add_url_rule("/<x>", "x", lambda x: f"{x} {web.request.view_args}")
    web.get("/given")


@same
def test_static_blueprint_and_app_endpoints_in_request_attributes(web: Web) -> None:
    app = web.app()
    outer = web.Blueprint("outer", "app")
    inner = web.Blueprint("inner", "app")

    def show(**kwargs: Any) -> Any:
        r = web.request
        return web.jsonify(r.endpoint, r.blueprint, r.blueprints, r.view_args, r.url_rule.rule)

    app.add_url_rule("/a/<int:n>", "a", show)
    outer.add_url_rule("/b", "b", show)
    inner.add_url_rule("/c/<x>", "c", show)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    web.every("/a/1", "/b", "/c/y")


@same
def test_subdomains_are_matched_when_asked_for(web: Web) -> None:
    app = web.app(subdomain_matching=True, SERVER_NAME="example.org")
    app.add_url_rule("/", "root", lambda: f"root {web.url_for('user', name='x')}")
    app.add_url_rule("/", "user", lambda name: f"user {name}", subdomain="<name>")
    app.add_url_rule("/", "admin", lambda: "admin", subdomain="admin")
    for host in ("example.org", "admin.example.org", "bob.example.org", "else.where"):
        with web.ignoring("UserWarning"):
            web.get("/", base_url=f"http://{host}/")
    web.get("/", subdomain="carol")


@same
def test_without_subdomain_matching_a_server_name_restricts_nothing(web: Web) -> None:
    app = web.app(SERVER_NAME="example.org")
    app.add_url_rule("/", "root", lambda: web.url_for("root", _external=True))
    for host in ("example.org", "admin.example.org", "else.where", "example.org:81"):
        web.get("/", base_url=f"http://{host}/")


@same
def test_hosts_are_matched_when_asked_for(web: Web) -> None:
    app = web.app(host_matching=True, static_host="static.example")
    app.add_url_rule("/", "one", lambda: web.url_for("two"), host="one.example")
    app.add_url_rule("/", "two", lambda: web.url_for("two"), host="two.example")
    app.add_url_rule("/", "any", lambda name: name, host="<name>.any")
    for host in ("one.example", "two.example", "x.any", "three.example", "one.example:80"):
        web.get("/", base_url=f"http://{host}/")
    web.file("static/a.txt", "a")
    web.get("/static/a.txt", base_url="http://static.example")
    web.get("/static/a.txt", base_url="http://one.example")


@same
def test_the_root_of_a_mounted_app_is_in_its_urls(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/x/", "x", lambda: f"{web.request.path} {web.url_for('x')}")
    web.get("/x/", base_url="http://localhost/mounted")
    web.get("/x", base_url="http://localhost/mounted/")
    web.get("/x/", base_url="http://localhost/m ä")


@same
def test_application_root_is_where_test_requests_go(web: Web) -> None:
    app = web.app(APPLICATION_ROOT="/root")
    app.add_url_rule("/x/", "x", lambda: f"{web.request.script_root} {web.url_for('x')}")
    web.get("/x/")
    web.get("/root/x/")


@same
def test_rules_with_an_endpoint_of_their_own(web: Web) -> None:
    app = web.app()
    app.url_map.add(Rule("/later", endpoint="later"))
    app.add_url_rule("/add", endpoint="added")

    @app.endpoint("later")
    def later() -> str:
        return "later"

    app.view_functions["added"] = lambda: "added"
    app.add_url_rule("/named", "other", lambda: web.request.endpoint)
    web.every("/later", "/add", "/named")


@same
def test_a_rule_without_a_view_is_an_error_of_the_server(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/x", endpoint="x")
    web.get("/x")


@pytest.mark.parametrize("path", ["/%2e%2e/x", "/a%2Fb", "/ä", "/a%20b", "/a+b", "/%ff", "//x"])
@same
def test_odd_paths(web: Web, path: str) -> None:
    app = web.app()
    app.add_url_rule("/<x>", "one", lambda x: f"{x} {web.request.path} {web.request.full_path}")
    app.add_url_rule("/<x>/<y>", "two", lambda x, y: f"{x} {y} {web.request.url}")
    web.get(path)


@same
def test_debug_mode_explains_a_redirect_that_would_lose_a_form(web: Web) -> None:
    app = web.app(DEBUG=True)

    class Moved(BaseConverter):
        def to_python(self, value: str) -> Any:
            error = RequestRedirect(f"http://localhost/new/{value}")
            error.code = 301
            raise error

    app.url_map.converters["moved"] = Moved
    app.add_url_rule("/old/<moved:x>", "old", lambda x: "", methods=["GET", "POST"])
    app.add_url_rule("/form/", "form", lambda: "form", methods=["POST", "GET"])
    web.post("/form")
    web.get("/old/1")
    web.post("/old/1")
    app.debug = False
    web.post("/old/1")


@same
def test_duplicate_endpoints_are_refused_and_equal_ones_not(web: Web) -> None:
    app = web.app()

    def view() -> str:
        return "view"

    app.add_url_rule("/a", "x", view)
    app.add_url_rule("/b", "x", view)
    web.attempt(app.add_url_rule, "/c", "x", lambda: "other")
    web.attempt(app.add_url_rule, "/d")
    web.attempt(app.add_url_rule, "d", "d", view)
    web.attempt(app.add_url_rule, "/e", "e", view, methods="POST")
    web.attempt(app.add_url_rule, "/<unknown:x>", "f", view)
    web.attempt(app.get, "/g", methods=["POST"])
    web.every("/a", "/b", "/c", "/e")


@same
def test_without_a_server_name_nothing_else_is_looked_at_outside_of_a_request(web: Web) -> None:
    app = web.app()
    app.url_defaults(web.noting("never asked"))
    with app.app_context():
        web.attempt(web.url_for, "static", filename="x")
        web.attempt(web.url_for, "static", filename="x", _scheme="https", _external=False)


@same
def test_a_variable_that_a_rule_has_twice_is_refused_in_the_same_way(web: Web) -> None:
    app = web.app(subdomain_matching=True, SERVER_NAME="example.test")
    outer = web.Blueprint("outer", "app", subdomain="<sub>")
    inner = web.Blueprint("inner", "app", subdomain="<sub>")
    inner.add_url_rule("/", "i", lambda: "text")
    outer.register_blueprint(inner)
    web.attempt(app.register_blueprint, outer)
    web.attempt(app.add_url_rule, "/<a>/<a>", "twice", lambda a: a)
