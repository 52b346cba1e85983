"""Numbers as the inventory knows them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pool.instants import Instant

DEFAULT_POOL = "default"
"""The pool of dynamic numbers whose pool nobody named."""


class NumberKind(StrEnum):
    DYNAMIC = "dynamic"
    STATIC = "static"
    RESERVE = "reserve"
    EXTENSION = "extension"


class NumberRecord(NamedTuple):
    """One number of the inventory. `number` is E.164 with +; an empty string is "none" or "any"."""

    number: str
    kind: NumberKind
    pool: str
    site: str
    """Dynamic: the site that showed it last ("" = it is in the base). Else: the site it belongs to."""
    channel: str
    label: str
    added_at: Instant
    retired_at: Instant | None
    """Since when it is not given any more. It still routes and attributes."""
