"""Passwords: argon2id (RFC 9106) for new hashes, and Werkzeug's kinds for those there are."""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from os import cpu_count
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest
from werkzeug.security import check_password_hash

from ..concurrency import run_in_pool
from ..ctx import has_app_context
from ..globals import current_app

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: Bytes of UTF-8 of the longest password (config ``PASSWORD_MAX_LENGTH``).
LONGEST_PASSWORD = 1024
#: What the older hashes begin with that are still verified.
_WERKZEUG = ("scrypt:", "pbkdf2:")
#: Each computation takes 64 MiB of memory, and all of a core: no more at once than there are.
_at_once = BoundedSemaphore(max(2, cpu_count() or 1))

log = logging.getLogger("vial.login")


class PasswordTooLong(BadRequest, ValueError):
    """A password has more bytes than anybody types. Not caught, the answer is 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"A password has at most {limit} bytes.")


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password was right, as its truth: ``if verify_password(…):``."""

    ok: bool
    #: The hash is of an older kind or cost than new ones: store ``hash_password(password)``. Never
    #: for a wrong password.
    needs_rehash: bool = False

    def __bool__(self) -> bool:
        return self.ok


def hash_password(password: str) -> str:
    """The hash of a password, to be stored. Takes some 50 ms, on purpose.

    The cost is argon2-cffi's default; ``PASSWORD_ARGON2`` in the config, a dict of ``time_cost``,
    ``memory_cost`` (KiB) and ``parallelism``, is another one.

    :raises PasswordTooLong: beyond ``PASSWORD_MAX_LENGTH`` bytes (1024).
    """
    data = _checked(password)
    with _at_once:
        return _hasher().hash(data)


def verify_password(password_hash: str | None, password: str) -> PasswordCheck:
    """Compare a password with the stored hash: argon2's, or Werkzeug's scrypt or pbkdf2.

    :param password_hash: ``None`` where there is no such user: a hash is computed as well, so that
        the time that the answer takes does not tell who has an account.
    :raises PasswordTooLong: before anything is computed.
    """
    data = _checked(password)
    hasher = _hasher()
    with _at_once:
        if password_hash is not None and password_hash.startswith(_WERKZEUG):
            return _verify_older(password_hash, password)
        return _verify(hasher, _argon2(password_hash), data)


async def hash_password_async(password: str) -> str:
    """:func:`hash_password` in the worker pool, so that the loop does not wait."""
    return await run_in_pool(hash_password, password)


async def verify_password_async(password_hash: str | None, password: str) -> PasswordCheck:
    """:func:`verify_password` in the worker pool, so that the loop does not wait."""
    return await run_in_pool(verify_password, password_hash, password)


def _verify(hasher: PasswordHasher, password_hash: str | None, data: bytes) -> PasswordCheck:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        hasher.verify(password_hash or _nobodys(hasher), data)
    except (VerificationError, InvalidHashError):
        return PasswordCheck(False)
    assert password_hash is not None  # nobody's cannot be right
    return PasswordCheck(True, hasher.check_needs_rehash(password_hash))


def _verify_older(password_hash: str, password: str) -> PasswordCheck:
    try:
        ok = check_password_hash(password_hash, password)
    except ValueError:  # a damaged hash, or text that UTF-8 cannot carry
        ok = False
    return PasswordCheck(ok, needs_rehash=ok)


def _argon2(password_hash: str | None) -> str | None:
    if password_hash is None or password_hash.startswith("$argon2"):
        return password_hash
    if password_hash.startswith("$"):
        log.warning("A password hash of an unknown kind begins with %r", password_hash[:4])
    return None  # "!" and the like are no hash on purpose: the account has no password


def _nobodys(hasher: PasswordHasher) -> str:
    """A hash of this cost that no password has."""
    salt, digest = (_base64(secrets.token_bytes(n)) for n in (hasher.salt_len, hasher.hash_len))
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def _base64(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _checked(password: str) -> bytes:
    if not isinstance(password, str):  # JSON may have anything
        raise BadRequest(f"A password is text, not {type(password).__name__}.")
    limit = _setting("PASSWORD_MAX_LENGTH", LONGEST_PASSWORD)
    # As JSON has it, text may have halves of characters, which UTF-8 has no bytes for.
    data = password.encode("utf-8", "surrogatepass") if len(password) <= limit else b""
    if len(password) > limit or len(data) > limit:
        raise PasswordTooLong(limit)
    return data


def _hasher() -> PasswordHasher:
    return _make_hasher(**_setting("PASSWORD_ARGON2", {}))


@lru_cache(8)
def _make_hasher(**cost: Any) -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise RuntimeError(
            "Passwords are hashed by argon2-cffi, which is not installed: install Vial with the"
            " extra 'login' (pip install 'vial-web[login]')."
        ) from None
    return PasswordHasher(**cost)


def _setting(name: str, default: Any) -> Any:
    return current_app.config.get(name, default) if has_app_context() else default
