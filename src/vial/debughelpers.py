"""Errors that say more than the plain ones, in debug mode. Flask 3.1.3's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from werkzeug.routing import RequestRedirect

from .blueprints import Blueprint
from .ctx import has_request_context
from .globals import request as current_request

if TYPE_CHECKING:
    from jinja2 import BaseLoader

    from .sansio.app import App
    from .sansio.scaffold import Scaffold
    from .wrappers import Request

_Source = tuple[str, str | None, Callable[[], bool] | None]


class UnexpectedUnicodeError(AssertionError, UnicodeError):
    """Text where bytes were expected, or the other way round."""


class DebugFilesKeyError(KeyError, AssertionError):
    """A file is missing from ``request.files`` because the form sent only its name."""

    def __init__(self, request: Request, key: str) -> None:
        self.msg = (
            f"You tried to access the file {key!r} in the request.files dictionary but it does"
            f" not exist. The mimetype for the request is {request.mimetype!r} instead of"
            " 'multipart/form-data', so no file contents were sent. To fix this, add"
            ' enctype="multipart/form-data" to your form.'
        )
        names = ", ".join(map(repr, request.form.getlist(key)))
        if names:
            self.msg += f"\n\nThe browser sent these file names instead, as a form field: {names}"

    def __str__(self) -> str:
        return self.msg


class FormDataRoutingRedirect(AssertionError):
    """The URL of a form redirects, and the browser would not send the form's data again.

    Raised for methods other than GET, HEAD and OPTIONS when the status is not 307 or 308.
    """

    def __init__(self, request: Request) -> None:
        redirect = request.routing_exception
        assert isinstance(redirect, RequestRedirect)
        text = (
            f"A request was sent to '{request.url}', but routing issued a redirect to the"
            f" canonical URL '{redirect.new_url}'."
        )
        if f"{request.base_url}/" == redirect.new_url.partition("?")[0]:
            text += (
                " The rule was defined with a trailing slash; a URL without it is redirected to"
                " the one with it."
            )
        super().__init__(
            f"{text} Send requests to the canonical URL, or use 307 or 308 for routing redirects:"
            " with others browsers drop the form data.\n\n"
            "This exception is only raised in debug mode."
        )


def attach_enctype_error_multidict(request: Request) -> None:
    """Make ``request.files[key]`` raise :exc:`DebugFilesKeyError` where the form has the key."""
    plain: Any = type(request.files)

    class Files(plain):  # type: ignore[misc]
        def __getitem__(self, key: str) -> Any:
            try:
                return super().__getitem__(key)
            except KeyError as error:
                if key not in request.form:
                    raise
                raise DebugFilesKeyError(request, key).with_traceback(error.__traceback__) from None

    Files.__name__ = plain.__name__
    Files.__module__ = plain.__module__
    request.files.__class__ = Files


def explain_template_loading_attempts(
    app: App,
    template: str,
    attempts: Sequence[tuple[BaseLoader, Scaffold, _Source | None]],
) -> None:
    """Log where a template was looked for and what was found (``EXPLAIN_TEMPLATE_LOADING``)."""
    lines = [f"Locating template {template!r}:"]
    for number, (loader, owner, source) in enumerate(attempts, 1):
        lines.append(f"{number:5}: trying loader of {_owner(app, owner)}")
        lines += (f"       {line}" for line in _loader_info(loader))
        found = "no match" if source is None else f"found ({source[1] or '<string>'!r})"
        lines.append(f"       -> {found}")
    lines += _conclusion(sum(source is not None for _, _, source in attempts))
    app.logger.info("\n".join(lines))


def _owner(app: App, owner: Scaffold) -> str:
    if owner is app:
        return f"application {owner.import_name!r}"
    if isinstance(owner, Blueprint):
        return f"blueprint {owner.name!r} ({owner.import_name})"
    return repr(owner)


def _loader_info(loader: BaseLoader) -> Iterator[str]:
    yield f"class: {type(loader).__module__}.{type(loader).__name__}"
    for key, value in sorted(vars(loader).items()):
        if key.startswith("_"):
            continue
        if isinstance(value, str | int | float):
            yield f"{key}: {value!r}"
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            yield f"{key}:"
            yield from (f"  - {item}" for item in value)


def _conclusion(found: int) -> Iterator[str]:
    if found == 1:
        return
    if found:
        yield "Warning: multiple loaders returned a match for the template."
    else:
        yield "Error: the template could not be found."
    if has_request_context() and current_request.blueprint is not None:
        yield (
            "  The template was looked up from an endpoint that belongs to the blueprint"
            f" {current_request.blueprint!r}."
        )
        yield "  Did you place it in the folder that the blueprint's template_folder names?"
