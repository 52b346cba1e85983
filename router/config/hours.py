"""Opening hours and holidays as a configuration writes them: `"Mon-Fri 09:00-18:00"`, `"12-25"`."""

import re
from datetime import date
from typing import Final, NamedTuple

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY: Final = 24 * 60

_CLOCK: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)\Z")
_DATE: Final = re.compile(r"(?:(\d{4})-)?(\d\d)-(\d\d)\Z")
# So that 29 February can be a holiday of every year that has one.
_LEAP_YEAR: Final = 2000

_HOURS_FORM: Final = 'takes days and times such as "Mon-Fri 09:00-18:00", "Sat,Sun 10:00-14:00" or "Sun"'
_HOLIDAY_FORM: Final = 'takes a date such as "2026-12-25" or (each year) "12-25"; its own hours may follow'


class Span(NamedTuple):
    """A time of day in minutes since midnight, `end` excluded; past 24:00 (1440) it is the next day's."""

    begin: int
    end: int


class Hours(NamedTuple):
    """On which weekdays (0 is Monday) a span begins."""

    days: frozenset[int]
    span: Span


class Holiday(NamedTuple):
    """A date, of one year or (None) of each, and the only span in which it is open; None: it is closed."""

    year: int | None
    month: int
    day: int
    span: Span | None


def parse_hours(text: str) -> Hours:
    """The hours in `text`; times from 00:00 to 24:00, an end before its begin is on the next day.

    Raises ValueError saying what is allowed.
    """
    days, _, clock = text.strip().partition(" ")
    found: set[int] = set()
    for part in days.split(","):
        first, _, last = part.partition("-")
        begin, end = _weekday(first), _weekday(last or first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return Hours(frozenset(found), _span(clock) if clock else Span(0, WHOLE_DAY))


def parse_holiday(text: str) -> Holiday:
    """The holiday in `text`. Raises ValueError saying what is allowed."""
    day, _, clock = text.strip().partition(" ")
    match = _DATE.match(day)
    if match is None:
        raise ValueError(_HOLIDAY_FORM)
    year = int(match[1]) if match[1] else None
    try:
        date(year or _LEAP_YEAR, int(match[2]), int(match[3]))
    except ValueError as error:
        raise ValueError(f"{_HOLIDAY_FORM}: {error}") from error
    return Holiday(year, int(match[2]), int(match[3]), _span(clock) if clock else None)


def _weekday(text: str) -> int:
    try:
        return WEEKDAYS.index(text.lower())
    except ValueError as error:
        raise ValueError(f"{_HOURS_FORM}: {text!r} is not one of {', '.join(WEEKDAYS)}") from error


def _span(clock: str) -> Span:
    match = _CLOCK.match(clock.strip())
    if match is None:
        raise ValueError(f"{_HOURS_FORM}: {clock!r} is not HH:MM-HH:MM")
    hours, minutes, end_hours, end_minutes = (int(part) for part in match.groups())
    begin, end = hours * 60 + minutes, end_hours * 60 + end_minutes
    if max(minutes, end_minutes) > 59 or begin >= WHOLE_DAY or end > WHOLE_DAY or begin == end:
        raise ValueError(f"{_HOURS_FORM}: {clock!r} is no span of a day")
    return Span(begin, end if end > begin else end + WHOLE_DAY)
