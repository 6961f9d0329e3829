"""Sync work beside a loop, async work beside threads, and requests that must not see each other."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Any
from weakref import ref

import pytest
from cases.entrances import Asgi, Ask, Wsgi

from vial import (
    Vial,
    copy_current_request_context,
    g,
    request,
    session,
    stream_with_context,
)
from vial.concurrency import WorkerPool, background_loop, blocking, run_in_pool, run_on_loop
from vial.globals import _cv

var: ContextVar[str] = ContextVar("var", default="unset")


def until(happened: Callable[[], Any], seconds: float = 2) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.001)
    return bool(happened())


# The worker pool.


def test_work_in_the_pool_sees_the_context_and_what_it_sets_is_seen() -> None:
    def work() -> str:
        seen = var.get()
        var.set("set in the pool")
        return seen

    async def main() -> tuple[str, str]:
        var.set("set on the loop")
        return await run_in_pool(work), var.get()

    assert asyncio.run(main()) == ("set on the loop", "set in the pool")
    assert var.get() == "unset"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError])
def test_what_work_raises_is_raised_where_it_is_awaited(error: type[Exception]) -> None:
    def work() -> None:
        var.set("before the error")
        raise error("in the pool")

    async def main() -> str:
        with pytest.raises(error, match="in the pool"):
            await run_in_pool(work)
        return var.get()

    assert asyncio.run(main()) == "before the error"


def test_a_stop_iteration_is_wrapped_because_a_future_cannot_carry_it() -> None:
    async def main() -> None:
        await run_in_pool(next, iter(()))

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        asyncio.run(main())
    assert isinstance(caught.value.__cause__, StopIteration)


def test_no_job_waits_behind_one_that_blocks() -> None:
    async def main() -> None:
        pool = WorkerPool(size=2)
        for _ in range(300):
            done = threading.Event()
            waiting = pool.submit(copy_context(), done.wait, 2)
            pool.submit(copy_context(), done.set)
            assert await waiting

    asyncio.run(main())


def test_a_pool_has_no_more_threads_than_its_size_and_none_without_need() -> None:
    threads: set[str] = set()

    def work() -> int:
        threads.add(threading.current_thread().name)
        time.sleep(0.0005)
        return 1

    async def main() -> None:
        pool = WorkerPool(size=3)
        for _ in range(20):
            await pool.submit(copy_context(), work)
        assert len(threads) == 1
        assert sum(await asyncio.gather(*(pool.submit(copy_context(), work) for _ in range(50))))
        assert len(threads) <= 3

    asyncio.run(main())


def test_a_pool_without_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one thread, not 0"):
        WorkerPool(0)


def test_work_cancelled_while_it_waits_is_not_begun() -> None:
    begun: list[str] = []

    async def main() -> None:
        pool = WorkerPool(size=1)
        go = threading.Event()
        first = pool.submit(copy_context(), go.wait)
        second = pool.submit(copy_context(), begun.append, "second")
        third = pool.submit(copy_context(), begun.append, "third")
        second.cancel()
        go.set()
        await first
        await third

    asyncio.run(main())
    assert begun == ["third"]


def test_a_loop_that_closed_does_not_harm_the_thread_that_worked_for_it() -> None:
    pool = WorkerPool(size=1)
    go = threading.Event()

    async def leave() -> None:
        pool.submit(copy_context(), go.wait)

    async def stay() -> str:
        return await pool.submit(copy_context(), str, "served")

    asyncio.run(leave())
    go.set()
    assert asyncio.run(stay()) == "served"


def test_loops_in_several_threads_share_a_pool() -> None:
    pool = WorkerPool(size=4)

    async def main(number: int) -> list[int]:
        return await asyncio.gather(
            *(pool.submit(copy_context(), lambda n: n, number * 100 + n) for n in range(100))
        )

    with concurrent.futures.ThreadPoolExecutor() as threads:
        results = threads.map(lambda number: asyncio.run(main(number)), range(5))
    assert [n for result in results for n in result] == list(range(500))


def test_an_idle_thread_and_a_pool_keep_nothing_alive() -> None:
    class Thing:
        pass

    pool = WorkerPool(size=1)

    async def main() -> tuple[ref[Any], ref[Any]]:
        thing = Thing()
        await pool.submit(copy_context(), id, thing)
        return ref(thing), ref(asyncio.get_running_loop())

    thing, loop = asyncio.run(main())
    gc.collect()
    assert until(lambda: thing() is None) and until(lambda: loop() is None)


# The long-lived loop.


def test_a_coroutine_runs_on_one_loop_in_the_callers_context() -> None:
    async def work() -> tuple[Any, str, str]:
        seen = var.get()
        var.set("set on the loop")
        return asyncio.get_running_loop(), threading.current_thread().name, seen

    def main() -> None:
        var.set("set in the thread")
        loop, name, seen = run_on_loop(work())
        assert (loop, name, seen) == (background_loop(), "vial-loop", "set in the thread")
        assert var.get() == "set on the loop"
        assert run_on_loop(work())[0] is loop

    Context().run(main)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, SystemExit, KeyboardInterrupt, StopAsyncIteration]
)
def test_what_a_coroutine_raises_reaches_the_thread_and_not_the_loop(
    error: type[BaseException],
) -> None:
    async def work() -> None:
        raise error("on the loop")

    async def further() -> str:
        return "the loop goes on"

    with pytest.raises(error):
        run_on_loop(work())
    assert run_on_loop(further()) == "the loop goes on"


def test_a_coroutine_that_is_cancelled_is_an_ordinary_error_for_a_thread() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(concurrent.futures.CancelledError) as caught:
        run_on_loop(work())
    assert isinstance(caught.value, Exception)


def test_waiting_for_the_loop_on_the_loop_is_refused() -> None:
    async def inner() -> None:
        pass

    async def outer() -> None:
        run_on_loop(inner())

    with pytest.raises(RuntimeError, match="called on the event loop itself"):
        run_on_loop(outer())


def test_an_interrupted_wait_cancels_the_coroutine() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0.3)  # the thread waits by then
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise

    with pytest.raises(KeyboardInterrupt):
        run_on_loop(work())
    assert until(lambda: steps == ["cancelled"])


def test_a_loop_that_somebody_closed_is_replaced() -> None:
    async def work() -> str:
        return "done"

    old = background_loop()
    old.call_soon_threadsafe(old.stop)
    assert until(lambda: not old.is_running())
    old.close()
    assert run_on_loop(work()) == "done"
    assert background_loop() is not old


def test_an_async_generator_is_iterated_and_closed_in_one_context() -> None:
    steps: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        token = var.set("inside")
        try:
            for number in range(10):
                yield number
                steps.append(var.get())
        finally:
            var.reset(token)
            steps.append("closed")

    iterator = blocking(numbers())
    assert [next(iterator), next(iterator)] == [0, 1]
    iterator.close()
    assert steps == ["inside", "closed"]
    assert list(blocking(numbers())) == list(range(10))


FORKING = """
    import asyncio, os
    from vial.concurrency import run_in_pool, run_on_loop

    async def work():
        return await run_in_pool(os.getpid)

    assert run_on_loop(work()) == os.getpid()
    child = os.fork()
    if not child:
        os._exit(0 if run_on_loop(work()) == os.getpid() else 1)
    _, status = os.waitpid(child, 0)
    assert run_on_loop(work()) == os.getpid()
    raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_process_starts_its_own_pool_and_loop() -> None:
    run = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKING)]
    assert subprocess.run(run, timeout=10).returncode == 0


