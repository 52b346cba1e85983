"""What a user may do."""

from enum import StrEnum


class Role(StrEnum):
    """A viewer sees calls, a listener also hears them, an admin may do everything."""

    VIEWER = "viewer"
    LISTENER = "listener"
    ADMIN = "admin"

    @property
    def hears(self) -> bool:
        """Whether recordings are served to this role."""
        return self is not Role.VIEWER

    def includes(self, least: "Role") -> bool:
        """Whether this role may do all that `least` may."""
        order = tuple(Role)
        return order.index(self) >= order.index(least)
