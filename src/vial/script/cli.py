"""Questions to the person at the terminal, on standard output and input.

All raise :class:`EOFError` when the input ends; :meth:`Manager.run` turns that into a clear end.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Collection, Iterable

YES = ("y", "yes", "1", "on", "true", "t")
NO = ("n", "no", "0", "off", "false", "f")


def prompt(name: str, default: str | None = None) -> str:
    """Ask for a line until it is not empty, or return ``default`` for an empty one."""
    return _ask(input, name, default)


def prompt_pass(name: str, default: str | None = None) -> str:
    """As :func:`prompt`, without showing what is typed."""
    return _ask(getpass.getpass, name, default)


def prompt_bool(
    name: str,
    default: bool = False,
    yes_choices: Collection[str] | None = None,
    no_choices: Collection[str] | None = None,
) -> bool:
    """Ask until the answer is one of ``yes_choices`` or ``no_choices``, in whatever case.

    :param default: what an empty line means.
    """
    yes, no = [*(yes_choices or YES)], [*(no_choices or NO)]
    while True:
        answer = prompt(name, (yes if default else no)[0]).lower()
        if answer in yes or answer in no:
            return answer in yes


def prompt_choices(
    name: str,
    choices: Iterable[str | tuple[object, str]],
    default: str | None = None,
    no_choice: Collection[str] = ("none",),
) -> str | None:
    """Ask until the answer is one of ``choices``, in whatever case, and return that choice.

    :param choices: answers; or pairs of an answer and the text that explains it.
    :param default: the choice that an empty line means.
    :param no_choice: answers for which None is returned.
    """
    pairs = [(c, c) if isinstance(c, str) else (str(c[0]), f"{c[1]} [{c[0]}]") for c in choices]
    question = f"{name} - ({', '.join(shown for _, shown in pairs)})"
    while True:
        answer = str(prompt(question, default)).lower()
        if answer in no_choice:
            return None
        for choice, _ in pairs:
            if answer == choice.lower():
                return choice


def _ask(read: Callable[[str], str], name: str, default: str | None) -> str:
    hint = f" [{default}]" if default else ""
    question = f"{name}{hint}{' ' if name.endswith('?') else ': '}"
    while True:
        answer = read(question) or default
        if answer is not None and (answer or default is not None):
            return answer