# Requests.


@pytest.fixture
def app() -> Vial:
    """Views that set everything which belongs to a request, wait, and tell what they find."""
    app = Vial("concurrency", static_folder=None)
    app.secret_key = "a key for tests only"

    @app.before_request
    def enter() -> None:
        assert "name" not in g and "name" not in session
        g.name = session["name"] = request.args["name"]
        var.set(request.args["name"])

    def found() -> str:
        names = {request.args["name"], g.name, session["name"], var.get(), _cv.get().g.name}
        return ",".join(names)

    @app.get("/sync")
    def sync_view() -> str:
        time.sleep(0.001)
        return found()

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0.001)
        return found()

    @app.get("/mixed")
    async def mixed_view() -> str:
        return await run_in_pool(sync_view)

    @app.get("/stream")
    def stream() -> Any:
        from vial import stream_with_context

        return stream_with_context(found() for _ in range(1))

    return app


PAGES = ("sync", "async", "mixed", "stream")


def test_two_hundred_requests_at_once_do_not_see_each_other(app: Vial) -> None:
    async def main() -> list[str]:
        asks = (Ask(f"/{PAGES[n % 4]}?name=n{n}") for n in range(200))
        answers = await asyncio.gather(*(Asgi().ask_here(app, ask) for ask in asks))
        return [answer.text for answer in answers]

    assert asyncio.run(main()) == [f"n{n}" for n in range(200)]


