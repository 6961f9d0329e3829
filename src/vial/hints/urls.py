"""Hints about URLs that cannot be built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.routing import BuildError, Rule

from .frames import frame_of, frames
from .names import did_you_mean, listed

if TYPE_CHECKING:
    from ..app import Vial


def no_url(app: Vial, error: LookupError) -> str | None:
    """``url_for`` of an endpoint that is not there, or without its values.

    Werkzeug names the most similar endpoint whatever it is; this says whether the blueprint is
    there, what the endpoint is called, and which values are wanted.
    """
    if not isinstance(error, BuildError):
        return None
    name = str(error.endpoint)
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint == error.endpoint]
    if rules:
        return _misfit(rules, error)
    endpoints = [str(rule.endpoint) for rule in app.url_map.iter_rules()]
    if name.startswith(("/", "http:", "https:")):
        return f"url_for() takes the name of an endpoint, not a URL; {name!r} needs no url_for()."
    blueprint, _, view = name.rpartition(".")
    inside = [other for other in endpoints if other.rpartition(".")[2] == view]
    if blueprint and blueprint not in app.blueprints:
        known = f"; there are {listed(app.blueprints)}" if app.blueprints else ""
        return (
            f"No blueprint {blueprint!r} is registered{known}."
            f"{did_you_mean(name, endpoints) or _or(inside)} A blueprint's views exist once"
            " app.register_blueprint(…) was called, under the name that Blueprint(name, …) has."
        )
    if blueprint:
        theirs = [e for e in endpoints if e.rpartition(".")[0] == blueprint]
        has = listed(theirs) or "no views"
        return f"The blueprint {blueprint!r} has {has}.{did_you_mean(name, theirs)}"
    if inside:
        return (
            f"It belongs to a blueprint: say {_alternatives(inside)}; within views of the blueprint"
            f" itself also url_for('.{view}')."
        )
    return (
        f"No view has the endpoint {name!r}.{did_you_mean(name, endpoints)} An endpoint is the name"
        " of the view function, unless its route says endpoint='…'; 'vial routes' lists them."
    )


def _or(names: list[str]) -> str:
    """The endpoints as a question, or nothing."""
    return f" Did you mean {_alternatives(names)}?" if names else ""


def _alternatives(names: list[str]) -> str:
    """Calls of ``url_for`` to choose from."""
    return " or ".join(f"url_for({name!r})" for name in sorted(set(names))[:3])


def _misfit(rules: list[Rule], error: BuildError) -> str | None:
    """Which values the rules of a known endpoint still want."""
    given = {name for name, value in error.values.items() if value is not None}
    wants = []
    for rule in rules:
        missing = sorted(rule.arguments - given - set(rule.defaults or ()))
        if missing:
            calls = ", ".join(f"{name}=…" for name in sorted(rule.arguments))
            wants.append(
                f"{rule.rule!r} lacks {listed(missing)}: url_for({error.endpoint!r}, {calls})"
            )
    built = frame_of(error, "vial.helpers", "build_url")
    passed = {} if built is None else built.f_locals["values"]  # Werkzeug leaves None out
    nothing = [name for name, value in passed.items() if value is None and name[:1] != "_"]
    because = f" {listed(nothing)} was given as None." if nothing else ""
    return f"The rule {'; '.join(wants)}.{because}" if wants else None


def value_that_does_not_fit(app: Vial, error: ValueError) -> str | None:
    """``url_for("user", id="x")`` where the rule has ``<int:id>``.

    ``invalid literal for int() with base 10: 'x'``, from a converter.
    """
    frame = frame_of(error, "vial.helpers", "build_url")
    if frame is None:
        return None
    values = frame.f_locals["values"]
    endpoint = frame.f_locals["endpoint"]
    inner = next((f for f in frames(error) if f.f_code.co_name == "to_url"), None)
    if inner is None:
        return None
    value = inner.f_locals.get("value")
    names = [name for name, given in values.items() if given is value]
    rules = [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint]
    return (
        f"url_for({endpoint!r}) was given {names[0] if names else 'a value'}={value!r}, which does"
        f" not fit the rule {listed(rules)}."
    )
