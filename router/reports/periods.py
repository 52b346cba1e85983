"""Periods: whole local days of a site."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pool.instants import Instant

_EPOCH: Final = date(1970, 1, 1)
MOST_DAYS: Final = 3_660
PERIODS: Final = (
    "today", "yesterday", "7d", "28d", "30d", "90d", "month", "last_month", "year",
)  # fmt: skip


class BadPeriod(ValueError):
    """A period that is none: the message says what is taken."""


@dataclass(frozen=True, slots=True)
class Period:
    """From the day `first` to the day `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> "Period":
        """The period of the same length just before this one."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    def year_before(self) -> "Period":
        """The same weekdays a year earlier: 52 weeks, so that weekends stand against weekends."""
        year = timedelta(weeks=52)
        return Period(self.first - year, self.last - year)


def period(name: str, today: date) -> Period:
    """The period of a name (PERIODS), or of `2026-11-01..2026-11-22`, `2026-11-22`, `2026-11`.

    `7d` and the like end yesterday: whole days alone compare. `month` and `year` run to today.
    Raises BadPeriod.
    """
    yesterday = today - timedelta(days=1)
    match name:
        case "today":
            return Period(today, today)
        case "yesterday":
            return Period(yesterday, yesterday)
        case "7d" | "28d" | "30d" | "90d":
            return Period(today - timedelta(days=int(name[:-1])), yesterday)
        case "month" | "year":
            return Period(today.replace(day=1, month=today.month if name == "month" else 1), today)
        case "last_month":
            return _month(today.replace(day=1) - timedelta(days=1))
    return _dates(name)


def _dates(text: str) -> Period:
    first_text, dots, last_text = text.partition("..")
    try:
        if len(text) == len("2026-11"):
            return _month(_date(f"{text}-01"))
        first = _date(first_text)
        last = _date(last_text) if dots else first
    except ValueError:
        raise BadPeriod(
            f"takes {', '.join(PERIODS)}, 2026-11, 2026-11-22 or 2026-11-01..2026-11-22"
        ) from None
    if last < first:
        raise BadPeriod(f"ends ({last}) before it begins ({first})")
    if (last - first).days >= MOST_DAYS:
        raise BadPeriod(f"has more than {MOST_DAYS} days")
    return Period(first, last)


def _date(text: str) -> date:
    found = date.fromisoformat(text)
    # Ten years of comparison before and a zone after it must still be dates.
    if len(text) != len("2026-11-22") or not 1971 <= found.year <= 9998:
        raise ValueError(text)
    return found


def _month(day: date) -> Period:
    first = day.replace(day=1)
    return Period(first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1))


def number_of(day: date) -> int:
    """The day as it is stored: days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The day of a stored number."""
    return _EPOCH + timedelta(days=number)


def local_day_and_hour(at: Instant, zone: ZoneInfo) -> tuple[int, int]:
    """The stored day and the hour (0 to 23) of an instant in a time zone."""
    local = datetime.fromtimestamp(at / 1000, zone)
    return number_of(local.date()), local.hour


def bounds(day: int, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """The instants at which a stored day begins and ends in a time zone (23 to 25 hours apart)."""
    begin, end = (datetime.combine(day_of(day + more), time(), zone) for more in (0, 1))
    return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)


def today_in(zone: ZoneInfo, at: Instant) -> date:
    """The local date of an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
