"""Databases by SQLAlchemy: Flask-SQLAlchemy's interface (3.1), and sessions for async views.

What is unlike it is listed in ``docs/sqlalchemy.md``.
"""

from __future__ import annotations

from .errors import DatabaseUnavailable
from .extension import SQLAlchemy
from .keyset import KeysetPagination
from .model import ModelMixin

__all__ = ["DatabaseUnavailable", "KeysetPagination", "ModelMixin", "SQLAlchemy"]

#: The version of Flask-SQLAlchemy whose interface this has; programs ask for it.
__version__ = "3.1.1"
