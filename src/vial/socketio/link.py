"""Frames between the worker processes of one machine, over a Unix socket.

A frame is its length (4 bytes, big-endian), a byte for its kind, and its payload: a text or bytes
of a WebSocket as they are, or a note. A note is a JSON object with parts of text or bytes behind
it, and so is a message on a broker; nothing that is received is ever unpickled.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

Part: TypeAlias = "str | bytes"
Note: TypeAlias = dict[str, Any]

NOTE, TEXT, BYTES = b"NTB"
#: Most bytes of one frame, and most that wait for a worker which does not read.
LIMIT = 64 * 1024 * 1024
#: Bytes that may wait before a sender does (asyncio's own bound).
HIGH = 64 * 1024
_HEAD = 5
#: Bytes of a length.
_SIZE = 4


def pack(note: Note, parts: Sequence[Part] = ()) -> bytes:
    """A note as bytes.

    :raises TypeError: for a note that is not JSON.
    :raises ValueError: when it is over :data:`LIMIT`.
    """
    raw = [_encoded(part) for part in parts]
    sizes = [[isinstance(part, str), len(r)] for part, r in zip(parts, raw, strict=True)]
    head = json.dumps([note, sizes], separators=(",", ":")).encode()
    packed = b"".join((len(head).to_bytes(_SIZE, "big"), head, *raw))
    if len(packed) > LIMIT:
        raise ValueError(f"{len(packed)} bytes are too many for other workers: {LIMIT} at most.")
    return packed


def unpack(packed: bytes) -> tuple[Note, list[Part]]:
    """
    :raises ValueError: for bytes that :func:`pack` does not make.
    """
    start = _SIZE + int.from_bytes(packed[:_SIZE], "big")
    try:
        note, sizes = json.loads(packed[_SIZE:start])
        parts: list[Part] = []
        for is_text, size in sizes:
            raw = packed[start : start + size]
            parts.append(_decoded(raw) if is_text else raw)
            start += size
    except (TypeError, RecursionError) as e:
        raise ValueError("not a note") from e
    if start != len(packed) or not isinstance(note, dict):
        raise ValueError("not a note")
    return note, parts


# A text may have half of a surrogate pair, which JSON can carry and UTF-8 cannot.
def _encoded(part: Part) -> bytes:
    return part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


class Link:
    """One connection to another worker. What is received is bounded, and read only when asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: Path) -> Link:
        """
        :raises OSError: when nobody listens there.
        """
        return cls(*await asyncio.open_unix_connection(path))

    async def receive(self) -> tuple[int, bytes]:
        """The next frame, its kind and its payload.

        :raises OSError: when the connection is over, or not one of a worker.
        """
        try:
            head = await self._reader.readexactly(_HEAD)
            size = int.from_bytes(head[:_SIZE], "big")
            if size > LIMIT:
                raise OSError("a frame over the limit")
            return head[_SIZE], await self._reader.readexactly(size)
        except asyncio.IncompleteReadError:
            raise OSError("the other worker has closed the connection") from None

    async def note(self) -> tuple[Note, list[Part]]:
        """The next frame, which must be a note.

        :raises OSError: as :meth:`receive`.
        """
        kind, payload = await self.receive()
        try:
            if kind == NOTE:
                return unpack(payload)
        except ValueError:
            pass
        raise OSError("not a note")

    def send(self, kind: int, payload: bytes) -> None:
        """Queue a frame. Nothing is raised when the connection is over: who reads it finds out."""
        self._writer.write(len(payload).to_bytes(_SIZE, "big") + bytes((kind,)) + payload)

    def send_note(self, note: Note, parts: Sequence[Part] = ()) -> None:
        self.send(NOTE, pack(note, parts))

    async def drain(self) -> None:
        """Wait until what is queued is little.

        :raises OSError: when the connection is over.
        """
        await self._writer.drain()

    @property
    def waiting(self) -> int:
        """Bytes that are queued."""
        return self._writer.transport.get_write_buffer_size()

    @property
    def is_full(self) -> bool:
        """Whether :meth:`drain` would wait, as far as one can tell."""
        return self.waiting > HIGH

    def close(self) -> None:
        """End the connection, after what is queued."""
        self._writer.close()

    def abort(self) -> None:
        """End the connection now."""
        self._writer.transport.abort()
