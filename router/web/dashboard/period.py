"""A page's period: whole days of the reader's calendar, as the address names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pool.instants import Instant

NAMED: Final = ("today", "yesterday", "7", "30", "90")
MOST_DAYS: Final = 3_660
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day's beginning to the last day's end. `name` is one of NAMED, or '' for other days."""

    first: date
    last: date
    zone: ZoneInfo
    name: str = ""

    @property
    def since(self) -> Instant:
        """The first instant of it."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> Instant:
        """The first instant after it."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def before(self) -> "Period":
        """As many days just before it."""
        length = timedelta(days=self.days)
        return Period(self.first - length, self.last - length, self.zone)

    def moved(self, days: int) -> "Period":
        """The same, so many days later."""
        return Period(self.first + timedelta(days=days), self.last + timedelta(days=days), self.zone)


def period_of(query: Mapping[str, str], at: Instant, zone: ZoneInfo, default: str) -> Period:
    """The period that an address asks for: days `from` `to` (2026-11-22), else `period` by its name.

    What cannot be read is as if it were not there; the ends may be in any order.
    """
    first, last, name = (query.get(key, "") for key in ("from", "to", "period"))
    today = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
    days = [day for day in (_day(first), _day(last)) if day is not None]
    if days:
        begins, ends = min(days), max([*days, today] if len(days) == 1 and _day(first) else days)
        return Period(max(begins, ends - timedelta(days=MOST_DAYS)), ends, zone)
    name = name if name in NAMED else default
    if name == "yesterday":
        return Period(today - timedelta(days=1), today - timedelta(days=1), zone, name)
    length = 1 if name == "today" else int(name)
    return Period(today - timedelta(days=length - 1), today, zone, name)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1971 <= found.year <= 9000 else None


def _midnight(day: date, zone: ZoneInfo) -> Instant:
    return int((datetime.combine(day, time(), zone) - _EPOCH).total_seconds() * 1000)
