"""Configuration, logging and what an app is made of."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

import pytest

from .harness import Web, same


@same
def test_defaults_of_the_configuration(web: Web) -> None:
    app = web.app()
    web.note(sorted(app.config.items(), key=str))
    web.note(app.debug, app.testing, app.secret_key, app.permanent_session_lifetime)


@same
def test_attributes_forward_to_the_configuration(web: Web) -> None:
    app = web.app()
    app.testing = True
    app.secret_key = "s"
    app.permanent_session_lifetime = 60
    app.debug = True
    web.note({k: app.config[k] for k in ("TESTING", "SECRET_KEY", "DEBUG")})
    web.note(app.permanent_session_lifetime, app.config["PERMANENT_SESSION_LIFETIME"])
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=2)
    web.note(app.permanent_session_lifetime)


@same
def test_configuration_from_everywhere(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.file("own.cfg", "A = 1\nb = 2\nC = A + 1\n")
    web.file("own.json", '{"J": [1], "lower": 2}')
    web.file("broken.cfg", "A = = 1")
    monkeypatch.setenv("OWN_CFG", str(web.folder / "own.cfg"))
    monkeypatch.setenv("FLASK_X", "true")
    monkeypatch.setenv("FLASK_N", "5")
    monkeypatch.setenv("FLASK_D__A__B", '"deep"')
    monkeypatch.setenv("FLASK_TEXT", "text")
    config = web.app().config
    kept = dict(config)

    class Settings:
        A = "object"
        hidden = "no"

    for call in (
        lambda: config.from_pyfile("own.cfg"),
        lambda: config.from_pyfile("none.cfg", silent=True),
        lambda: config.from_pyfile("none.cfg"),
        lambda: config.from_pyfile("broken.cfg"),
        lambda: config.from_object(Settings),
        lambda: config.from_object("logging.handlers"),
        lambda: config.from_object("no.such.module"),
        lambda: config.from_envvar("OWN_CFG"),
        lambda: config.from_envvar("NO_SUCH"),
        lambda: config.from_envvar("NO_SUCH", silent=True),
        lambda: config.from_mapping({"M": 1, "m": 2}, N=3),
        lambda: config.from_prefixed_env(),
        lambda: config.from_file("own.json", __import__("json").load),
        lambda: config.from_file("none.json", __import__("json").load, silent=True),
        lambda: config.get_namespace("SESSION_COOKIE_")["name"],
        lambda: config.get_namespace("FLASK_", lowercase=False, trim_namespace=False),
        lambda: repr(config)[:8],
    ):
        web.attempt(call)
        web.note(sorted((k, v) for k, v in config.items() if kept.get(k) != v))


@pytest.mark.parametrize("value", ["1", "true", "0", "no", "False", "", "x"])
@same
def test_debug_mode_of_the_environment(
    web: Web, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", value)
    monkeypatch.setenv("FLASK_SKIP_DOTENV", value)
    web.note(web.app().debug, web.helpers.get_debug_flag(), web.helpers.get_load_dotenv())


@same
def test_folders_of_an_app(web: Web) -> None:
    root = str(web.folder)

    def shown(path: Any) -> Any:
        return path and str(path).replace(root, "ROOT")

    for options in (
        {},
        {"instance_path": "/abs/instance"},
        {"static_folder": None, "template_folder": None},
        {"static_folder": "a/b", "static_url_path": "/u"},
        {"instance_relative_config": True, "instance_path": root},
    ):
        app = web.app(**options)
        web.note(app.name, shown(app.root_path), shown(app.static_folder), app.static_url_path)
        web.note(shown(app.template_folder), shown(app.config.root_path), repr(app))
    web.note(shown(web.app(instance_path="/abs/instance").instance_path))
    web.attempt(lambda: web.app(instance_path="relative"))
    web.note(os.path.basename(web.app().instance_path))


@same
def test_the_logger_of_an_app(web: Web) -> None:
    app = web.app("app.named")
    web.note(app.logger.name, app.logger is app.logger, app.logger.level)
    app.logger.warning("hello %s", "world")
    app = web.app("app.debugging", DEBUG=True)
    web.note(logging.getLevelName(app.logger.level))
    app.logger.debug("debug")


@same
def test_extensions_find_their_places(web: Web) -> None:
    app = web.app()
    app.extensions["own"] = 1
    web.note(app.extensions, app.blueprints, app.url_build_error_handlers)
    web.note(sorted(app.view_functions), app.teardown_appcontext_funcs)
    for name in ("before_request_funcs", "after_request_funcs", "teardown_request_funcs"):
        registry = getattr(app, name)
        web.note(name, dict(registry), registry.get(None), isinstance(registry, dict))
    web.note(len(app.template_context_processors[None]), list(app.error_handler_spec))
    web.note(app.shell_context_processors, app.subdomain_matching, app.import_name)


@same
def test_shell_contexts(web: Web) -> None:
    app = web.app()
    app.shell_context_processor(lambda: {"x": 1})
    app.shell_context_processor(lambda: {"x": 2, "y": 3})
    with app.app_context():
        context = app.make_shell_context()
        web.note(sorted(context), context["x"], context["app"] is app)


@same
def test_names_of_the_package(web: Web) -> None:
    for name in ("abort", "redirect", "url_for", "jsonify", "make_response", "flash"):
        web.note(name, callable(getattr(web, name)))
    with web.app().app_context():
        web.note(web.json.dumps({"b": 1, "a": "ü"}), web.json.loads("[1]"))
        web.note(web.json.dumps([1], indent=2))
    web.note(web.json.dumps({"b": 1}), web.json.loads(b"1"))
    web.note(web.json.htmlsafe_dumps("<&'>") if hasattr(web.json, "htmlsafe_dumps") else None)
