"""Contexts: what they build, whose they are, and that they do not leak."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from vial import (
    Vial,
    after_this_request,
    copy_current_request_context,
    current_app,
    flash,
    g,
    get_flashed_messages,
    has_app_context,
    has_request_context,
    request,
    session,
    url_for,
)
from vial.ctx import AppContext, RequestContext
from vial.globals import _cv, app_ctx, request_ctx


@pytest.fixture
def app() -> Vial:
    app = Vial("ctx", static_folder=None)
    app.secret_key = "k"
    app.add_url_rule("/<int:n>", "view", lambda n: f"{n}")
    return app


def in_thread(function: Any) -> Any:
    """What a function returns in a new thread, which has no context."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_nothing_is_active_outside(app: Vial) -> None:
    assert not has_app_context()
    assert not has_request_context()
    assert not (current_app or g or request or session)


def test_an_app_context_builds_its_g_at_first_use(app: Vial) -> None:
    with app.app_context() as ctx:
        assert "g" not in vars(ctx)
        g.x = 1
        assert vars(ctx)["g"].x == 1


def test_a_request_context_builds_nothing_by_itself(app: Vial) -> None:
    with app.test_request_context("/1") as ctx:
        assert isinstance(ctx, RequestContext)
        assert not {"request", "g", "session", "_session", "url_adapter"} & set(vars(ctx))
        assert request.view_args == {"n": 1}
        assert "url_adapter" not in vars(ctx)


def test_a_url_is_built_in_a_request_without_werkzeugs_adapter(app: Vial) -> None:
    with app.test_request_context("/1") as ctx:
        assert url_for("view", n=2, q="x") == "/2?q=x"
        assert "url_adapter" not in vars(ctx)
        assert "request" not in vars(ctx)


def test_the_context_can_be_asked_for_by_its_own_names(app: Vial) -> None:
    with app.app_context() as ctx:
        assert app_ctx._get_current_object() is ctx  # type: ignore[attr-defined]
        assert not request_ctx
    with app.test_request_context() as ctx:
        assert request_ctx._get_current_object() is ctx  # type: ignore[attr-defined]
        assert app_ctx.app is app


def test_an_app_context_inside_a_request_has_its_own_g_and_keeps_the_request(app: Vial) -> None:
    with app.test_request_context("/1"):
        g.x = "outer"
        with app.app_context():
            assert "x" not in g
            assert request.path == "/1"
            session["a"] = 1
        assert g.x == "outer"
        assert session["a"] == 1


def test_a_request_inside_an_app_context_shares_its_g_and_leaves_its_teardown_to_it(
    app: Vial,
) -> None:
    ended: list[str] = []
    app.teardown_request(lambda e: ended.append("request"))
    app.teardown_appcontext(lambda e: ended.append("app"))
    with app.app_context():
        g.x = 1
        with app.test_request_context("/1"):
            assert g.x == 1
        assert ended == ["request"]
        app.test_client().get("/1")
        assert ended == ["request", "request"]
    assert ended == ["request", "request", "app"]


def test_a_context_is_left_in_the_order_it_was_entered(app: Vial) -> None:
    outer, inner = app.app_context(), app.test_request_context("/1")
    outer.push()
    inner.push()
    with pytest.raises(AssertionError, match="Popped wrong context"):
        outer.pop()
    inner.pop()
    outer.pop()
    assert _cv.get(None) is None


def test_leaving_a_context_that_was_never_entered_is_told(app: Vial) -> None:
    with pytest.raises(LookupError, match="Popped wrong context"):
        app.app_context().pop()
    with pytest.raises(LookupError, match="Popped wrong context"):
        app.test_request_context().pop()


def test_a_context_is_entered_again_after_it_was_left(app: Vial) -> None:
    ctx = app.test_request_context("/1")
    for _ in range(2):
        with ctx:
            assert request.path == "/1"
    app_context = app.app_context()
    for _ in range(2):
        with app_context:
            assert current_app.name == "ctx"


def test_a_context_of_a_thread_is_not_seen_by_another(app: Vial) -> None:
    with app.test_request_context("/1"):
        assert in_thread(lambda: (has_app_context(), has_request_context())) == (False, False)


def test_a_task_sees_the_context_it_was_started_in(app: Vial) -> None:
    async def main() -> list[str]:
        async def path() -> str:
            await asyncio.sleep(0)
            return request.path

        async def one(n: int) -> str:
            with app.test_request_context(f"/{n}"):
                return await asyncio.create_task(path())

        return await asyncio.gather(*map(one, range(5)))

    assert asyncio.run(main()) == [f"/{n}" for n in range(5)]


def test_a_copied_context_works_in_threads_at_once(app: Vial) -> None:
    barrier = threading.Barrier(3, timeout=5)

    with app.test_request_context("/1"):
        session["a"] = 1
        g.x = "outer"

        @copy_current_request_context
        def work(n: int) -> tuple[Any, ...]:
            barrier.wait()
            return n, request.path, session["a"], g.get("x")

        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda n=n: found.append(work(n)))  # type: ignore[misc]
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == [(n, "/1", 1, None) for n in range(3)]


def test_a_copied_context_goes_on_after_the_request_ended(app: Vial) -> None:
    with app.test_request_context("/1?a=b"):
        work = copy_current_request_context(lambda: (request.args["a"], url_for("view", n=1)))
    assert in_thread(work) == ("b", "/1")


def test_an_async_function_is_copied_into_as_an_async_one(app: Vial) -> None:
    with app.test_request_context("/1"):

        @copy_current_request_context
        async def work(n: int) -> str:
            await asyncio.sleep(0)
            return f"{request.path} {n}"

    async def main() -> list[str]:
        return await asyncio.gather(work(1), asyncio.create_task(work(2)))

    assert asyncio.run(main()) == ["/1 1", "/1 2"]
    assert work.__name__ == "work"


def test_what_needs_a_request_says_so(app: Vial) -> None:
    with pytest.raises(RuntimeError, match="'after_this_request' can only be used while"):
        after_this_request(lambda response: response)
    with (
        app.app_context(),
        pytest.raises(RuntimeError, match="'copy_current_request_context' can only"),
    ):
        copy_current_request_context(len)


def test_an_error_inside_reaches_the_teardown_functions(app: Vial) -> None:
    errors: list[Any] = []
    app.teardown_request(errors.append)
    app.teardown_appcontext(errors.append)
    error = ValueError()
    with pytest.raises(ValueError), app.test_request_context("/1"):
        raise error
    with pytest.raises(ValueError), app.app_context():
        raise error
    assert errors == [error] * 3


def test_a_context_can_be_run_in_a_copy_of_the_variables(app: Vial) -> None:
    with app.test_request_context("/1"):
        copied = contextvars.copy_context()
    assert copied.run(lambda: request.path) == "/1"
    assert not has_request_context()


def test_messages_stay_the_same_for_the_rest_of_the_request(app: Vial) -> None:
    with app.test_request_context("/1"):
        flash("one")
        assert get_flashed_messages() == ["one"]
        flash("two")
        assert get_flashed_messages() == ["one"]
        assert session["_flashes"] == [("message", "two")]


def test_contexts_and_g_name_their_app(app: Vial) -> None:
    with app.test_request_context("/1"):
        assert repr(_cv.get()) == "<RequestContext 'http://localhost/1' [GET] of ctx>"
        assert repr(g) == "<vial.g of 'ctx'>"
    assert type(app.app_context()) is AppContext
