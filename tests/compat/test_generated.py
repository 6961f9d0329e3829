"""Generated programs do the same on Flask and on Vial.

Each example is a program of its own: an app with its config, blueprints, hooks, handlers and views
of every kind, and requests to it, made from its own rules with noise. Demanded: the same status,
headers, body and cookies, the same log lines, signals and calls of hooks in the same order, and
the same exceptions, on both of Vial's paths. A failing example is shown as its text, which is the
body of a case for ``@same``.

The default run is short and always the same. To search for disagreements, set the number of
examples, which are then chosen at random; ten thousand take five minutes::

    VIAL_HYPOTHESIS_EXAMPLES=10000 pytest -o faulthandler_timeout=0 \
        tests/compat/test_generated.py
"""

from __future__ import annotations

import gc
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .generated.program import Program, programs, write_files
from .harness import RUNS, _diff, stop_the_clocks, transcript

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

EXAMPLES = os.environ.get("VIAL_HYPOTHESIS_EXAMPLES")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    stop_the_clocks(monkeypatch)
    # Else pytest keeps every record, and with its traceback the app.
    monkeypatch.setattr(logging.getLogger("app"), "propagate", False)
    write_files(RUNS[0](tmp_path))
    yield tmp_path
    gc.collect()  # files that a program opened and did not send


def compare(
    folder: Path,
    examples: int,
    phases: Collection[Phase] = tuple(Phase),
    derandomize: bool = True,
) -> Counter[str]:
    """Run programs on all frameworks; what they reached."""
    reached: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=phases,
    )
    @given(programs)
    def behaves_the_same(program: Program) -> None:
        expected, *others = [transcript(program, web(folder)) for web in RUNS]
        reached.update(landmarks(program, expected))
        reached["request"] += program.text.count("web.open(")
        for web, found in zip(RUNS[1:], others, strict=True):
            # By their texts: 1 and True, or a dict in another order, are a difference.
            assert [*map(repr, found)] == [*map(repr, expected)], (
                f"{web.args[0]} differs from Flask:\n{_diff(expected, found)}\n{program!r}"
            )

    behaves_the_same()
    return reached


def landmarks(program: Program, events: list[Any]) -> Iterator[str]:
    """Requests that met a view, the kinds of hooks and of answers, and the statuses."""
    views = 0
    for event in events:
        if event[0] == "view":
            views += 1
            yield program.kinds[event[1]]
        elif event[0] in ("hook", "signal"):
            yield event[1].rstrip("0123456789")
        elif is_answer(event) or event[0] == "raised":
            if views:
                yield "request with a view"
            views = 0
        if is_answer(event):
            yield event[2][:3]


def is_answer(event: Any) -> bool:
    return len(event) == 3 and isinstance(event[2], str) and event[2][:3].isdigit()


def test_generated_programs_behave_the_same(folder: Path) -> None:
    compare(folder, int(EXAMPLES or 15), derandomize=EXAMPLES is None)


#: What a run of a few hundred programs comes by.
KINDS = """
    returns returns_tuple returns_made returns_url returns_nothing raises aborts redirects
    before after this handler teardown preprocess url_defaults processor receiver late
    request_started request_finished request_tearing_down got_request_exception template_rendered
    before_render_template appcontext_pushed appcontext_popped appcontext_tearing_down
    message_flashed 200 201 202 204 206 302 303 304 308 400 401 404 405 410 415 416 418 500
"""


@pytest.mark.slow
def test_generated_programs_reach_every_kind_of_view_hook_and_answer(folder: Path) -> None:
    reached = compare(folder, 300)
    assert set(KINDS.split()) - set(reached) == set()
    share = reached["request with a view"] / reached["request"]
    assert share >= 0.4, reached


@pytest.mark.slow
def test_a_framework_that_differs_is_found_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vial.sessions._vary_by_cookie", lambda response: None)
    with pytest.raises(AssertionError, match="Vial differs from Flask"):
        compare(folder, 300, [Phase.generate])
