"""Blueprints: names, prefixes, nesting, being registered more than once."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Web, same


@pytest.mark.parametrize("prefix", [None, "", "/", "/p", "/p/", "p"])
@pytest.mark.parametrize("rule", ["", "/", "/x", "x"])
@same
def test_prefix_and_rule_are_joined(web: Web, prefix: str | None, rule: str) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix=prefix)
    bp.add_url_rule(rule, "view", lambda: "view")
    web.attempt(app.register_blueprint, bp)
    web.note([r.rule for r in app.url_map.iter_rules()])


@same
def test_registration_options_win_over_those_of_the_blueprint(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/own", url_defaults={"x": "own", "y": "own"})
    bp.add_url_rule("/a", "a", lambda x, y: f"{x} {y}")
    bp.add_url_rule("/b", "b", lambda x, y: f"{x} {y}", defaults={"x": "rule"})
    app.register_blueprint(bp, url_prefix="/given", url_defaults={"y": "given"})
    web.every("/own/a", "/given/a", "/given/b")


@same
def test_a_blueprint_is_registered_twice_under_two_names(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app")
    bp.add_url_rule("/x", "x", lambda: f"{web.request.endpoint} {web.url_for('.x')}")
    bp.before_request(lambda: web.note("before", web.request.blueprint))
    bp.app_context_processor(dict)
    bp.record(lambda state: web.note("record", state.name, state.first_registration))
    bp.record_once(lambda state: web.note("once", state.name))
    app.register_blueprint(bp, url_prefix="/one")
    app.register_blueprint(bp, url_prefix="/two", name="second")
    web.attempt(app.register_blueprint, bp)
    web.attempt(app.register_blueprint, web.Blueprint("bp", "app"))
    web.note(sorted(app.blueprints), [b.name for b in app.iter_blueprints()])
    web.every("/one/x", "/two/x")


@same
def test_nested_blueprints_join_names_prefixes_and_subdomains(web: Web) -> None:
    app = web.app(subdomain_matching=True, SERVER_NAME="example.org")
    a = web.Blueprint("a", "app", url_prefix="/a", subdomain="sub")
    b = web.Blueprint("b", "app", url_prefix="/b", subdomain="deep")
    c = web.Blueprint("c", "app")
    for bp in (a, b, c):
        bp.add_url_rule("/x", "x", lambda: f"{web.request.blueprints} {web.url_for('.x')}")
    b.register_blueprint(c, url_prefix="/c")
    a.register_blueprint(b)
    app.register_blueprint(a)
    app.register_blueprint(a, name="again", url_prefix="/again", subdomain="other")
    web.note(sorted((str(r), r.endpoint, r.subdomain) for r in app.url_map.iter_rules()))
    web.note(sorted(app.blueprints))
    web.get("/a/x", subdomain="sub")
    web.get("/a/b/x", subdomain="deep.sub")
    web.get("/a/b/c/x", subdomain="deep.sub")
    web.get("/again/b/c/x", subdomain="deep.other")


@same
def test_one_blueprint_is_nested_in_two(web: Web) -> None:
    app = web.app()
    shared = web.Blueprint("shared", "app", url_prefix="/shared")
    shared.add_url_rule("/", "view", lambda: f"{web.request.endpoint}")
    shared.before_request(lambda: web.note("shared", web.request.blueprints))
    shared.errorhandler(KeyError)(lambda e: "handled")
    shared.add_url_rule("/key", "key", lambda: {}["x"])
    for name in ("one", "two"):
        parent = web.Blueprint(name, "app", url_prefix=f"/{name}")
        parent.before_request(web.noting(name))
        parent.register_blueprint(shared)
        app.register_blueprint(parent)
    web.every("/one/shared/", "/two/shared/", "/one/shared/key")


@same
def test_a_child_registered_twice_in_a_parent_needs_a_name(web: Web) -> None:
    app = web.app()
    parent, child = web.Blueprint("parent", "app"), web.Blueprint("child", "app")
    child.add_url_rule("/x", "x", lambda: web.request.endpoint)
    parent.register_blueprint(child, url_prefix="/1")
    parent.register_blueprint(child, url_prefix="/2", name="other")
    app.register_blueprint(parent)
    web.every("/1/x", "/2/x")
    web.attempt(parent.register_blueprint, parent)
    clash = web.Blueprint("clash", "app")
    clash.register_blueprint(child)
    clash.register_blueprint(child)
    web.attempt(app.register_blueprint, clash)


@same
def test_names_are_checked(web: Web) -> None:
    web.attempt(web.Blueprint, "", "app")
    web.attempt(web.Blueprint, "a.b", "app")
    bp = web.Blueprint("bp", "app")
    web.attempt(bp.add_url_rule, "/x", "a.b", lambda: "")
    web.attempt(bp.add_url_rule, "/x", view_func=web.noting("x"))

    def dotted() -> str:
        return ""

    dotted.__name__ = "a.b"
    web.attempt(bp.add_url_rule, "/x", "fine", dotted)
    web.attempt(bp.add_url_rule, "x", view_func=dotted)


@same
def test_functions_for_the_whole_app(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app")
    bp.before_app_request(web.noting("before"))
    bp.after_app_request(lambda r: web.note("after") or r)
    bp.teardown_app_request(web.noting("teardown"))
    bp.app_url_value_preprocessor(web.noting("preprocessor"))
    bp.app_url_defaults(lambda endpoint, values: values.update(d=endpoint))
    bp.app_context_processor(lambda: {"x": "from bp"})
    bp.app_template_filter("shout")(lambda s: s.upper())
    bp.app_template_test()(_even)
    bp.app_template_global("three")(lambda: 3)
    bp.add_app_template_filter(len, "size")
    source = "{{ x|shout }} {{ 2 is _even }} {{ three() }} {{ x|size }} {{ url_for('index') }}"
    app.add_url_rule("/", "index", lambda: web.render_template_string(source))
    app.register_blueprint(bp)
    web.every("/", "/none")


def _even(n: int) -> bool:
    return n % 2 == 0


@same
def test_own_functions_of_a_blueprint_are_for_its_views(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/bp")
    bp.url_value_preprocessor(lambda endpoint, values: web.note("pull", endpoint, values))
    bp.url_defaults(lambda endpoint, values: values.update(d=endpoint))
    bp.context_processor(lambda: {"x": "bp"})
    source = "{{ x }} {{ url_for('index') }} {{ url_for('bp.view') }}"
    app.add_url_rule("/", "index", lambda: web.render_template_string(source))
    bp.add_url_rule("/", "view", lambda: web.render_template_string(source))
    app.register_blueprint(bp)
    web.every("/", "/bp/", "/bp/none")


@same
def test_static_files_of_blueprints(web: Web) -> None:
    app = web.app()
    web.file("bp_static/a.txt", "of the blueprint")
    web.file("static/a.txt", "of the app")
    options = {"static_folder": "bp_static", "root_path": str(web.folder)}
    one = web.Blueprint("one", "app", url_prefix="/one", **options)
    two = web.Blueprint("two", "app", static_url_path="/files", **options)
    three = web.Blueprint("three", "app", url_prefix="/three", static_url_path="/f", **options)
    for bp in (one, two, three):
        app.register_blueprint(bp)
    app.add_url_rule("/urls", "urls", lambda: " ".join(_static_urls(web)))
    web.every("/urls", "/one/bp_static/a.txt", "/files/a.txt", "/three/f/a.txt", "/static/a.txt")
    web.note(one.has_static_folder, one.static_folder == str(web.folder / "bp_static"))
    web.note(web.Blueprint("none", "app").has_static_folder)


def _static_urls(web: Web) -> list[str]:
    names = ("static", "one.static", "two.static", "three.static")
    return [web.url_for(name, filename="a.txt") for name in names]


@same
def test_templates_of_the_app_come_before_those_of_blueprints(web: Web) -> None:
    app = web.app()
    web.file("templates/both.html", "app")
    web.file("bp_templates/both.html", "bp")
    web.file("bp_templates/own.html", "own")
    bp = web.Blueprint("bp", "app", template_folder="bp_templates", root_path=str(web.folder))
    app.register_blueprint(bp)
    for name in ("both.html", "own.html", "none.html"):
        app.add_url_rule(f"/{name}", name, lambda name=name: web.render_template(name))
    web.every("/both.html", "/own.html", "/none.html")


@same
def test_an_endpoint_and_view_functions_of_a_blueprint(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app")
    bp.add_url_rule("/x", "x")
    bp.endpoint("bp.x")(lambda: "by endpoint")
    app.register_blueprint(bp)
    web.get("/x")


@same
def test_setup_state_adds_rules(web: Web) -> None:
    app = web.app()
    bp = web.Blueprint("bp", "app", url_prefix="/bp")

    def deferred(state: Any) -> None:
        state.add_url_rule("/x", "x", lambda: web.request.endpoint)
        web.note(state.url_prefix, state.subdomain, state.options, state.blueprint is bp)
        web.note(state.app is app, state.url_defaults, state.name_prefix)

    bp.record(deferred)
    app.register_blueprint(bp, url_defaults={})
    web.get("/bp/x")


@same
def test_a_blueprint_class_of_ones_own_makes_its_state(web: Web) -> None:
    class Own(web.Blueprint):  # type: ignore[misc, name-defined]
        def make_setup_state(self, app: Any, options: Any, first_registration: bool = False) -> Any:
            state = super().make_setup_state(app, options, first_registration)
            state.url_prefix = "/changed"
            return state

        def register(self, app: Any, options: Any) -> None:
            web.note("register", sorted(options))
            super().register(app, options)

    app = web.app()
    bp = Own("bp", "app")
    bp.add_url_rule("/x", "x", lambda: "x")
    app.register_blueprint(bp, url_prefix="/given")
    web.every("/changed/x", "/given/x")
