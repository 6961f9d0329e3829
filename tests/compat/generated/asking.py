"""The second half of a program: requests made from its own rules, and what else uses an app."""

from __future__ import annotations

import re

from .author import Author, Piece, Route
from .pieces import STATEMENTS, url_arguments, variables

# No character that is not printable: the log has it escaped (test_differences.py).
TEXTS = ["a", "foo", "1", "é", "日", "a b", "a/b", "%2F", "", "..", "x.y", "A", "+", "%F0%9F", "-1"]
FITTING = {
    "": ["a", "b", "foo", "1", "é", "7"],
    "int": ["7", "42", "2", "007"],
    "string": ["ab", "42"],
    "float": ["1.5", "7.0"],
    "path": ["a/b", "a", "foo/bar"],
    "any": ["a", "b"],
    "uuid": ["12345678-1234-1234-1234-123456789abc"],
    "even": ["2", "42", "0", "7"],
    "list": ["a+b", "a", "+"],
}
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "BREW", "get"]
QUERIES = ["x=1", "x=1&x=2", "x=%C3%A9&y", "=&&x", "x=%FF%00", "x=" + "a" * 200, "?x=1"]
NOISE: list[Piece] = [
    lambda a: "/",
    lambda a: "/static/file.txt",
    lambda a: "/static/" + a.choose(["missing", "../t.html", "dir/page.html", ""]),
    lambda a: "/none/" + a.choose(TEXTS),
    lambda a: "//" + a.choose(["a", "other.test/a", ""]),
    lambda a: "/files/file.txt",
    lambda a: "/again/a",
]
HEADERS = [
    '{"Host": "www.example.test"}',
    '{"Host": "evil.test:81"}',
    '{"Accept": "text/html;q=0.5, application/json", "Accept-Language": "de"}',
    '{"Cookie": "session=bad; c=1"}',
    '{"Cookie": "c=\\"q\\\\303\\\\251\\"; c=2;;=x; bad"}',
    '{"If-None-Match": \'"etag", "tag"\'}',
    '{"If-None-Match": "*", "Range": "bytes=1-"}',
    '{"If-Modified-Since": "Wed, 15 Nov 2023 00:00:00 GMT"}',
    '{"Range": "bytes=2-4"}',
    '{"Range": "bytes=-2"}',
    '{"Range": "bytes=90-"}',
    '{"Range": "bytes=0-1,3-4", "If-Range": \'"tag"\'}',
    '{"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "f.test"}',
    '{"Authorization": "Basic dTpw", "User-Agent": "agent"}',
    '[("X-Twice", "1"), ("X-Twice", "2"), ("Referer", "http://r.test/")]',
]
BODIES = [
    'data={"x": "1", "y": ["2", "é"]}',
    'json={"x": [1, None], "é": "é"}',
    "json=None",
    'data="{bad json", content_type="application/json"',
    'data=b"\\xff", content_type="application/json; charset=latin-1"',
    'data="", content_type="application/json"',
    'data="{\\"x\\": }", content_type="application/json"',
    'json="text"',
    'data={"x": "1", "f": (io.BytesIO(b"file"), "f é.txt", "text/x")}',
    'data="--b\\r\\nbroken", content_type="multipart/form-data; boundary=b"',
    'data="x=1", content_type="multipart/form-data"',
    'data="x" * 2000, content_type="text/plain"',
    'data={"x": "y" * 600}',
    'data={"a": "1", "b": "2", "c": "3"}, content_type="multipart/form-data"',
    'data="x=%FF&y=1+2", content_type="application/x-www-form-urlencoded"',
    'input_stream=io.BytesIO(b"x=1"), content_type="application/x-www-form-urlencoded"',
    'data="[1]", content_type="application/vnd.api+json"',
]
EXTRAS = [
    'base_url="https://localhost"',
    'base_url="http://www.example.test"',
    'base_url="http://example.test:8080/root"',
    'base_url="http://localhost/mounted"',
    'subdomain="api"',
    'subdomain="deep.api"',
    "follow_redirects=True",
    'environ_base={"REMOTE_ADDR": "9.9.9.9"}',
    'environ_overrides={"SCRIPT_NAME": "/script"}',
    'environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}',
    'environ_overrides={"wsgi.input_terminated": True}',
    'url_scheme="https"',
]


def path_of(a: Author, route: Route) -> str:
    """A path that the rule takes, or nearly."""
    path = route.rule
    for converter, name in variables(route.rule):
        text = a.choose(FITTING[converter] if a.chance(90) else TEXTS)
        path = re.sub(rf"<[^<>]*\b{name}>", text, path, count=1)  # none has a backslash
    if a.chance(15):
        path = a.choose([path + "/", path.rstrip("/"), path.replace("/", "//", 1), path + "%20"])
    return path.replace(" ", "%20") if a.chance(50) else path


def asks(a: Author) -> None:
    """Write a request."""
    route = a.choose(a.routes) if a.routes and not a.chance(8) else None
    path = path_of(a, route) if route else a.pick(NOISE)
    queries = []
    if a.gates and a.chance(35):
        queries.append(f"go={a.choose(a.gates)}")
    if a.chance(30):
        queries.append(a.choose(QUERIES))
    target = f"{path}?{'&'.join(queries)}" if queries else path
    arguments = [repr(target), *options(a, route)]
    a.write(f"web.open({', '.join(arguments)})")


