"""A site's model, learnt from its own calls: pure functions of what was seen of them.

Nobody tells who made a call, so each call counts for all who may have made it, by their probability; a call
of which it is certain (a keyed code, a click on the number just before it) counts for one. That is repeated until
it is consistent with itself: the EM algorithm for superposed Poisson processes (Dempster, Laird, Rubin, 1977;
Shepp, Vardi, "Maximum likelihood reconstruction for emission tomography", 1982), whose likelihood has one
optimum only. What calls are compared with is how long numbers were held, and how: `Exposure`.
"""

import math
from collections.abc import Iterable, Sequence
from bisect import bisect_right
from dataclasses import replace
from operator import mul
from typing import Final, NamedTuple

from router.attribution.call import Seen
from router.attribution.call_model import DAY_SECONDS, GONE_STAGES, HERE_STAGES, LATER_STAGES, STAGES, Model

ROUNDS: Final = 40
VISITS_WEIGHT: Final = 1.0
STAGE_WEIGHT: Final = 2.0
LATER_WEIGHT: Final = 1.0
LATER_STAGE_WEIGHT: Final = 40.0
CLICK_WEIGHT: Final = 6.0
STRAY_WEIGHT: Final = 1.0
STRAY_SHARE: Final = 0.1


class Past(NamedTuple):
    """One hold of a number in the past: instants in milliseconds. `gone_at` None: still there."""

    shown_at: int
    gone_at: int | None
    clicked: bool


HOUR: Final = 3_600_000


class Hour(NamedTuple):
    soon: list[float]
    late: list[float]


class Exposure(NamedTuple):
    """How many calls each stage would have brought had every visit called once (by the prior), how many
    clicks there were, and how many days numbers could be dialed.
    """

    since_at: int
    hours: list[Hour]
    number_days: list[float]
    clicks: float


