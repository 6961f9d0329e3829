"""The objects that give an app Bootstrap."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from markupsafe import Markup

from ..app import Vial
from ..globals import current_app
from ..helpers import url_for
from . import macros
from .assets import (
    CDN,
    COLORS,
    CSS,
    ICON_FONT,
    INTEGRITY,
    JQUERY,
    JS,
    SHIPPED,
    THEMES,
    VERSIONS,
    Assets,
)
from .cdn import bootstrap_find_resource, default_cdns
from .colors import stylesheet
from .fields import is_hidden_field_filter
from .forms import render_form
from .tables import get_table_titles

__all__ = ["Bootstrap", "Bootstrap4", "Bootstrap5"]

DEFAULTS: dict[str, Any] = {
    "BOOTSTRAP_SERVE_LOCAL": None,
    "BOOTSTRAP_BTN_STYLE": "primary",
    "BOOTSTRAP_BTN_SIZE": "md",
    "BOOTSTRAP_BOOTSWATCH_THEME": None,
    "BOOTSTRAP_ICON_SIZE": "1em",
    "BOOTSTRAP_ICON_COLOR": None,
    "BOOTSTRAP_ICON_USE_FONT": False,
    "BOOTSTRAP_MSG_CATEGORY": "primary",
    "BOOTSTRAP_TABLE_VIEW_TITLE": "View",
    "BOOTSTRAP_TABLE_EDIT_TITLE": "Edit",
    "BOOTSTRAP_TABLE_DELETE_TITLE": "Delete",
    "BOOTSTRAP_TABLE_NEW_TITLE": "New",
    "BOOTSTRAP_FORM_GROUP_CLASSES": "mb-3",
    "BOOTSTRAP_FORM_INLINE_CLASSES": "row row-cols-lg-auto g-3 align-items-center",
    # Our own:
    "BOOTSTRAP_COLOR_MODE": "auto",
    "BOOTSTRAP_COLORS": None,
    "BOOTSTRAP_SITE_NAME": None,
    # Flask-Bootstrap's; its other settings have no meaning here.
    "BOOTSTRAP_USE_MINIFIED": True,
}


class _Bootstrap:
    """Bootstrap for an app: its files, its macros, and the variable ``bootstrap`` in templates.

    :param app: the app; or give it to :meth:`init_app` later.
    """

    bootstrap_version: ClassVar[str] = VERSIONS["bootstrap"]
    icons_version: ClassVar[str] = VERSIONS["bootstrap-icons"]
    jquery_version: ClassVar[str] = VERSIONS["jquery"]
    bootstrap_css_integrity: ClassVar[str] = INTEGRITY[CSS]
    bootstrap_js_integrity: ClassVar[str] = INTEGRITY[JS]
    jquery_integrity: ClassVar[str] = INTEGRITY[JQUERY]
    #: Whether load_js() loads jQuery too; Bootstrap 5 needs none, old pages' own scripts do.
    needs_jquery: ClassVar[bool] = False

    def __init__(self, app: Vial | None = None) -> None:
        self.cdns = default_cdns()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Vial) -> None:
        """Give it to this app: a blueprint ``bootstrap``, settings, names for its templates.

        :raises RuntimeError: when the settings name a theme or a colour that is none.
        """
        for name, value in DEFAULTS.items():
            app.config.setdefault(name, value)
        check_theme(app.config["BOOTSTRAP_BOOTSWATCH_THEME"])
        stylesheet(app.config["BOOTSTRAP_COLORS"] or {})
        app.extensions["bootstrap"] = self
        app.register_blueprint(Assets(f"/bootstrap{app.static_url_path or '/static'}"))
        app.jinja_env.globals.update(
            bootstrap=self,
            bootstrap_find_resource=bootstrap_find_resource,
            bootstrap_is_hidden_field=is_hidden_field_filter,
            get_table_titles=get_table_titles,
            vial_bootstrap=macros,
        )
        app.jinja_env.filters["render_form"] = render_form
        app.jinja_env.add_extension("jinja2.ext.do")

    def load_css(
        self,
        version: str | None = None,
        bootstrap_sri: str | None = None,
        bootswatch_theme: str | None = None,
    ) -> Markup:
        """The ``<link>`` for Bootstrap's style sheet, or for a theme of Bootswatch; one more for
        ``BOOTSTRAP_COLORS``.

        :param version: of a CDN's; what is shipped has one.
        :param bootstrap_sri: the hash of a CDN's file, if it is not the version that is shipped.
        :param bootswatch_theme: instead of ``BOOTSTRAP_BOOTSWATCH_THEME``.
        :raises RuntimeError: when there is no such theme, or it is not shipped and
            ``BOOTSTRAP_SERVE_LOCAL`` is True.
        """
        theme = bootswatch_theme or current_app.config["BOOTSTRAP_BOOTSWATCH_THEME"]
        if theme:
            found = _theme(str(theme).lower(), version, bootstrap_sri)
        elif not _from_cdn():
            found = _link(_local(CSS))
        else:
            url, sri = _remote("bootstrap", "dist/" + CSS, version, INTEGRITY[CSS])
            found = _link(url, bootstrap_sri or sri)
        return found + _link(_local(COLORS)) if current_app.config["BOOTSTRAP_COLORS"] else found

    def load_own_css(self, filename: str = "css/vial.css") -> Markup:
        """The ``<link>`` for a sheet of the battery's own, which goes after Bootstrap's."""
        return _link(_local(filename))

    def load_theme_js(self) -> Markup:
        """The ``<script>`` that makes the page light or dark; for the head, before the sheets."""
        return self.load_own_js("js/theme.js")

    def load_own_js(self, filename: str) -> Markup:
        """The ``<script>`` for a script of the battery's own."""
        return _script(_local(filename), None, _nonce())

    def load_icon_font_css(self) -> Markup:
        """The ``<link>`` for the icons as a font, for icons that are made with ``<i>``."""
        if not _from_cdn():
            return _link(_local(ICON_FONT))
        url, sri = _remote(
            "bootstrap-icons", "font/bootstrap-icons.min.css", None, INTEGRITY[ICON_FONT]
        )
        return _link(url, sri)

    def load_js(
        self,
        version: str | None = None,
        jquery_version: str | None = None,
        popper_version: str | None = None,
        with_jquery: bool = True,
        with_popper: bool = True,
        bootstrap_sri: str | None = None,
        jquery_sri: str | None = None,
        popper_sri: str | None = None,
        nonce: str | None = None,
    ) -> Markup:
        """The ``<script>`` for Bootstrap, in one file with the Popper that it needs.

        :param version: of a CDN's; what is shipped has one.
        :param with_jquery: load jQuery before it; only of :class:`Bootstrap` and
            :class:`Bootstrap4`.
        :param bootstrap_sri: the hash of a CDN's ``bootstrap.min.js``, which comes without Popper;
            Popper is loaded before it then.
        :param nonce: for a policy that asks for one; by default what the function ``csp_nonce``
            of templates gives, if there is one, as for all other tags here.
        """
        nonce = nonce or _nonce()
        found = [_script(*_jquery(jquery_version, jquery_sri), nonce)] * (
            self.needs_jquery and with_jquery
        )
        if not _from_cdn():
            found.append(_script(_local(JS), None, nonce))
        elif bootstrap_sri:
            files = _split_js(version, popper_version if with_popper else "")
            hashes = [popper_sri, bootstrap_sri][-len(files) :]
            found += [_script(url, sri, nonce) for url, sri in zip(files, hashes, strict=True)]
        else:
            found.append(
                _script(*_remote("bootstrap", "dist/" + JS, version, INTEGRITY[JS]), nonce)
            )
        return Markup("\n").join(found)


