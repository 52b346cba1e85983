"""When it is strange that nothing is shown."""

import random

import pytest

from pool.instants import DAY, HOUR
from router.alerts.silence import WEEK, chance_of_silence

MONDAY = 1_795_392_000_000  # 2026-11-23T00:00:00Z
MINUTE = 60_000


def office(weeks, per_hour):
    """Numbers shown Monday to Friday from 9 to 17, for so many weeks before MONDAY."""
    return {
        MONDAY - week * WEEK + day * DAY + hour * HOUR: per_hour
        for week in range(1, weeks + 1)
        for day in range(5)
        for hour in range(9, 17)
    }


def test_a_busy_site_that_falls_silent_is_noticed_soon():
    hours, begin = office(4, 60), MONDAY + 10 * HOUR
    assert chance_of_silence(hours, begin, begin + 5 * MINUTE) > 0.001
    assert chance_of_silence(hours, begin, begin + 15 * MINUTE) < 0.0001


def test_nights_and_weekends_are_no_silence():
    hours = office(4, 60)
    assert chance_of_silence(hours, MONDAY + 17 * HOUR, MONDAY + DAY + 9 * HOUR) > 0.5
    assert chance_of_silence(hours, MONDAY + 4 * DAY + 17 * HOUR, MONDAY + 7 * DAY + 8 * HOUR) > 0.5


def test_a_new_or_quiet_site_is_never_strange():
    begin = MONDAY + 10 * HOUR
    assert chance_of_silence({}, begin, begin + DAY) == 1
    assert chance_of_silence({MONDAY + 9 * HOUR: 500}, begin, begin + DAY) == 1
    assert chance_of_silence(office(4, 1), begin, begin + 4 * HOUR) > 0.0001


@pytest.mark.parametrize(("weeks", "least"), [(1, 13), (4, 41)])
def test_the_formulas_own_figures(weeks, least):
    """(n/(n+1)) ** (N + ½) falls below 0.0001 just there."""
    begin = MONDAY + 10 * HOUR
    for total, strange in ((least - 1, False), (least, True)):
        hours = {begin - week * WEEK: 0 for week in range(1, weeks + 1)}
        hours[begin - WEEK] = total
        assert (chance_of_silence(hours, begin, begin + HOUR) < 0.0001) is strange


def test_a_clock_that_was_set_back_makes_nothing_strange():
    begin = MONDAY + 10 * HOUR
    assert chance_of_silence(office(4, 600), begin, begin - HOUR) == 1


def test_false_alarms_are_as_rare_as_the_threshold_says():
    """Poisson traffic of a random rate: of the silences that occur, fewer than one in 1000 looks strange."""
    rng = random.Random(7)
    strange = 0
    for _ in range(3000):
        rate = rng.uniform(1, 12)
        begin = MONDAY + 10 * HOUR
        hours = {begin - week * WEEK: _poisson(rng, rate) for week in range(1, 5)}
        silent = _poisson(rng, rate) == 0
        strange += silent and chance_of_silence(hours, begin, begin + HOUR) < 0.0001
    assert strange <= 3


def _poisson(rng, rate):
    count, left = 0, rng.expovariate(1)
    while left < rate:
        count += 1
        left += rng.expovariate(1)
    return count
