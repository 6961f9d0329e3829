"""Promises of Flask's documentation: contexts, errors, blueprints, URLs and streams."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from werkzeug.exceptions import BadRequestKeyError, Forbidden, HTTPException
from werkzeug.routing import BaseConverter, ValidationError
from werkzeug.wrappers import Response as WerkzeugResponse

from .harness import Web, same


class Chunks:
    """An iterator over two chunks that notes when it is closed, and whether it sees a request."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.left = ["first", "second"]

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> str:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def close(self) -> None:
        self.web.note("closed", self.web.has_request_context())


@same
def test_an_iterator_is_closed_before_its_request_is_torn_down(web: Web) -> None:
    app = web.app(TESTING=True)
    closed: list[str] = []

    class Rows(Chunks):
        def close(self) -> None:
            super().close()
            closed.append("rows")

    class Broken(Rows):
        def __next__(self) -> str:
            raise OSError

    @app.teardown_request
    def teardown(error: Any) -> None:
        if closed:  # Flask also tears down when the view returned
            web.note("torn down", type(error).__name__)

    app.add_url_rule("/", "i", lambda: web.stream_with_context(Rows(web)))
    app.add_url_rule("/broken", "b", lambda: web.stream_with_context(Broken(web)))
    web.get("/")
    closed.clear()
    web.get("/broken")


@same
def test_teardown_functions_are_told_that_the_client_left(web: Web) -> None:
    app = web.app()

    @app.teardown_request
    @app.teardown_appcontext
    def teardown(error: Any) -> None:
        if error is not None:
            web.note(type(error).__name__, web.has_app_context())

    def generate() -> Iterator[str]:
        try:
            yield "first"
            yield "second"
        finally:
            web.note("end", web.request.path)

    app.add_url_rule("/", "i", lambda: web.stream_with_context(generate()))
    for chunks in (0, 1, 2, 3):
        response = app.test_client().get("/", buffered=False)
        web.note(list(zip(range(chunks), response.iter_encoded(), strict=False)))
        response.close()


@same
def test_a_request_context_names_its_url(web: Web) -> None:
    app = web.app("named")
    for options in ({}, {"base_url": "https://example.org/root", "method": "POST"}):
        with app.test_request_context("/päth?q=1", **options):
            web.note(repr(web.globals.request_ctx._get_current_object()))


@same
def test_a_context_that_is_nowhere_cannot_be_popped(web: Web) -> None:
    app = web.app()
    for make in (app.app_context, app.test_request_context):
        web.attempt(make().pop)
        context = make()
        context.push()
        context.pop()
        web.attempt(context.pop)


@same
def test_an_app_makes_its_redirects_itself(web: Web) -> None:
    class Mine(web.Flask):  # type: ignore[misc, name-defined]
        def redirect(self, location: str, code: int = 302) -> Any:
            web.note("asked", location, code)
            return super().redirect(f"/mine{location}", code)

    app = web.app(cls=Mine)
    with app.app_context():
        for options in ({}, {"code": 308}, {"Response": WerkzeugResponse}):
            response = web.redirect("/x", **options)
            web.note(response.location, type(response) is app.response_class)
    web.note(type(web.redirect("/x", Response=WerkzeugResponse)) is WerkzeugResponse)


@same
def test_an_answer_varies_by_the_cookie_also_if_it_cannot_be_set(web: Web) -> None:
    app = web.app(SECRET_KEY="key", SESSION_COOKIE_SAMESITE="none at all")
    app.add_url_rule("/set", "set", lambda: web.session.update(a=1) or "set")
    app.add_url_rule(
        "/clear", "clear", lambda: (web.session.setdefault("a", 1) and web.session.clear()) or ""
    )
    web.every("/set", "/clear")


@same
def test_exceptions_of_several_bases_are_handled_by_the_first_that_has_a_handler(web: Web) -> None:
    class Mixed(ValueError, KeyError):
        pass

    class NoCode(HTTPException):
        description = "no code"

    class Renumbered(Forbidden):
        code = 455

    app = web.app()
    for cls in (KeyError, LookupError, HTTPException, Exception, 403):
        app.register_error_handler(cls, lambda e, cls=cls: (f"{cls} {type(e).__name__}", 500))
    errors = [Mixed(), IndexError(), BadRequestKeyError("k"), NoCode(), Renumbered(), Forbidden()]
    errors += [ExceptionGroup("several", [ValueError()]), HTTPException("plain")]

    @app.route("/<int:n>")
    def index(n: int) -> str:
        raise errors[n]

    web.every(*(f"/{n}" for n in range(len(errors))), "/none")


