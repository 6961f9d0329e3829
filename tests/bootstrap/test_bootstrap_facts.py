"""Flask-Bootstrap 3.3.7.1's interface, as facts: it cannot be installed beside Bootstrap-Flask."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from html_tree import parse
from jinja2 import Environment, nodes
from wtforms import Form, StringField

import vial.bootstrap
from vial import Vial, render_template_string
from vial.bootstrap import Bootstrap, ConditionalCDN, StaticCDN, WebCDN, bootstrap_find_resource
from vial.bootstrap.forms import render_form

TEMPLATES = Path(vial.bootstrap.__file__).parent / "templates" / "bootstrap"
HORIZONTAL = ("lg", 2, 10)
CATEGORIES = {
    **dict.fromkeys(("critical", "error"), "danger"),
    **dict.fromkeys(("info", "debug", "notset", "message"), "info"),
    "warning": "warning",
}
REQUIRED = object()
#: The parameters of each macro with their defaults, and whether it takes other keywords.
MACROS: dict[str, dict[str, tuple[dict[str, Any], bool]]] = {
    "fixes.html": {"ie8": ({}, False)},
    "google.html": {
        "analytics": ({"account": REQUIRED}, False),
        "uanalytics": ({"id": REQUIRED, "options": "auto", "domain": None}, False),
    },
    "utils.html": {
        "flashed_messages": (
            {
                "messages": None,
                "container": True,
                "transform": CATEGORIES,
                "default_category": None,
                "dismissible": False,
            },
            False,
        ),
        "icon": ({"type": None, "extra_classes": []}, True),
        "form_button": (
            {"url": REQUIRED, "content": REQUIRED, "method": "post", "class": "btn-link"},
            False,
        ),
    },
    "wtf.html": {
        "form_errors": ({"form": REQUIRED, "hiddens": True}, False),
        "form_field": (
            {
                "field": REQUIRED,
                "form_type": "basic",
                "horizontal_columns": HORIZONTAL,
                "button_map": {},
            },
            True,
        ),
        "quick_form": (
            {
                "form": REQUIRED,
                "action": "",
                "method": "post",
                "extra_classes": None,
                "role": "form",
                "form_type": "basic",
                "horizontal_columns": HORIZONTAL,
                "enctype": None,
                "button_map": {},
                "id": "",
                "novalidate": False,
            },
            False,
        ),
    },
}
BLOCKS = "doc html_attribs html head title metas styles body_attribs body navbar content scripts"


def described(macro: nodes.Macro) -> tuple[dict[str, Any], bool]:
    plain = len(macro.args) - len(macro.defaults)
    values = [REQUIRED] * plain + [default.as_const() for default in macro.defaults]
    takes_keywords = any(name.name == "kwargs" for name in macro.find_all(nodes.Name))
    return dict(zip((arg.name for arg in macro.args), values, strict=True)), takes_keywords


@pytest.mark.parametrize("file", MACROS)
def test_macros_have_its_parameters(file: str) -> None:
    tree = Environment().parse((TEMPLATES / file).read_text())
    assert {m.name: described(m) for m in tree.find_all(nodes.Macro)} == MACROS[file]


def test_the_base_template_has_its_blocks() -> None:
    tree = Environment().parse((TEMPLATES / "base.html").read_text())
    assert sorted(block.name for block in tree.find_all(nodes.Block)) == sorted(BLOCKS.split())


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (Bootstrap, "app=None"),
        (Bootstrap.init_app, "self, app"),
        (StaticCDN, "static_endpoint='static', rev=False"),
        (WebCDN, "baseurl"),
        (ConditionalCDN, "confvar, primary, fallback"),
        (WebCDN.get_resource_url, "self, filename"),
        (bootstrap_find_resource, "filename, cdn, use_minified=None, local=True"),
        (render_form, "form, **kwargs"),
    ],
)
def test_functions_have_its_parameters(function: Any, parameters: str) -> None:
    found = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    assert str(inspect.Signature(bare)) == f"({parameters})"


@pytest.fixture(scope="module")
def app() -> Vial:
    app = Vial(__name__)
    app.config["LOCAL"] = False
    Bootstrap(app)
    return app


def test_files_are_found_by_their_cdn(app: Vial) -> None:
    cdns = app.extensions["bootstrap"]["cdns"]
    web, own = WebCDN("//a.example/"), StaticCDN()
    cdns.update(web=web, either=ConditionalCDN("LOCAL", own, web))
    with app.test_request_context():
        assert bootstrap_find_resource("x.js", "web") == "//a.example/x.min.js"
        assert bootstrap_find_resource("x.js", "web", use_minified=False) == "//a.example/x.js"
        assert bootstrap_find_resource("x.min.js", "either") == "//a.example/x.min.js"
        assert bootstrap_find_resource("a/x.js", "static") == "/static/a/x.min.js"
        for name, cdn in [("css/bootstrap.css", "bootstrap"), ("jquery.js", "jquery")]:
            assert "?v=" in bootstrap_find_resource(name, cdn)
        with pytest.raises(LookupError, match="no CDN 'none'; there are bootstrap, either, jquery"):
            bootstrap_find_resource("x.js", "none")


def test_a_form_is_rendered_by_a_filter(app: Vial) -> None:
    class Name(Form):
        name = StringField()

    with app.test_request_context():
        found = parse(render_template_string("{{ form | render_form }}", form=Name()))
        assert render_form(Name(), id="f").startswith("<form")
    assert found.one("form").one("input", "form-control", id="name")


@pytest.mark.slow
def test_wtforms_is_imported_only_for_its_field() -> None:
    program = (
        "import sys, vial, vial.bootstrap; vial.bootstrap.Bootstrap5(vial.Vial('app'));"
        "assert 'wtforms' not in sys.modules; from vial.bootstrap import SwitchField;"
        "assert 'wtforms' in sys.modules and 'vial.forms' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        vial.bootstrap.Nothing  # type: ignore[attr-defined]
