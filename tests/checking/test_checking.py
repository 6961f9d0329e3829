"""What ``vial check`` finds, what it leaves alone, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vial import Vial
from vial.checking import CODES, Choice, check
from vial.checking.findings import is_ignored, near
from vial.cli import cli

from .conftest import Checked

HEAD = "from vial import *\napp = Vial(__name__)\n"
BLUEPRINT = (
    "from vial import *\nfrom vial import Blueprint\nbp = Blueprint('shop', __name__)\n"
    "@bp.get('/')\ndef index(): return url_for('.index')\n"
)


def call(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args])


def test_a_finding_says_where_what_and_what_to_do(checked: Checked) -> None:
    found = checked({"app.py": HEAD + "@app.get('/')\ndef index(): return url_for('indx')\n"})
    assert found == [("app.py", 4, "V101")]
    text = call("app.py")
    assert text.stdout.splitlines() == [
        "app.py:4: V101 There is no endpoint 'indx'. Did you mean 'index'?",
        "    Name a view function, with its blueprint: 'blueprint.view'.",
        "1 finding (2 routes, 1 python, 0 templates)",
    ]
    assert text.exit_code == 1


def test_json_is_an_object_with_a_version(checked: Checked) -> None:
    checked({"app.py": HEAD + "def f(): url_for('indx')\n"})
    report = json.loads(call("app.py", "--json").stdout)
    assert report["version"] == 1
    assert report["checked"] == {"routes": 1, "python": 1, "templates": 0}
    assert report["skipped"] == []
    [found] = report["findings"]
    assert set(found) == {"file", "line", "code", "severity", "message", "help"}
    assert found["severity"] == "error"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("def f(:", "SyntaxError"),
        ("x = 1", "has no application"),
    ],
)
def test_what_cannot_be_loaded_is_2_with_the_reason(source: str, reason: str) -> None:
    Path("app.py").write_text(source)
    result = call("app.py")
    assert result.exit_code == 2 and reason in result.stderr and result.stdout == ""
    report = call("app.py", "--json")
    assert report.exit_code == 2
    assert reason in json.loads(report.stdout)["error"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("app.add_url_rule('/x', methods='POST')", "V107"),
        ("@app.get('/a')\ndef f(): pass\n@app.get('/b')\ndef f(): pass", "V108"),
        ("app.errorhandler(440)", "V304"),
    ],
)
def test_the_mistake_that_keeps_an_app_from_loading_has_its_line(
    line: str, code: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("from shop import app\n")
    (tmp_path / "shop.py").write_text(HEAD + line)
    result = call("app.py", "--json")
    assert result.exit_code == 2
    [found] = json.loads(result.stdout)["findings"]
    assert (found["file"], found["code"], found["line"] > 2) == ("shop.py", code, True)
    assert f"{code} " in call("app.py").stdout
    ignored = json.loads(call("app.py", "--json", "--ignore", code).stdout)
    assert ignored["findings"] == [] and ignored["error"]


def test_what_a_program_prints_is_no_part_of_the_report(checked: Checked) -> None:
    assert checked({"app.py": HEAD + "print('hello')\n"}) == []


def test_codes_are_selected_and_ignored_by_their_beginnings(checked: Checked) -> None:
    files = {"app.py": HEAD + "def f():\n    url_for('x')\n    render_template('x')\n"}
    assert [c for *_, c in checked(files)] == ["V101", "V201"]
    assert [c for *_, c in checked(files, "--select", "V2")] == ["V201"]
    assert [c for *_, c in checked(files, "--ignore", "v2,V5")] == ["V101"]
    assert [c for *_, c in checked(files, "-s", "V1", "-s", "V2", "-i", "V101")] == ["V201"]
    assert "V501" in [c for *_, c in checked(files, "--production")]
    assert [c for *_, c in checked(files, "--select", "V501")] == ["V501"]
    result = call("app.py", "--select", "X1")
    assert result.exit_code == 2 and "there is no code 'X1'" in result.stderr


@pytest.mark.parametrize(
    ("lines", "line", "ignored"),
    [
        (["x  # vial: ignore[V101]"], 1, True),
        (["x  # vial: ignore[V201, V101]"], 1, True),
        (["x  # vial: ignore"], 1, True),
        (["x  # noqa: S1 # vial: ignore[V101]"], 1, True),
        (["{# vial: ignore[V101] #}{{ x }}"], 1, True),
        (["# vial: ignore[V101]", "x"], 2, True),
        (["x  # vial: ignore[V101]", "x"], 2, False),
        (["x  # vial: ignore[V201]"], 1, False),
        (["x  # vial: ignore[]"], 1, False),
        (["vial: ignore[V101]"], 1, False),
        ([], 1, False),
    ],
)
def test_a_comment_silences_its_line_or_the_one_below(
    lines: list[str], line: int, ignored: bool
) -> None:
    assert is_ignored(lines, line, "V101") is ignored


def test_choices_leave_production_out_until_it_is_asked_for() -> None:
    assert "V501" not in Choice() and "V101" in Choice()
    assert "V501" in Choice(production=True) and "V501" in Choice(select=("V5",))


def test_long_names_are_compared_quickly_or_not_at_all() -> None:
    assert near("x" * 100_000, ["x" * 99_999]) == ""
    assert near("indx", ["index"]) == " Did you mean 'index'?"


# What is no mistake.

RIGHT = """
@app.get('/item/<int:id>')
def item(id): return str(id)
app.add_url_rule('/page/', 'page', lambda number: '', defaults={'number': 1})
app.add_url_rule('/page/<int:number>', 'page')
def links(kind, **more):
    url_for('item', id=1); url_for('item', id='7'); url_for('item', id=kind); url_for(kind)
    url_for('item', **more); url_for('page'); url_for('page', number=2, _anchor='x')
    url_for('static', filename=kind); url_for('static', filename='a.css'); url_for('item', id=None)
