"""What views, hooks and handlers do and return: lines of code, to be drawn from tables.

A table has texts and functions that write one. The names in them are those of ``names.py``, and
``web`` for the framework.
"""

from __future__ import annotations

from .author import Author, Piece, block

TEMPLATES = [
    "{{ x }} <{{ who }}>",
    "{{ request.path }}|{{ request.args.get('x', '-') }}|{{ g.get('x') }}|{{ session.get('n') }}",
    "{{ get_flashed_messages(with_categories=true) }}",
    "{{ config.TESTING }}{{ 'a<b'|loud }}{{ '<'|e }}{{ x|tojson }}",
    "{% if 3 is tiny %}tiny{% else %}big{% endif %} {{ twice(2) }}",
    "{{ missing.attribute }}",
    "{% include 't.html' %}",
    "{% for n in range(3) %}{{ n }},{% endfor %}{{ 1 / zero }}",
]
LINKING_TEMPLATE = "{{ url_for('static', filename='file.txt') }} {{ url_for('nowhere') }}"
TEXTS = [
    '"text"',
    '""',
    'b"bytes \\xff"',
    'bytearray(b"array")',
    '"é日\\u2028<"',
    'web.json.dumps({"b": 1, "a": "é"}, sort_keys=False)',
    '(part for part in ["gen", "er", b"ated"])',
    'iter(["it", "er"])',
    "wsgi",
    "web.current_app.name",
]
DATA = [
    '{"b": 1, "a": [None, True, 1.5, "é"]}',
    '[1, {"z": 1, "y": 2}]',
    "[]",
    "{}",
    '{"when": datetime(2024, 1, 2, 3, 4), "gap": HTTPStatus.OK}',
    'web.jsonify(b=1, a="<é>")',
    "web.jsonify([1, 2])",
    "web.jsonify(None)",
    "web.jsonify()",
    "web.current_app.json.response(b=1, a=[2])",
    "web.json.dumps(web.request.args, indent=2)",
    'web.json.loads(web.request.get_data() or "[]")',
]
RESPONSES = [
    'web.Response("own", status=201, headers={"X-Own": "1"})',
    'web.Response(["a", "b"], mimetype="text/csv")',
    'web.Response("x" * 2000, content_type="text/x; charset=latin-1")',
    "web.Response(status=304)",
    'WerkzeugResponse("werkzeug", status=202)',
    'http.NotFound("as a value")',
    'http.Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "r"}))',
    "Teapot()",
    "Odd()",
    'web.redirect("/elsewhere?x=é", 308)',
    'web.redirect("//other.test/", code=303)',
    'web.redirect("/a b?日", 301, web.Response)',
    "web.redirect(web.request.url, 200)",
    "web.make_response()",
    'web.make_response("made", 202)',
    'web.make_response(("tuple", {"X-Made": "1"}))',
]
FILES: list[Piece] = [
    lambda a: f'web.send_file(io.BytesIO(b"0123456789"), {a.pick(FILE_OPTIONS)})',
    'web.send_from_directory("static", "file.txt")',
    'web.send_file("static/dir/page.html", conditional=False)',
    'web.current_app.send_static_file("file.txt")',
    'web.send_from_directory("static", "../templates/t.html")',
]
PAGES: list[Piece] = [
    lambda a: f"web.render_template_string({templates(a)!r}, x={a.pick(VALUES)})",
    lambda a: f"web.render_template_string({templates(a)!r}, x={a.pick(VALUES)})",
    'web.render_template("t.html", x="<")',
    'web.render_template(["missing.html", "bp.html"], x=1)',
    'web.render_template("missing.html")',
    'web.get_template_attribute("macro.html", "twice")(2)',
]
ECHOES = [
    'web.request.get_data() or "no data"',
    "web.request.args.to_dict(flat=False)",
    "web.request.get_json()",
    'web.request.form["x"]',
    'web.request.args["x"]',
    'web.session.get("n", "no n")',
    "dict(web.session)",
]
WRONG = [
    "None",
    "1",
    "1.5",
    "object()",
    "()",
    '("one",)',
    '("body", 200, {}, "too many")',
    "{1, 2}",
    "True",
    '{"bad": object()}',
    '{1: "int", "s": 2}',
]
BODIES = [TEXTS, TEXTS, DATA, DATA, RESPONSES, RESPONSES, FILES, PAGES, PAGES, ECHOES]
STREAMS = [
    'web.stream_with_context(f"{web.request.path}{n}," for n in range(3))',
    'web.Response(web.stream_with_context(iter(["a", b"b"])), mimetype="text/event-stream")',
    'web.stream_template_string("{% for n in range(3) %}{{ n }}{{ request.path }}{% endfor %}")',
    'web.stream_template("t.html", x=1)',
    "web.stream_with_context((str(1 // n) for n in (1, 0)))",
]
VALUES = ["1", '"<é>"', "None", '["l", "m"]', '{"k": "v"}', "1.5", "True"]
FILE_OPTIONS = [
    'mimetype="text/x-file"',
    'download_name="a b é.txt"',
    'download_name="file.css", max_age=60',
    'mimetype="text/plain", as_attachment=True, download_name="x.txt"',
    'mimetype="text/plain", etag="tag", last_modified=1_600_000_000',
    'download_name="f.bin", etag="tag", conditional=False',
    "",
]
# Not here, and different on purpose (test_differences.py): statuses that are not three digits, and
# texts with line ends in them. Nor are headers that are not latin-1, but for locations.
STATUSES = ["201", "404", "500", '"202"', '"203 Custom"', "HTTPStatus.ACCEPTED", "204", "304"]
STATUSES += ["200", "400", "206", "410"]
STATUSES += ["None", '"418 I\'M A TEAPOT"', "299", 'b"202 Bytes"', "object()"]
HEADERS = [
    '{"X-H": "1"}',
    '[("X-H", "1"), ("X-H", "2")]',
    'Headers([("X-H", "h"), ("Vary", "Accept")])',
    '{"Content-Type": "text/x-other"}',
    '{"X-L": ["1", "2"]}',
    "{}",
    "[]",
    '{"content-length": "3"}',
    '[("Set-Cookie", "raw=1; Path=/"), ("Cache-Control", "no-store")]',
    '(("X-T", "1"), ("X-U", "2"))',
    '{"Location": "/日/relative"}',
    '{"ETag": \'"etag"\'}',
    '{"X-Number": 1}',
]
ERRORS = [
    'Oops("oops")',
    'Deeper("deeper")',
    'KeyError("key")',
    "ZeroDivisionError()",
    "http.NotFound()",
    'http.Forbidden("not <you>")',
    "http.MethodNotAllowed(valid_methods=['PUT'])",
    "http.BadRequestKeyError(KeyError('k'))",
    "http.InternalServerError(original_exception=Oops())",
    "http.RequestedRangeNotSatisfiable(length=3)",
    "http.TooManyRequests(retry_after=7)",
    "NoCode('no code')",
    "Teapot()",
    "Odd('odd')",
    'http.HTTPException(response=web.Response("inside", 410))',
    "Oops",
    "http.Gone",
    "LookupError",
]
ABORTS = [
    "404",
    "403, 'why'",
    "401",
    "405, ['PUT']",
    "500",
    "418",
    "413",
    "416",
    "428",
    "999",
    "200",
]
ABORTS += ['web.Response("aborted", 409)', 'web.redirect("/a", 307)', "wsgi"]

