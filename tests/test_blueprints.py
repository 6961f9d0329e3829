"""What is Vial's own about blueprints; their behaviour is compared with Flask's in compat."""

from __future__ import annotations

from typing import Any

import pytest

from vial import Blueprint, Vial, request, url_for


@pytest.fixture
def app() -> Vial:
    return Vial("app", static_folder=None)


def ask(app: Vial, path: str) -> str:
    return app.test_client().get(path).text


def names(app: Vial, endpoint: str) -> list[list[str]]:
    """The functions of the compiled plan of an endpoint."""
    plan = app._make_plan(endpoint)
    return [[f.__name__ for f in kind] for kind in (plan.before, plan.after, plan.teardown)]


def hook(name: str) -> Any:
    def function(*args: Any) -> Any:
        return args[0] if args else None

    function.__name__ = name
    return function


def test_the_plan_of_a_view_has_the_hooks_of_its_blueprints_in_order(app: Vial) -> None:
    outer, inner = Blueprint("outer", "app"), Blueprint("inner", "app")
    for owner, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        for n in "12":
            owner.before_request(hook(f"{name}{n}"))
            owner.after_request(hook(f"{name}{n}"))
            owner.teardown_request(hook(f"{name}{n}"))
    inner.add_url_rule("/", "view", lambda: "view")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    outside_in = ["app1", "app2", "outer1", "outer2", "inner1", "inner2"]
    inside_out = ["inner2", "inner1", "outer2", "outer1", "app2", "app1"]
    assert names(app, "outer.inner.view") == [outside_in, inside_out, inside_out]
    assert app._make_plan("outer.inner.view").blueprints == ("outer.inner", "outer")
    assert names(app, "none.of.them") == [["app1", "app2"], ["app2", "app1"], ["app2", "app1"]]


def test_a_blueprint_is_registered_on_two_apps(app: Vial) -> None:
    bp = Blueprint("bp", "app", url_prefix="/bp")
    bp.add_url_rule("/", "view", lambda: f"{request.endpoint} {url_for('.view')}")
    other = Vial("other", static_folder=None)
    app.register_blueprint(bp)
    other.register_blueprint(bp, url_prefix="/other", name="own")
    assert ask(app, "/bp/") == "bp.view /bp/"
    assert ask(other, "/other/") == "own.view /other/"


def test_hooks_written_under_the_name_of_a_blueprint_take_effect(app: Vial) -> None:
    bp = Blueprint("bp", "app")
    bp.add_url_rule("/", "view", lambda: "view")
    app.register_blueprint(bp)
    assert ask(app, "/") == "view"
    app.before_request_funcs["bp"].append(lambda: "hook")
    assert ask(app, "/") == "hook"
    app.before_request_funcs["bp"].clear()
    assert ask(app, "/") == "view"


def test_a_blueprint_changed_after_its_registration_is_refused_by_name(app: Vial) -> None:
    bp = Blueprint("shop", "app")
    app.register_blueprint(bp)
    with pytest.raises(AssertionError, match=r"'before_request' .* blueprint 'shop'"):
        bp.before_request(lambda: None)


def test_the_lists_of_a_blueprint_are_plain(app: Vial) -> None:
    bp = Blueprint("bp", "app")
    bp.before_request(hook("one"))
    assert dict(bp.before_request_funcs) == {None: bp.before_request_funcs[None]}
    assert type(bp.before_request_funcs[None]) is list


def test_its_commands_go_where_the_group_says(app: Vial) -> None:
    def with_command(name: str, **options: Any) -> Blueprint:
        bp = Blueprint(name, "app", **options)
        bp.cli.command(f"{name}-command")(lambda: None)
        return bp

    app.register_blueprint(with_command("one"))
    app.register_blueprint(with_command("two", cli_group="group"))
    app.register_blueprint(with_command("three", cli_group=None))
    app.register_blueprint(with_command("four"), cli_group="given")
    commands = app.cli.commands
    assert sorted(commands) == ["given", "group", "one", "three-command"]
    assert sorted(commands["group"].commands) == ["two-command"]  # type: ignore[attr-defined]


def test_a_blueprint_without_commands_loads_no_command_line(app: Vial) -> None:
    bp = Blueprint("bp", "app")
    app.register_blueprint(bp)
    assert "cli" not in vars(bp)
    assert "cli" not in vars(app)
