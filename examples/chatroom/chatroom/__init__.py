"""The chat room: accounts, rooms and messages, in SQL or in MongoDB."""

from vial import Vial

from . import errors, models, security, views
from .config import load_config
from .extensions import bootstrap, csrf, login, socketio


def create_app(config: str | None = None, **settings: object) -> Vial:
    """Make the application.

    `config` is "development", "testing" or "production"; without it, VIAL_CONFIG in the
    environment says which, and without that it is development. `settings` come last.
    """
    app = Vial(__name__)
    app.config.from_object(load_config(config))
    app.config.update(settings)
    security.init_app(app)
    errors.init_app(app)
    bootstrap.init_app(app)
    csrf.init_app(app)
    login.init_app(app)
    models.init_app(app)
    socketio.init_app(app, message_queue=app.config["REDIS_URL"])
    views.init_app(app)
    return app
