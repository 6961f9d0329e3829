"""Vial, under the name that programs written for Flask import."""

import sys
from typing import TYPE_CHECKING

from vial.flask_mode import install_as_flask

if TYPE_CHECKING:
    from vial import *  # noqa: F403
    from vial.flask_mode import Flask as Flask

# install_as_flask() puts the real module there, and refuses to replace a Flask that is in use.
del sys.modules[__name__]
install_as_flask()
