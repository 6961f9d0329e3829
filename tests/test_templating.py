"""The Jinja environment: when it is made, what a template sees, where it is looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, TemplateNotFound, TemplatesNotFound

from vial import (
    Blueprint,
    Vial,
    before_render_template,
    g,
    render_template,
    render_template_string,
    session,
    stream_template,
    stream_template_string,
    template_rendered,
)
from vial.globals import _cv


@pytest.fixture
def app() -> Vial:
    app = Vial("app", static_folder=None)
    app.secret_key = "k"
    return app


def page(app: Vial, source: str, **context: Any) -> str:
    """What a request for a template of this source gets."""
    app.view_functions["page"] = lambda: render_template_string(source, **context)
    if "page" not in {rule.endpoint for rule in app.url_map.iter_rules()}:
        app.add_url_rule("/page", "page")
    answer = app.test_client().get("/page?q=<q>")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_environment_is_made_for_the_first_template(app: Vial) -> None:
    app.add_url_rule("/", "i", lambda: "i")
    app.add_url_rule("/page", "page")
    app.test_client().get("/")
    assert "jinja_env" not in vars(app)
    page(app, "x")
    assert "jinja_env" in vars(app)


def test_a_template_builds_what_it_names_and_no_more(app: Vial) -> None:
    built: list[set[str]] = []

    @app.after_request
    def look(response: Any) -> Any:
        built.append({"request", "_session", "g", "url_adapter"} & set(vars(_cv.get())))
        return response

    assert page(app, "nothing") == "nothing"
    assert page(app, "{{ request.path }}") == "/page"
    assert page(app, "{{ g.get('x', 1) }}") == "1"
    assert page(app, "{{ session.get('x', 2) }}") == "2"
    assert page(app, "{{ url_for('page') }}") == "/page"
    assert built == [set(), {"request"}, {"g"}, {"request", "_session"}, set()]


def test_a_template_that_reads_the_session_varies_by_the_cookie(app: Vial) -> None:
    app.add_url_rule("/", "i", lambda: render_template_string("{{ session.get('x') }}"))
    app.add_url_rule("/no", "no", lambda: render_template_string("{{ request.path }}"))
    client = app.test_client()
    assert client.get("/").headers["Vary"] == "Cookie"
    assert "Vary" not in client.get("/no").headers


def test_output_is_escaped(app: Vial) -> None:
    source = "{{ request.args.q }} {{ x }} {{ x|safe }} {{ x|tojson }}"
    assert page(app, source, x="</script>") == (
        '&lt;q&gt; &lt;/script&gt; </script> "\\u003c/script\\u003e"'
    )


def test_what_the_view_passes_wins_over_processors_and_those_over_globals(app: Vial) -> None:
    app.jinja_env.globals.update(a="global", b="global", c="global")
    app.context_processor(lambda: {"b": "processor", "c": "processor"})
    assert page(app, "{{ a }} {{ b }} {{ c }}", c="view") == "global processor view"


def test_a_processor_that_returns_no_dict_is_an_error_of_the_template(app: Vial) -> None:
    app.testing = True
    app.context_processor(lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError):
        page(app, "x")


def test_a_template_that_is_not_there_is_told_where_it_was_looked_for(tmp_path: Path) -> None:
    app = Vial("app", root_path=str(tmp_path))
    bp = Blueprint("bp", "app", template_folder="of_bp", root_path=str(tmp_path))
    app.register_blueprint(bp)
    with app.app_context(), pytest.raises(TemplateNotFound) as error:
        render_template("none.html")
    message = str(error.value)
    assert "'none.html' was not found" in message
    assert str(tmp_path / "templates") in message
    assert str(tmp_path / "of_bp") in message
    assert error.value.name == "none.html"


def test_templates_that_are_not_there_are_all_named(app: Vial) -> None:
    with app.app_context(), pytest.raises(TemplatesNotFound, match=r"b\.html"):
        render_template(["a.html", "b.html"])


@pytest.mark.parametrize("name", ["../secret.html", "/etc/passwd", "a/../../secret.html", "..\\x"])
def test_a_template_name_does_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "secret.html").write_text("secret")
    app = Vial("app", root_path=str(tmp_path))
    with app.app_context(), pytest.raises(TemplateNotFound):
        render_template(name)


def test_a_template_that_changed_is_read_again_in_debug_mode_only(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    file = tmp_path / "templates" / "a.html"
    for debug, expected in ((True, "two"), (False, "one")):
        file.write_text("one")
        app = Vial("app", root_path=str(tmp_path))
        app.debug = debug
        with app.app_context():
            assert render_template("a.html") == "one"
            file.write_text("two")
            os.utime(file, (1, 1))
            assert render_template("a.html") == expected


def test_explaining_says_which_loader_was_asked(
    app: Vial, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    app.jinja_loader = DictLoader({"a.html": "a"})
    with app.app_context(), caplog.at_level("INFO"):
        assert render_template("a.html") == "a"
    assert "a.html" in caplog.text
    assert "DictLoader" in caplog.text


def test_a_loader_lists_the_templates_of_app_and_blueprints_once(app: Vial) -> None:
    app.jinja_loader = DictLoader({"a.html": "a", "both.html": "app"})
    bp = Blueprint("bp", "app")
    bp.jinja_loader = DictLoader({"b.html": "b", "both.html": "bp"})
    app.register_blueprint(bp)
    assert sorted(app.jinja_env.list_templates()) == ["a.html", "b.html", "both.html"]
    with app.app_context():
        assert render_template("both.html") == "app"


# -- streaming -----------------------------------------------------------------------------------


def test_a_streamed_template_is_rendered_while_it_is_sent(app: Vial) -> None:
    done: list[int] = []

    def numbers() -> Iterator[int]:
        for n in range(3):
            done.append(n)
            yield n

    app.jinja_loader = DictLoader({"s.html": "{% for n in numbers %}{{ n }};{% endfor %}"})
    app.add_url_rule("/", "i", lambda: stream_template("s.html", numbers=numbers()))
    answer = app.test_client().get("/", buffered=False)
    chunks = iter(answer.response)
    assert done == [0]  # the test client reads one chunk ahead
    assert [next(chunks), next(chunks), done] == [b"0", b";", [0]]
    assert [next(chunks), done] == [b"1", [0, 1]]
    assert b"".join(chunks) == b";2;"
    answer.close()


def test_a_streamed_template_sees_request_session_and_g_to_its_end(app: Vial) -> None:
    source = "{{ request.path }} {{ session.x }} {{ g.x }}"

    @app.route("/")
    def index() -> Any:
        session["x"] = g.x = 1
        return stream_template_string(source)

    assert app.test_client().get("/").text == "/ 1 1"


def test_signals_tell_of_a_template_before_and_after(app: Vial) -> None:
    told: list[Any] = []

    def before(sender: Any, template: Any, context: dict[str, Any], **extra: Any) -> None:
        context["x"] = "changed"
        told.append(("before", sender is app))

    def after(sender: Any, template: Any, context: dict[str, Any], **extra: Any) -> None:
        told.append(("after", context["x"]))

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
        app.app_context(),
    ):
        assert render_template_string("{{ x }}", x="given") == "changed"
        assert "".join(stream_template_string("{{ x }}", x="given")) == "changed"
    assert told == [("before", True), ("after", "changed")] * 2


def test_a_stream_outside_of_a_request_needs_none(app: Vial) -> None:
    with app.app_context():
        assert list(stream_template_string("{{ 1 + 1 }}")) == ["2"]
