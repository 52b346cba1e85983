"""What callers of the database need to tell apart."""

from __future__ import annotations


class StoreUnavailable(Exception):
    """The store cannot be used now: gone, locked, full, unreadable or too slow. The next use tries again."""


class StoreConflict(Exception):
    """The store gave up this transaction in favour of another; the same work may be tried again."""


class NotAtOnce(Exception):
    """What was asked for at once has to be waited for: the reader with all its patience can be asked."""


class MigrationError(Exception):
    """The schema in the store and the migrations of this version do not fit together."""
