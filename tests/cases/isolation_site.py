"""An app that says at many points of a request whose request, session and ``g`` it sees, and how
much of what requests need is there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

from vial import (
    EventStream,
    Vial,
    copy_current_request_context,
    current_app,
    g,
    request,
    session,
    stream_with_context,
)
from vial.concurrency import worker_pool


def seen(where: str, with_g: bool = True) -> str:
    """Whose request it is, by all that tells."""
    owner = g.n if with_g else request.args["n"]
    own = "" if with_g == ("n" in g) else " and the g of somebody else"
    path = request.path.rpartition("/")[2]
    return f"{where}: {request.args['n']} {path} {session['n']} {owner} {current_app.name}{own}\n"


class Site(Vial):
    """An app with views of all kinds below ``/<kind>/<n>?n=<n>``."""

    def __init__(self) -> None:
        super().__init__("isolation", static_folder=None)
        self.secret_key = "a key for tests only"
        #: What the teardown functions saw.
        self.ends: list[str] = []
        self.in_flight = self.most_in_flight = 0


async def turns() -> None:
    """Let others run."""
    for _ in range(3):
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)


def pause() -> None:
    threading.Event().wait(0.001)


def in_own_thread(function: Any, *args: Any) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args))
        except BaseException as e:
            future.set_exception(e)

    threading.Thread(target=run).start()
    return future


def make_site() -> Site:
    site = Site()
    add_hooks(site)
    add_views(site)
    add_streams(site)
    add_counts(site)
    return site


def add_hooks(site: Site) -> None:
    @site.before_request
    def begin() -> None:
        if "n" in request.args:
            site.in_flight += 1
            site.most_in_flight = max(site.most_in_flight, site.in_flight)
            g.n = session["n"]
            g.trail = [seen("before")]

    @site.before_request
    async def begin_async() -> None:
        if "n" in request.args:
            await turns()
            g.trail.append(seen("async before"))

    @site.after_request
    async def after(response: Any) -> Any:
        if "n" in request.args:
            await turns()
            response.headers["X-Seen"] = seen("after").strip()
        return response

    @site.teardown_request
    async def end(error: BaseException | None) -> None:
        if g.pop("is_copy", False):  # a copy of the context has its end, too
            return
        if "n" in g:
            await turns()
            site.in_flight -= 1
            site.ends.append(seen("end").strip())


def add_views(site: Site) -> None:
    @site.get("/sync/<n>")
    def from_thread(n: str) -> str:
        out = [*g.trail, seen("view")]
        pause()
        copied = copy_current_request_context(seen)
        futures = [in_own_thread(copied, "thread", False) for _ in range(2)]
        out += [future.result(20) for future in futures]
        pause()
        return "".join([*out, seen("view again")])

    @site.get("/async/<n>")
    async def from_loop(n: str) -> str:
        out = [*g.trail, seen("view")]
        await turns()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(nested(f"task {i}")) for i in range(3)]
        out += [task.result() for task in tasks]
        out.append(await asyncio.to_thread(seen, "to_thread"))
        copied = copy_current_request_context(seen)
        out.append(await asyncio.wrap_future(in_own_thread(copied, "thread", False)))
        out.append(await asyncio.create_task(copy_current_request_context(own)("copied task")))
        await turns()
        return "".join([*out, seen("view again")])

    async def nested(where: str) -> str:
        await turns()
        return seen(where)

    async def own(where: str) -> str:
        await turns()
        g.is_copy = True
        return seen(where)  # it shares the g of the context that it was made in


def add_streams(site: Site) -> None:
    async def async_pieces() -> AsyncIterator[str]:
        for number in range(5):
            yield seen(f"piece {number}")
            await turns()

    def pieces() -> Iterator[str]:
        for number in range(5):
            yield seen(f"piece {number}")
            pause()

    @site.get("/stream/<n>")
    async def stream(n: str) -> Any:
        return stream_with_context(async_pieces())

    @site.get("/sync-stream/<n>")
    def sync_stream(n: str) -> Any:
        return stream_with_context(pieces())

    @site.get("/events/<n>")
    async def events(n: str) -> EventStream:
        return EventStream(async_pieces())

    @site.get("/sync-events/<n>")
    def sync_events(n: str) -> EventStream:
        return EventStream(pieces())


KINDS = ("sync", "async", "stream", "sync-stream", "events", "sync-events")


def add_counts(site: Site) -> None:
    """Pages for clients that leave, and what is there afterwards."""

    @site.get("/sync/hello")
    async def hello() -> str:
        return "Hello"

    @site.post("/wait")
    @site.get("/wait")
    async def wait() -> str:
        if request.method == "POST":
            request.files["file"].read(1)
        await asyncio.Event().wait()
        return "never"

    @site.get("/slow")
    def slow() -> str:
        threading.Event().wait(0.05)
        return "slow"

    @site.get("/idle/<kind>")
    async def idle(kind: str) -> Any:
        async def events() -> AsyncIterator[Any]:
            yield "first"
            await asyncio.Event().wait()

        def sync_events() -> Iterator[Any]:
            yield "first"
            while True:
                pause()
                yield None if kind == "sync-events" else ""

        if kind == "stream":
            return stream_with_context(events())
        if kind == "sync-stream":
            return stream_with_context(sync_events())
        return EventStream(events if kind == "events" else sync_events)

    @site.post("/upload", stream=True)
    async def upload() -> str:
        return str([len(piece) async for piece in request.stream])

    @site.get("/counts")
    async def counts() -> Any:
        return count()

    @site.get("/ends")
    async def ends() -> Any:
        return {"ends": site.ends, "most": site.most_in_flight}


def count() -> dict[str, Any]:
    """Tasks and threads, but for those of the worker pool that are idle, and open files."""
    stats = worker_pool().stats()
    names = [thread.name for thread in threading.enumerate()]
    others = [name for name in names if not name.startswith("vial-worker")]
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": sorted(others),
        "busy": stats.threads - stats.idle + stats.waiting,
        "files": len(os.listdir("/proc/self/fd")),
    }


app = make_site()
