"""Settings: one class for each kind of place that the application runs in."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
WEAKEST_KEY = 16  # characters
MAKE_KEY = "python -c 'import secrets; print(secrets.token_hex())'"


class Config:
    """What is the same everywhere."""

    # Every form sends its token. What comes without one is refused, also when the browser says
    # that it comes from a page of this site.
    WTF_CSRF_CHECK_ORIGIN = False
    WTF_CSRF_TIME_LIMIT = None  # as long as the session: pages stay open for days
    MAX_CONTENT_LENGTH = 65_536  # bytes of a form
    REMEMBER_COOKIE_SAMESITE = "Lax"
    PREPARE_STORE = True
    GRACE = 2.0  # seconds; a page that is back by then was only reloaded, and nobody left

    def __init__(self) -> None:
        self.MONGO_URL = os.environ.get("MONGO_URL", "")
        self.REDIS_URL = os.environ.get("REDIS_URL") or None
        self.INSTANCE = Path(os.environ.get("INSTANCE_PATH") or PROJECT / "instance")
        file = self.INSTANCE / "chatroom.sqlite3"
        self.SQLALCHEMY_DATABASE_URI = database_url() or f"sqlite:///{file}"


class DevelopmentConfig(Config):
    """Works without any setting: the key and the database are made in `instance/`."""

    def __init__(self) -> None:
        super().__init__()
        self.INSTANCE.mkdir(parents=True, exist_ok=True)
        self.SECRET_KEY = os.environ.get("SECRET_KEY") or kept_secret(self.INSTANCE / "secret_key")


class TestingConfig(Config):
    TESTING = True
    SECRET_KEY = "only for tests"
    GRACE = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.PASSWORD_ARGON2 = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


class ProductionConfig(Config):
    PREPARE_STORE = False  # `vial db upgrade` does it, or `vial prepare` for MongoDB

    def __init__(self) -> None:
        super().__init__()
        self.SECRET_KEY = required("SECRET_KEY", f"the output of {MAKE_KEY}")
        if len(self.SECRET_KEY) < WEAKEST_KEY:
            raise RuntimeError(
                f"SECRET_KEY has {len(self.SECRET_KEY)} characters; it needs at least"
                f" {WEAKEST_KEY}. Make one with {MAKE_KEY}."
            )
        if not self.MONGO_URL:
            required("DATABASE_URL", "postgresql://user:password@host/chatroom")


CONFIGS = {
    "development": DevelopmentConfig,
    "testing": TestingConfig,
    "production": ProductionConfig,
}


def load_config(name: str | None = None) -> Config:
    """The settings of that name; see `create_app`."""
    chosen = name or os.environ.get("VIAL_CONFIG") or "development"
    if chosen not in CONFIGS:
        raise RuntimeError(f"VIAL_CONFIG is {chosen!r}; it must be one of {', '.join(CONFIGS)}.")
    return CONFIGS[chosen]()


def required(variable: str, example: str) -> str:
    """The value of an environment variable that production cannot do without."""
    value = os.environ.get(variable, "")
    if not value:
        raise RuntimeError(f"{variable} is not set. In production, set it, such as {example}.")
    return value


def database_url() -> str:
    """DATABASE_URL with the driver that is installed, where it names none."""
    url = os.environ.get("DATABASE_URL", "")
    drivers = {
        "postgres": "postgresql+psycopg",
        "postgresql": "postgresql+psycopg",
        "mariadb": "mariadb+pymysql",
        "mysql": "mysql+pymysql",
    }
    scheme, colon, rest = url.partition(":")
    return drivers.get(scheme, scheme) + colon + rest


def kept_secret(file: Path) -> str:
    """A random key, made once and kept in a private file, so that sessions survive a restart."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex())
    except FileExistsError:
        pass
    return file.read_text()
