"""Templates: where they are found, what they see, what they are streamed as."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import DictLoader, TemplateNotFound

from .harness import Web, same


def pages(web: Web, templates: dict[str, str], **config: Any) -> Any:
    """An app with templates, and a page ``/name`` for each."""
    app = web.app(SECRET_KEY="k", **config)
    app.jinja_loader = DictLoader(templates)
    for name in templates:
        view = lambda name=name: web.render_template(name, x="<x>")  # noqa: E731
        app.add_url_rule(f"/{name}", name, view)
    return app


@same
def test_variables_of_every_template(web: Web) -> None:
    source = (
        "{{ request.path }} {{ session.get('a') }} {{ g.x }} {{ config.TESTING }}"
        " {{ url_for('page.html') }} {{ get_flashed_messages() }} {{ request.args.q }}"
    )
    app = pages(web, {"page.html": source})
    app.before_request(lambda: setattr(web.g, "x", "<g>"))
    web.get("/page.html?q=%3Cq%3E")
    with app.app_context():
        web.note(web.render_template_string("{{ g }} {{ config.TESTING }}")[:3])
        web.attempt(web.render_template_string, "{{ request.path }}")
    with app.test_request_context("/made"):
        web.attempt(web.render_template_string, "{{ request.path }}")
    web.attempt(web.render_template_string, "outside")


@pytest.mark.parametrize(
    "name", ["p.html", "p.htm", "p.xml", "p.xhtml", "p.svg", "p.txt", "p.HTML", "p"]
)
@same
def test_output_is_escaped_by_the_name_of_the_template(web: Web, name: str) -> None:
    pages(web, {name: "{{ x }} {{ x|safe }} {{ x|tojson }}"})
    web.get(f"/{name}")


@same
def test_templates_of_strings_are_escaped(web: Web) -> None:
    app = web.app()
    app.add_url_rule("/", "i", lambda: web.render_template_string("{{ x }}", x="<&'\">"))
    web.get("/")


@same
def test_filters_tests_and_globals(web: Web) -> None:
    app = pages(
        web, {"p.html": "{{ x|shout }}{{ x|other }}{{ 1 is odd_one }}{{ nine() }}{{ ten }}"}
    )

    @app.template_filter()
    def shout(s: str) -> str:
        return s.upper()

    app.add_template_filter(lambda s: len(s), "other")
    app.template_test("odd_one")(lambda n: n == 1)

    @app.template_global()
    def nine() -> int:
        return 9

    app.jinja_env.globals["ten"] = 10
    web.get("/p.html")


@same
def test_context_processors_and_who_wins(web: Web) -> None:
    app = pages(web, {"p.html": "{{ x }} {{ y }} {{ z }}"})
    app.context_processor(lambda: {"x": "processor", "y": "first", "z": "first"})
    app.context_processor(lambda: {"y": "second"})
    bp = web.Blueprint("bp", "app")
    bp.context_processor(lambda: {"z": "bp"})
    bp.add_url_rule("/bp", "bp", lambda: web.render_template("p.html"))
    app.register_blueprint(bp)
    web.every("/p.html", "/bp")


@same
def test_inheritance_includes_and_imports(web: Web) -> None:
    pages(
        web,
        {
            "base.html": "<title>{% block t %}base{% endblock %}</title>",
            "p.html": "{% extends 'base.html' %}{% block t %}{{ super() }} {{ x }}{% endblock %}",
            "include.html": "{% include 'part.html' %}{% include 'none.html' ignore missing %}",
            "part.html": "{{ x }}{{ request.path }}",
            "import.html": "{% from 'm.html' import f %}{{ f(1) }}",
            "with.html": "{% from 'm.html' import f with context %}{{ f(1) }}",
            "m.html": "{% macro f(n) %}{{ n }} {{ x }} {{ request.path }}{% endmacro %}",
        },
    )
    web.every("/p.html", "/include.html", "/import.html", "/with.html")


@same
def test_the_first_template_that_exists(web: Web) -> None:
    app = pages(web, {"a.html": "a {{ x }}"})
    with app.test_request_context():
        web.attempt(web.render_template, ["none.html", "a.html"], x=1)
        web.attempt(web.render_template, ["none.html", "no.html"])
        web.attempt(web.render_template, app.jinja_env.get_template("a.html"), x=2)
        web.attempt(web.render_template, "none.html")
        web.attempt(lambda: web.get_template_attribute("a.html", "none"))
        web.attempt(web.render_template_string, "{{ x.y.z }}")
        web.attempt(web.render_template_string, "{% if %}")


@same
def test_macros_are_called_from_python(web: Web) -> None:
    app = pages(web, {"m.html": "{% macro hi(n) %}hi {{ n }}{% endmacro %}{% set v = 3 %}"})
    with app.test_request_context():
        web.note(web.get_template_attribute("m.html", "hi")("<n>"))
        web.note(web.get_template_attribute("m.html", "v"))


@same
def test_templates_are_found_in_the_folder(web: Web) -> None:
    web.file("templates/a.html", "a in a folder")
    web.file("own/b.html", "b in its own")
    app = web.app()
    app.add_url_rule("/a", "a", lambda: web.render_template("a.html"))
    app.add_url_rule("/up", "up", lambda: web.render_template("../own/b.html"))
    web.every("/a", "/up")
    app = web.app(template_folder="own")
    app.add_url_rule("/b", "b", lambda: web.render_template("b.html"))
    web.get("/b")
    web.note(app.jinja_env.list_templates())
    web.note(web.app(template_folder=None).jinja_loader)


@same
def test_streamed_templates(web: Web) -> None:
    app = pages(
        web, {"p.html": "{% for i in [1, 2] %}{{ i }} {{ request.path }} {{ n }}\n{% endfor %}"}
    )
    app.context_processor(lambda: {"n": web.g.get("n", "no n")})
    app.add_url_rule("/stream", "stream", lambda: web.stream_template("p.html"))
    app.add_url_rule("/list", "list", lambda: web.stream_template(["no.html", "p.html"], n="given"))
    source = "{{ a }}{{ g.get('x') }}"
    app.add_url_rule("/string", "string", lambda: web.stream_template_string(source, a="<"))
    app.add_url_rule("/fail", "fail", lambda: web.stream_template_string("{{ 1 / 0 }}"))
    app.add_url_rule("/none", "none", lambda: web.stream_template("none.html"))
    web.listen("template_rendered", "before_render_template")
    web.every("/stream", "/list", "/string", "/fail", "/none")
    with app.app_context():
        web.note(list(web.stream_template_string("{{ 1 }}")))


@same
def test_options_of_the_environment(web: Web) -> None:
    class App(web.Flask):  # type: ignore[misc, name-defined]
        jinja_options = {"trim_blocks": True, "variable_start_string": "[["}  # noqa: RUF012
        jinja_options["variable_end_string"] = "]]"

        def select_jinja_autoescape(self, filename: str | None) -> bool:
            web.note("autoescape?", filename)
            return filename == "yes.txt"

        def create_jinja_environment(self) -> Any:
            env = super().create_jinja_environment()
            env.globals["made"] = "made"
            return env

        def create_global_jinja_loader(self) -> Any:
            return DictLoader({"yes.txt": "[[ x ]][[ made ]]", "no.html": "[[ x ]]"})

    app = web.app(cls=App)
    for name in ("yes.txt", "no.html"):
        app.add_url_rule(f"/{name}", name, lambda name=name: web.render_template(name, x="<"))
    web.every("/yes.txt", "/no.html")


@same
def test_auto_reload_follows_debug(web: Web) -> None:
    for config in ({}, {"DEBUG": True}, {"TEMPLATES_AUTO_RELOAD": True}):
        app = web.app(**config)
        web.note(config, app.jinja_env.auto_reload)
    app = web.app()
    web.note(app.jinja_env.auto_reload)
    app.debug = True
    web.note(app.jinja_env.auto_reload)
    app.config["TEMPLATES_AUTO_RELOAD"] = False
    app.debug = False
    app.debug = True
    web.note(app.jinja_env.auto_reload)


@same
def test_a_template_that_fails_is_an_error_of_the_server(web: Web) -> None:
    app = pages(web, {"p.html": "{{ x.none.none }}", "s.html": "{{ x"})
    app.errorhandler(TemplateNotFound)(lambda e: (f"no template {e.name}", 404))
    app.add_url_rule("/gone", "gone", lambda: web.render_template("gone.html"))
    web.every("/p.html", "/s.html", "/gone")


@same
def test_in_a_blueprint_the_own_names_of_templates_win_over_the_apps_processors(web: Web) -> None:
    app = web.app(SECRET_KEY="key")
    names = "{{ request }}|{{ session.x }}|{{ who }}"
    bp = web.Blueprint("bp", "app")
    for owner, path in ((app, "/app"), (bp, "/bp")):
        owner.add_url_rule(path, path[1:], lambda: web.render_template_string(names))
    app.context_processor(lambda: {"request": 1, "session": {"x": 2}, "who": "app"})
    bp.context_processor(lambda: {"who": "bp"})
    app.register_blueprint(bp)
    web.every("/app", "/bp")
