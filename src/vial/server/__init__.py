"""The server that comes with Vial: granian inside this process, for development."""

from .development import run, serve

__all__ = ["run", "serve"]
