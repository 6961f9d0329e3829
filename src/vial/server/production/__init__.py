"""``vial serve``: worker processes, each with one app and granian in it, and a parent over them.

The parent never holds the app: what a program opens when it is imported (a database, a thread)
does not survive a fork, and new code is there for every process that is new.
"""

from __future__ import annotations

from .checks import interface_of
from .settings import Address, Settings, default_workers
from .supervisor import serve

__all__ = ["Address", "Settings", "default_workers", "interface_of", "serve"]
