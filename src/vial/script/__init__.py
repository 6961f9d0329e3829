"""Commands for an application, in a ``manage.py``: Flask-Script's interface (2.0.6).

What is unlike it is listed in ``docs/script.md``.
"""

from __future__ import annotations

from .cli import prompt, prompt_bool, prompt_choices, prompt_pass
from .command import Command
from .commands import Server, Shell
from .manager import Manager
from .options import Group, Option

__all__ = [
    "Command",
    "Group",
    "Manager",
    "Option",
    "Server",
    "Shell",
    "prompt",
    "prompt_bool",
    "prompt_choices",
    "prompt_pass",
]