def options(a: Author, route: Route | None) -> list[str]:
    """The keyword arguments of a request."""
    methods = route.methods if route else []
    method = a.choose(methods) if methods and not a.chance(15) else a.choose(METHODS)
    rv = [] if method == "GET" else [f"method={method!r}"]
    if a.chance(65 if method in ("POST", "PUT", "PATCH", "DELETE") else 8):
        rv.append(a.choose(BODIES))
    if route and route.host is not None and not a.chance(20):
        rv.append(f'base_url="http://{host_of(a, route.host)}"')
    elif a.chance(12):
        rv.append(a.choose(EXTRAS))
    if a.chance(20):
        rv.append(f"headers={a.choose(HEADERS)}")
    return rv


def host_of(a: Author, host: str) -> str:
    """What a request to a rule's host or subdomain names in its URL."""
    if "." in host or host in ("localhost", "<host>"):
        return host.replace("<host>", "any.test")
    return f"{host.replace('<sub>', 'some')}.example.test".lstrip(".")


def uses(a: Author) -> None:
    """Write something else that programs and their tests do with an app."""
    path = path_of(a, a.choose(a.routes))
    use = a.pick(USES)
    # A stream is torn down twice on Flask, where a client that keeps its context fails
    # (test_differences.py).
    if not (a.streams and ("as client" in use or "teardown" in use)):
        a.write(re.sub(r"\bPATH\b", lambda m: repr(path), use))


def in_a_context(a: Author) -> str:
    context = a.choose(["app.app_context()", "app.test_request_context(PATH)"])
    if not a.links:
        return f"with {context}:\n    web.note(web.current_app.name, bool(web.request))"
    return f"with {context}:\n    web.attempt(web.url_for, {url_arguments(a)})"


def in_a_request_context(a: Author) -> str:
    statement = a.choose([s for s in STATEMENTS if isinstance(s, str)])
    return f"with app.test_request_context(PATH):\n    web.attempt(exec, {statement!r}, globals())"


USES: list[Piece] = [
    in_a_context,
    in_a_context,
    in_a_request_context,
    "with app.test_request_context(PATH):\n"
    "    web.attempt(lambda: web.note(web.request.endpoint, web.request.view_args))",
    "with app.test_request_context(PATH):\n    web.attempt(lambda: app.preprocess_request() and 1)",
    "with app.test_request_context(PATH):\n"
    "    web.attempt(lambda: app.full_dispatch_request().status)",
    "with app.test_request_context(PATH):\n    web.attempt(lambda: app.dispatch_request() and 1)",
    "with app.test_request_context(PATH):\n"
    '    web.attempt(lambda: ("x" in web.session, app.process_response(web.Response("x")).status))',
    "with app.test_request_context(PATH):\n"
    "    try:\n"
    "        1 / 0\n"
    "    except ZeroDivisionError as e:\n"
    "        web.attempt(lambda: web.make_response(app.handle_user_exception(e)).status)",
    "with app.test_request_context(PATH):\n    web.attempt(lambda: app.ensure_sync(len)([1]))",
    "with app.test_client() as client:\n"
    "    web.attempt(lambda: client.get(PATH).status)\n"
    "    web.attempt(lambda: (web.request.path, dict(web.session), sorted(web.g)))",
    "with app.test_client() as client:\n"
    "    web.attempt(lambda: (client.get(PATH).status, client.get(PATH).status))",
    "def transaction():\n"
    "    with app.test_client() as client:\n"
    "        with client.session_transaction() as session:\n"
    "            session['n'] = 5\n"
    "        web.note(client.get(PATH).status)\n"
    "        with client.session_transaction() as session:\n"
    "            web.note(dict(session))\n"
    "web.attempt(transaction)",
    "web.attempt(lambda: app.before_request(print) and 1)",
    "web.attempt(app.add_url_rule, '/late', view_func=print)",
    "web.attempt(lambda: app.test_client().get(PATH, buffered=True).status)",
    "web.attempt(lambda: web.url_for('static', filename='x'))",
    "web.attempt(lambda: web.session['x'])",
    # What extensions write to between requests.
    'app.before_request_funcs.setdefault(None, []).insert(0, web.noting("hook", "late"))',
    'app.after_request_funcs[None].append(lambda r: web.note("hook", "late") or r)',
    'app.teardown_appcontext_funcs.append(web.noting("hook", "late"))',
    'app.url_value_preprocessors[None].append(web.noting("hook", "late"))',
    "app.view_functions.update(dict.fromkeys(app.view_functions, lambda **values: 'late'))",
    'app.error_handler_spec[None][404][http.NotFound] = lambda e: ("late", 404)',
    'app.url_map.add(Rule("/late/<x>", endpoint="late", methods=["GET"]))\n'
    'app.view_functions["late"] = lambda x: x\nweb.open("/late/1")',
    'app.config["MAX_CONTENT_LENGTH"] = 3',
    "app.config.update(PROPAGATE_EXCEPTIONS=True, SESSION_COOKIE_PATH='/late')",
    'app.secret_key = "late"',
    "app.debug = not app.debug",
    "app.testing = True",
    'app.make_response = lambda rv, old=app.make_response: (web.note("hook", "late"), old(rv))[1]',
]
