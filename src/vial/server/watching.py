"""Says which files have changed."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatch
from itertools import starmap
from queue import SimpleQueue
from typing import NamedTuple

from watchfiles import Change, watch

#: Folders below one root that are looked at, the nearest first. Who starts a program in a home
#: directory does not want all of it to be watched.
MAX_FOLDERS = 2000
#: Milliseconds without a change after which changes are told; editors write a file in steps.
_QUIET = 50
#: Milliseconds after which changes are told although there are more of them.
_AT_MOST = 400
_TICK = 200
_SKIPPED = {"__pycache__", "node_modules", "site-packages"}


#: Of a file; differs after a change.
Stamp = tuple[int, int, int]


class Seen(NamedTuple):
    """What there was at one time: files and folders."""

    files: dict[str, Stamp]
    folders: frozenset[str]


class Watched:
    """What is watched: trees with the names that count there, folders, and single files.

    :param trees: folders, with all below them.
    :param folders: folders without those below them.
    :param files: files that count whatever their name is, also when they do not exist yet.
    :param suffix: what the names of the other files end in.
    :param exclude: patterns (:mod:`fnmatch`) of paths that do not count.
    """

    def __init__(
        self,
        trees: Iterable[str] = (),
        folders: Iterable[str] = (),
        files: Iterable[str] = (),
        suffix: str = "",
        exclude: Iterable[str] = (),
    ) -> None:
        self.trees = {os.path.realpath(path) for path in trees}
        self.folders = {os.path.realpath(path) for path in folders}
        self.files = {os.path.realpath(path) for path in files}
        self.suffix = suffix
        self.exclude = tuple(exclude)

    def counts(self, path: str) -> bool:
        """Whether a change of the file is of interest."""
        if any(fnmatch(path, pattern) for pattern in self.exclude):
            return False
        name = os.path.basename(path)
        is_editors = name.startswith((".", "#")) or name.endswith(("~", ".swp", ".tmp"))
        return path in self.files or (name.endswith(self.suffix) and not is_editors)

    def look(self) -> Seen:
        """The files and folders that there are now."""
        alone = self.folders | {os.path.dirname(path) for path in self.files}
        trees = {folder for root in self.trees for folder in _below(root)}
        files = {}
        for folder in alone | trees:
            names_only = folder not in trees and folder not in self.folders
            for entry in _entries(folder):
                if (not names_only or entry.path in self.files) and self.counts(entry.path):
                    files.update(_stamped(entry))
        return Seen(files, frozenset(path for path in alone | trees if os.path.isdir(path)))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # it went away, or is not for us
        return []


def _stamped(entry: os.DirEntry[str]) -> dict[str, Stamp]:
    try:
        return stamps([entry.path]) if entry.is_file() else {}
    except OSError:
        return {}


def stamps(paths: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of those files that there are."""
    found = {}
    for path in paths:
        with suppress(OSError):
            stat = os.stat(path)
            found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found


def _below(root: str) -> Iterator[str]:
    """The folder and those below it, without hidden ones and virtual environments."""
    waiting = deque([root])
    for _ in range(MAX_FOLDERS):
        if not waiting:
            return
        folder = waiting.popleft()
        entries = _entries(folder)
        if folder != root and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        yield folder
        waiting.extend(entry.path for entry in entries if _goes_on(entry))


def _goes_on(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") or entry.name in _SKIPPED
    try:
        return not hidden and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


class Watch(threading.Thread):
    """A thread that calls ``on_change`` with the paths of files that were changed, made or removed.

    The events of the system only wake it; what changed is what differs from the last look, so
    nothing is missed between two of them.

    :param every: seconds between two looks, to do without the system's events; None uses them.
    """

    def __init__(
        self,
        watched: Watched,
        on_change: Callable[[set[str]], None],
        every: float | None = None,
    ) -> None:
        super().__init__(name="vial-watch", daemon=True)
        self._watched = watched
        self._on_change = on_change
        self._every = every
        self._seen = watched.look()
        self._over = threading.Event()
        self._more: SimpleQueue[tuple[set[str], dict[str, Stamp]]] = SimpleQueue()

    def add(self, files: Mapping[str, Stamp]) -> None:
        """Watch the folders of these files too. What differs from the stamps has changed."""
        new = {os.path.dirname(path) for path in files} - self._watched.folders
        if new:
            self._more.put((new, dict(files)))

    def stop(self) -> None:
        """End the thread, soon."""
        self._over.set()

    def run(self) -> None:
        """Watch until stopped."""
        while not self._over.is_set():
            try:
                if self._every is None:
                    self._until_folders_change()
                else:
                    self._over.wait(self._every)
                    self._compare()
            except OSError as e:
                self._lost(e)

    def _until_folders_change(self) -> None:
        folders = self._seen.folders
        if not folders:
            self._over.wait(1.0)
            self._compare()
            return
        is_first = True
        for changes in watch(
            *folders,
            recursive=False,
            watch_filter=None,  # what it filters is no reason to yield: other work would wait
            debounce=_AT_MOST,
            step=_QUIET,
            rust_timeout=_TICK,
            yield_on_timeout=True,
            stop_event=self._over,
            ignore_permission_denied=True,
        ):
            if any(starmap(self._matters, changes)) or is_first or not self._more.empty():
                self._compare()
                is_first = False
            if self._seen.folders != folders:
                return

    def _matters(self, change: Change, path: str) -> bool:
        return self._watched.counts(path) or change is not Change.modified

    def _compare(self) -> None:
        before = self._seen.files
        while not self._more.empty():
            folders, known = self._more.get()
            self._watched.folders = self._watched.folders | folders
            before = {**self._watched.look().files, **known, **before}
        self._seen = self._watched.look()
        now = self._seen.files
        changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
        if changed := set(filter(self._watched.counts, changed)):
            self._on_change(changed)

    def _lost(self, error: OSError) -> None:
        """The system has no more watches, or a folder went away: look every second, or again."""
        if isinstance(error, FileNotFoundError):
            self._compare()
            return
        print(f" * Files are looked at every second: {error}.", file=sys.stderr, flush=True)
        self._every = 1.0
