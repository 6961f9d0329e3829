"""The worker processes of one machine: each listens in a private folder, and knows the others.

``vial serve`` makes the folder and names it in the environment. A worker is there as long as
something listens on its socket; one that was killed is forgotten by the first that tries.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import stat
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from .link import LIMIT, NOTE, Link, Note, Part, unpack

#: Names the folder, for the worker processes of ``vial serve``.
FOLDER_VARIABLE = "VIAL_WORKERS_DIR"
#: Seconds that a worker which starts waits for the others to know of it.
WELCOME = 2.0
_SID = re.compile(r"([0-9a-f]{12})\.[\w-]{20}", re.ASCII)


def owner_of(sid: Any) -> str | None:
    """The worker that made a sid; None for what is none, such as the name of a room."""
    found = _SID.fullmatch(sid) if isinstance(sid, str) else None
    return None if found is None else found[1]


class Crew(Protocol):
    """What a worker does with what others send it."""

    def take(self, note: Note, parts: list[Part]) -> None:
        """A message of another worker."""

    async def serve(self, link: Link, note: Note, parts: list[Part]) -> None:
        """A request that came to another worker."""


class Mesh:
    """This worker among those of its folder; it lives on one loop.

    :param folder: where the workers listen; None for a worker without others.
    :param spawn: makes a task of a coroutine.
    """

    def __init__(
        self,
        folder: Path | None,
        crew: Crew,
        spawn: Callable[[Coroutine[Any, Any, None]], Any],
        logger: logging.Logger,
    ) -> None:
        self.id = secrets.token_hex(6)
        self._folder = folder
        self._crew = crew
        self._spawn = spawn
        self._logger = logger
        #: The one that each worker is written to, and all that they write to.
        self._links: dict[str, Link] = {}
        self._open: set[Link] = set()
        self._listener: asyncio.Server | None = None

    @property
    def machine(self) -> str | None:
        """The same for all workers of the folder, and for no others."""
        return None if self._folder is None else self._folder.name

    async def start(self) -> None:
        """Listen, and return when the others know of this worker.

        :raises OSError: when the folder is not private, or cannot be used.
        """
        if self._folder is None:
            return
        _check_private(self._folder)
        path = self._path(self.id)
        self._listener = await asyncio.start_unix_server(self._accept, path)
        others = [p.stem for p in self._folder.glob("*.sock") if p != path]
        greetings = [asyncio.ensure_future(self._greet(other)) for other in others]
        if greetings:
            await asyncio.wait(greetings, timeout=WELCOME)

    def close(self) -> None:
        """Stop listening and end all links."""
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):
                self._path(self.id).unlink()
        self._links.clear()
        for link in self._open:
            link.abort()

    def publish(self, packed: bytes, to: str | None = None) -> bool:
        """Send a message to one other worker, or to all; whether there was one."""
        links = [self._links.get(to)] if to is not None else list(self._links.values())
        for link in links:
            if link is not None:
                self._send(link, packed)
        return any(links)

    def _send(self, link: Link, packed: bytes) -> None:
        if link.waiting + len(packed) > LIMIT:
            self._logger.error("A worker does not take its messages: its connection is ended.")
            link.abort()
        else:
            link.send(NOTE, packed)

    async def link_to(self, worker: str) -> Link | None:
        """A new connection to another worker; None when it is not there any more."""
        if self._folder is None or worker == self.id:
            return None
        path = self._path(worker)
        try:
            return await Link.open(path)
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)  # it was killed
        except OSError:
            pass
        return None

    def _path(self, worker: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{worker}.sock"

    async def _greet(self, worker: str) -> None:
        link = await self.link_to(worker)
        if link is None:
            return
        link.send_note({"hello": self.id})
        try:
            await link.note()
        except OSError:
            link.abort()
            return
        self._spawn(self._listen(worker, link))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        try:
            note, parts = await link.note()
            if "hello" in note:
                link.send_note({"welcome": self.id})
                await self._listen(note["hello"], link)
            else:
                await self._crew.serve(link, note["forward"], parts)
        except OSError:
            pass
        finally:
            link.close()

    async def _listen(self, worker: str, link: Link) -> None:
        """Take the messages of another worker, which gets those of this one, until it ends."""
        self._links[worker] = link
        self._open.add(link)
        try:
            while True:
                kind, payload = await link.receive()
                if kind == NOTE:
                    self._crew.take(*unpack(payload))
        except (OSError, ValueError):
            pass
        finally:
            link.abort()
            self._open.discard(link)
            if self._links.get(worker) is link:
                del self._links[worker]
                self._spawn(self._greet(worker))  # it may live, and the link have been ended


def _check_private(folder: Path) -> None:
    """Whoever can connect to a worker speaks for all of its clients."""
    found = folder.lstat()
    is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not is_private or found.st_uid != os.geteuid():
        raise OSError(
            f"{FOLDER_VARIABLE}={folder} is not a folder that only this user can enter (mode 700)."
        )
