"""What an error does not say by itself: its likely cause and the cure.

Nothing here is loaded before something failed. The text of an exception stays Flask's; what is
added are notes (PEP 678): in the traceback, in the log and on the debug page, never in a
response.
"""
