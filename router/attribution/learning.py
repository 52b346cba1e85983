"""A site's model, learnt from its own calls. Pure.

Nobody tells who made a call, so each call counts for all who may have made it, by their probability; a call
of which it is certain (a click just before it, the only one who ever held the number) counts for one. That is
repeated until it agrees with itself: the EM algorithm for superposed Poisson processes (Dempster, Laird,
Rubin, "Maximum likelihood from incomplete data", 1977; Shepp, Vardi, "Maximum likelihood reconstruction for
emission tomography", 1982). Each rate has a gamma prior, so that its estimate is

    (weight + calls counted) / (weight + calls expected by the prior)

times its prior: with no calls it is the prior, and after some times `weight` calls it is what was seen.
docs/attribution.md states priors and weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Final, NamedTuple

from router.attribution.call import Seen
from router.attribution.call_model import DAY_SECONDS, HOUR, HOURS_PER_DAY, LATER_STAGES, STAGES, Model
from router.attribution.exposure import Exposure

ROUNDS: Final = 100
CERTAIN: Final = 0.95
"""A call that a click explains so well is a certain match."""
BUSY_WEIGHT: Final = 1.0
VISITS_WEIGHT: Final = 1.0
STAGE_WEIGHT: Final = 0.7
LATER_WEIGHT: Final = 2.0
LATER_STAGE_WEIGHT: Final = 300.0
CLICK_WEIGHT: Final = 6.0
STRAY_WEIGHT: Final = 1.0
STRAY_SHARE: Final = 0.1
"""A priori so many of all calls are nobody's."""
SHORT_WEIGHT: Final = 30.0
"""In answered calls, of either share of short ones."""


@dataclass(slots=True)
class _Factors:
    """What is learnt, as multiples of the prior; `strays` and `copies` a second on one number: those who may
    dial any number alike, and those who dial numbers the more people were shown them.
    """

    visits: float
    soon: list[float]
    later: float
    late: list[float]
    clicks: float
    strays: float
    copies: float
    short_strays: float
    short_visits: float


class _Counts(NamedTuple):
    soon: list[float]
    late: list[float]
    clicks: float
    strays: float
    copies: float
    spoken: "_Spoken"


class _Spoken(NamedTuple):
    """Of answered calls: how many were nobody's, how many visitors'; and how many of either were short."""

    strays: float
    short_strays: float
    visits: float
    short_visits: float


class _Used(NamedTuple):
    """A call, how many strays there are at its hour against the average, and how many copies on its number
    then against any.
    """

    call: Seen
    strays: float
    copies: float


class _Given(NamedTuple):
    """The exposure by stage, and the seconds of numbers' time in which each hour counts by its strays; by how
    much the site is busier than the prior, and what strays are by the prior then: so many a second on one
    number, of either kind.
    """

    soon: Sequence[float]
    late: Sequence[float]
    seconds: float
    busy: float
    usual: float


def learnt(prior: Model, calls: Sequence[Seen], exposed: Exposure) -> Model:
    """The prior corrected by calls made since `exposed.since_at`. Their order does not matter."""
    first = exposed.since_at // HOUR
    rhythm = [exposed.rhythm[(first + hour) % HOURS_PER_DAY] for hour in range(len(exposed.hours))]
    seconds = DAY_SECONDS * math.fsum(
        pace * hour.number_days for pace, hour in zip(rhythm, exposed.hours, strict=True)
    )
    usual_holds = [max(hour.hold_days / (hour.number_days or math.inf), 1.0) for hour in exposed.hours]
    used: list[_Used] = []
    for call in calls:
        hour = (call.at - exposed.since_at) // HOUR
        if 0 <= hour < len(exposed.hours):
            used.append(_Used(call, rhythm[hour], rhythm[hour] * call.holds / usual_holds[hour]))
    if not used or not seconds:
        return prior
    soon = [math.fsum(stage) for stage in zip(*(hour.soon for hour in exposed.hours), strict=True)]
    late = [math.fsum(stage) for stage in zip(*(hour.late for hour in exposed.hours), strict=True)]
    expected = prior.calls_per_visit * (math.fsum(soon) + math.fsum(late))
    # How busy the site's phone is altogether: a few calls tell that, long before they tell who calls.
    busy = (BUSY_WEIGHT + len(used)) / (BUSY_WEIGHT + expected)
    usual = STRAY_SHARE / 2 * busy * expected / seconds
    given = _Given(soon, late, seconds, busy, usual)
    factors = _Factors(
        busy,
        list(prior.stages),
        1.0,
        list(prior.later_stages),
        1.0,
        usual,
        usual,
        prior.short_strays,
        prior.short_visits,
    )
    for _ in range(ROUNDS):
        counts = _counted(_heard(prior, factors), factors, used)
        _correct(prior, factors, counts, exposed.clicks, given)
    return replace(
        prior,
        calls_per_visit=prior.calls_per_visit * factors.visits,
        stages=tuple(factors.soon),
        later_stages=tuple(factors.later * factor for factor in factors.late),
        calls_per_click=prior.calls_per_click * factors.clicks,
        strays_per_day=factors.strays * DAY_SECONDS,
        strays_per_hold=factors.copies * DAY_SECONDS / usual_holds[-1],
        rhythm=exposed.rhythm,
        short_strays=factors.short_strays,
        short_visits=factors.short_visits,
    )


