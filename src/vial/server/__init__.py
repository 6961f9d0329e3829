"""The server that comes with Vial: granian inside this process, for development."""

from .development import print_banner, run, serve

__all__ = ["print_banner", "run", "serve"]
