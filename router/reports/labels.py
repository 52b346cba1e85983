"""How the values of dimensions are given out: keys for programs, labels for people."""

from typing import Final

from router.reports.periods import day_of

UNKNOWN: Final = "(unknown)"
NOT_SET: Final = "(not set)"
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def key_of(dimension: str, known: int, stored: str) -> str | None:
    """The key of a stored value: None unknown; days as 2026-11-22, weekdays 1 Monday to 7, hours 00 to 23."""
    if not known:
        return None
    if dimension == "day":
        return day_of(int(stored)).isoformat()
    if dimension == "weekday":
        return str(int(stored) + 1)
    if dimension == "hour":
        return f"{int(stored):02}"
    return stored


def label_of(dimension: str, key: str | None) -> str:
    """What people read."""
    if key is None:
        return UNKNOWN
    if dimension == "weekday":
        return WEEKDAYS[int(key) - 1]
    if dimension == "hour":
        return f"{key}:00"
    return key or NOT_SET
