"""The Jinja environment of an app and the loader that knows its blueprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, TemplateNotFound
from jinja2 import Environment as BaseEnvironment

from .globals import g, request, session
from .helpers import get_flashed_messages
from .rendering import default_context as _default_template_ctx_processor
from .rendering import (
    render_template,
    render_template_string,
    stream_template,
    stream_template_string,
)

if TYPE_CHECKING:
    from .app import Vial
    from .sansio.scaffold import Scaffold

__all__ = [
    "DispatchingJinjaLoader",
    "Environment",
    "_default_template_ctx_processor",
    "create_environment",
    "render_template",
    "render_template_string",
    "stream_template",
    "stream_template_string",
]

_Source = tuple[str, str | None, Callable[[], bool] | None]


class Environment(BaseEnvironment):
    """A Jinja environment that knows its app; templates are found by the app's global loader."""

    def __init__(self, app: Vial, **options: Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app = app


def create_environment(app: Vial) -> Environment:
    """What ``app.create_jinja_environment`` does."""
    options = dict(app.jinja_options)
    options.setdefault("autoescape", app.select_jinja_autoescape)
    if "auto_reload" not in options:
        reload = app.config["TEMPLATES_AUTO_RELOAD"]
        options["auto_reload"] = app.debug if reload is None else reload
    rv: Environment = app.jinja_environment(app, **options)
    rv.globals.update(
        url_for=app.url_for,
        get_flashed_messages=get_flashed_messages,
        config=app.config,
        # Imported templates have no context, only globals.
        request=request,
        session=session,
        g=g,
    )
    rv.policies["json.dumps_function"] = app.json.dumps
    return rv


class DispatchingJinjaLoader(BaseLoader):
    """Looks for a template in the app's folder, then in those of its blueprints."""

    def __init__(self, app: Vial) -> None:
        self.app = app

    def get_source(self, environment: BaseEnvironment, template: str) -> _Source:
        attempts = []
        found = None
        for owner, loader in self._loaders():
            try:
                source = loader.get_source(environment, template)
            except TemplateNotFound:
                source = None
            attempts.append((loader, owner, source))
            found = found or source
            if found is not None and not self.app.config["EXPLAIN_TEMPLATE_LOADING"]:
                break
        if self.app.config["EXPLAIN_TEMPLATE_LOADING"]:
            from .debughelpers import explain_template_loading_attempts

            explain_template_loading_attempts(self.app, template, attempts)
        if found is None:
            raise TemplateNotFound(template, self._explanation(template, attempts))
        return found

    def _explanation(self, template: str, attempts: list[Any]) -> str:
        folders = [path for loader, _, _ in attempts for path in getattr(loader, "searchpath", ())]
        where = ", ".join(folders) or "no folder: neither the app nor a blueprint has one"
        return f"The template {template!r} was not found. Looked in: {where}."

    def _loaders(self) -> Iterator[tuple[Scaffold, BaseLoader]]:
        if self.app.jinja_loader is not None:
            yield self.app, self.app.jinja_loader
        for blueprint in self.app.iter_blueprints():
            if blueprint.jinja_loader is not None:
                yield blueprint, blueprint.jinja_loader

    def list_templates(self) -> list[str]:
        names = (loader.list_templates() for _, loader in self._loaders())
        return list(dict.fromkeys(name for group in names for name in group))
