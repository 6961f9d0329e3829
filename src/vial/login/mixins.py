"""What the login asks of a user."""

from __future__ import annotations

#: Attributes of a user that change with its password, the first that there is counts.
PASSWORD_ATTRIBUTES = (
    "password_hash",
    "pw_hash",
    "hashed_password",
    "password_digest",
    "password",
)


class UserMixin:
    """The answers of an ordinary user: active, and known by its ``id``."""

    # A class with __eq__ has no hash unless it says so; users are keys of dicts and of sessions.
    __hash__ = object.__hash__

    @property
    def is_active(self) -> bool:
        """Whether the account may be used. One that may not cannot log in."""
        return True

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is logged in; an account that was shut is not."""
        return self.is_active

    @property
    def is_anonymous(self) -> bool:
        """Whether this stands for nobody."""
        return False

    def get_id(self) -> str:
        """What the user loader finds this user by."""
        try:
            return str(self.id)  # type: ignore[attr-defined]
        except AttributeError:
            raise NotImplementedError(
                f"{type(self).__name__} has no attribute 'id': add one, or override get_id()."
            ) from None

    def get_session_fingerprint(self) -> str | None:
        """What has to stay the same for this user to stay logged in, here and elsewhere.

        By default the hash of the password (:data:`PASSWORD_ATTRIBUTES`), so that a new password
        ends all sessions and remembered logins of before. Override it to add a number that "log
        out everywhere" counts up. It is never stored as it is. Not looked at in Flask mode.

        :return: ``None`` where nothing ends a login but a logout.
        """
        for name in PASSWORD_ATTRIBUTES:
            value = getattr(self, name, None)
            if isinstance(value, bytes):
                return value.hex()
            if isinstance(value, str) and value:
                return value
        return None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UserMixin):
            return self.get_id() == other.get_id()
        return NotImplemented


class AnonymousUserMixin:
    """The answers of nobody: what ``current_user`` is where nobody is logged in."""

    @property
    def is_authenticated(self) -> bool:
        """See :attr:`UserMixin.is_authenticated`."""
        return False

    @property
    def is_active(self) -> bool:
        """See :attr:`UserMixin.is_active`."""
        return False

    @property
    def is_anonymous(self) -> bool:
        """See :attr:`UserMixin.is_anonymous`."""
        return True

    def get_id(self) -> str | None:
        """Nobody has no id."""
        return None