def own():
    def url_for(name): return name
"""


@pytest.mark.parametrize(
    "source",
    [
        RIGHT,
        # functions that add what rules or calls do not have
        "app.url_defaults(lambda e, v: v.setdefault('lang', 'en'))\n"
        "app.url_value_preprocessor(lambda e, v: v.pop('lang'))\n"
        "@app.get('/<lang>/')\ndef index(): return url_for('index')\n",
        "app.url_build_error_handlers.append(lambda e, n, v: '/')\ndef f(): url_for('anything')\n",
        # rules that look alike and are not
        "@app.get('/a/<int:x>')\ndef a(x): return ''\n@app.get('/a/<x>')\ndef b(x): return ''\n"
        "@app.post('/a/<x>')\ndef c(x): return ''\n@app.get('/a/<string(length=2):x>')\n"
        "def d(x): return ''\n"
        "@app.get('/ws')\ndef f(): return ''\n@app.websocket('/ws')\ndef g(): pass\n"
        "@app.route('/dav', methods=['propfind', 'get'])\ndef h(): return ''\n",
        # views that something else completes
        "def templated(f):\n    def view(**args): return f(1) or 'page'\n"
        "    view.__name__ = f.__name__\n    return view\n"
        "@app.get('/<x>')\n@templated\ndef index(a): pass\n",
        "from functools import wraps\ndef auth(f):\n    @wraps(f)\n    def view(*a, **k):\n"
        "        return f('user', *a, **k) or ''\n    return view\n"
        "@app.get('/<x>')\n@auth\ndef index(user, x): pass\n",
        # views that end otherwise
        "@app.get('/a')\ndef a(): abort(404)\n@app.get('/b')\ndef b(): raise ValueError\n"
        "@app.get('/c')\ndef c():\n    yield 'x'\n@app.get('/d')\ndef d():\n    if g: return ''\n"
        "@app.get('/e')\ndef e():\n    with g: refuse()\n@app.get('/f')\ndef f(**args): return ''\n"
        "@app.get('/g')\ndef h():\n    if g: abort(1)\n    else: abort(2)\n"
        "@app.get('/i')\ndef i():\n    while True: pass\n",
        # classes
        "from vial.views import MethodView\nclass V(MethodView):\n    def get(self, x): return x\n"
        "app.add_url_rule('/v/<x>', view_func=V.as_view('v'))\n",
        # blocking where it does no harm
        "import asyncio, time\n@app.get('/')\nasync def index():\n"
        "    def work(): time.sleep(1)\n    await asyncio.to_thread(work); return ''\n"
        "@app.get('/x')\ndef sync():\n    time.sleep(1); return ''\n"
        "async def script(): time.sleep(1)\n",
        "@app.before_request\ndef check():\n    return None\n"
        "@app.before_request\ndef other():\n    return 'closed'\n",
        "if __name__ == '__main__':\n    app.run(debug=True)\n"
        "def main():\n    app.run(debug=True)\n",
        "def f(client): client.open('/a', methods='POST')\n",
        "if app.debug:\n    extra = Blueprint('x', __name__); app.register_blueprint(extra)\n",
        "later = Blueprint('x', __name__)\ndef add(app): app.register_blueprint(later)\n",
    ],
)  # fmt: skip
def test_what_is_right_is_left_alone(source: str, checked: Checked) -> None:
    assert checked({"app.py": HEAD + source, "static/a.css": ""}) == []


SAFE = """
@app.post('/<name>/<int:id>')
def view(name, id):
    import os, subprocess, pickle, yaml
    {}
    return ''
