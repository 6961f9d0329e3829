"""``BOOTSTRAP_COLORS``: colours of one's own, as a style sheet that goes after Bootstrap's.

Bootstrap computes the shades of a button when it is compiled; here they are computed from the one
colour that the settings name, in the way its Sass functions do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["NAMES", "stylesheet"]

RGB = tuple[int, int, int]

NAMES = ("primary", "secondary", "success", "info", "warning", "danger")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)


def stylesheet(colors: Mapping[str, str]) -> str:
    """The rules for these colours, by name.

    :param colors: ``#rrggbb`` by one of :data:`NAMES`.
    :raises RuntimeError: for a name or a colour that is none.
    """
    for name, value in colors.items():
        _check(name, value)
    rgb = {name: _rgb(value) for name, value in colors.items()}
    return "\n".join(line for name, color in rgb.items() for line in _rules(name, color)) + "\n"


def _check(name: str, value: str) -> None:
    if name not in NAMES or not isinstance(value, str) or not _HEX.fullmatch(value):
        raise RuntimeError(
            f"BOOTSTRAP_COLORS has {name!r}: {value!r}. Expected is a colour such as '#6610f2' for"
            f" one of {', '.join(NAMES)}."
        )


def _rules(name: str, color: RGB) -> Iterable[str]:
    light, dark = mix(WHITE, color, 0.8), mix(BLACK, color, 0.8)
    variables = {
        f"--bs-{name}": _hex(color),
        f"--bs-{name}-rgb": _triple(color),
        f"--bs-{name}-text-emphasis": _hex(mix(BLACK, color, 0.6)),
        f"--bs-{name}-bg-subtle": _hex(light),
        f"--bs-{name}-border-subtle": _hex(mix(WHITE, color, 0.6)),
    }
    in_dark = {
        f"--bs-{name}-text-emphasis": _hex(mix(WHITE, color, 0.4)),
        f"--bs-{name}-bg-subtle": _hex(dark),
        f"--bs-{name}-border-subtle": _hex(mix(BLACK, color, 0.4)),
    }
    yield _rule(":root, [data-bs-theme=light]", variables | _links(name, color, 0))
    yield _rule("[data-bs-theme=dark]", in_dark | _links(name, color, 0.4))
    yield _rule(f".btn-{name}", _button(color))
    yield _rule(f".btn-outline-{name}", _outline(color))
    if name == "primary":
        yield from _accents(color)


def _links(name: str, color: RGB, lighter: float) -> dict[str, str]:
    """Links have the primary colour."""
    if name != "primary":
        return {}
    shown = mix(WHITE, color, lighter)
    hover = mix(WHITE if lighter else BLACK, shown, 0.2)
    return {
        "--bs-link-color": _hex(shown),
        "--bs-link-color-rgb": _triple(shown),
        "--bs-link-hover-color": _hex(hover),
        "--bs-link-hover-color-rgb": _triple(hover),
    }


def _button(color: RGB) -> dict[str, str]:
    text = contrast(color)
    other = BLACK if text == WHITE else WHITE  # away from the text, so that it stays readable
    found = {"color": text, "bg": color, "border-color": color}
    for state, amount in (("hover", 0.15), ("active", 0.2), ("disabled", 0.0)):
        found |= {
            f"{state}-color": text,
            f"{state}-bg": mix(other, color, amount),
            f"{state}-border-color": mix(other, color, amount),
        }
    shadow = {"--bs-btn-focus-shadow-rgb": _triple(mix(WHITE, color, 0.15))}
    return {f"--bs-btn-{name}": _hex(value) for name, value in found.items()} | shadow


def _outline(color: RGB) -> dict[str, str]:
    text = contrast(color)
    found = {"color": color, "border-color": color, "disabled-color": color}
    for state in ("hover", "active"):
        found |= {f"{state}-color": text, f"{state}-bg": color, f"{state}-border-color": color}
    shadow = {"--bs-btn-focus-shadow-rgb": _triple(color)}
    return {f"--bs-btn-{name}": _hex(value) for name, value in found.items()} | shadow


def _accents(color: RGB) -> Iterable[str]:
    """Parts that have the primary colour without a variable of its own."""
    solid, text = _hex(color), _hex(contrast(color))
    yield _rule(".form-check-input:checked", {"background-color": solid, "border-color": solid})
    ring = {
        "border-color": _hex(mix(WHITE, color, 0.5)),
        "box-shadow": f"0 0 0 0.25rem rgba({_triple(color)}, 0.25)",
    }
    yield _rule(".form-control:focus, .form-select:focus, .form-check-input:focus", ring)
    for name in ("pagination", "dropdown-link", "nav-pills-link", "list-group"):
        part = "nav" if name.startswith("nav") else name.removesuffix("-link")
        selector = {"dropdown": ".dropdown-menu", "nav": ".nav-pills"}.get(part, f".{part}")
        shown = {f"--bs-{name}-active-bg": solid, f"--bs-{name}-active-color": text}
        yield _rule(selector, shown | {f"--bs-{name}-active-border-color": solid})
    yield _rule(".progress, .progress-stacked", {"--bs-progress-bar-bg": solid})


def _rule(selector: str, values: Mapping[str, str]) -> str:
    inside = " ".join(f"{name}: {value};" for name, value in values.items())
    return f"{selector} {{ {inside} }}"


def mix(other: RGB, color: RGB, amount: float) -> RGB:
    """The colour with so much of the other in it, 0 to 1."""
    return (
        round(other[0] * amount + color[0] * (1 - amount)),
        round(other[1] * amount + color[1] * (1 - amount)),
        round(other[2] * amount + color[2] * (1 - amount)),
    )


def contrast(color: RGB) -> RGB:
    """White or black, whichever can be read on it better, by WCAG 2's ratio; white if it has 4.5,
    as in Bootstrap."""
    lightness = _luminance(color)
    on_white, on_black = 1.05 / (lightness + 0.05), (lightness + 0.05) / 0.05
    return WHITE if on_white >= min(4.5, on_black) else BLACK


def _luminance(color: RGB) -> float:
    parts = [c / 255 for c in color]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(value: str) -> RGB:
    number = int(value[1:], 16)
    return number >> 16, number >> 8 & 255, number & 255


def _hex(color: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _triple(color: RGB) -> str:
    return "{}, {}, {}".format(*color)
