"""What ``app.run()`` takes besides an address: Werkzeug's options and a few of Vial's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

_RELOADERS = ("auto", "stat", "watchdog", "watchfiles")


@dataclass(frozen=True)
class Options:
    """The options of :func:`werkzeug.serving.run_simple` (Werkzeug 3.1), with its defaults, and
    ``auto_port`` and ``live_reload``."""

    use_reloader: bool = False
    use_debugger: bool = False
    use_evalex: bool = True
    extra_files: Iterable[str] | None = None
    exclude_patterns: Iterable[str] | None = None
    reloader_interval: float = 1
    reloader_type: str = "auto"
    threaded: bool = True
    processes: int = 1
    request_handler: Any = None
    static_files: Any = None
    passthrough_errors: bool = False
    ssl_context: Any = None
    auto_port: bool = False
    live_reload: bool = True

    def __post_init__(self) -> None:
        for name in ("extra_files", "exclude_patterns"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a list of strings, not the string itself.")
        if self.reloader_type not in _RELOADERS:
            known = ", ".join(map(repr, _RELOADERS))
            raise ValueError(f"reloader_type must be one of {known}, not {self.reloader_type!r}.")
        if not self.reloader_interval > 0:
            raise ValueError(
                f"reloader_interval must be a number of seconds above 0,"
                f" not {self.reloader_interval!r}."
            )

    @property
    def polls(self) -> float | None:
        """Seconds between two looks at the files, where the system shall not tell of changes."""
        return self.reloader_interval if self.reloader_type == "stat" else None

    def without_meaning(self) -> list[str]:
        """A sentence for each option that was given and changes nothing in this server."""
        said = {
            "threaded": (
                not self.threaded,
                "sync views always have threads, async views an event loop",
            ),
            "processes": (
                self.processes != 1,
                "one process serves; 'vial serve --workers' runs more",
            ),
            "request_handler": (
                self.request_handler is not None,
                "Granian reads the requests, not http.server",
            ),
            "passthrough_errors": (
                self.passthrough_errors,
                "an error never ends this server; use_debugger=False hands errors to a debugger"
                " of your own",
            ),
        }
        return [f"{name} has no effect: {why}." for name, (given, why) in said.items() if given]

    def say_what_has_no_effect(self) -> None:
        """Print those sentences."""
        for sentence in self.without_meaning():
            print(f" * {sentence}", flush=True)


def options_of(given: dict[str, Any]) -> Options:
    """The options that were given by name.

    :raises TypeError: for a name that is none, with the nearest that is one.
    """
    known = [field.name for field in fields(Options)]
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            advice = f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(known)}."
            raise TypeError(f"app.run() has no option {name!r}. {advice}")
    return Options(**given)
