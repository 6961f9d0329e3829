"""What ``vial check`` does: read an application, its sources and its templates, and say what is
wrong. No view is run, and nothing is changed.

The application is loaded, so that its routes, filters and configuration are what they are; its
sources are read as trees, so that what is found has a line. A rule is a generator of findings over
the whole project, one source or one template. It would rather miss something than report what is
right: what it cannot know (a variable, an unknown decorator, a function of the program's own
between two steps) it leaves alone.

To add a rule: a code in :data:`~vial.checking.findings.CODES` and in ``docs/check.md``, a function
in the module of its family, its name in a tuple below, a line in ``tests/data/check``, and the
look-alikes that it must not report in ``tests/checking``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..app import Vial
from . import configuration, dangers, functions, links, routes, templates
from .findings import CODES, Choice, Finding, is_ignored
from .project import Files, Project, Template, shown
from .sources import Source

__all__ = ["CODES", "Choice", "Finding", "Report", "check", "check_files"]

_OF_APP: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    routes.hidden_routes,
    routes.view_arguments,
    templates.blueprint_folders,
    functions.silent_views,
    functions.blocking_calls,
    functions.bool_hooks,
    functions.hiding_files,
)
_OF_PRODUCTION = (configuration.configuration, configuration.debug_settings)
_OF_SOURCE: tuple[Callable[[Project, Source], Iterator[Finding]], ...] = (
    links.python_links,
    routes.wrong_methods,
    routes.duplicate_endpoints,
    routes.forgotten_blueprints,
    templates.rendered_templates,
    functions.error_codes,
    functions.unguarded_run,
    dangers.dangers,
    dangers.open_redirects,
    dangers.unsafe_yaml,
    configuration.open_origins,
)
#: Those that also tell why an application cannot be loaded.
_OF_FILE = (routes.wrong_methods, routes.duplicate_endpoints, functions.error_codes)
_OF_TEMPLATE: tuple[Callable[[Project, Template], Iterator[Finding]], ...] = (
    links.template_links,
    templates.syntax_errors,
    templates.used_templates,
    templates.unknown_filters,
    templates.unsafe_markup,
)


@dataclass
class Report:
    """What was found, by file and line, and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    #: Files that were too large, unreadable or nested too deeply.
    skipped: list[str] = field(default_factory=list)


def check(app: Vial, choice: Choice | None = None) -> Report:
    """Everything that is wrong with a loaded application.

    Reads the files of its own modules that are loaded and of its template folders; imports
    nothing, calls no function of the program but its template loaders.
    """
    choice = Choice() if choice is None else choice
    project = Project(app)
    places: list[Source | Template] = [*project.sources, *project.unused, *project.templates]
    counts = {
        "routes": sum(map(len, project.rules.values())),
        "python": len(project.sources),
        "templates": len(project.templates),
    }
    return Report(_wanted(_all(project), places, choice), counts, sorted(project.skipped))


def check_files(paths: Iterable[Path], choice: Choice) -> list[Finding]:
    """What is wrong in the sources of an application that cannot be loaded, as far as sources
    alone can tell: the mistakes that keep one from being loaded."""
    files = Files(Path.cwd())
    sources = [*files.parse(dict.fromkeys(paths))]
    found = [f for source in sources for f in _in_file(files, source, _OF_FILE)]
    return _wanted([*found, *functions.hiding_files(files)], sources, choice)


def _wanted(
    found: Iterable[Finding], places: Iterable[Source | Template], choice: Choice
) -> list[Finding]:
    """Findings that were asked for and that no comment silences, once each."""
    lines = {shown(place.path): place.lines for place in places}
    return sorted(
        finding
        for finding in set(found)
        if finding.code in choice
        and not is_ignored(lines.get(finding.file, []), finding.line, finding.code)
    )


def _all(project: Project) -> Iterator[Finding]:
    """What each rule finds, unsorted and perhaps more than once."""
    for rule in (*_OF_APP, *_OF_PRODUCTION):
        yield from rule(project)
    for source in project.sources:
        yield from _in_file(project, source, _OF_SOURCE)
    for source in project.unused:
        yield from _in_file(project, source, (routes.unimported_blueprints,))
    for template in project.templates:
        yield from _in_file(project, template, _OF_TEMPLATE)


def _in_file(project: Files, place: Any, rules: Iterable[Callable[..., Any]]) -> Iterator[Finding]:
    """The rules that look at one file. One file that cannot be looked at stops no other."""
    for rule in rules:
        try:
            yield from rule(project, place)
        except RecursionError:  # an expression of a thousand operators
            project.skipped.add(shown(place.path))