RESPONSE_CHANGES = [
    'response.headers["X-Changed"] = "1"',
    'response.headers.add("X-Changed", "2")',
    "response.status_code = 203",
    'response.status = "210 Changed"',
    'response.set_cookie("c", "v é 日", max_age=60, httponly=True, samesite="Lax")',
    'response.set_cookie("d", "1", path="/a", secure=True)',
    'response.delete_cookie("c")',
    'response.set_data(b"changed")',
    'response.vary.add("Accept")',
    "response.cache_control.max_age = 5",
    'response.headers.pop("Content-Type", None)',
    'response.mimetype = "text/x-changed"',
    "response.direct_passthrough = False",
    "response.add_etag(); response.make_conditional(web.request)",
    "web.note(response.status, response.mimetype, response.is_json, response.get_data()[:50])",
    "web.note(response.content_length, response.is_streamed, sorted(response.headers.keys()))",
    "response.freeze()",
    "response = response.make_conditional(web.request, accept_ranges=True)",
    "response.last_modified = 1_600_000_000",
    'response.www_authenticate.realm = "r"',
    "response.age = 3",
    "response.content_length = 2",
    'response.call_on_close(lambda: web.note("closed"))',
    'web.note("json", response.get_json(silent=True))',
    'response.access_control_allow_origin = "*"',
    "response.content_security_policy = \"default-src 'self'\"",
    "response.allow.update({'PUT'})",
]
READS = [
    "args.to_dict(flat=False)",
    "form.to_dict(flat=False)",
    "values.to_dict(flat=False)",
    "get_json(silent=True)",
    "get_json(force=True)",
    "json",
    "get_data()",
    "data",
    "stream.read()",
    "cookies.get('c')",
    'headers.get("X-Forwarded-For")',
    "host",
    "url",
    "base_url",
    "root_url",
    "full_path",
    "path",
    "script_root",
    "is_secure",
    "scheme",
    "remote_addr",
    "access_route",
    "endpoint",
    "blueprint",
    "blueprints",
    "url_rule.rule",
    "view_args",
    "method",
    "content_length",
    "content_type",
    "mimetype_params",
    "accept_mimetypes.best",
    "accept_languages.best_match(['de', 'en'])",
    "range",
    "if_none_match.as_set()",
    "max_content_length",
    "max_form_memory_size",
    "max_form_parts",
    "is_json",
    "user_agent.string",
    "query_string",
    "routing_exception",
    "trusted_hosts",
    "files.keys()",
    'environ["SCRIPT_NAME"]',
    'files["f"].read()',
    'form["missing"]',
    'headers["Missing"]',
    "want_form_data_parsed",
]


