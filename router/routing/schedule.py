"""Whether a schedule is open at an instant: wall-clock hours in the site's time zone.

What counts is what a clock on the office's wall shows. Where the clock is set back, hours that it shows twice
are open (or closed) twice; hours that it skips never come.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from router.config.hours import WHOLE_DAY, Span, parse_holiday, parse_hours
from router.config.plan import Schedule

_DAY = timedelta(days=1)


class OpeningHours:
    """One `[[site.schedule]]`, read once."""

    def __init__(self, schedule: Schedule, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone)
        self._week: list[list[Span]] = [[] for _ in range(7)]
        for text in schedule.hours:
            hours = parse_hours(text)
            for day in hours.days:
                self._week[day].append(hours.span)
        holidays = [parse_holiday(text) for text in schedule.holidays]
        self._holidays: dict[tuple[int | None, int, int], list[Span]] = {}
        for holiday in holidays:
            spans = self._holidays.setdefault((holiday.year, holiday.month, holiday.day), [])
            if holiday.span is not None:
                spans.append(holiday.span)

    def is_open(self, at: int) -> bool:
        """Whether it is open at `at`, milliseconds since the Unix epoch."""
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        today = local.date()
        if any(begin <= minute < end for begin, end in self._spans(today)):
            return True
        # What began yesterday and goes on after midnight.
        since = minute + WHOLE_DAY
        return any(begin <= since < end for begin, end in self._spans(today - _DAY))

    def _spans(self, day: date) -> list[Span]:
        """The hours that begin on a date. A holiday of that very year counts before a yearly one."""
        for year in (day.year, None):
            spans = self._holidays.get((year, day.month, day.day))
            if spans is not None:
                return spans
        return self._week[day.weekday()]