class Bootstrap5(_Bootstrap):
    """Bootstrap 5, with Bootstrap-Flask's names: ``Bootstrap5(app)``, or ``init_app`` later."""


class Bootstrap4(_Bootstrap):
    """For programs that Bootstrap-Flask gave Bootstrap 4: the same macros, with Bootstrap 5.

    ``bootstrap4/form.html`` and the others are there; what such a program's own templates say with
    Bootstrap 4's classes is theirs to change, so it warns.
    """

    needs_jquery = True

    def __init__(self, app: Vial | None = None) -> None:
        super().__init__(app)
        warnings.warn(
            "Vial has Bootstrap 5, and Bootstrap4 renders its macros with that. Use Bootstrap5"
            " and 'bootstrap5/...' templates, and see what to rename in your own pages:"
            " https://getbootstrap.com/docs/5.3/migration/",
            stacklevel=2,
        )


class Bootstrap(_Bootstrap):
    """For programs written for Flask-Bootstrap: ``bootstrap/base.html`` and its macros.

    They are rendered with Bootstrap 5. jQuery and a style sheet for the commonest of Bootstrap 3's
    classes come with ``bootstrap/base.html``.
    """

    needs_jquery = True

    def __getitem__(self, key: str) -> Any:
        """``app.extensions["bootstrap"]["cdns"]``, which was a dict."""
        return {"cdns": self.cdns}[key]


