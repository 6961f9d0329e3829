"""The ASGI lifespan protocol, seen from the server (ASGI 3.0, lifespan 2.0)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .entrance import ASGIApp, Message


class StartupError(RuntimeError):
    """The application refused to start; the text says why."""


class Lifespan:
    """Runs an application's start and end; an application without lifespan just has none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    async def startup(self) -> None:
        """Wait until the application is ready.

        :raises StartupError: when it answers that it cannot start.
        """
        self._task = asyncio.ensure_future(self._run())
        answer = await self._ask("lifespan.startup")
        if answer["type"] == "lifespan.startup.failed":
            raise StartupError(answer.get("message") or "no reason given")

    async def shutdown(self) -> None:
        """Tell the application that it is over, and wait until it has cleaned up."""
        if self._task is not None and not self._task.done():
            await self._ask("lifespan.shutdown")

    async def _ask(self, event: str) -> Message:
        await self._to_app.put({"type": event})
        return await self._from_app.get()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        # An exception means that the application does not support the protocol (ASGI 3.0).
        with suppress(Exception):
            await self._app(scope, self._to_app.get, self._from_app.put)
        await self._from_app.put({"type": "lifespan.unsupported"})
