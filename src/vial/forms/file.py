"""Fields for uploaded files, and what checks them."""

from __future__ import annotations

from collections.abc import Iterable
from os import SEEK_END
from typing import Any, Protocol, runtime_checkable

from werkzeug.datastructures import FileStorage
from wtforms import FileField as _FileField
from wtforms import MultipleFileField as _MultipleFileField
from wtforms import ValidationError
from wtforms.validators import DataRequired, StopValidation

__all__ = [
    "FileAllowed",
    "FileField",
    "FileRequired",
    "FileSize",
    "MultipleFileField",
    "file_allowed",
    "file_required",
    "file_size",
]


@runtime_checkable
class UploadSet(Protocol):
    """What knows which files are allowed, as the sets of Flask-Uploads do."""

    def file_allowed(self, storage: FileStorage, basename: str) -> bool:
        """Whether this file is."""
        ...


class FileField(_FileField):
    """One file: ``data`` is a :class:`~werkzeug.datastructures.FileStorage`, or None."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        files = _files(valuelist)
        self.data = files[0] if files else None
        self.raw_data = valuelist if files else ()  # type: ignore[assignment]


class MultipleFileField(_MultipleFileField):
    """Any number of files: ``data`` is a list of them, or None."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        files: list[Any] = _files(valuelist)
        self.data = files or None  # type: ignore[assignment]
        self.raw_data = valuelist if files else ()  # type: ignore[assignment]


class FileRequired(DataRequired):
    """There must be a file, or files, each with a name."""

    def __call__(self, form: Any, field: Any) -> None:
        given = field.data if isinstance(field.data, list) else [field.data]
        if not given or len(_files(given)) < len(given):
            raise StopValidation(self.message or field.gettext("This field is required."))


class FileAllowed:
    """Its name must have one of some endings, in whatever case.

    A name is no proof of what a file contains: look into it before you trust it, and do not serve
    uploads from where they could run.

    :param upload_set: endings without the dot, or an object that has ``file_allowed()``.
    :param message: what to say instead.
    """

    def __init__(self, upload_set: UploadSet | Iterable[str], message: str | None = None) -> None:
        if isinstance(upload_set, str):
            raise TypeError(
                f"FileAllowed({upload_set!r}) would allow each letter. Pass a list of endings:"
                f" FileAllowed([{upload_set!r}])."
            )
        self.upload_set: UploadSet | list[str] = (
            upload_set if isinstance(upload_set, UploadSet) else list(upload_set)
        )
        self.message = message

    def __call__(self, form: Any, field: Any) -> None:
        for file in _files(field.data if isinstance(field.data, list) else [field.data]):
            if not self._allows(file):
                raise StopValidation(self.message or self._reason(field))

    def _allows(self, file: FileStorage) -> bool:
        name = (file.filename or "").lower()
        if isinstance(self.upload_set, list):
            return any(name.endswith(f".{ending.lower()}") for ending in self.upload_set)
        return bool(self.upload_set.file_allowed(file, name))

    def _reason(self, field: Any) -> str:
        text = "File does not have an approved extension"
        if not isinstance(self.upload_set, list):
            return str(field.gettext(f"{text}."))
        return f"{field.gettext(f'{text}: {{extensions}}')}".format(
            extensions=", ".join(self.upload_set)
        )


class FileSize:
    """It must not be larger, nor smaller, than so many bytes.

    :param max_size: the most bytes that are allowed; likewise ``min_size``, the fewest.
    :param message: what to say instead.
    """

    def __init__(self, max_size: int, min_size: int = 0, message: str | None = None) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.message = message

    def __call__(self, form: Any, field: Any) -> None:
        for file in _files(field.data if isinstance(field.data, list) else [field.data]):
            if not self.min_size <= _size(file) <= self.max_size:
                text = field.gettext("File must be between {min_size} and {max_size} bytes.")
                sizes = {"min_size": self.min_size, "max_size": self.max_size}
                raise ValidationError(self.message or text.format(**sizes))


def _files(values: Iterable[Any]) -> list[FileStorage]:
    """Those that are files; a browser sends one without name and content for an empty field."""
    return [v for v in values if isinstance(v, FileStorage) and v]


def _size(file: FileStorage) -> int:
    position = file.stream.tell()
    size = file.stream.seek(0, SEEK_END)
    file.stream.seek(position)
    return size


file_allowed = FileAllowed
file_required = FileRequired
file_size = FileSize
