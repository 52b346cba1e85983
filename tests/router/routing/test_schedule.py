"""Opening hours by the clock on the office's wall, on every instant of any week, also when clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config.hours import WEEKDAYS, parse_holiday, parse_hours
from router.config.plan import Schedule
from router.routing.schedule import OpeningHours

MINUTE_MS = 60_000
# Clocks that change by an hour, by half an hour, at midnight, in the south; and quarter-hour offsets.
ZONES = [
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "UTC",
]


def at(text: str, zone: str = "Europe/London", *, fold: int = 0) -> int:
    """An instant by a zone's wall clock."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp() * 1000)


def opening(*hours: str, holidays: tuple[str, ...] = (), zone: str = "Europe/London") -> OpeningHours:
    return OpeningHours(Schedule(name="office", hours=hours, holidays=holidays), zone)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23 08:59:59.999", False),  # a Monday
        ("2026-11-23 09:00", True),
        ("2026-11-23 17:59:59.999", True),
        ("2026-11-23 18:00", False),
        ("2026-11-28 12:00", True),  # Saturday
        ("2026-11-28 14:00", False),
        ("2026-11-29 12:00", False),
    ],
)
def test_a_weeks_hours(moment: str, is_open: bool) -> None:
    assert opening("Mon-Fri 09:00-18:00", "Sat 10:00-14:00").is_open(at(moment)) is is_open


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    night = opening("Fri 22:00-06:00")
    assert [night.is_open(at(f"2026-11-{moment}")) for moment in ("27 21:59", "27 22:00", "28 05:59")] == [
        False,
        True,
        True,
    ]
    assert not night.is_open(at("2026-11-28 06:00"))
    assert not night.is_open(at("2026-11-27 05:00"))


def test_a_holiday_replaces_its_days_hours() -> None:
    office = opening("Mon-Sun 09:00-18:00", holidays=("12-25", "12-24 10:00-12:00"))
    assert not office.is_open(at("2026-12-25 12:00"))
    assert not office.is_open(at("2031-12-25 12:00"))
    assert office.is_open(at("2026-12-24 11:00"))
    assert not office.is_open(at("2026-12-24 09:30"))
    this_year = opening("Mon-Sun", holidays=("12-25", "2026-12-25 10:00-11:00"))
    assert this_year.is_open(at("2026-12-25 10:30"))
    assert not this_year.is_open(at("2027-12-25 10:30"))


def test_the_night_before_a_holiday_ends_as_it_would() -> None:
    bar = opening("Mon-Sun 20:00-02:00", holidays=("12-25",))
    assert bar.is_open(at("2026-12-25 01:00"))
    assert not bar.is_open(at("2026-12-25 21:00"))
    assert not bar.is_open(at("2026-12-26 01:00"))


def test_clocks_set_back_show_an_hour_twice_and_clocks_set_forward_skip_one() -> None:
    night = opening("Sun 01:00-02:00")
    autumn = [at("2026-10-25 01:30", fold=fold) for fold in (0, 1)]
    assert autumn[1] - autumn[0] == 60 * MINUTE_MS
    assert [night.is_open(moment) for moment in autumn] == [True, True]
    spring = at("2026-03-29 00:00", "UTC")  # 00:00 GMT; an hour later the clock shows 02:00
    assert not any(night.is_open(spring + minute * MINUTE_MS) for minute in range(180))


SPANS = st.tuples(st.integers(0, 95), st.integers(1, 96)).map(lambda span: (span[0] * 15, span[1] * 15))
HOURS = st.tuples(st.sets(st.integers(0, 6), min_size=1), SPANS.filter(lambda span: span[0] != span[1]))
# Weeks with and without a change of clocks, in both directions, in each zone's half of the year.
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(
    zone=st.sampled_from(ZONES),
    given_hours=st.lists(HOURS, min_size=1, max_size=3),
    holidays=st.sets(DAYS, max_size=3),
    week=DAYS,
    offset=st.integers(0, 14 * MINUTE_MS),
)
def test_every_quarter_of_an_hour_of_any_week_agrees_with_the_wall_clock(
    zone: str,
    given_hours: list[tuple[set[int], tuple[int, int]]],
    holidays: set[date],
    week: date,
    offset: int,
) -> None:
    """Against the definition: the set of wall-clock minutes that the week's days open."""
    texts = [
        f"{','.join(WEEKDAYS[day] for day in days)} {clock(begin)}-{clock(end)}"
        for days, (begin, end) in given_hours
    ]
    office = opening(*texts, holidays=tuple(day.isoformat() for day in holidays), zone=zone)
    open_minutes: set[datetime] = set()
    for day in (week + timedelta(days=step) for step in range(-3, 11)):
        for days, (begin, end) in given_hours:
            if day.weekday() in days and day not in holidays:
                midnight = datetime.combine(day, datetime.min.time())
                length = (end - begin) if end > begin else (end - begin + 24 * 60)
                open_minutes |= {
                    midnight + timedelta(minutes=begin + minute) for minute in range(0, length, 15)
                }
    start = datetime.combine(week, datetime.min.time(), UTC)
    for quarter in range(7 * 96):
        instant = round(start.timestamp() * 1000) + quarter * 15 * MINUTE_MS + offset
        wall = datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)).replace(tzinfo=None)
        shown = wall.replace(minute=wall.minute // 15 * 15, second=0, microsecond=0)
        assert office.is_open(instant) is (shown in open_minutes), (instant, wall)


@pytest.mark.parametrize(
    ("text", "days", "span"),
    [
        ("Mon-Fri 09:00-18:00", {0, 1, 2, 3, 4}, (540, 1080)),
        ("fri-mon 00:00-24:00", {4, 5, 6, 0}, (0, 1440)),
        ("Sat,Sun 22:00-06:00", {5, 6}, (1320, 1800)),
        ("Sun", {6}, (0, 1440)),
        ("Mon-Sun", set(range(7)), (0, 1440)),
    ],
)
def test_hours_are_read(text: str, days: set[int], span: tuple[int, int]) -> None:
    assert parse_hours(text) == (frozenset(days), span)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "09:00-18:00",
        "Mon 9-18",
        "Mon 09:00",
        "Mon 18:00-18:00",
        "Mon 24:00-25:00",
        "Mon 09:60-10:00",
        "Mo",
    ],
)
def test_hours_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Mon-Fri 09:00-18:00"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["2026-02-29", "13-01", "25.12.", "christmas", "12-25 10", "2026-12"])
def test_holidays_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="takes"):
        parse_holiday(text)


def test_the_leap_day_of_each_leap_year() -> None:
    assert parse_holiday("02-29") == (None, 2, 29, None)
