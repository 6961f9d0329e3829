"""Commands of Vial, called in the process of the tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def isolated(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """Inside a folder, and no trace is left of what a command imports from it or sets."""
    for name in [n for n in os.environ if n.startswith(("FLASK_", "VIAL_"))]:
        monkeypatch.delenv(name)
    environment, modules = dict(os.environ), set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(folder)
    yield
    os.environ.clear()
    os.environ.update(environment)
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
