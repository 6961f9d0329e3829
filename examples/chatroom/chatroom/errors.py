"""Pages for what goes wrong: `templates/errors/404.html` for 404, `error.html` for the rest."""

from werkzeug.exceptions import HTTPException

from vial import Vial, render_template
from vial.forms import CSRFError


def init_app(app: Vial) -> None:
    app.register_error_handler(HTTPException, show_error)
    app.register_error_handler(CSRFError, show_csrf_error)


def show_error(error: HTTPException) -> tuple[str, int]:
    code = error.code or 500
    names = [f"errors/{code}.html", "errors/error.html"]
    return render_template(names, error=error), code


def show_csrf_error(error: CSRFError) -> tuple[str, int]:
    return render_template("errors/csrf.html", error=error), 400