@same
def test_exits_pass_every_handler_and_are_seen_by_teardown(web: Web) -> None:
    for settings in ({}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": False}):
        app = web.app(**settings)
        app.register_error_handler(Exception, lambda e: ("handled", 500))
        app.after_request(lambda r: web.note("after") or r)
        app.teardown_request(lambda e: web.note("request", type(e).__name__))
        app.teardown_appcontext(lambda e: web.note("app", type(e).__name__))
        errors = {c.__name__: c for c in (KeyboardInterrupt, SystemExit, GeneratorExit)}

        @app.route("/<name>")
        def index(name: str, errors: Any = errors) -> str:
            raise errors[name]

        for name in errors:
            try:
                app.test_client().get(f"/{name}")
            except BaseException as e:
                web.note(type(e).__name__)


@same
def test_every_way_to_trap_errors_meets_every_handler(web: Web) -> None:
    settings = ({"TRAP_HTTP_EXCEPTIONS": True}, {"TRAP_BAD_REQUEST_ERRORS": True}, {"DEBUG": True})
    for config in settings:
        for handled in (400, HTTPException, Exception, KeyError):
            app = web.app(**config)
            app.register_error_handler(handled, lambda e: (f"{type(e).__name__}: {e}", 500))
            app.add_url_rule("/key", "key", lambda: web.request.form["none"])
            app.add_url_rule("/abort", "abort", lambda: web.abort(400, "why"))
            app.add_url_rule("/redirect", "redirect", lambda: web.abort(web.redirect("/x")))
            app.add_url_rule("/slash/", "slash", str)
            web.every("/key", "/abort", "/redirect", "/slash", "/none")


@same
def test_functions_of_a_blueprint_are_recorded_and_told_how_it_is_registered(web: Web) -> None:
    app = web.app()
    options: dict[str, Any] = {"url_prefix": "/p", "subdomain": "s", "url_defaults": {"a": 1}}
    bp = web.Blueprint("bp", "app", root_path=str(web.folder), **options)

    def recorded(kind: str, state: Any) -> None:
        web.note(kind, state.app is app, state.blueprint is bp, state.first_registration)
        web.note(state.name, state.name_prefix, state.subdomain, state.url_prefix, state.options)
        web.note(state.url_defaults)

    bp.record(partial(recorded, "always"))
    bp.record_once(partial(recorded, "once"))
    bp.add_url_rule("/x", "x", str, defaults={"c": 3})
    app.register_blueprint(bp, own="option")
    app.register_blueprint(bp, name="again", url_prefix="/q/", subdomain="t", url_defaults={"b": 2})
    parent = web.Blueprint("parent", "app", url_prefix="/parent")
    parent.register_blueprint(bp, name="child", url_prefix="")
    app.register_blueprint(parent, url_defaults={"d": 4})
    rules = app.url_map.iter_rules()
    web.note(sorted((r.rule, r.endpoint, r.subdomain, str(r.defaults)) for r in rules))
    web.note(sorted(app.blueprints), list(app.iter_blueprints()) == [*app.blueprints.values()])


@same
def test_urls_are_built_of_any_value(web: Web) -> None:
    app = web.app()
    for kind in ("", "path:", "int:", "float:", "any(a,b):", "uuid:"):
        app.add_url_rule(f"/{kind[:3]}/<{kind}v>", kind or "text", str)
    values = ["a b/ü?#&;=+%", "", None, 3, "..", "!$'()*,:@~", -1, 1.5, "12", "a", "c", True]
    for context in (app.test_request_context("/", base_url="https://h:99/root"), app.app_context()):
        with context:
            for endpoint in ("text", "path:", "int:", "float:", "any(a,b):", "uuid:"):
                for value in values:
                    web.attempt(web.url_for, endpoint, v=value)
            query = {"a": [1, 2], "b": None, "c": "ü &=/", "d": True, "e": {}}
            web.attempt(web.url_for, "static", filename="a b/ü.css", **query)
            for anchor in ("a b#ü", "", 5):
                web.attempt(web.url_for, "static", filename="x", _anchor=anchor)
            for options in ({"_scheme": "ws"}, {"_scheme": "ws", "_external": False}):
                web.attempt(web.url_for, "static", filename="x", **options)


@same
def test_converters_check_their_arguments_and_cross_slashes(web: Web) -> None:
    class Words(BaseConverter):
        regex = "[a-z]+(?:,[a-z]+)*"

        def to_python(self, value: str) -> list[str]:
            if value == "bad":
                raise ValidationError
            return value.split(",")

        def to_url(self, value: Any) -> str:
            return ",".join(super(Words, self).to_url(word) for word in value)

    class Pair(BaseConverter):
        part_isolating = False
        regex = "[^/]+/[^/]+"

    app = web.app()
    app.url_map.converters.update(words=Words, pair=Pair)
    rules = (
        "/w/<words:v>",
        "/p/<pair:v>",
        "/p/<pair:v>/end",
        "/p/<v>/plain",
        "/pre<int:v>-<w>.txt",
    )
    rules += ("/n/<int(min=3, max=9, fixed_digits=2):v>", "/s/<string(length=2):v>")
    rules += ("/f/<float(signed=True):v>", "/m/<string(minlength=2, maxlength=3):v>")
    for rule in rules:
        app.add_url_rule(rule, rule, lambda **values: repr(values))
    web.every("/w/a,b", "/w/bad", "/w/A", "/p/x/y", "/p/x/y/end", "/p/x/plain", "/pre5-q.r.txt")
    web.every("/n/05", "/n/5", "/n/10", "/s/%C3%BCb", "/s/abc", "/f/-1.5", "/f/1", "/m/abcd")
    with app.test_request_context():
        web.note(web.url_for(rules[0], v=["a", "b c"]), web.url_for(rules[1], v="a/b"))
        web.note(web.url_for(rules[5], v=5), web.url_for(rules[5], v=55))


@same
def test_the_signature_of_signals_is_kept_for_every_path(web: Web) -> None:
    app = web.app(SECRET_KEY="key")

    def index() -> str:
        web.flash("message", "category")
        return str(web.render_template_string("{{ 1 }}"))

    app.add_url_rule("/", "i", index)
    app.add_url_rule("/error", "error", lambda: 1 / 0)
    app.add_url_rule("/abort", "abort", lambda: web.abort(404))
    web.listen()
    with web.signals.template_rendered.connected_to(
        lambda sender, template, context, **_: web.note(
            sender is app, template.name, "g" in context
        ),
        app,
    ):
        web.every("/", "/error", "/abort", "/none")
    with app.app_context():
        web.render_template_string("")
    try:
        with app.test_request_context():
            raise TypeError
    except TypeError:
        pass
