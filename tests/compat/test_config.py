"""Configuration, logging and what an app is made of."""

from __future__ import annotations

import copy
import json
import logging
import os
import sys
import tomllib
from datetime import timedelta
from functools import partial
from types import ModuleType
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


def changed(web: Web, config: Any, call: Any, words: str = "") -> None:
    """Note what a call returns or raises, which words its error has, and what it set."""
    before = copy.deepcopy(dict(config))
    try:
        web.note("returned", call())
    except Exception as e:
        told = [word for word in words.split() if word in str(e)]
        file = os.path.basename(getattr(e, "filename", None) or "")
        web.note("raised", type(e).__name__, getattr(e, "errno", None), file, told)
    new = sorted((k, v) for k, v in config.items() if before.get(k, ...) != v)
    web.note(
        [(k, type(v).__name__ if callable(v) or isinstance(v, property) else v) for k, v in new]
    )
    config.clear()
    config.update(before)


@same
def test_configuration_files_of_python(web: Web) -> None:
    web.file(
        "all.cfg", "import os\nlower, A, B_1, Mixed, _C = 1, 2, __name__, 3, 4\nDEBUG = True\n"
    )
    web.file("place.cfg", "FILE = __file__.split('/')[-1]\nHERE = 'config' in globals()\nX = dir()")
    web.file("latin.cfg", "# coding: latin-1\nA = 'ü'\n".encode("latin-1"))
    web.file("bom.cfg", b"\xef\xbb\xbfA = 1\r\nB = 2\r\n")
    web.file("leaves.cfg", "raise SystemExit")
    web.file("fails.cfg", "A = 1\nB = none\n")
    web.file("opens.cfg", "open('/no/such/file')\n")
    web.file("folder/x.cfg", "A = 'deep'")
    web.file("empty.cfg", "")
    app = web.app()
    config = app.config
    root = web.folder
    for name in (
        "all.cfg", "place.cfg", "latin.cfg", "bom.cfg", "fails.cfg", "empty.cfg", "folder/x.cfg",
        root / "folder" / "x.cfg", str(root / "all.cfg"), "none.cfg", "folder", "all.cfg/x", "",
        "/no/such/folder/x.cfg", "opens.cfg", "x\0y",
    ):  # fmt: skip
        web.note(str(name).replace(str(root), "ROOT"))
        for silent in (False, True):
            changed(
                web, config, partial(config.from_pyfile, name, silent=silent), "Unable load none"
            )
    with pytest.raises(SystemExit):
        config.from_pyfile("leaves.cfg")
    below = web.app(instance_path=str(root / "folder"), instance_relative_config=True)
    changed(web, below.config, lambda: below.config.from_pyfile("x.cfg"))
    own = web.Config(root / "folder", {"A": 0, "lower": 1})
    changed(web, own, lambda: own.from_pyfile("x.cfg"))
    web.note(own, repr(own), own.root_path == root / "folder")