def certain(model: Model, calls: Sequence[Seen]) -> int:
    """How many of the calls are certain matches: by the model, hardly anything but a click explains them."""
    found = 0
    for call in calls:
        click = model.calls_per_click * call.click
        other = call.redial + call.stray * model.brevity(call.short) * model.stray_rate(call.holds, call.at)
        other += model.calls_per_visit * (
            sum(model.stages[stage] * readiness for stage, readiness in call.soon)
            + sum(model.later_stages[stage] * readiness for stage, readiness in call.late)
        )
        found += click > 0 and click >= CERTAIN * (click + other)
    return found


def _rates(prior: Model, factors: _Factors) -> tuple[list[float], list[float]]:
    visits = prior.calls_per_visit * factors.visits
    return [visits * factor for factor in factors.soon], [
        visits * factors.later * factor for factor in factors.late
    ]


def _counted(model: Model, factors: _Factors, calls: Sequence[_Used]) -> _Counts:
    """How many calls came from each stage, by the factors as they are; `model` is the prior, with the shares
    of short calls as learnt so far.
    """
    soon_rates, late_rates = _rates(model, factors)
    click = model.calls_per_click * factors.clicks
    soon, late = [0.0] * STAGES, [0.0] * (len(LATER_STAGES) + 1)
    strays = copies = clicks = 0.0
    spoken = [0.0] * 4
    for call, pace, held in calls:
        weight = call.stray * model.brevity(call.short)
        stray = factors.strays * pace * weight
        copy = factors.copies * held * weight
        whole = stray + copy + call.redial + call.click * click
        for stage, readiness in call.soon:
            whole += soon_rates[stage] * readiness
        for stage, readiness in call.late:
            whole += late_rates[stage] * readiness
        if whole <= 0:
            continue
        for stage, readiness in call.soon:
            soon[stage] += soon_rates[stage] * readiness / whole
        for stage, readiness in call.late:
            late[stage] += late_rates[stage] * readiness / whole
        strays += stray / whole
        copies += copy / whole
        clicks += call.click * click / whole
        if call.short is not None:
            nobody = (stray + copy) / whole
            spoken[0] += nobody
            spoken[1] += nobody * call.short
            spoken[2] += 1 - nobody
            spoken[3] += (1 - nobody) * call.short
    return _Counts(soon, late, clicks, strays, copies, _Spoken(*spoken))


def _heard(prior: Model, factors: _Factors) -> Model:
    """The prior with the shares of short calls as they were learnt so far."""
    return replace(prior, short_strays=factors.short_strays, short_visits=factors.short_visits)


def _correct(prior: Model, factors: _Factors, counts: _Counts, clicks: float, given: _Given) -> None:
    """The factors that make these counts the most probable, of so many visits that clicked."""
    soon, late, seconds = given.soon, given.late, given.seconds
    v = prior.calls_per_visit
    soon_calls, late_calls = math.fsum(counts.soon), math.fsum(counts.late)
    kept = math.fsum(map(mul, factors.late, late))
    expected = v * (math.fsum(map(mul, factors.soon, soon)) + factors.later * kept)
    factors.visits = (VISITS_WEIGHT + soon_calls + late_calls) / (VISITS_WEIGHT / given.busy + expected)
    v *= factors.visits
    factors.soon = [
        (STAGE_WEIGHT + count) / (STAGE_WEIGHT + v * one)
        for count, one in zip(counts.soon, soon, strict=True)
    ]
    factors.later = (LATER_WEIGHT + late_calls) / (LATER_WEIGHT + v * kept)
    v *= factors.later
    factors.late = [
        (LATER_STAGE_WEIGHT + count) / (LATER_STAGE_WEIGHT + v * one)
        for count, one in zip(counts.late, late, strict=True)
    ]
    factors.clicks = (CLICK_WEIGHT + counts.clicks) / (CLICK_WEIGHT + prior.calls_per_click * clicks)
    factors.strays = (STRAY_WEIGHT + counts.strays) / (STRAY_WEIGHT / given.usual + seconds)
    factors.copies = (STRAY_WEIGHT + counts.copies) / (STRAY_WEIGHT / given.usual + seconds)
    spoken = counts.spoken
    factors.short_strays = _share(prior.short_strays, spoken.short_strays, spoken.strays)
    factors.short_visits = _share(prior.short_visits, spoken.short_visits, spoken.visits)


def _share(prior: float, some: float, of: float) -> float:
    return (SHORT_WEIGHT * prior + some) / (SHORT_WEIGHT + of)