def test_two_hundred_requests_in_threads_do_not_see_each_other(app: Vial) -> None:
    def ask(n: int) -> str:
        # A thread of a server goes on with the context that the last request left it.
        answer = Wsgi().ask(app, f"/{PAGES[n % 4]}?name=n{n}").text
        assert _cv.get(None) is None
        return answer

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, range(200))) == [f"n{n}" for n in range(200)]


def test_a_sync_view_that_blocks_does_not_hold_up_the_others() -> None:
    app = Vial("concurrency", static_folder=None)
    go = threading.Event()
    app.get("/block")(lambda: str(go.wait(5)))

    @app.get("/async")
    async def quick() -> str:
        return "quick"

    app.add_url_rule("/sync", view_func=lambda: "quick too", endpoint="sync")

    async def main() -> list[str]:
        blocked = [asyncio.ensure_future(Asgi().ask_here(app, Ask("/block"))) for _ in range(10)]
        quick = [await Asgi().ask_here(app, Ask(page)) for page in ("/async", "/sync")]
        assert not any(task.done() for task in blocked)
        go.set()
        return [answer.text for answer in (*quick, *await asyncio.gather(*blocked))]

    assert asyncio.run(main()) == ["quick", "quick too", *["True"] * 10]


def test_a_sync_view_waits_for_the_loop_of_the_process_not_of_the_server() -> None:
    app = Vial("concurrency", static_folder=None)

    async def work() -> str:
        return threading.current_thread().name

    app.get("/")(lambda: app.ensure_sync(work)())
    assert Asgi().ask(app).text == "vial-loop"
    assert Wsgi().ask(app).text == "vial-loop"