@same
def test_configuration_from_objects(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    class Base:
        A, B, lower, _PRIVATE, __DUNDER = 1, 2, 3, 4, 5
        METHOD = lambda self: 1  # noqa: E731

        @property
        def PROPERTY(self) -> int:
            web.note("read")
            return self.A

    class Derived(Base):
        B, C, ÄÖÜ, A1 = 20, 30, 40, 50

        def __init__(self) -> None:
            self.SET, self.A = "on the instance", 100

    class Meta(type):
        DYNAMIC = "of the metaclass"

        def __dir__(cls) -> list[str]:
            return ["DYNAMIC", "NONE"]

    module = ModuleType("own_settings")
    vars(module).update(A=1, Settings=Derived, lower=2, _X=3)
    monkeypatch.setitem(sys.modules, "own_settings", module)
    web.file(
        "compat_settings.py",
        "A = 'imported'\nclass Inner:\n    B = 'inner'\n    class More:\n        C = 1\n",
    )
    web.file("compat_broken.py", "import no_such_module_at_all\n")
    web.file("compat_fails.py", "1 / 0\n")
    monkeypatch.syspath_prepend(str(web.folder))
    config = web.app().config
    for source in (
        Base, Derived, Derived(), Base(), Meta("Made", (), {}), module, "own_settings",
        "own_settings.Settings", "own_settings:Settings", "compat_settings",
        "compat_settings.Inner", "compat_settings:Inner", "compat_settings:Inner.More",
        "compat_settings.Inner.More",
        "compat_settings:none", "compat_settings.none", "no_such.module", "no_such", "",
        "compat_broken", "compat_fails", {"A": 1}, None, 5, "json.decoder.NaN", b"json",
    ):  # fmt: skip
        web.note(source if isinstance(source, str) else type(source).__name__)
        changed(web, config, partial(config.from_object, source), f"import_string {source}")
        for name in ("compat_settings", "compat_broken", "compat_fails"):
            sys.modules.pop(name, None)
    try:
        config.from_object("own_settings.none.deep")
    except ImportError as e:
        web.note(type(e).__name__, e.import_name, type(e.exception).__name__)  # type: ignore[attr-defined]


@same
def test_configuration_from_the_environment(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.file("own.cfg", "A = 1\n")
    for name in [n for n in os.environ if n.startswith(("FLASK_", "OWN"))]:
        monkeypatch.delenv(name)
    config = web.app().config
    for path in ("own.cfg", str(web.folder / "own.cfg"), "none.cfg", "", None):
        if path is None:
            monkeypatch.delenv("OWN_SETTINGS")
        else:
            monkeypatch.setenv("OWN_SETTINGS", path)
        for silent in (False, True):
            changed(
                web, config, partial(config.from_envvar, "OWN_SETTINGS", silent), "OWN_SETTINGS"
            )
    config.update(DICT={"a": 1, "B": {"c": 2}}, TEXT="text", LIST=[1, 2], NONE=None)
    for variables, options in (
        (
            {
                "FLASK_A": "1",
                "FLASK_B": "1.5",
                "FLASK_C": "true",
                "FLASK_D": "null",
                "FLASK_E": '"q"',
            },
            {},
        ),
        (
            {
                "FLASK_A": "plain",
                "FLASK_B": "",
                "FLASK_C": "[1, {",
                "FLASK_D": "True",
                "FLASK_E": "01",
            },
            {},
        ),
        ({"FLASK_A": "NaN", "FLASK_B": " 1 ", "FLASK_C": '{"x": [1]}', "FLASK_lower": "1"}, {}),
        ({"FLASK_DICT__a": "2", "FLASK_DICT__B__d": "3", "FLASK_DICT__NEW__X": "4"}, {}),
        ({"FLASK_NEW__A__B": "1", "FLASK_NEW__A__C": "2", "FLASK_NEW__D": "3"}, {}),
        ({"FLASK_NEW": '{"A": 1}', "FLASK_NEW__B": "2"}, {}),
        ({"FLASK_NEW": "5", "FLASK_NEW__B": "2"}, {}),
        ({"FLASK_TEXT__A": "1"}, {}),
        ({"FLASK_LIST__0": "1"}, {}),
        ({"FLASK_NONE__A": "1"}, {}),
        ({"FLASK___A": "1", "FLASK_B__": "2", "FLASK_": "3", "FLASK_C___D": "4"}, {}),
        ({"FLASK_A": "1", "OWN_B": "2", "OWNC": "3"}, {"prefix": "OWN"}),
        ({"OWN_B": "2", "OWN__C": "3"}, {"prefix": "OWN_"}),
        ({"_A": "1"}, {"prefix": ""}),
        ({"FLASK_A": "5", "FLASK_B": "x"}, {"loads": int}),
        ({"FLASK_A": "5", "FLASK_B": "x"}, {"loads": lambda s: s * 2}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", variables)
            web.note(variables, sorted(options))
            changed(web, config, partial(config.from_prefixed_env, **options))


@same
def test_configuration_from_files_and_mappings(web: Web) -> None:
    web.file("own.json", '{"A": 1, "lower": 2, "Mixed": 3, "B_1": {"c": "ü"}}')
    web.file("own.toml", 'A = 1\nlower = 2\n[B]\nc = "ü"\n')
    web.file("list.json", '[["A", 1], ["b", 2]]')
    web.file("number.json", "5")
    web.file("broken.json", "{")
    web.file("folder/x.json", "{}")
    config = web.app().config
    opened = []

    def load(file: Any) -> Any:
        opened.append((file.mode, getattr(file, "encoding", None), file.closed))
        return json.loads(file.read())

    for name, options in (
        ("own.json", {"load": json.load}),
        ("own.json", {"load": load}),
        ("own.json", {"load": load, "text": False}),
        ("own.toml", {"load": tomllib.load, "text": False}),
        ("own.toml", {"load": tomllib.load}),
        ("list.json", {"load": json.load}),
        ("number.json", {"load": json.load}),
        ("broken.json", {"load": json.load}),
        ("none.json", {"load": json.load}),
        ("folder", {"load": json.load}),
        ("own.json/x", {"load": json.load}),
        (web.folder / "folder" / "x.json", {"load": json.load}),
        ("own.json", {"load": lambda file: None}),
        ("own.json", {}),
    ):
        for silent in (False, True):
            web.note(str(name)[-10:], sorted(options))
            changed(
                web, config, partial(config.from_file, name, silent=silent, **options), "Unable"
            )
    web.note(opened)
    for args, kwargs in (
        ((), {}),
        (({"A": 1, "b": 2},), {}),
        (([("A", 1), ("b", 2)],), {"C": 3, "d": 4}),
        ((None,), {"A": 1}),
        (({"A": 1},), {"A": 2}),
        (({"A": 1}, {"B": 2}), {}),
        ((5,), {}),
        (({1: 2},), {}),
        ((web.Config("/", {"A": 5}),), {}),
    ):
        changed(web, config, partial(config.from_mapping, *args, **kwargs))
    web.note(config.from_mapping(A=1) is True, config["A"])


@same
def test_parts_of_a_configuration(web: Web) -> None:
    class Own(web.Config):  # type: ignore[misc, name-defined]
        def __getitem__(self, key: str) -> Any:
            return (
                f"own {super().__getitem__(key)!r}" if key == "SHOWN" else super().__getitem__(key)
            )

    class App(web.Flask):  # type: ignore[misc, name-defined]
        config_class = Own
        shown = web.config.ConfigAttribute("SHOWN")
        doubled = web.config.ConfigAttribute("NUMBER", get_converter=lambda v: v * 2)

        def make_config(self, instance_relative: bool = False) -> Any:
            config = super().make_config(instance_relative)
            web.note(
                "made", type(config).__name__, instance_relative, config.root_path == self.root_path
            )
            config["NUMBER"] = 2
            return config

    App.default_config = {**App.default_config, "SHOWN": 1, "SESSION_COOKIE_NAME": "own"}
    app = web.app(cls=App)
    web.note(app.shown, app.doubled, type(app.config).__name__, app.config["SESSION_COOKIE_NAME"])
    app.doubled = 5
    web.note(app.doubled, app.config["NUMBER"], type(App.shown).__name__, App.shown.__name__)
    web.attempt(lambda: delattr(app, "doubled"))
    del app.config["SHOWN"]
    web.attempt(lambda: app.shown)
    web.attempt(lambda: app.config["NONE"])
    web.note(app.config.get("NONE"), app.config.pop("NUMBER"), "NUMBER" in app.config)
    config = web.Config("/root", {"A_B": 1, "A_C": 2, "A": 3, "a_d": 4, "A_Mixed": 5})
    for args, options in (
        (("A_",), {}),
        (("A_",), {"lowercase": False}),
        (("A_",), {"trim_namespace": False}),
        (("A_", False, False), {}),
        (("a_",), {}),
        (("",), {}),
        (("NONE",), {}),
        ((), {}),
    ):
        web.attempt(partial(config.get_namespace, *args, **options))
    web.note(
        config, repr(config), config == dict(config), config.root_path, type(config.copy()).__name__
    )
    web.note(type(config | {"X": 1}).__name__, copy.copy(config), sorted(config), len(config))
    web.note(repr(Own("/")), bool(web.Config("/")), web.Config("/").root_path)
    web.attempt(web.Config)
    app = web.app()
    web.note(app.config is app.config, app.config.root_path == app.root_path)
    web.attempt(setattr, app, "config", {})
    web.attempt(lambda: web.Flask("x", root_path="/", config={}))
