"""A class attribute whose value is imported when it is first read."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class late:
    """``late("vial.templating", "Environment")``: keeps what it imports out of the start-up."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __get__(self, obj: object | None, owner: type | None = None) -> Any:
        return getattr(import_module(self.module), self.name)
