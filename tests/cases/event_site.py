"""An app of event streams, whose generators wait until a test lets them go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from vial import EventStream, ServerSentEvent, Vial, request

app = Vial("event_site", static_folder=None)
#: By the key of a test: what its generators did.
steps: dict[str, list[str]] = {}
#: The keys whose generators may go on, one event each time they are in.
released: list[str] = []


@app.get("/sync/hello")
def hello() -> str:
    return "Hello"


@app.get("/steps/<key>")
def steps_of(key: str) -> Any:
    return {
        "steps": steps.get(key, []),
        "threads": sum(t.name == "vial-events" for t in threading.enumerate()),
    }


@app.post("/release/<key>")
def release(key: str) -> str:
    released.append(key)
    return "released"


@app.get("/sync/events/<key>")
def from_thread(key: str) -> EventStream:
    def events() -> Iterator[Any]:
        with noting(key):
            for event in numbered():
                while not go_on(key):
                    threading.Event().wait(0.005)
                    yield None
                yield event

    return EventStream(events, heartbeat=0.1)


@app.get("/async/events/<key>")
async def from_task(key: str) -> EventStream:
    async def events() -> AsyncIterator[Any]:
        with noting(key):
            for event in numbered():
                while not go_on(key):
                    await asyncio.sleep(0.005)
                yield event

    return EventStream(events, heartbeat=0.1)


@app.get("/kept")
async def kept() -> EventStream:
    """A stream that ends, and whose request something keeps."""

    async def events() -> AsyncIterator[str]:
        later.append(asyncio.create_task(asyncio.sleep(600)))
        yield "all"

    return EventStream(events)


later: list[Any] = []


class noting:
    def __init__(self, key: str) -> None:
        self._steps = steps.setdefault(key, [])

    def __enter__(self) -> None:
        self._steps.append("began")

    def __exit__(self, *error: object) -> None:
        self._steps.append(f"closed at {request.path}")


def numbered() -> Iterator[ServerSentEvent]:
    last = int(EventStream.last_event_id() or 0)
    return (ServerSentEvent({"n": n}, id=n) for n in range(last + 1, last + 4))


def go_on(key: str) -> bool:
    if key in released:
        released.remove(key)
        return True
    return False