def exposure(pasts: Sequence[Past], firsts: Sequence[int], since_at: int, until_at: int, prior: Model) -> Exposure:
    count = (until_at - since_at) // HOUR + 1
    hours = [Hour([0.0] * STAGES, [0.0] * (len(LATER_STAGES) + 1)) for _ in range(count)]
    begun = [0] * count
    clicks = 0
    for past in pasts:
        hour = (past.shown_at - since_at) // HOUR
        begun[hour] += 1
        _expose(past, until_at, prior, hours[hour].soon)
        clicks += past.clicked
    table = _later_by_hour(prior, count)
    last = (until_at - since_at) % HOUR / HOUR
    for hour, visits in enumerate(begun):
        if visits:
            for lag in range(count - hour):
                part = last if hour + lag == count - 1 else 1.0
                stage, share = table[lag]
                hours[hour + lag].late[stage] += visits * share * part
    days = [0.0] * count
    for first in firsts:
        for hour in range((first - since_at) // HOUR, count):
            days[hour] += 1 / 24
    days[-1] *= last
    return Exposure(since_at, hours, days, clicks)


def _later_by_hour(prior: Model, count: int) -> list[tuple[int, float]]:
    """visits begin in mid-hour on average"""
    found = []
    for lag in range(count):
        a, b = max(0.0, lag - 0.5) * 3600, (lag + 0.5) * 3600
        found.append((bisect_right(LATER_STAGES, (a + b) / 2), prior.later_share * (prior.later.share_until(b) - prior.later.share_until(a))))
    return found


def _expose(past: Past, until_at: int, prior: Model, soon: list[float]) -> None:
    end = (until_at - past.shown_at) / 1000
    stay = end if past.gone_at is None else max(0.0, (past.gone_at - past.shown_at) / 1000)
    page, share = prior.on_page, prior.later_share
    here_until = min(stay, end)
    for number, (least, most) in enumerate(zip((0.0, *HERE_STAGES), (*HERE_STAGES, math.inf), strict=True)):
        a, b = least, min(most, here_until)
        if b > a:
            soon[number] += (1 - share) * (page.share_until(b) - page.share_until(a))
    if end <= stay:
        return
    first = len(HERE_STAGES) + 1
    for number, (least, most) in enumerate(zip((0.0, *GONE_STAGES), GONE_STAGES, strict=False)):
        a, b = stay + least, min(stay + most, end)
        if b > a:
            now = page.share_until(b) - page.share_until(a)
            middle = math.sqrt(max(a - stay, 1.0) * max(b - stay, 1.0))
            soon[first + number] += (1 - share) * now * prior.fade(middle)


PULSE_WEIGHT = 5.0


def learnt(prior: Model, calls: Sequence[Seen], exposed: Exposure) -> Model:
    """The prior corrected by these calls."""
    days = math.fsum(exposed.number_days)
    if not calls or not days:
        return prior
    base_days = days
    by_hour = [0.0] * len(exposed.hours)
    for call in calls:
        by_hour[(call.at - exposed.since_at) // HOUR] += 1
    usual = STRAY_SHARE * len(calls) / days
    strays = usual
    total = sum(sum(h.soon)+sum(h.late) for h in exposed.hours)
    visits = (VISITS_WEIGHT + len(calls)) / (VISITS_WEIGHT / prior.calls_per_visit + total)
    page = list(prior.stages)
    kept = 1.0
    keep = list(prior.later_stages)
    clicked = 1.0
    click_base = prior.calls_per_click
    for _ in range(ROUNDS):
        n_soon = [0.0] * len(page)
        n_late = [0.0] * len(keep)
        strayed = clicks = 0.0
        soon_rates = [visits * factor for factor in page]
        late_rates = [visits * kept * factor for factor in keep]
        stray = strays / DAY_SECONDS
        click = click_base * clicked
        for call in calls:
            whole = stray * call.stray + call.redial + call.click * click
            for number, readiness in call.soon:
                whole += soon_rates[number] * readiness
            for number, readiness in call.late:
                whole += late_rates[number] * readiness
            for number, readiness in call.soon:
                n_soon[number] += soon_rates[number] * readiness / whole
            for number, readiness in call.late:
                n_late[number] += late_rates[number] * readiness / whole
            strayed += stray * call.stray / whole
            clicks += call.click * click / whole
        psi = []
        for hour, n, d in zip(exposed.hours, by_hour, exposed.number_days, strict=True):
            s_h = sum(map(mul, soon_rates, hour.soon)) + sum(map(mul, late_rates, hour.late)) + strays * d
            psi.append((PULSE_WEIGHT + n) / (PULSE_WEIGHT + s_h))
        x_soon = [sum(w * h.soon[k] for w, h in zip(psi, exposed.hours, strict=True)) for k in range(len(page))]
        x_late = [sum(w * h.late[k] for w, h in zip(psi, exposed.hours, strict=True)) for k in range(len(keep))]
        days = sum(map(mul, psi, exposed.number_days))
        e_soon = [f * e for f, e in zip(page, x_soon, strict=True)]
        e_late = [f * e for f, e in zip(keep, x_late, strict=True)]
        visits = (VISITS_WEIGHT + sum(n_soon)+sum(n_late)) / (VISITS_WEIGHT / prior.calls_per_visit + sum(e_soon)+kept*sum(e_late))
        page = [(STAGE_WEIGHT + n) / (STAGE_WEIGHT + visits * e) for n, e in zip(n_soon, x_soon, strict=True)]
        kept = (LATER_WEIGHT + sum(n_late)) / (LATER_WEIGHT + visits * sum(e_late))
        keep = [(LATER_STAGE_WEIGHT + n) / (LATER_STAGE_WEIGHT + visits * kept * e) for n, e in zip(n_late, x_late, strict=True)]
        clicked = (CLICK_WEIGHT + clicks) / (CLICK_WEIGHT + click_base * exposed.clicks)
        strays = (STRAY_WEIGHT + strayed) / (STRAY_WEIGHT / usual + days)
    return replace(
        prior,
        calls_per_visit=visits,
        stages=tuple(page),
        later_stages=tuple(kept*f for f in keep),
        calls_per_click=click_base * clicked,
        strays_per_day=strays,
    )