def templates(a: Author) -> str:
    return str(a.pick([*TEMPLATES, LINKING_TEMPLATE] if a.links else TEMPLATES))


def reads_request(a: Author) -> str:
    read = a.pick(READS)
    if a.chance(60):
        return f"web.attempt(lambda: str(web.request.{read}))"
    return f"web.note({read!r}, str(web.request.{read}))"


def builds_url(a: Author) -> str:
    return f"web.attempt(web.url_for, {url_arguments(a)})" if a.links else "web.g.x = 1"


def url_arguments(a: Author) -> str:
    """Arguments of url_for: an endpoint, values that its rule takes or nearly, and options."""
    route = a.pick(a.routes) if a.routes and a.chance(80) else None
    names = ["static", "nowhere", ".view1", "static", "bp1.static", ".static", ""]
    endpoint = route.endpoint if route else a.pick(names)
    if "." in endpoint and a.chance(20):
        endpoint = f".{endpoint.rpartition('.')[2]}"
    values = {"filename": '"file.txt"'} if endpoint.endswith("static") else {}
    for converter, name in variables(route.rule if route else ""):
        if not a.chance(10):
            values[name] = a.pick(URL_VALUES.get(converter, ['"text"', "1"]))
    if a.chance(25):
        values[a.pick(["extra", "x", "y", "p"])] = a.pick(VALUES)
    options = a.pick(URL_OPTIONS) if a.chance(35) else ""
    arguments = [repr(endpoint), *(f"{name}={value}" for name, value in values.items()), options]
    return ", ".join(filter(None, arguments))


URL_OPTIONS = [
    "_external=True",
    "_external=False",
    '_anchor="a b#é日"',
    '_scheme="https"',
    '_scheme="https", _external=False',
    '_scheme="", _external=True',
    '_method="POST"',
    '_method="PUT", _external=True',
    '_anchor=""',
]
URL_VALUES = {
    "int": ["7", "42", "-1", '"7"', '"x"', "None"],
    "float": ["1.5", "2", '"x"'],
    "even": ["2", "7", '"x"'],
    "list": ['["a", "b"]', "()", "1"],
    "path": ['"a/b"', '"/a"', '"é d?"', '""'],
    "any": ['"a"', '"b"', '"z"'],
    "uuid": ['"12345678-1234-1234-1234-123456789abc"', '"x"'],
}


def variables(rule: str) -> list[tuple[str, str]]:
    """The converter and name of each variable of a rule."""
    found = []
    for part in rule.split("<")[1:]:
        converter, _, name = part.partition(">")[0].rpartition(":")
        found.append((converter.partition("(")[0], name))
    return found


def enters_another_context(a: Author) -> str:
    if a.mixed:  # as for INNER
        return str(a.pick(PLAIN))
    context = a.pick(CONTEXTS)
    if a.chance(20):
        return f"try:\n    with {context}:\n        raise Oops\nexcept Oops:\n    pass"
    inside = [a.pick(PLAIN if a.chance(50) else OF_G), *a.some(PLAIN, 1)]
    return f"with {context}:\n{block(inside)}"


