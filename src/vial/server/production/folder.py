"""The folder in which the workers of one server find each other; Socket.IO does."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

WORKERS_FOLDER = "VIAL_WORKERS_DIR"
#: Longest path of a Unix socket, less the name that a worker adds (``sun_path`` has 104 bytes on
#: the systems that allow least).
_LENGTH = 80


@contextmanager
def workers_folder() -> Iterator[None]:
    """Make it and name it in the environment; remove it at the end."""
    if sys.platform == "win32":  # there is one worker there (granian 2.8), and no Unix socket
        yield
        return
    parent = tempfile.gettempdir()
    short = parent if len(os.fsencode(parent)) + len("/vial-12345678") <= _LENGTH else None
    folder = tempfile.mkdtemp(prefix="vial-", dir=short or "/tmp")  # noqa: S108 - mode 700
    os.environ[WORKERS_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[WORKERS_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)