"""


@pytest.mark.parametrize(
    "line",
    [
        "db.execute(f'SELECT {id}')",
        "db.execute('SELECT ?', (name,))",
        "db.execute(f'SELECT {int(name)}')",
        "db.execute(f'SELECT {quote(name)}')",
        "db.execute('SELECT ' + COLUMN)",
        "log.execute(f'hello {name}')",
        "if name in KNOWN: db.execute(f'SELECT {name}')",
        "name = 'a'; db.execute(f'SELECT {name}')",
        "n = request.args.get('n', type=int); db.execute(f'SELECT {n}')",
        "Markup('<b>%s</b>') % name",
        "Markup('<b>{}</b>').format(name)",
        "Markup(escape(name))",
        "render_template_string('{{ name }}', name=name)",
        "send_file(io.BytesIO(data), download_name=name)",
        "send_file(safe_join('x', name))",
        "return send_from_directory('x', name)",
        "return redirect(url_for('view', name=name, id=1))",
        "return redirect('/x/' + name)",
        "return redirect(f'/x/{name}')",
        "return redirect('/{}'.format(name))",
        "t = request.args.get('next')\n    if not is_safe(t): abort(400)\n    return redirect(t)",
        "t = request.args.get('n')\n    return redirect(t if is_safe(t) else '/')",
        "t = request.args['t']; t = '/' + t.lstrip('/')\n    return redirect(t)",
        "return redirect(request.full_path)",
        "return redirect(request.headers.get('Referer') or request.referrer or '/')",
        "yaml.safe_load(request.data); yaml.load(x, Loader=yaml.SafeLoader)",
        "pickle.loads(redis.get(id))",
        "subprocess.run(['ls', name])",
        "subprocess.run('ls', shell=True)",
        "model.eval(); eval('1')",
    ],
)  # fmt: skip
def test_data_that_is_checked_or_harmless_is_left_alone(line: str, checked: Checked) -> None:
    program = HEAD + "app.config['EXTERNAL_REDIRECTS'] = True\n" + SAFE.format(line)
    assert checked({"app.py": program}) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("q = request.args['q']; s = 'SELECT ' + q; db.execute(s)", "V404"),
        ("db.execute('SELECT {}'.format(request.form.get('q', '')))", "V404"),
        ("for x in y:\n        db.execute(t)\n        t = f'DELETE {name}'", "V404"),
        ("db.session.execute(sqlalchemy.text(f'SELECT {name.strip()}'))", "V404"),
        ("return Markup(f'<b>{name}</b>')", "V401"),
        ("import markupsafe; markupsafe.Markup(request.headers['X'])", "V401"),
        ("return redirect(request.args.get('next') or '/')", "V405"),
        ("t = request.form['t']\n    return redirect(t)", "V405"),
        ("return send_file('files/' + name)", "V403"),
        ("os.system('ls ' + request.json['x'])", "V408"),
        ("import yaml as y; y.unsafe_load(f)", "V406"),
        ("exec(request.get_data(as_text=True))", "V409"),
    ],
)
def test_a_visitors_words_are_followed(line: str, code: str, checked: Checked) -> None:
    program = HEAD + "app.config['EXTERNAL_REDIRECTS'] = True\n" + SAFE.format(line)
    program = program.replace("import os,", "import sqlalchemy, os,")
    assert [c for *_, c in checked({"app.py": program})] == [code]


def test_redirects_stay_on_the_site_by_vials_own_default(checked: Checked) -> None:
    view = "@app.get('/')\ndef f(): return redirect(request.args['next']{})\n"
    assert checked({"app.py": HEAD + view.format("")}) == []
    assert checked({"app.py": HEAD + view.format(", external=True")}) == [("app.py", 4, "V405")]


def test_relative_endpoints_are_those_of_the_views_blueprint(checked: Checked) -> None:
    app = "from vial import Vial\nfrom shop import bp\napp = Vial(__name__)\n"
    app += "app.register_blueprint(bp)\napp.register_blueprint(bp, name='again', url_prefix='/2')\n"
    view = "@bp.get('/x')\ndef x(): return url_for({!r})\n"
    assert checked({"app.py": app, "shop.py": BLUEPRINT + view.format(".index")}) == []


def test_an_endpoint_of_a_blueprint_is_suggested(checked: Checked) -> None:
    app = "from vial import Vial\nfrom shop import bp\napp = Vial(__name__)\n"
    shop = BLUEPRINT + "def f(): url_for('index')\n"
    found = checked({"app.py": app + "app.register_blueprint(bp)\n", "shop.py": shop})
    assert found == [("shop.py", 6, "V101")]
    assert "Did you mean 'shop.index'?" in call("app.py").stdout


def test_templates_may_use_what_they_ask_for(checked: Checked) -> None:
    page = (
        "{% if 'markdown' is filter %}{{ x|markdown }}{% endif %}{{ request.args.q|e|safe }}"
        "{% include kind %}{% include ['a.html', kind] %}{{ url_for(kind) }}"
        "{{ url_for('static', filename=kind) }}{{ g.x|safe }}{{ request.endpoint|safe }}"
    )
    own = "{{ url_for('admin.static', filename='x') }}"
    asking = "{% if 'admin' in current_app.blueprints %}{{ url_for('admin.index') }}{% endif %}"
    files = {"page.html": page, "admin/page.html": own, "asking.html": asking}
    files = {f"templates/{name}": text for name, text in files.items()}
    assert checked({"app.py": HEAD, **files}) == []


def test_a_macro_that_is_called_url_for_is_not_flasks(checked: Checked) -> None:
    page = "{% macro url_for(x) %}{% endmacro %}{{ url_for('nowhere') }}"
    assert checked({"app.py": HEAD, "templates/page.html": page}) == []


# Hostile files.


def test_huge_deep_and_broken_files_are_skipped_or_reported(checked: Checked) -> None:
    files = {
        "app.py": HEAD + "def f():\n    eval(" + "+".join(["request.url"] * 2000) + ")\n",
        "templates/deep.html": "{{ " + "(" * 100_000 + " }}",
        "templates/huge.html": "{{ x|nofilter }}" * 100_000,
        "templates/latin.html": "{{ x|nofilter }}\n",
        "templates/open.html": "{% if x %}",
        "templates/nested.html": "{% if x %}" * 1000,
        "templates/nul.html": "\0{{ x|nofilter }}",
    }
    found = checked(files)
    assert ("templates/open.html", 1, "V202") in found
    assert ("templates/nul.html", 1, "V203") in found
    skipped = json.loads(call("app.py", "--json").stdout)["skipped"]
    assert {"templates/deep.html", "templates/huge.html"} <= set(skipped)
    assert "templates/huge.html was not checked" in call("app.py").stderr


def test_a_link_that_leads_in_circles_ends(tmp_path: Path, checked: Checked) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/again").symlink_to(tmp_path / "templates")
    (tmp_path / "templates/loop.html").symlink_to("loop.html")
    assert checked({"app.py": HEAD}) == []


def test_nothing_of_the_app_is_called() -> None:
    app, called = Vial("made", root_path="/"), []
    app.get("/")(lambda: called.append("view"))
    app.before_request(lambda: called.append("before"))
    app.context_processor(lambda: called.append("context") or {})
    before = set(vars(app))
    check(app, Choice(production=True))
    assert called == [] and set(vars(app)) - before <= {"jinja_env", "jinja_loader", "_loader"}
    app.get("/later", endpoint="later")(lambda: "")  # and it is not frozen


def test_the_page_on_it_lists_every_code() -> None:
    page = (Path(__file__).parents[2] / "docs/check.md").read_text()
    for code, (severity, title) in CODES.items():
        assert f"| {code} | {severity} | {title} |" in page
