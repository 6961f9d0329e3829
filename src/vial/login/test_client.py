"""A client for tests that is logged in from the beginning."""

from __future__ import annotations

from typing import Any

from ..testing import FlaskClient
from .identity import write_identity
from .utils import _manager


class FlaskLoginClient(FlaskClient):
    """``app.test_client_class = FlaskLoginClient``, then ``app.test_client(user=…)``.

    :param user: who is logged in, in the keyword arguments.
    :param fresh_login: whether that is fresh; it is unless said otherwise.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        user, fresh = kwargs.pop("user", None), kwargs.pop("fresh_login", True)
        super().__init__(*args, **kwargs)
        if user is None:
            return
        base = dict(self.environ_base)
        with self.application.test_request_context(environ_base=base) as ctx:
            manager = _manager()
            write_identity(user, getattr(user, manager.id_attribute)(), fresh)
            ctx.session["_id"] = manager._session_identifier_generator()
        with self.session_transaction() as wanted:
            wanted.update(ctx.session)
