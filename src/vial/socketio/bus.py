"""Messages between machines and from other processes, through Redis.

A message is a note (see :mod:`vial.socketio.link`) behind a signature, HMAC-SHA256 by a key that
only the program knows. Whoever else can write to the broker can neither send events nor make a
process unpickle anything (CVE-2025-61765): what is not signed is dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import islice
from typing import Any

Key = str | bytes

_MARK = b"vial1"
_SIGNATURE = hashlib.sha256().digest_size
#: Messages that wait for the broker; one more is dropped.
BACKLOG = 10_000
#: Messages that go to the broker in one round trip.
_BATCH = 256
#: Seconds of silence after which the broker is asked whether it is there, and of its answer.
PATIENCE = 1.0
#: Seconds between attempts to reach it again.
RETRY = (0.1, 0.2, 0.5, 1.0)


class Seal:
    """Signs the messages of one channel.

    :param keys: the key, then older ones whose messages are still taken.
    """

    def __init__(self, keys: Sequence[Key], channel: str) -> None:
        self._keys = [_derived(key, channel) for key in keys]

    def close(self, packed: bytes) -> bytes:
        return _MARK + hmac.digest(self._keys[0], packed, "sha256") + packed

    def open(self, message: Any) -> bytes | None:
        """What was signed; None for anything that was not."""
        if not isinstance(message, bytes) or not message.startswith(_MARK):
            return None
        signature = message[len(_MARK) : len(_MARK) + _SIGNATURE]
        packed = message[len(_MARK) + _SIGNATURE :]
        signatures = (hmac.digest(key, packed, "sha256") for key in self._keys)
        genuine = [hmac.compare_digest(signature, made) for made in signatures]
        return packed if any(genuine) else None


def _derived(key: Key, channel: str) -> bytes:
    # Not the key itself: it signs session cookies.
    raw = key.encode() if isinstance(key, str) else key
    return hmac.digest(raw, f"vial.socketio.bus\0{channel}".encode(), "sha256")


class RedisBus:
    """Publishes and receives the messages of one channel; it lives on one loop.

    While the broker is away messages for other machines are lost, as they are for everyone who
    does not listen, and everything else goes on.

    :param url: ``redis://``, ``rediss://`` (TLS) or ``unix://``, as the package ``redis`` has it.
    :param seal: signs; asked at the first message.
    :param take: gets each message that was signed.
    :param logger: is told once that the broker is lost, and once that it is back.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        seal: Callable[[], Seal],
        take: Callable[[bytes], None],
        logger: Callable[[], logging.Logger],
    ) -> None:
        self._url = url
        self._channel = channel
        self._make_seal = seal
        self._take = take
        self._logger = logger
        self._name = re.sub(r"//[^@/]*@", "//", url)  # without the password
        self._outgoing: deque[bytes] = deque()
        self._wake: asyncio.Event | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._lost_at: float | None = None
        #: How often the broker was lost, and how many messages since the last time.
        self._losses = self._lost = 0
        self._said_foreign = False
        self._seal: Seal | None = None
        self._blocking: Any = None

    @property
    def seal(self) -> Seal:
        if self._seal is None:
            self._seal = self._make_seal()
        return self._seal

    async def start(self) -> None:
        """Listen; return when the broker has heard of it, or after :data:`PATIENCE`."""
        self.seal  # noqa: B018 - raises when there is no key
        self._wake = asyncio.Event()
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._listen(ready)),
            loop.create_task(self._publish()),
        ]
        try:
            await asyncio.wait_for(ready.wait(), PATIENCE)
        except TimeoutError:
            self._is_lost("no answer")

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._wake = None

    def publish(self, packed: bytes) -> None:
        """Send a message, on the loop; without waiting for the broker."""
        if self._lost_at is not None or len(self._outgoing) >= BACKLOG:
            self._lost += 1
            return
        self._outgoing.append(self.seal.close(packed))
        if self._wake is not None:
            self._wake.set()

    def publish_blocking(self, packed: bytes) -> None:
        """Send a message from a process without a loop.

        :raises OSError: when the broker cannot be reached.
        """
        import redis

        if self._blocking is None:
            self._blocking = redis.Redis.from_url(self._url, **_options())
        try:
            self._blocking.publish(self._channel, self.seal.close(packed))
        except redis.RedisError as e:
            raise OSError(f"The message queue {self._name} cannot be reached: {e}") from e

    def _client(self) -> Any:
        from redis import asyncio as redis

        return redis.Redis.from_url(self._url, **_options())

    async def _listen(self, ready: asyncio.Event) -> None:
        attempt = 0
        while True:
            try:
                async with self._client() as client, client.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    async for message in _messages(pubsub):
                        attempt = 0
                        ready.set()
                        self._is_back()
                        if message["type"] == "message":
                            self._open(message["data"])
            except Exception as e:  # RedisError, OSError, TimeoutError and what URLs raise
                self._is_lost(str(e) or type(e).__name__)
            await asyncio.sleep(RETRY[min(attempt, len(RETRY) - 1)])
            attempt += 1

    def _open(self, message: Any) -> None:
        packed = self.seal.open(message)
        if packed is not None:
            self._take(packed)
        elif not self._said_foreign:
            self._said_foreign = True
            self._logger().error(
                "A message on channel %r of %s was dropped, and others like it will be: it is not"
                " signed with the key of this program (SECRET_KEY, or message_queue_key).",
                self._channel,
                self._name,
            )

    async def _publish(self) -> None:
        while True:
            await self._something()
            try:
                async with self._client() as client:
                    await self._empty(client, self._losses)
            except Exception as e:
                self._lost += len(self._outgoing)
                self._outgoing.clear()
                self._is_lost(str(e) or type(e).__name__)

    async def _something(self) -> None:
        """Return when there is something to publish."""
        assert self._wake is not None
        while not self._outgoing:
            self._wake.clear()
            await self._wake.wait()

    async def _empty(self, client: Any, losses: int) -> None:
        """Publish what there is until the broker is lost, and this connection with it."""
        while losses == self._losses:
            batch = list(islice(self._outgoing, _BATCH))
            pipeline = client.pipeline(transaction=False)
            for message in batch:
                pipeline.publish(self._channel, message)
            await pipeline.execute()
            for _ in batch:
                self._outgoing.popleft()
            await self._something()

    def _is_lost(self, why: str) -> None:
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self._losses += 1
            self._logger().error(
                "The message queue %s cannot be reached (%s). Clients of this machine go on;"
                " messages from and for others are lost until it is back.",
                self._name,
                why,
            )

    def _is_back(self) -> None:
        if self._lost_at is not None:
            away, self._lost_at = time.monotonic() - self._lost_at, None
            self._logger().warning(
                "The message queue %s is back after %.1f seconds; %d messages were lost.",
                self._name,
                away,
                self._lost,
            )
            self._lost = 0


def _options() -> dict[str, Any]:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Another attempt is made here, where it is said that one failed.
    retry = Retry(NoBackoff(), 0)
    return {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "retry": retry}


async def _messages(pubsub: Any) -> AsyncIterator[Any]:
    """What comes, and the end of it when the broker does not answer.

    :raises TimeoutError: after :data:`PATIENCE` twice without a sign of it.
    """
    asked = False
    while True:
        message = await pubsub.get_message(timeout=PATIENCE)
        if message is not None:
            asked = False
            yield message
        elif asked:
            raise TimeoutError("no answer")
        else:
            asked = True
            await pubsub.ping()
