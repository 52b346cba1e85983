"""Instants: whole milliseconds since the Unix epoch, UTC. What is stored or compared is an `Instant`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Instant: TypeAlias = int

SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last instant of the year 9999: later ones have no ISO form, and nobody means them.
LAST_INSTANT: Instant = 253_402_300_799_999


class InstantOutOfRange(ValueError):
    """An instant lies outside 1970 to 9999 (milliseconds since the epoch are expected)."""


def now() -> Instant:
    """The system clock's instant. Rules never call it: they are given their instant."""
    return time.time_ns() // 1_000_000


def checked(at: Instant) -> Instant:
    """`at` itself; raises InstantOutOfRange for one that is negative or after the year 9999."""
    if not 0 <= at <= LAST_INSTANT:
        raise InstantOutOfRange(f"instant {at} is not within 1970 to 9999 (milliseconds since the epoch)")
    return at


def to_iso(at: Instant) -> str:
    """`2026-11-22T13:10:00.123Z`, always with milliseconds and Z."""
    return (_EPOCH + timedelta(milliseconds=checked(at))).isoformat(timespec="milliseconds")[:-6] + "Z"


def from_iso(text: str) -> Instant:
    """The instant of an ISO 8601 text with a zone (`Z` or an offset); raises ValueError without one."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z or an offset")
    return checked((moment - _EPOCH) // timedelta(milliseconds=1))