@pytest.mark.parametrize("entrance", [Wsgi(), Asgi()], ids=["wsgi", "asgi"])
def test_a_task_with_a_copied_request_awaits_its_teardown_functions(entrance: Any) -> None:
    app = Vial("copied", static_folder=None)
    app.testing = True
    loops: list[Any] = []

    @app.teardown_request
    async def end(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        loops.append((asyncio.get_running_loop(), type(error)))

    @app.get("/copied")
    async def view() -> str:
        @copy_current_request_context
        async def work(number: int) -> str:
            await asyncio.sleep(0)
            return f"{1 // number} {request.path}"

        loops.append((asyncio.get_running_loop(), "view"))
        with pytest.raises(ZeroDivisionError):
            await asyncio.create_task(work(0))
        return await asyncio.create_task(work(1))

    assert entrance.ask(app, "/copied").text == "1 /copied"
    assert len({loop for loop, _ in loops}) == 1
    assert [what for _, what in loops] == ["view", ZeroDivisionError, type(None), type(None)]


# -- limits ------------------------------------------------------------------------------------


def test_threads_without_work_end_and_new_ones_are_started() -> None:
    async def main() -> None:
        pool = WorkerPool(size=4, idle=0.01)
        for _ in range(3):
            gate = threading.Event()
            held = [pool.submit(copy_context(), gate.wait, 10) for _ in range(4)]
            assert pool.stats().threads == 4
            gate.set()
            assert await asyncio.gather(*held) == [True] * 4
            assert until(lambda: pool.stats().threads == 0, 10)
            assert pool.stats()[:3] == (0, 0, 0)

    asyncio.run(main())


def test_a_pool_that_was_busy_knows_which_threads_are_idle() -> None:
    async def work() -> None:
        pool = WorkerPool(size=4, idle=0.2)
        for _ in range(300):
            jobs = [pool.submit(copy_context(), time.sleep, 0) for _ in range(3)]
            await asyncio.wait(jobs)
        assert until(lambda: pool.stats().idle == pool.stats().threads), pool.stats()
        assert until(lambda: pool.stats()[:2] == (0, 0), 20), pool.stats()
        async with asyncio.timeout(20):
            await pool.submit(copy_context(), time.sleep, 0)

    asyncio.run(work())


def test_a_pool_tells_how_long_work_waited(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        pool = WorkerPool(size=1)
        gate = threading.Event()
        first = pool.submit(copy_context(), gate.wait, 10)
        second = pool.submit(copy_context(), int)
        assert until(lambda: pool.stats().waiting == 1, 10)
        began = time.monotonic()
        time.sleep(0.01)
        gate.set()
        await asyncio.gather(first, second)
        assert 0.01 <= pool.stats().waited <= time.monotonic() - began + 10

    asyncio.run(main())


def test_a_long_wait_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vial.concurrency.LONG_WAIT", -1)

    async def main() -> None:
        pool = WorkerPool(size=3)
        for _ in range(5):
            await pool.submit(copy_context(), int)

    asyncio.run(main())
    (record,) = caplog.records
    assert "waited 0.0 s for one of 3 worker threads" in record.getMessage()
    assert "WORKER_THREADS" in record.getMessage()


def test_requests_above_the_queue_are_503_and_those_in_it_are_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = WorkerPool(size=1)
    monkeypatch.setattr("vial.concurrency._pool", pool)
    app = Vial("busy", static_folder=None)
    app.config.update(WORKER_THREADS=2, WORKER_QUEUE=3)
    gate = threading.Event()

    @app.get("/")
    def view() -> str:
        gate.wait(10)
        return "page"

    @app.get("/first")
    async def first() -> str:
        return "first"

    async def main() -> None:
        assert (await Asgi().ask_here(app, Ask("/first"))).text == "first"
        assert (pool.size, pool.queue) == (2, 3)
        asked = [asyncio.ensure_future(Asgi().ask_here(app, Ask())) for _ in range(5)]
        while pool.stats().waiting < 3:
            await asyncio.sleep(0.001)
        refused = await Asgi().ask_here(app, Ask())
        assert (refused.status, refused["retry-after"], refused.text) == (503, "1", "Busy\n")
        assert (await Asgi().ask_here(app, Ask("/first"))).text == "first"
        gate.set()
        assert [answer.text for answer in await asyncio.gather(*asked)] == ["page"] * 5

    asyncio.run(main())
    assert "3 requests wait for 2 worker threads: more are refused" in caplog.text


def site_with_one_connection() -> Vial:
    """Its only connection to a database is taken by a request and held to the end of it."""
    app = Vial("one connection", static_folder=None)
    connection = threading.Semaphore()

    def take() -> None:
        assert connection.acquire(timeout=10), "no connection was free"

    @app.before_request
    def load_user() -> None:
        if request.path != "/stream":
            take()

    @app.before_request
    def look_at_user() -> None:
        """It takes a thread of its own where the view is async."""

    @app.teardown_request
    def give_back(error: BaseException | None) -> None:
        connection.release()

    @app.get("/async")
    async def wait() -> str:
        await asyncio.sleep(0)
        return "done"

    @app.after_request
    async def async_hook(response: Any) -> Any:
        return response

    @app.get("/sync")
    def view() -> str:
        return "done"

    @app.get("/stream")
    def stream() -> Any:
        def chunks() -> Iterator[str]:
            take()
            yield "do"
            yield "ne"

        return stream_with_context(chunks())

    return app


@pytest.mark.parametrize("path", ["/async", "/sync", "/stream"])
def test_a_request_that_holds_what_others_wait_for_gets_a_thread(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("vial.concurrency._pool", WorkerPool(size=2))
    app = site_with_one_connection()

    async def main() -> list[Any]:
        return await asyncio.gather(*(Asgi().ask_here(app, Ask(path)) for _ in range(6)))

    assert [answer.text for answer in asyncio.run(main())] == ["done"] * 6
