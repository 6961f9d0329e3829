"""The server that comes with Vial: granian inside this process, for development."""

from .development import run, serve
from .options import options_of
from .reloader import reload
from .rerun import current

__all__ = ["current", "options_of", "reload", "run", "serve"]
