"""The form of a page: its data comes from the request, its token from :mod:`.csrf`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from markupsafe import Markup
from wtforms import Form
from wtforms.fields import Field
from wtforms.meta import DefaultMeta
from wtforms.widgets import HiddenInput

from ..globals import current_app, session
from ..lazy import lazy
from . import awaited
from . import data as _data
from .csrf import _FlaskFormCSRF
from .i18n import has_locale, translations

__all__ = ["FlaskForm"]

SUBMIT_METHODS = _data.SUBMIT_METHODS
#: Stands for the data of the request.
_Auto: Any = object()
T = TypeVar("T")
_Validators = Mapping[str, Sequence[Any]]


def _setting(read: Callable[[Any], T]) -> T:
    """A setting that is read once for each form; a class may have a plain value instead."""
    return lazy(read)  # type: ignore[return-value]


class FlaskForm(Form):
    """A form that takes its data from the request, with a token against CSRF.

    :param formdata: data to take instead; ``None`` for none at all.
    :param kwargs: for :class:`wtforms.Form`: ``obj``, ``prefix``, ``data``, ``meta``, and defaults
        of fields.
    """

    class Meta(DefaultMeta):
        """The settings of a form; a subclass overrides some in a ``Meta`` class of its own."""

        csrf_class = _FlaskFormCSRF

        @_setting
        def csrf(self) -> bool:
            """Whether the form has a token."""
            return bool(current_app.config.get("WTF_CSRF_ENABLED", True))

        @_setting
        def csrf_context(self) -> Any:
            """What a token belongs to."""
            return session

        @_setting
        def csrf_secret(self) -> Any:
            """What signs tokens."""
            return current_app.config.get("WTF_CSRF_SECRET_KEY", current_app.secret_key)

        @_setting
        def csrf_field_name(self) -> str:
            """The name of the token's field, and of its secret in the session."""
            return str(current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"))

        @_setting
        def csrf_time_limit(self) -> int | None:
            """Seconds that a token is good for; None for as long as the session."""
            limit: int | None = current_app.config.get("WTF_CSRF_TIME_LIMIT", 3600)
            return limit

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """The data of the request, unless other data was given."""
            if formdata is not _Auto:
                return super().wrap_formdata(form, formdata)
            form._submitted = _data.submitted(form)
            return form._submitted

        def get_translations(self, form: Any) -> Any:
            """Those of Flask-Babel, or else of ``Meta.locales``."""
            if self.locales or not current_app.config.get("WTF_I18N_ENABLED", True):
                return super().get_translations(form)
            return translations if has_locale() else super().get_translations(form)

    #: What the request submitted, if the form took that.
    _submitted: _data.Submitted | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        awaited.put_off(cls)

    def __init__(self, formdata: Any = _Auto, **kwargs: Any) -> None:
        super().__init__(formdata=formdata, **kwargs)

    def process(self, *args: Any, **kwargs: Any) -> None:
        """Fill the fields; see :meth:`wtforms.Form.process`."""
        self._submitted = None
        for field in self:
            vars(field).pop("pre_validate", None)  # which data.check() replaced
        super().process(*args, **kwargs)
        if self._submitted is not None:
            _data.check(self, self._submitted)

    def is_submitted(self) -> bool:
        """Whether the request submits something: its method is POST, PUT, PATCH or DELETE."""
        return _data.is_submitted()

    def validate(self, extra_validators: _Validators | None = None) -> bool:
        """Whether all fields are valid; ``errors`` has what is not.

        :raises TypeError: where a validator is async.
        """
        for field in _data.leaves(self):
            field.validators = awaited.later(field.validators)
        return super().validate(awaited.merged(extra_validators))

    def validate_on_submit(self, extra_validators: _Validators | None = None) -> bool:
        """Whether something was submitted and is valid. In sync and async views."""
        return self.is_submitted() and bool(self.validate(extra_validators))

    async def validate_async(self, extra_validators: _Validators | None = None) -> bool:
        """As :meth:`validate`, for forms with async validators: ``async def validate_name(self,
        field)``, or callables among the validators of a field. They are awaited one by one when
        all others have run, for the fields without errors."""
        with awaited.waiting() as noted:
            valid = bool(self.validate(extra_validators))
        return await awaited.pass_all(noted) and valid

    async def validate_on_submit_async(self, extra_validators: _Validators | None = None) -> bool:
        """As :meth:`validate_on_submit`, with :meth:`validate_async`."""
        return self.is_submitted() and await self.validate_async(extra_validators)

    def hidden_tag(self, *fields: Field | str) -> Markup:
        """The hidden fields as HTML: these, or all, among them that of the token.

        :param fields: fields or their names; those that are not hidden are left out.
        """
        return Markup("\n").join(field() for field in self._hidden(fields or tuple(self)))

    def _hidden(self, fields: Sequence[Field | str]) -> Iterator[Field]:
        for field in fields:
            found = self._fields.get(field) if isinstance(field, str) else field
            if found is not None and isinstance(found.widget, HiddenInput):
                yield found
