"""Vial's script battery, under the name that programs written for Flask-Script import."""

import sys
from typing import TYPE_CHECKING

import vial.script
from vial.flask_mode import install_as_flask

if TYPE_CHECKING:
    from vial.script import *  # noqa: F403

# `flask` has to be Vial before a program that imports this module first imports it.
install_as_flask()
sys.modules[__name__] = vial.script