CONTEXTS = [
    "app.app_context()",
    'app.test_request_context("/nested?x=2")',
    'app.test_request_context("/", base_url="https://nested.test/root")',
    'app.test_request_context(method="POST", json={"x": 3})',
]
PLAIN: list[Piece] = [
    'web.session["n"] = web.session.get("n", 0) + 1',
    'web.note("session", dict(web.session), web.session.new, web.session.modified)',
    'web.note("permanent", web.session.permanent)',
    "web.session.permanent = True",
    'web.session.pop("n", None)',
    "web.session.clear()",
    'web.session.setdefault("list", []).append(1)',
    'web.session["types"] = (1, b"b", datetime(2024, 1, 1), {" t": 1})',
    'web.note("in session", "n" in web.session)',
    "web.note(bool(web.session), web.session.accessed)",
    lambda a: a.choose(OF_FLASH),
    lambda a: a.choose(OF_FLASH),
    lambda a: a.choose(OF_G),
    lambda a: a.choose(OF_G),
    "web.request.get_json()",
    "web.request.get_json(silent=True)",
    "web.g.missing",
    'web.current_app.logger.warning("warned of %s", web.request.path)',
    'web.current_app.logger.info("info")',
    "web.note(web.has_request_context(), web.has_app_context(), web.current_app.debug)",
    reads_request,
    reads_request,
    reads_request,
    builds_url,
    builds_url,
    'web.note(web.current_app.config["TESTING"], web.current_app.name)',
    "web.current_app.missing",
    "web.request.view_args = {}",
    'web.session["text"] = "é日"',
    "web.request.max_content_length = 5",
    'web.note("template", web.current_app.jinja_env.from_string("{{ g }}").name)',
]
# Nothing here with async functions: Flask cannot wait for one inside of another, and behind a
# teardown function that fails so no other runs (test_differences.py).
INNER = [
    "web.note(web.copy_current_request_context(lambda: web.request.path)())",
    'if "X-Inner" not in web.request.headers:\n'
    '    web.attempt(lambda: app.test_client().get("/a", headers={"X-Inner": "1"}).status)',
]


def after_this(a: Author) -> str:
    name = a.name("this")
    change = a.pick(RESPONSE_CHANGES)
    body = [f'web.note("hook", "{name}")', change, "return response"]
    return "@web.after_this_request\n" + a.function(name, "response", body)


OF_FLASH = [
    'web.flash("message <é日>")',
    'web.flash("error", "error")\nweb.flash("after")',
    'web.note("flashed", web.get_flashed_messages(with_categories=True))',
    'web.note("flashed", web.get_flashed_messages(category_filter=["error"]))',
]
OF_G = [
    "web.g.x = 1",
    'web.note("g", "x" in web.g, sorted(web.g), web.g.pop("x", "none"))',
    'web.g.setdefault("y", []).append(1)',
    'web.note("g", sorted(web.g), web.g.get("y"))',
]


def asks_inside(a: Author) -> str:
    return "web.g.y = []" if a.mixed else str(a.pick(INNER))


STATEMENTS: list[Piece] = [*PLAIN, *PLAIN, after_this, after_this, enters_another_context]
STATEMENTS += [asks_inside, asks_inside]
#: For teardown functions: one that fails keeps the others from running on Flask, and its signal
#: from being sent (test_differences.py).
HARMLESS: list[Piece] = [
    builds_url,
    "web.attempt(lambda: str(web.request.args))",
    "web.attempt(lambda: dict(web.session))",
    'web.attempt(web.flash, "late")',
    'web.note("g", sorted(web.g))',
    'web.attempt(lambda: web.request.files["f"].read())',
]


def body(a: Author) -> str:
    if a.streams and a.chance(30):
        return str(a.pick(STREAMS))
    return str(a.pick(WRONG if a.chance(6) else a.choose(BODIES)))


def returns(a: Author) -> str:
    return f"return {body(a)}"


def returns_tuple(a: Author) -> str:
    parts = [body(a)]
    form = a.below(3)
    if form != 1:
        parts.append(a.pick(STATUSES))
    if form:
        parts.append(a.pick(HEADERS))
    return f"return {', '.join(parts)}"


def returns_made(a: Author) -> str:
    changes = [a.pick(RESPONSE_CHANGES), *a.some(RESPONSE_CHANGES, 1)]
    return "\n".join([f"response = web.make_response({body(a)})", *changes, "return response"])


def raises(a: Author) -> str:
    return f"raise {a.pick(ERRORS)}"


def aborts(a: Author) -> str:
    return f"web.abort({a.pick(ABORTS)})"


def redirects(a: Author) -> str:
    if not a.links:
        return 'return web.redirect("/a?next=b")'
    return f"return web.redirect(web.url_for({url_arguments(a)}))"


def returns_url(a: Author) -> str:
    if not a.links:
        return "return web.request.url"
    return f"return web.url_for({url_arguments(a)})"


def returns_nothing(a: Author) -> str:
    return "pass"


#: The ends of a view.
ANSWERS = [returns] * 9 + [returns_tuple] * 5 + [returns_made] * 4 + [raises, raises, aborts]
ANSWERS += [redirects, returns_url, returns_nothing]


def answer(a: Author) -> str:
    """The last lines of a view; what kind it is, is written down for the statistics."""
    return str(a.pick(ANSWERS))