def check_theme(name: Any) -> None:
    """:raises RuntimeError: when Bootswatch has no theme of this name."""
    if name and str(name).lower() not in THEMES:
        raise RuntimeError(
            f"Bootswatch has no theme {name!r}. BOOTSTRAP_BOOTSWATCH_THEME is None or one of"
            f" {', '.join(THEMES)}."
        )


def _theme(name: str, version: str | None, sri: str | None) -> Markup:
    check_theme(name)
    wanted = current_app.config["BOOTSTRAP_SERVE_LOCAL"]
    if name in SHIPPED and (wanted is None or wanted):
        return _link(_local(f"css/bootswatch/{name}/bootstrap.min.css"))
    if wanted:
        raise RuntimeError(
            f"Bootswatch's theme {name!r} is not shipped, because it asks another host for its"
            f" fonts. Shipped are {', '.join(SHIPPED)}; for any other let BOOTSTRAP_SERVE_LOCAL"
            " be False, or unset."
        )
    url, own = _remote("bootswatch", f"dist/{name}/bootstrap.min.css", version, THEMES[name])
    return _link(url, sri or own)


def _from_cdn() -> bool:
    """Only if the settings say so; None, the default, is no."""
    return current_app.config["BOOTSTRAP_SERVE_LOCAL"] is False


def _local(filename: str) -> str:
    return url_for("bootstrap.static", filename=filename)


def _remote(package: str, filename: str, version: str | None, sri: str) -> tuple[str, str | None]:
    """The URL of a package's file on the CDN, and its hash if it is the version that is shipped."""
    version = version or VERSIONS[package]
    return f"{CDN}/{package}@{version}/{filename}", sri if version == VERSIONS[package] else None


def _jquery(version: str | None, sri: str | None) -> tuple[str, str | None]:
    if not _from_cdn():
        return _local(JQUERY), None
    url, own = _remote("jquery", "dist/jquery.min.js", version, INTEGRITY[JQUERY])
    return url, sri or own


def _split_js(version: str | None, popper_version: str | None) -> list[str]:
    """Popper, unless its version is "", and Bootstrap without it."""
    version = version or VERSIONS["bootstrap"]
    bootstrap = f"{CDN}/bootstrap@{version}/dist/js/bootstrap.min.js"
    if popper_version == "":
        return [bootstrap]
    return [f"{CDN}/@popperjs/core@{popper_version or '2'}/dist/umd/popper.min.js", bootstrap]


def _nonce() -> str | None:
    make = current_app.jinja_env.globals.get("csp_nonce")
    return str(make()) if callable(make) else None


def _link(url: str, sri: str | None = None) -> Markup:
    rest = _attributes(sri, _nonce())
    return Markup('<link rel="stylesheet" href="{}"{}>').format(url, rest)


def _script(url: str, sri: str | None, nonce: str | None) -> Markup:
    return Markup('<script src="{}"{}></script>').format(url, _attributes(sri, nonce))


def _attributes(sri: str | None, nonce: str | None) -> Markup:
    hashed = Markup(' integrity="{}" crossorigin="anonymous"').format(sri) if sri else Markup()
    return hashed + (Markup(' nonce="{}"').format(nonce) if nonce else "")
