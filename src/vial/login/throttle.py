"""A limit on attempts to log in: ten a minute for an account from one address."""

from __future__ import annotations

import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, partial, wraps
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network
from logging import getLogger
from math import ceil
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from werkzeug.exceptions import TooManyRequests

from ..app import Vial
from ..callables import is_async
from ..concurrency import run_in_pool
from ..globals import request
from .identity import the_app

F = TypeVar("F", bound=Callable[..., Any])

#: What forms call the account.
FIELDS = ("username", "email", "login", "user", "name", "account")
#: Accounts and addresses that are known at once, each with the times of its attempts.
MOST_KEYS = 10_000
#: How many more attempts one address has for all accounts together.
ALL_ACCOUNTS = 10
#: Letters of an account's name that count.
LONGEST_ACCOUNT = 200
#: Seconds that Redis may take, and for which it is left alone after it failed.
REDIS_TIMEOUT, REDIS_PAUSE = 1.0, 10.0

_PREFIX = "vial:login:"

log = getLogger("vial.login")


class Attempts:
    """The attempts of the last seconds, in this process, for a bounded number of keys."""

    def __init__(self, per: float, most: int = MOST_KEYS) -> None:
        self._per, self._most = per, most
        self._times: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str, limit: int) -> float:
        """Count an attempt; seconds to wait before the next, if this is one too many."""
        with self._lock:
            now = time.monotonic()
            times = [at for at in self._times.pop(key, ()) if at > now - self._per]
            self._times[key] = times
            if len(times) >= limit:
                return times[0] + self._per - now
            times.append(now)
            if len(self._times) > self._most:
                self._times.popitem(last=False)
            return 0.0


class LoginThrottle:
    """Decorates a view that logs people in: beyond the limit it answers 429 with ``Retry-After``.

    Counted are requests that change something (``POST``, …), whether the password was right or
    not, by the account that they name and the address they come from; of IPv6 its network. All
    accounts together have ten times as many from one address. An address is what
    ``request.remote_addr`` says, so nobody's word but that of ``TRUSTED_PROXIES``.

    Each process counts by itself, unless ``LOGIN_THROTTLE_REDIS`` in the config is the URL of a
    Redis server. While that cannot be reached, they do so again. ``LOGIN_THROTTLE = False`` turns
    it off.

    :param limit: attempts, in
    :param per: seconds.
    :param field: the field of the form, or of the JSON object, that names the account; by default
        each there is of :data:`FIELDS`.
    """

    def __init__(self, limit: int = 10, per: float = 60.0, *, field: str | None = None) -> None:
        if limit < 1 or per <= 0:
            raise ValueError(f"LoginThrottle(limit={limit!r}, per={per!r}): both are above zero.")
        self.limit, self.per, self.field = limit, per, field
        self._attempts: WeakKeyDictionary[Vial, Attempts] = WeakKeyDictionary()
        self._redis_failed = -REDIS_PAUSE

    def __call__(self, view: F) -> F:
        @wraps(view)
        def limited(*args: Any, **kwargs: Any) -> Any:
            if self._counts():
                self.check(*self._accounts())
            return view(*args, **kwargs)

        @wraps(view)
        async def limited_async(*args: Any, **kwargs: Any) -> Any:
            if self._counts():
                check = partial(self.check, *self._accounts())
                await run_in_pool(check) if _redis_url() else check()
            return await view(*args, **kwargs)

        return limited_async if is_async(view) else limited  # type: ignore[return-value]

    def check(self, *accounts: str) -> None:
        """Count an attempt for an account, where a decorator does not fit.

        :param accounts: several if it is not certain which is meant, as each can be guessed at.
        :raises werkzeug.exceptions.TooManyRequests: if it is one too many.
        """
        app = the_app()
        if app.config.get("LOGIN_THROTTLE", True) is False:
            return
        limits = {_key(name, request.remote_addr): self.limit for name in accounts or ("",)}
        limits[_key(None, request.remote_addr)] = self.limit * ALL_ACCOUNTS
        for key, limit in limits.items():
            seconds = self._wait(app, key, limit)
            if seconds > 0:
                raise TooManyRequests(
                    "There were too many attempts to log in. Wait a minute and try again.",
                    retry_after=ceil(seconds),
                )

    def _counts(self) -> bool:
        return request.method not in ("GET", "HEAD", "OPTIONS")

    def _accounts(self) -> list[str]:
        data = request.get_json(silent=True) if request.is_json else None
        given = data if isinstance(data, dict) else request.form
        names = FIELDS if self.field is None else (self.field,)
        # Each: who adds a field that the view does not read must not begin a new count by it.
        return [str(given[name]) for name in names if name in given]

    def _wait(self, app: Vial, key: str, limit: int) -> float:
        url = _redis_url()
        if url and time.monotonic() - self._redis_failed > REDIS_PAUSE:
            try:
                return self._wait_by_redis(url, f"{_PREFIX}{app.name}:{self.per:g}:{key}", limit)
            except OSError as e:
                self._redis_failed = time.monotonic()
                log.warning("Attempts to log in are counted by each process: %s", e)
        own = self._attempts.get(app)
        if own is None:
            own = self._attempts.setdefault(app, Attempts(self.per))
        return own.wait(key, limit)

    def _wait_by_redis(self, url: str, key: str, limit: int) -> float:
        from redis import RedisError

        try:
            with _redis(url).pipeline(transaction=True) as commands:
                commands.set(key, 0, px=ceil(self.per * 1000), nx=True)
                commands.incr(key).pttl(key)
                _, count, left = commands.execute()
        except RedisError as e:
            raise OSError(f"Redis failed ({e})") from e
        return max(left, 1000) / 1000 if count > limit else 0.0


#: A :class:`LoginThrottle` of ten attempts a minute: ``@throttle_login`` below the route.
throttle_login = LoginThrottle()


def _redis_url() -> str | None:
    return the_app().config.get("LOGIN_THROTTLE_REDIS")


@lru_cache(8)
def _redis(url: str) -> Any:
    try:
        from redis import Redis
    except ImportError:
        raise RuntimeError(
            "LOGIN_THROTTLE_REDIS needs the redis package: install Vial with the extra 'redis'"
            " (pip install 'vial-web[redis]')."
        ) from None
    timeouts = {"socket_timeout": REDIS_TIMEOUT, "socket_connect_timeout": REDIS_TIMEOUT}
    return Redis.from_url(url, **timeouts)


def _key(account: str | None, address: str | None) -> str:
    """One key for all spellings of an account, of a size that does not depend on it; with ``None``
    that of all accounts."""
    name = unicodedata.normalize("NFKC", (account or "")[:LONGEST_ACCOUNT]).strip().casefold()
    kind = "all" if account is None else "one"
    text = f"{kind}\0{name}\0{network_of(address or '')}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).hexdigest()


def network_of(address: str) -> str:
    """What stands for a client where attempts are counted: its address, but of IPv6 its network.

    :param address: ``request.remote_addr``; what is no address, as a Unix socket's, stays as it is.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    # Whoever has one address of a /64 has all of them.
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
