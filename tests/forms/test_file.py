"""Fields of files, and what checks them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from wtforms import Field

from vial import Vial
from vial.forms import FlaskForm
from vial.forms.file import (
    FileAllowed,
    FileField,
    FileRequired,
    FileSize,
    MultipleFileField,
    file_allowed,
    file_required,
    file_size,
)


def errors(app: Vial, *files: tuple[bytes, str], many: bool = False, **kwargs: Any) -> list[str]:
    """What validators say to files that are sent as one field."""
    field: Any = (MultipleFileField if many else FileField)(**kwargs)
    form_class: Any = type("Upload", (FlaskForm,), {"file": field})
    data = {"file": [(BytesIO(content), name) for content, name in files], "x": ""}
    with app.test_request_context("/", method="POST", data=data):
        form = form_class(meta={"csrf": False})
        assert form.validate() == (not form.errors)
        found: Field = form.file
        return list(found.errors)


@pytest.mark.parametrize("many", [False, True])
def test_a_required_file_has_a_name(app: Vial, many: bool) -> None:
    options: dict[str, Any] = {"many": many, "validators": [FileRequired()]}
    assert errors(app, (b"", "a"), **options) == []
    assert errors(app, (b"", ""), **options) == ["This field is required."]
    assert errors(app, **options) == ["This field is required."]
    options["validators"] = [FileRequired("Choose one.")]
    assert errors(app, **options) == ["Choose one."]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    ("name", "is_allowed"),
    [
        ("a.png", True),
        ("a.PNG", True),
        ("a.b.Jpg", True),
        (".png", True),
        ("a.tar.gz", True),
        ("a.gz", False),
        ("png", False),
        ("a.png.exe", False),
        ("a.png ", False),
        ("a.png\x00.exe", False),
        ("xpng", False),
    ],
)
def test_a_name_has_one_of_the_endings(app: Vial, name: str, is_allowed: bool, many: bool) -> None:
    validators = [FileAllowed(["PNG", "jpg", "tar.gz"])]
    expected = "File does not have an approved extension: PNG, jpg, tar.gz"
    found = errors(app, (b"x", name), many=many, validators=validators)
    assert found == ([] if is_allowed else [expected])


def test_each_of_several_files_is_checked(app: Vial) -> None:
    files = [(b"12", "a.png"), (b"12345", "b.txt")]
    allowed, size = FileAllowed(("png",), "Images only."), FileSize(4, message="Too large.")
    assert errors(app, *files, many=True, validators=[allowed]) == ["Images only."]
    assert errors(app, *files, many=True, validators=[size]) == ["Too large."]
    assert errors(app, *files[:1], many=True, validators=[allowed, size]) == []


def test_a_size_is_within_its_bounds(app: Vial) -> None:
    for size, is_right in ((1, False), (2, True), (5, True), (6, False)):
        found = errors(app, (b"x" * size, "a"), validators=[FileSize(5, 2)])
        assert found == ([] if is_right else ["File must be between 2 and 5 bytes."])


def test_measuring_a_file_leaves_it_where_it_was(app: Vial) -> None:
    class Upload(FlaskForm):
        file = FileField(validators=[FileSize(1_000_000)])

    data = {"file": (BytesIO(b"x" * 700), "a")}
    with app.test_request_context("/", method="POST", data=data):
        form = Upload(meta={"csrf": False})
        assert form.validate() and form.file.data is not None
        assert len(form.file.data.read()) == 700


def test_an_object_may_know_what_is_allowed(app: Vial) -> None:
    class Texts:
        def file_allowed(self, storage: Any, basename: str) -> bool:
            return bool(storage.mimetype == "text/plain" and basename == "a.txt")

    validators = [FileAllowed(Texts())]
    assert errors(app, (b"x", "A.txt"), validators=validators) == []
    text = "File does not have an approved extension."
    assert errors(app, (b"x", "b.txt"), validators=validators) == [text]


def test_a_string_of_endings_is_refused_at_the_start() -> None:
    with pytest.raises(TypeError, match=r"Pass a list of endings: FileAllowed\(\['png'\]\)"):
        FileAllowed("png")


def test_optional_files_may_be_left_out(app: Vial) -> None:
    every = [FileAllowed(["png"]), FileSize(3)]
    assert errors(app, (b"", ""), validators=every) == []
    assert errors(app, (b"", ""), many=True, validators=every) == []


def test_validators_have_their_lower_case_names() -> None:
    assert (file_allowed, file_required, file_size) == (FileAllowed, FileRequired, FileSize)
