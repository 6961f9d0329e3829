"""Settings of Sphinx; `scripts/docs` builds."""

from importlib.metadata import version as installed

project = "Vial"
author = "The Vial contributors"
copyright = author
version = release = installed("vial-web")

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "Vial"
