"""The pages of Flask's chapter "Patterns": each one's program, in small."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule
from werkzeug.test import Client
from werkzeug.utils import import_string, secure_filename
from werkzeug.wrappers import Response

from .harness import Web, same


@same
def test_application_factories(web: Web) -> None:
    """Extensions without an app, blueprints that use current_app, an app a configuration."""

    class Greetings:
        def init_app(self, app: Any) -> None:
            app.config.setdefault("GREETING", "Hello")
            app.extensions["greetings"] = self

        @property
        def word(self) -> str:
            return str(web.current_app.config["GREETING"])

    greetings = Greetings()
    bp = web.Blueprint("pages", "pages", root_path=str(web.folder))

    @bp.route("/<name>")
    def hello(name: str) -> str:
        extension = web.current_app.extensions["greetings"]
        url = web.url_for(".hello", name=name)
        return f"{extension.word}, {name} from {web.current_app.name} at {url}"

    def create_app(**config: Any) -> Any:
        app = web.app("factory", **config)
        greetings.init_app(app)
        app.register_blueprint(bp, url_prefix=config.get("PREFIX", "/"))
        return app

    for app in (create_app(), create_app(GREETING="Ahoy", PREFIX="/sea")):
        web.use(app)
        web.every("/ada", "/sea/ada")
    web.attempt(lambda: greetings.word)


@same
def test_application_dispatching(web: Web) -> None:
    """Apps combined by path and by subdomain, and made at their first request."""

    def create(name: str) -> Any:
        app = web.app(name)

        @app.route("/")
        def index() -> str:
            return f"{name} {web.request.script_root} {web.url_for('index')} {web.request.url}"

        return app

    made: list[str] = []

    class BySubdomain:
        def __init__(self) -> None:
            self.apps: dict[str, Any] = {}

        def __call__(self, environ: Any, start_response: Any) -> Any:
            name = environ["HTTP_HOST"].partition(".")[0]
            if name == "nobody":
                return NotFound()(environ, start_response)
            if name not in self.apps:
                made.append(name)
                self.apps[name] = create(name)
            return self.apps[name](environ, start_response)

    by_path = Client(DispatcherMiddleware(create("front"), {"/back": create("back")}))
    for path in ("/", "/back", "/back/", "/back/none", "/none"):
        found = by_path.get(path)
        web.note(path, found.status, found.text, found.headers.get("Location"))
    by_subdomain = Client(BySubdomain())
    for host in ("ada.example", "bob.example", "ada.example", "nobody.example"):
        found = by_subdomain.get("/", base_url=f"http://{host}")
        web.note(host, found.status, found.text)
    web.note(made)


@same
def test_urls_with_a_language(web: Web) -> None:
    """URL processors put the language into g, and back into every URL that takes it."""
    app = web.app()
    bp = web.Blueprint("shop", "shop", url_prefix="/<lang_code>/shop", root_path=str(web.folder))

    @app.url_defaults
    def add_language(endpoint: str, values: dict[str, Any]) -> None:
        if "lang_code" in values or not web.g.get("lang_code"):
            return
        if web.current_app.url_map.is_endpoint_expecting(endpoint, "lang_code"):
            values["lang_code"] = web.g.lang_code

    @app.url_value_preprocessor
    def pull_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values is not None:
            web.g.lang_code = values.pop("lang_code", None)

    @app.route("/")
    def index() -> str:
        return f"{web.g.lang_code} {web.url_for('about', lang_code='en')}"

    @app.route("/<lang_code>/about")
    def about() -> str:
        urls = web.url_for("about"), web.url_for("shop.item", id=1), web.url_for("index")
        return f"{web.g.lang_code} {urls}"

    @bp.route("/<int:id>")
    def item(id: int) -> str:
        urls = web.url_for(".item", id=id + 1), web.url_for("about", lang_code="fr")
        return f"{web.g.lang_code} {id} {urls}"

    app.register_blueprint(bp)
    web.every("/", "/de/about", "/de/shop/1", "/de/shop/x", "/about")


@same
def test_a_database_connection_of_the_app_context(web: Web) -> None:
    """Opened when it is asked for, once a context, and closed at its end, also after errors."""
    app = web.app()

    def get_db() -> sqlite3.Connection:
        if "db" not in web.g:
            web.note("open")
            web.g.db = sqlite3.connect(":memory:")
            web.g.db.row_factory = sqlite3.Row
        return web.g.db  # type: ignore[no-any-return]

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        db = web.g.pop("db", None)
        if db is not None:
            db.close()
            web.note("close", type(error).__name__)

    @app.cli.command("init-db")
    def init_db() -> None:
        get_db().execute("CREATE TABLE entries (title TEXT)")
        print("Initialized the database.")

    app.add_url_rule("/", "i", lambda: dict(get_db().execute("SELECT 1 AS one").fetchone()))
    app.add_url_rule("/twice", "t", lambda: str(get_db() is get_db()))
    app.add_url_rule("/broken", "b", lambda: get_db().execute("SELECT nothing"))
    app.add_url_rule("/none", "n", lambda: "no database")
    web.every("/", "/twice", "/broken", "/none")
    result = app.test_cli_runner().invoke(args=["init-db"])
    web.note(result.output, result.exit_code)
    with app.app_context():
        get_db()


@same
def test_uploading_files(web: Web) -> None:
    app = web.app(MAX_CONTENT_LENGTH=2000, SECRET_KEY="k")

    @app.route("/", methods=["GET", "POST"])
    def upload() -> Any:
        if "file" not in web.request.files:
            web.flash("No file part")
            return web.redirect(web.request.url)
        file = web.request.files["file"]
        if not file.filename or not file.filename.endswith(".txt"):
            return {"refused": file.filename, "told": web.get_flashed_messages()}, 422
        name = secure_filename(file.filename)
        file.save(web.folder / name)
        return web.redirect(web.url_for("download", name=name))

    app.add_url_rule(
        "/uploads/<name>",
        "download",
        lambda name: web.send_from_directory(web.folder, name, max_age=0),
    )
    app.add_url_rule("/uploads/<name>", endpoint="download", build_only=True)
    web.folder.mkdir(exist_ok=True)
    web.file("a.txt", "to be replaced")

    def send(name: str, size: int = 3) -> None:
        web.post("/", data={"file": (io.BytesIO(b"x" * size), name)})

    send("../../a.txt")
    web.file("a.txt", "xxx")  # with the time of change that cases have
    web.get("/uploads/a.txt")
    web.post("/")
    send("a.exe")
    send("")
    send("big.txt", 4000)


@same
def test_view_decorators(web: Web) -> None:
    """Views behind a login, cached, templated, and registered by endpoint."""
    app = web.app(SECRET_KEY="k", TESTING=True)
    web.file("templates/index.html", "{{ title }} for {{ g.user }}")
    cache: dict[str, Any] = {}

    def login_required(f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            if web.g.user is None:
                return web.redirect(web.url_for("login", next=web.request.url))
            return f(*args, **kwargs)

        return decorated

    def cached(f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            key = f"view/{web.request.path}"
            if key not in cache:
                cache[key] = f(*args, **kwargs)
            return cache[key]

        return decorated

    def templated(f: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(f)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            name = f"{web.request.endpoint.replace('.', '/')}.html"
            context = f(*args, **kwargs)
            return web.render_template(name, **context) if isinstance(context, dict) else context

        return decorated

    @app.before_request
    def load_user() -> None:
        web.g.user = web.session.get("user")

    @app.route("/")
    @login_required
    @templated
    def index() -> Any:
        return {"title": "Index"}

    @app.route("/login")
    def login() -> Any:
        web.session["user"] = "ada"
        return web.redirect(web.request.args.get("next", "/"))

    @app.route("/cached/<int:n>")
    @cached
    def counted(n: int) -> str:
        return f"{n} {len(cache)}"

    @app.endpoint("mapped")
    def mapped() -> str:
        return "mapped"

    app.url_map.add(Rule("/mapped", endpoint="mapped"))
    web.every("/", "/login?next=/", "/", "/cached/1", "/cached/2", "/cached/1", "/mapped")


@same
def test_lazily_loaded_views(web: Web) -> None:
    """One central map of URLs to functions that are imported at their first request."""

    class LazyView:
        def __init__(self, name: str) -> None:
            self.__module__, self.__name__ = name.rsplit(".", 1)
            self.name = name

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            web.note("import", self.name)
            return import_string(self.name)(*args, **kwargs)

    app = web.app()
    app.add_url_rule("/", view_func=LazyView("builtins.dict"))
    app.add_url_rule("/safe/<filename>", view_func=LazyView("werkzeug.utils.secure_filename"))
    app.add_url_rule("/none", view_func=LazyView("werkzeug.nothing"))
    web.note(sorted(app.view_functions))
    web.every("/", "/safe/a b", "/none")


@same
def test_a_favicon_by_redirect_and_by_file(web: Web) -> None:
    app = web.app()
    web.file("static/favicon.ico", b"\0\0\1\0")
    app.add_url_rule("/favicon.ico", "favicon", redirect_to=lambda adapter: "static/favicon.ico")
    icon = {"mimetype": "image/vnd.microsoft.icon"}
    app.add_url_rule(
        "/icon",
        "icon",
        lambda: web.send_from_directory(f"{app.root_path}/static", "favicon.ico", **icon),
    )
    web.every("/favicon.ico", "/static/favicon.ico", "/icon")


@same
def test_deferred_callbacks(web: Web) -> None:
    """A before function remembers a language for the response that is yet to come."""
    app = web.app(SECRET_KEY="k")

    @app.before_request
    def detect_language() -> None:
        language = web.request.cookies.get("user_lang")
        if language is None:
            language = web.request.accept_languages.best_match(["de", "en"])

            @web.after_this_request
            def remember(response: Any) -> Any:
                response.set_cookie("user_lang", language)
                return response

        web.g.language = language

    app.add_url_rule("/", "i", lambda: str(web.g.language))
    web.get("/", headers={"Accept-Language": "de-AT, en;q=0.5"})
    web.get("/")
    web.attempt(web.after_this_request, lambda response: response)


@same
def test_http_method_overrides_and_other_middleware(web: Web) -> None:
    class MethodOverride:
        def __init__(self, app: Any) -> None:
            self.app = app

        def __call__(self, environ: Any, start_response: Any) -> Any:
            method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
            if method in {"GET", "PUT", "DELETE"}:
                environ["REQUEST_METHOD"] = method
                if method == "GET":
                    environ["CONTENT_LENGTH"] = "0"
            return self.app(environ, start_response)

    app = web.app()
    app.wsgi_app = ProxyFix(MethodOverride(app.wsgi_app), x_for=1, x_proto=1, x_host=1, x_prefix=1)

    @app.route("/", methods=["GET", "PUT", "DELETE"])
    def index() -> Any:
        request = web.request
        return {
            "method": request.method,
            "body": request.get_data(as_text=True),
            "url": request.url,
            "from": request.remote_addr,
            "link": web.url_for("index", _external=True),
        }

    for method in ("PUT", "delete", "PATCH", "GET"):
        web.post("/", data="body", headers={"X-HTTP-Method-Override": method})
    web.get(
        "/",
        headers={
            "X-Forwarded-For": "10.0.0.1, 10.0.0.2",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "shop.example",
            "X-Forwarded-Prefix": "/app",
        },
    )


@same
def test_request_content_checksums(web: Web) -> None:
    """The input stream is wrapped before the form is parsed."""

    class Checksum:
        def __init__(self, stream: Any) -> None:
            self.stream = stream
            self.hash = hashlib.sha1(usedforsecurity=False)

        def read(self, *args: Any) -> bytes:
            data: bytes = self.stream.read(*args)
            self.hash.update(data)
            return data

        def readline(self, *args: Any) -> bytes:
            line: bytes = self.stream.readline(*args)
            self.hash.update(line)
            return line

        def readinto(self, buffer: Any) -> int:
            data = self.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)

    app = web.app()

    @app.route("/", methods=["POST"])
    def index() -> Any:
        environ = web.request.environ
        stream = environ["wsgi.input"] = Checksum(environ["wsgi.input"])
        form = web.request.form.to_dict()
        return {"form": form, "sum": stream.hash.hexdigest()}

    web.post("/", data={"a": "1", "b": "two"})
    web.post("/", data={"a": "1", "f": (io.BytesIO(b"file"), "f.txt")}, buffered=True)
    web.post("/", data=b"{}", content_type="application/json")


@same
def test_subclassing_the_application_and_the_request(web: Web) -> None:
    class OrderedRequest(web.Request):  # type: ignore[misc, name-defined]
        @property
        def rest_method(self) -> str:
            return str(self.args.get("_method", self.method))

    class App(web.Flask):  # type: ignore[misc, name-defined]
        request_class = OrderedRequest

        def full_dispatch_request(self) -> Any:
            response = super().full_dispatch_request()
            response.headers["X-Dispatched"] = web.request.rest_method
            return response

    app = web.app(cls=App)
    app.add_url_rule("/", "i", lambda: web.request.rest_method)
    web.every("/", "/?_method=PUT", "/none")


@same
def test_a_single_page_application(web: Web) -> None:
    """One catch-all route beside an API, with the static folder at the root."""
    web.file("static/app.js", "app()")
    web.file("static/index.html", "<div id=app>")
    app = web.app(static_folder="static", static_url_path="/")
    app.add_url_rule("/heartbeat", "h", lambda: web.jsonify({"status": "healthy"}))

    @app.route("/", defaults={"path": ""})
    @app.route("/<path:path>")
    def catch_all(path: str) -> Any:
        return app.send_static_file("index.html")

    web.every("/", "/users/1", "/app.js", "/heartbeat", "/api/none?a=b")
    web.post("/users/1")


@same
def test_json_for_javascript(web: Web) -> None:
    """``tojson`` in scripts and attributes, ``fetch`` bodies in, JSON out."""
    app = web.app()
    source = (
        "<script>const data = {{ data|tojson }}</script>"
        "<p data-x='{{ data|tojson }}' title=\"{{ data|tojson|forceescape }}\">"
    )
    data = {"text": "</script><b>'\"&", "list": [1, None, True]}
    app.add_url_rule("/", "i", lambda: web.render_template_string(source, data=data))

    @app.route("/add", methods=["POST"])
    def add() -> Any:
        if web.request.is_json:
            return web.jsonify(result=sum(web.request.json["terms"]))
        return web.jsonify(result=sum(web.request.form.getlist("terms", type=int)))

    web.get("/")
    web.post("/add", json={"terms": [1, 2.5]})
    web.post("/add", data={"terms": ["1", "2", "x"]})
    web.post("/add", json={"none": []})


@same
def test_task_queues_make_contexts_of_their_own(web: Web) -> None:
    """A task runs in an app context, in a thread, without the request that started it."""
    from threading import Thread

    app = web.app(SERVER_NAME="shop.example", PREFERRED_URL_SCHEME="https", QUEUE=[])

    def task(order: int) -> None:
        with app.app_context():
            web.current_app.config["QUEUE"].append((order, web.url_for("order", id=order)))
            web.note(web.has_request_context(), web.g.get("user"))

    @app.route("/orders/<int:id>")
    def order(id: int) -> Any:
        web.g.user = "ada"
        thread = Thread(target=task, args=[id])
        thread.start()
        thread.join()
        return {"queue": app.config["QUEUE"], "user": web.g.user}

    web.get("/orders/5", base_url="https://shop.example")


@same
def test_streaming_contents(web: Web) -> None:
    app = web.app()
    rows = [["a", "1"], ["b", "2"]]

    @app.route("/large.csv")
    def csv() -> Any:
        def generate() -> Iterator[str]:
            for row in rows:
                yield f"{','.join(row)}\n"

        return generate(), {"Content-Type": "text/csv"}

    @app.route("/stream")
    def stream() -> Any:
        @web.stream_with_context
        def generate() -> Iterator[str]:
            yield "Hello "
            yield web.request.args["name"]
            yield "!"

        return generate()

    @app.route("/template")
    def template() -> Any:
        source = "{% for row in rows %}{{ row[0] }}{{ request.args.name }};{% endfor %}"
        return web.stream_template_string(source, rows=rows)

    web.every("/large.csv", "/stream?name=Ada", "/stream", "/template?name=x")


@same
def test_handling_application_errors(web: Web) -> None:
    """JSON for every HTTP error, an API's own exception, and everything else as 500."""

    class InvalidUsage(Exception):
        def __init__(self, message: str, status_code: int = 400, **payload: Any) -> None:
            super().__init__()
            self.status_code = status_code
            self.payload = {**payload, "message": message}

    class Insufficient(HTTPException):
        code = 507
        description = "Not enough storage space."

    app = web.app(PROPAGATE_EXCEPTIONS=False)

    @app.errorhandler(HTTPException)
    def as_json(e: Any) -> Any:
        response = e.get_response()
        response.data = web.json.dumps({"code": e.code, "name": e.name, "text": e.description})
        response.content_type = "application/json"
        return response

    app.errorhandler(InvalidUsage)(lambda e: (web.jsonify(e.payload), e.status_code))

    @app.route("/<kind>")
    def index(kind: str) -> Any:
        if kind == "usage":
            raise InvalidUsage("No user ID provided!", status_code=410, field="id")
        if kind == "storage":
            raise Insufficient
        if kind == "abort":
            web.abort(404, description="Resource not found")
        if kind == "response":
            web.abort(Response("as is", 418))
        return {}[kind]

    web.every("/usage", "/storage", "/abort", "/response", "/broken", "/not/there")
    web.post("/usage")
