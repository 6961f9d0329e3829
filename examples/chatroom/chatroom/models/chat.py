"""What people may do in the chat room, and when not. What is refused raises Refused."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace

from vial.login import hash_password, verify_password

from . import rules
from .rules import Refused, Taken
from .store import Message, Store, User

FIRST_ROOM = "general"
"""The room that everybody is in from the beginning."""
ALIVE = 10.0
"""Seconds between two signs of life of a worker."""
STALE = 35.0
"""Seconds after which a worker without any is gone, and with it the pages that it had."""
THROTTLED = 300
"""Seconds for which attempts are counted."""
GUESSES = {"account": 5, "address": 30}
"""How many wrong passwords an address can try for one account, and for all."""
ACCOUNTS = 10
"""How many accounts an address can make in that time."""


class TooMany(Refused):
    """An attempt beyond the limit; `wait` is how many seconds to wait."""

    wait = THROTTLED


class Chat:
    """The rules of the house, over a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # Accounts

    def register(self, username: str, name: str, password: str, address: str) -> User:
        """Make an account, which is in the first room."""
        username, name = rules.clean_username(username), rules.clean_name(name)
        self._count(f"register {address}", ACCOUNTS, "accounts")
        user = self.store.add_user(username, name, hash_password(password), new_stamp())
        if not self.store.has_room(FIRST_ROOM):
            make_first_room(self.store)
        self.store.join(FIRST_ROOM, user.id)
        return user

    def log_in(self, username: str, password: str, address: str) -> User | None:
        """The person with that name and password. Only wrong passwords count as attempts."""
        try:
            username = rules.clean_username(username)
        except Refused:
            username = ""  # nobody's
        account, everywhere = f"{address} {username}", f"login {address}"
        now = self._count(everywhere, GUESSES["address"], "attempts")
        self._count(account, GUESSES["account"], "attempts")
        user = self.store.user_named(username)
        check = verify_password(user and user.password, password)
        if user is None or not check:
            return None
        self.store.forgive(account)
        self.store.forgive(everywhere, now)  # not all: guesses about others go on counting
        if check.needs_rehash:  # hashes cost more now than when this one was made
            user = replace(user, password=hash_password(password))
            self.store.set_password(user.id, user.password, user.stamp)
        return user

    def _count(self, what: str, most: int, things: str) -> float:
        now = time.time()
        if self.store.attempt(what, now, now - THROTTLED) > most:
            raise TooMany(f"Too many {things}. Please wait {THROTTLED // 60} minutes.")
        return now

    def rename(self, user: User, name: str) -> str:
        """Give a person another display name, which their messages have from then on, too."""
        name = rules.clean_name(name)
        self.store.rename(user.id, name)
        return name

    def change_password(self, user: User, old: str, new: str, address: str) -> User:
        """Set a password. Every session of the person is over; the result is for a new one."""
        self._count(f"{address} {user.username}", GUESSES["account"], "attempts")
        if not verify_password(user.password, old):
            raise Refused("This is not your password.")
        self.store.forgive(f"{address} {user.username}")
        self.store.set_password(user.id, hash_password(new), new_stamp())
        changed = self.store.user(user.id)
        assert changed is not None
        return changed

    # Rooms

    def make_room(self, user: User, name: str) -> str:
        """Make a room, and be in it."""
        name = rules.clean_room(name)
        if self.store.rooms_made_by(user.id) >= rules.ROOMS_MADE:
            raise Refused(f"You have made {rules.ROOMS_MADE} rooms, which is as many as you can.")
        self._check_joined(user)
        try:
            self.store.add_room(name, user.id)
        except Taken:
            raise Taken(f"There is a room #{name} already. You can join it.") from None
        self.store.join(name, user.id)
        return name

    def join(self, user: User, room: str) -> None:
        if not self.store.has_room(room):
            raise Refused("There is no such room.")
        if not self.store.is_member(room, user.id):
            self._check_joined(user)
        self.store.join(room, user.id)

    def _check_joined(self, user: User) -> None:
        if len(self.store.rooms_of(user.id)) >= rules.ROOMS_JOINED:
            raise Refused(
                f"You are in {rules.ROOMS_JOINED} rooms, which is as many as you can be in."
                " Leave one first."
            )

    def check_member(self, user: User, room: str) -> None:
        if not self.store.is_member(room, user.id):
            raise Refused(f"You are not in #{room} any more.")

    # Messages

    def say(self, user: User, room: str, text: str, key: str) -> Message:
        """Keep a message. The same key again is the same message again, and not said twice."""
        text, key = rules.clean_text(text), rules.clean_key(key)
        self.check_member(user, room)
        now = int(time.time() * 1000)
        since = now - rules.BURST_SECONDS * 1000
        if self.store.count_sent(user.id, since, but=key) >= rules.BURST:
            raise Refused("You are writing very quickly. Please wait a few seconds.")
        return self.store.add_message(room, user.id, text, key, now)

    def delete(self, user: User, room: str, id: int) -> Message:
        """Take the text out of a message of one's own, for everybody and for good."""
        self.check_member(user, room)
        check_number(id)
        message = self.store.delete_message(room, id, user.id)
        if message is None:
            raise Refused("You can delete messages of your own only.")
        return message

    def catch_up(self, user: User, room: str, since: int) -> tuple[list[Message], int, bool]:
        """What changed in a room after a change, up to which, and whether it is a new beginning.

        It is one where there is too much to tell: then it is the newest messages.
        """
        self.check_member(user, room)
        check_number(since)
        last = self.store.last_change(room)
        if 0 < since <= last <= since + rules.PAGE:
            return self.store.changed_since(room, since, rules.PAGE), last, False
        return self.store.messages_before(room, 2**31 - 1, rules.PAGE), last, True

    def older(self, user: User, room: str, before: int) -> list[Message]:
        self.check_member(user, room)
        check_number(before)
        return self.store.messages_before(room, before, rules.PAGE)

    # Who is here

    def here(self, room: str) -> list[dict[str, str]]:
        """The people in a room, by name."""
        found = self.store.here(room, time.time() - STALE)
        return [{"id": id, "name": name} for id, name in sorted(found, key=by_name)]


def by_name(person: tuple[str, str]) -> str:
    return person[1].casefold()


def make_first_room(store: Store) -> None:
    with suppress(Taken):
        store.add_room(FIRST_ROOM)


def new_stamp() -> str:
    return secrets.token_urlsafe(16)


def check_number(value: int) -> None:
    if not 0 <= value < 2**31:
        raise Refused("This is not the number of a message.")
