"""Bytes in, :func:`vial.flow.run`, bytes out: one module per server protocol.

``wsgi`` (PEP 3333) and ``asgi`` (ASGI 3 and, for servers that ask for it, 2). RSGI, granian's own
protocol, gets a module of its own.
"""
