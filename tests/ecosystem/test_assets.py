"""Flask-Assets: bundles of style sheets and scripts."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, render_template_string
from flask.cli import FlaskGroup
from flask_assets import Bundle, Environment


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    for name, text in {
        "static/a.css": "body { color: red; }\n",
        "static/b.css": "p { background: url(img/x.png); }\n",
        "bp/static/c.css": "i { top: 0; }\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    app = Flask(__name__, root_path=str(tmp_path))
    bp = Blueprint("bp", __name__, root_path=str(tmp_path / "bp"), static_folder="static")
    app.register_blueprint(bp, url_prefix="/bp")
    return app


def use(app: Flask, **options: Any) -> Environment:
    assets = Environment(app)
    bundle = Bundle("a.css", "b.css", "bp/c.css", output="gen/all.css", **options)
    assets.register("all", bundle)
    source = "{% assets 'all' %}<link href='{{ ASSET_URL }}'>{% endassets %}"
    app.add_url_rule("/", "index", lambda: render_template_string(source))
    return assets


def test_a_bundle_is_built_once_and_served(app: Flask, assert_fast: Any, over_asgi: Any) -> None:
    use(app)
    client = app.test_client()
    url = client.get("/").text.split("'")[1]
    assert url.startswith("/static/gen/all.css?")
    with client.get(url) as response:
        assert [line for line in response.text.splitlines() if line] == [
            "body { color: red; }",
            "p { background: url(img/x.png); }",
            "i { top: 0; }",
        ]
    assert over_asgi(app, url).status == 200
    assert over_asgi(app, "/").text == client.get("/").text
    assert_fast(app)


def test_in_debug_mode_each_file_is_linked(app: Flask) -> None:
    use(app).debug = True
    text = app.test_client().get("/").text
    assert [part.split("?")[0] for part in text.split("'")[1::2]] == [
        "/static/a.css",
        "/static/b.css",
        "/bp/static/c.css",
    ]


def test_a_filter_of_ones_own_works_on_the_text(app: Flask, tmp_path: Path) -> None:
    def shout(_in: Any, out: Any, **kw: Any) -> None:
        out.write(_in.read().upper())

    use(app, filters=(shout,))
    app.test_client().get("/")
    assert "BODY { COLOR: RED; }" in (tmp_path / "static" / "gen" / "all.css").read_text()


def test_urls_in_style_sheets_are_rewritten(app: Flask, tmp_path: Path) -> None:
    use(app, filters="cssrewrite")
    app.test_client().get("/")
    assert "url(../img/x.png)" in (tmp_path / "static" / "gen" / "all.css").read_text()


def test_sources_can_be_templates(app: Flask, tmp_path: Path) -> None:
    app.config["COLOR"] = "blue"
    (tmp_path / "static" / "a.css").write_text("b { color: {{ config.COLOR }}; }")
    use(app, filters="jinja2")
    app.test_client().get("/")
    assert "b { color: blue; }" in (tmp_path / "static" / "gen" / "all.css").read_text()


def test_an_environment_works_for_the_current_app_with_folders_of_its_own(
    app: Flask, tmp_path: Path
) -> None:
    assets = Environment()
    assets.register("js", Bundle("a.js", output="js.%(version)s.js"))
    assets.init_app(app)
    with pytest.raises(RuntimeError, match="no application in current context"):
        assets.directory
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "a.js").write_text("a()")
    app.config |= {"ASSETS_DIRECTORY": str(tmp_path / "out"), "ASSETS_URL": "/out"}
    app.config["ASSETS_LOAD_PATH"] = [str(tmp_path / "sources")]
    with app.app_context():
        (url,) = assets["js"].urls()
    (built,) = (tmp_path / "out").glob("js.*.js")
    assert url == f"/out/{built.name}" and built.read_text() == "a()"


def test_the_command_line_builds_and_cleans(app: Flask, tmp_path: Path) -> None:
    use(app)
    run = partial(app.test_cli_runner().invoke, FlaskGroup(create_app=lambda: app))
    result = run(args=["assets", "build"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "static" / "gen" / "all.css").exists()
    assert run(args=["assets", "clean"]).exit_code == 0
    assert not (tmp_path / "static" / "gen" / "all.css").exists()


SITE = """
from flask import Flask
from flask_assets import Bundle, Environment

app = Flask(__name__)
Environment(app).register("all", Bundle("a.css", output="all.css"))
"""


def test_flask_assets_build_is_a_command_of_every_site(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").write_text("a {}")
    (tmp_path / "site_with_assets.py").write_text(SITE)
    command = [sys.executable, "-m", "flask", "--app", "site_with_assets", "assets", "build"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "static" / "all.css").read_text() == "a {}"
