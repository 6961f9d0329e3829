"""The page that debug mode shows for an exception, with a console in each of its frames.

One core (:mod:`.core`) that knows no gateway, and a wrapper for each of them. Werkzeug's
``DebugTraceback`` finds the frames, their variables and what ``__traceback_hide__`` hides. What it
makes of them as HTML is not used: type names and patterns come unescaped in it (Werkzeug 3.1.9).
"""

from .asgi import DebuggedASGI as DebuggedASGI
from .rsgi import DebuggedRSGI as DebuggedRSGI
from .wsgi import DebuggedWSGI as DebuggedWSGI
