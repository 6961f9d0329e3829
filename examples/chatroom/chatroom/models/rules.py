"""Which names, passwords and messages the chat room takes, and how much of everything."""

from __future__ import annotations

import re
import unicodedata

USERNAME, NAME, ROOM, TEXT, KEY = 32, 24, 32, 2000, 64
"""The longest user name, display name, room name, message, and mark of a message, in characters."""
PASSWORD = (8, 128)
"""The shortest and the longest password, in characters. Hashing a long one would cost too much."""
ROOMS_MADE, ROOMS_JOINED = 20, 100
"""How many rooms a person can make, and can be in."""
BURST, BURST_SECONDS = 10, 10
"""How many messages a person can send in how many seconds."""
PAGE = 50
"""How many messages of a room are sent at once."""
MOST_MARKS = 2
"""How many combining marks a letter of a name can carry: Vietnamese needs two."""


class Refused(ValueError):
    """What the chat room does not do. The text is for the person who asked for it."""


class Taken(Refused):
    """A user name, display name or room name that somebody else has."""


def clean_username(value: str) -> str:
    """The name to log in with: "Ada" and "ada" are one."""
    username = value.strip().lower()
    check_length("user name", username, USERNAME, least=3)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", username):
        raise Refused("A user name has the letters a to z, digits, and . _ - after the first.")
    return username


def clean_name(value: str) -> str:
    """The name that others see, with its spaces tidied."""
    name = unicodedata.normalize("NFKC", " ".join(value.split()))
    name = " ".join(name.split())  # NFKC makes spaces of some letters
    check_length("display name", name, NAME)
    if not name.isprintable() or any(map(is_invisible, name)):
        raise Refused("A display name cannot have invisible characters.")
    if not any(letter.isalnum() for letter in name):
        raise Refused("A display name needs a letter or a digit.")
    if re.search(f"\x00{{{MOST_MARKS + 1}}}", "".join(map(mark_as_zero, name))):
        raise Refused("A display name cannot pile up marks on a letter.")
    return name


def is_invisible(letter: str) -> bool:
    """Characters that count as printable, and of which nobody sees anything."""
    return letter in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" or (
        "\ufe00" <= letter <= "\ufe0e" or "\U000e0100" <= letter <= "\U000e01ef"
    )


def mark_as_zero(letter: str) -> str:
    decomposed = unicodedata.normalize("NFD", letter)
    return "".join("\x00" if unicodedata.combining(part) else part for part in decomposed)


# Cyrillic and Greek letters, and digits, that look like Latin ones.
LOOKALIKES = str.maketrans(
    "авгеѕіјкмнорстухԁԛԝӏ" + "αβγεικνορτυχϲ" + "01ıi|!",  # noqa: RUF001
    "abreslj" + "kmhopctyxdqwl" + "abyelkvoptuxc" + "olllll",
)


def name_key(name: str) -> str:
    """What may be there only once of a display name: that which people can tell from another.

    "Ada", "ADA", "A d a" and one with a Cyrillic letter have the same.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    shown = (x for x in folded.translate(LOOKALIKES) if unicodedata.category(x)[0] in "LNM")
    return "".join(letter for letter in shown if not is_invisible(letter))


def clean_room(value: str) -> str:
    """A room in the form that it has in an address: "Tea time" is "tea-time"."""
    room = unicodedata.normalize("NFKC", "-".join(value.split())).lower()
    check_length("room name", room, ROOM)
    if not re.fullmatch(r"\w[\w-]*", room):
        raise Refused("A room name has letters, digits, - and _ only.")
    return room


def clean_text(value: str) -> str:
    """A message without the blank space around it. Never cut: too long is refused."""
    text = value.replace("\r\n", "\n").strip()
    check_length("message", text, TEXT)
    if any(unicodedata.category(letter) == "Cc" and letter not in "\n\t" for letter in text):
        raise Refused("A message cannot have control characters.")
    return text


def clean_key(value: str) -> str:
    """The mark by which a message is known that is sent twice."""
    check_length("key", value, KEY)
    if not re.fullmatch(r"[\w-]+", value, re.ASCII):
        raise Refused("A key has letters, digits, - and _ only.")
    return value


def check_length(what: str, value: str, most: int, least: int = 1) -> None:
    article = "an" if what[0] in "aeio" else "a"
    if not value:
        raise Refused(f"Please enter {article} {what}.")
    if not least <= len(value) <= most:
        rule = f"at most {most:,} fit" if len(value) > most else f"at least {least} are needed"
        raise Refused(f"This {what} has {len(value):,} characters; {rule}.")
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON can carry half of a surrogate pair; databases cannot
        raise Refused(f"This {what} has a broken character.") from None
