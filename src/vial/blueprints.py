"""Blueprints: parts of an app, written apart from it and registered on it."""

from __future__ import annotations

from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any

from . import helpers
from .globals import current_app
from .sansio.blueprints import Blueprint as SansioBlueprint
from .sansio.blueprints import BlueprintSetupState as BlueprintSetupState
from .sansio.blueprints import DeferredSetupFunction as DeferredSetupFunction

if TYPE_CHECKING:
    from .wrappers import Response


class Blueprint(SansioBlueprint):
    """A part of an app. Everything registered on it takes effect when it is registered itself.

    :param name: the prefix of its endpoints, without dots.
    :param url_prefix: the prefix of its URLs.
    :param cli_group: the group of its commands; ``None`` adds them to the app's own.
    """

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """See :meth:`Vial.get_send_file_max_age`."""
        value = current_app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        return int(value.total_seconds()) if isinstance(value, timedelta) else value

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file of the blueprint's static folder."""
        return helpers.send_static_file(self, filename)

    def open_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> IO[Any]:
        """Open a file beside the blueprint's module for reading."""
        return helpers.open_for_reading(self.root_path, resource, mode, encoding)
