"""What is learnt from calls whose truth is not told: without them the prior, with them the site's rates."""

import math
import random
from dataclasses import dataclass, replace

import pytest

from router.attribution.call import Seen
from router.attribution.call_model import DAY_SECONDS, HERE_STAGES, LATER_STAGES, STAGES, Model
from router.attribution.exposure import HOUR, exposure
from router.attribution.learning import certain, learnt

DAY = 24 * HOUR
PRIOR = Model()
LOOKBACK = 72 * 3600


@dataclass(frozen=True)
class Visit:
    shown_at: int
    gone_at: int | None
    shown: bool = True
    clicked: bool = False


def visits(count: int, *, stay: int = 300_000) -> list[Visit]:
    """So many visits, spread over a day."""
    return [Visit(DAY * number // count, DAY * number // count + stay) for number in range(count)]


def call(at: int, *, here_for: float | None = None, shown_for: float | None = None) -> Seen:
    """A call on a number whose only holder is there, or was there long ago, or never was."""
    if here_for is not None:
        sign = PRIOR.sign(shown_for=here_for, gone_for=0, shown=True)
        return Seen(at, ((sign.stage, sign.soon),), ((sign.later_stage, sign.late),), 0, 0, 1, 1)
    if shown_for is not None:
        sign = PRIOR.sign(shown_for=shown_for, gone_for=shown_for, shown=True)
        return Seen(at, (), ((sign.later_stage, sign.late),), 0, 0, 1, 1)
    return Seen(at, (), (), 0, 0, 1, 0)


def test_without_calls_it_is_the_prior():
    exposed = exposure(visits(100), {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    assert learnt(PRIOR, [], exposed) == PRIOR
    assert learnt(PRIOR, [call(HOUR)], exposure([], {}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)) == PRIOR


def test_the_order_of_calls_does_not_matter():
    chance = random.Random(1)
    calls = [call(chance.randrange(DAY), here_for=chance.uniform(5, 900)) for _ in range(60)]
    calls += [call(chance.randrange(DAY)) for _ in range(20)]
    exposed = exposure(visits(1000), {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    one = learnt(PRIOR, calls, exposed)
    chance.shuffle(calls)
    other = learnt(PRIOR, calls, exposed)
    assert one.calls_per_visit == pytest.approx(other.calls_per_visit)
    assert one.stages == pytest.approx(other.stages)
    assert one.strays_per_day == pytest.approx(other.strays_per_day)


def test_calls_of_nobody_are_strays():
    calls = [call(at * HOUR) for at in range(24)]
    model = learnt(PRIOR, calls, exposure(visits(200), {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK))
    assert 1.2 < model.strays_per_day < 2.6  # 2.4, and the prior holds back
    assert model.calls_per_visit < PRIOR.calls_per_visit * 2


def test_calls_of_the_only_holder_are_theirs():
    chance = random.Random(2)
    calls = [call(chance.randrange(DAY), here_for=chance.uniform(30, 280)) for _ in range(150)]
    exposed = exposure(visits(1000), {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    model = learnt(PRIOR, calls, exposed)
    assert model.strays_per_day < 0.5
    here = model.calls_per_visit * math.fsum(
        factor * math.fsum(hour.soon[stage] for hour in exposed.hours)
        for stage, factor in enumerate(model.stages)
    )
    assert here == pytest.approx(150, rel=0.25)
    # Nobody called at once or after they had left.
    assert model.stages[0] < 0.5
    assert max(model.stages[len(HERE_STAGES) + 2 :]) < max(model.stages)


def test_delays_are_learnt_in_either_direction():
    exposed = exposure(visits(1000, stay=900_000), {0: 40}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    quick = learnt(PRIOR, [call(at * HOUR // 8, here_for=15) for at in range(190)], exposed)
    slow = learnt(PRIOR, [call(at * HOUR // 8, here_for=500) for at in range(190)], exposed)
    assert quick.stages[0] > 5 * slow.stages[0]
    assert slow.stages[3] > 5 * quick.stages[3]


def test_late_callers_are_told_from_strays_by_who_held_the_number():
    """All calls come some hours after somebody held the number; no others are ever called."""
    chance = random.Random(3)
    late = [call(chance.randrange(DAY), shown_for=chance.uniform(3600, 20_000)) for _ in range(80)]
    exposed = exposure(visits(400), {0: 200}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    model = learnt(PRIOR, late, exposed)
    assert model.later_stages[1] * model.calls_per_visit > 3 * PRIOR.calls_per_visit
    assert model.strays_per_day < 0.05


def test_exposure_is_as_long_as_the_hold():
    one = exposure([Visit(0, 100_000)], {0: 1}, 0, 2 * HOUR, PRIOR, lookback_seconds=LOOKBACK)
    here = math.fsum(one.hours[0].soon[: len(HERE_STAGES) + 1])
    assert here == pytest.approx((1 - PRIOR.later_share) * PRIOR.on_page.share_until(100))
    assert len(one.hours[0].soon) == STAGES
    late = math.fsum(math.fsum(hour.late) for hour in one.hours)
    assert late == pytest.approx(PRIOR.later_share * PRIOR.later.share_until(2 * 3600), rel=0.3)
    assert math.fsum(hour.number_days for hour in one.hours) == pytest.approx(2 / 24)
    hidden = exposure([Visit(0, 100_000, shown=False)], {0: 1}, 0, 2 * HOUR, PRIOR, lookback_seconds=LOOKBACK)
    assert math.fsum(hidden.hours[0].soon) == pytest.approx(PRIOR.unshown * math.fsum(one.hours[0].soon))


def test_visits_before_the_period_count_for_late_callers_only():
    before = exposure([Visit(-5 * HOUR, -5 * HOUR + 60_000)], {}, 0, HOUR, PRIOR, lookback_seconds=LOOKBACK)
    assert math.fsum(before.hours[0].soon) == 0
    assert before.hours[0].late[len([limit for limit in LATER_STAGES if limit < 5 * 3600])] > 0
    long_ago = exposure([Visit(-80 * HOUR, -79 * HOUR)], {}, 0, HOUR, PRIOR, lookback_seconds=LOOKBACK)
    assert math.fsum(long_ago.hours[0].late) == 0


def test_strays_are_told_a_day_and_number():
    assert PRIOR.stray_rate(0, 0) * DAY_SECONDS == pytest.approx(PRIOR.strays_per_day)
    assert PRIOR.stray_rate(10, 0) > PRIOR.stray_rate(0, 0)


def test_strays_come_when_visitors_come():
    by_day = [Visit(9 * HOUR + 9 * HOUR * place // 900, 18 * HOUR) for place in range(900)]
    exposed = exposure(by_day, {0: 10}, 0, 2 * DAY, PRIOR, lookback_seconds=LOOKBACK)
    assert exposed.rhythm[12] == pytest.approx(24 / 9, rel=0.1)
    assert exposed.rhythm[3] < 0.2
    assert math.fsum(exposed.rhythm) / 24 == pytest.approx(1, rel=0.02)
    model = learnt(PRIOR, [call(at * HOUR) for at in (10, 12, 15, 35, 36, 37)], exposed)
    assert model.stray_rate(0, 12 * HOUR) > 10 * model.stray_rate(0, DAY + 3 * HOUR)
    few = exposure(by_day[:2], {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    assert few.rhythm[3] > 0.9


def by_anybody(at: int, *, holders: int, short: bool | None = None) -> Seen:
    """A call on a number that so many held lately, four hours ago on average."""
    one = call(at, shown_for=4 * 3600)
    return one._replace(late=tuple((stage, holders * ready) for stage, ready in one.late), short=short)


def test_late_callers_and_strays_are_told_apart_by_the_hours_of_the_day():
    """Every number was always held lately: strays come when visitors come, late callers some hours later."""
    chance = random.Random(4)
    morning = [Visit(at, at + 300_000) for at in range(8 * HOUR, 14 * HOUR, 6 * HOUR // 900)]
    exposed = exposure(morning, {8 * HOUR: 20}, 8 * HOUR, DAY, PRIOR, lookback_seconds=LOOKBACK)
    there = [call(chance.randrange(8 * HOUR, 14 * HOUR), here_for=chance.uniform(30, 280)) for _ in range(60)]

    def strays(first: int, last: int) -> float:
        others = [by_anybody(chance.randrange(first * HOUR, last * HOUR), holders=40) for _ in range(60)]
        return learnt(PRIOR, there + others, exposed).stray_rate(40, 10 * HOUR)

    assert strays(8, 14) > 3 * strays(16, 24)


def test_short_calls_tell_strays_from_late_callers():
    """Calls that either may have made: as many, once mostly short, once mostly long."""
    chance = random.Random(6)
    exposed = exposure(visits(900), {0: 20}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    there = [
        call(chance.randrange(DAY), here_for=chance.uniform(30, 280))._replace(short=place % 8 == 0)
        for place in range(80)
    ]

    def model(short: int) -> Model:
        others = [by_anybody(at * HOUR // 4, holders=20, short=at % 10 < short) for at in range(96)]
        return learnt(PRIOR, there + others, exposed)

    mostly, hardly = model(6), model(1)
    assert mostly.stray_rate(40, 0) > 2 * hardly.stray_rate(40, 0)
    assert hardly.later_stages[2] > mostly.later_stages[2]


def test_how_short_visitors_calls_are_is_learnt():
    chance = random.Random(5)
    exposed = exposure(visits(1000), {0: 10}, 0, DAY, PRIOR, lookback_seconds=LOOKBACK)
    theirs = [
        call(chance.randrange(DAY), here_for=chance.uniform(30, 280))._replace(short=place % 2 == 0)
        for place in range(200)
    ]
    model = learnt(PRIOR, theirs, exposed)
    assert 0.4 < model.short_visits < 0.5
    assert model.short_strays == pytest.approx(PRIOR.short_strays, abs=0.05)
    assert 1 < model.brevity(True) < PRIOR.brevity(True)


def test_a_match_is_certain_where_a_click_explains_the_call():
    clicked, long_ago = PRIOR.click.density(6), PRIOR.click.density(900)
    there = call(HOUR, here_for=60)
    calls = [there, there._replace(click=clicked), there._replace(click=long_ago), call(HOUR)]
    assert [certain(PRIOR, [one]) for one in calls] == [0, 1, 0, 0]
    assert certain(PRIOR, calls) == 1
    # Where hardly a click becomes a call, a click makes nothing certain.
    assert certain(replace(PRIOR, calls_per_click=1e-6), calls) == 0
