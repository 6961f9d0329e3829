"""URL routing: Werkzeug's ``Map`` is the reference, ``Matcher`` and ``Builder`` are its fast copy.

``Map`` and its rules stay the public thing that programs and extensions edit. ``Matcher`` and
``Builder`` are compiled from it and answer what they are sure of; the rest they hand to the
``MapAdapter`` that Werkzeug would have used, so the two never differ in what they answer.
"""

from .builder import Builder
from .map import Map
from .matcher import Matcher

__all__ = ["Builder", "Map", "Matcher"]
