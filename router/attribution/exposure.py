"""What calls are compared with: how long numbers were held, in which stages, hour by hour. Pure.

Instants in milliseconds. A visit's exposure in a stage is the part of the prior's calls that falls into it:
had every visit of the site called once, so many calls would have come from there.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from router.attribution.call_model import (
    GONE_STAGES,
    HERE_STAGES,
    HOUR,
    HOURS_PER_DAY,
    LATER_STAGES,
    STAGES,
    Model,
)

RHYTHM_WEIGHT: Final = 3.0
"""Of each hour of the day, in visits: few visits tell no rhythm."""


class Past(Protocol):
    """One hold of a number, as `pool` tells it. `gone_at` None: the visitor is still there."""

    @property
    def shown_at(self) -> int: ...
    @property
    def gone_at(self) -> int | None: ...
    @property
    def shown(self) -> bool: ...
    @property
    def clicked(self) -> bool: ...


class Hour(NamedTuple):
    """The exposure of one hour: by stage; the days for which numbers could be dialed, and those days times
    how many held each number lately.
    """

    soon: list[float]
    late: list[float]
    number_days: float
    hold_days: float


class Exposure(NamedTuple):
    """The exposure from `since_at` on, and how many visits clicked a `tel:` link.

    `rhythm`: of each hour of the day (UTC), how many times as many visits begin in it as on average.
    """

    since_at: int
    hours: list[Hour]
    clicks: float
    rhythm: tuple[float, ...]


def exposure(
    pasts: Sequence[Past],
    first_shown: Mapping[int, int],
    since_at: int,
    until_at: int,
    prior: Model,
    *,
    each: float = 1.0,
    lookback_seconds: int,
) -> Exposure:
    """The exposure between two instants.

    `pasts` begin as early as `lookback_seconds` before `since_at`; each stands for `each` holds.
    `first_shown`: how many numbers were shown for the first time in which hour (its first millisecond).
    """
    count = (until_at - since_at) // HOUR + 1
    hours = [Hour([0.0] * STAGES, [0.0] * (len(LATER_STAGES) + 1), 0.0, 0.0) for _ in range(count)]
    begun: dict[int, float] = {}
    clicks = 0.0
    for past in pasts:
        hour = (past.shown_at - since_at) // HOUR
        weight = each if past.shown else each * prior.unshown
        begun[hour] = begun.get(hour, 0.0) + weight
        if 0 <= hour < count:
            _add_soon(past, until_at, prior, weight, hours[hour].soon)
            clicks += each * past.clicked
    # Of the last hour only a part has passed.
    last = (until_at - since_at) % HOUR / HOUR
    by_lag = _late_by_hour(prior, lookback_seconds)
    held = [0.0] * count
    for hour, visits in begun.items():
        for lag, (stage, share) in enumerate(by_lag):
            at = hour + lag
            if 0 <= at < count:
                hours[at].late[stage] += visits * share * (last if at == count - 1 else 1.0)
                held[at] += visits * (1.0 if lag else 0.5)
    numbers = 0
    appeared: dict[int, int] = {}
    for hour_at, many in first_shown.items():
        hour = max(0, (hour_at - since_at) // HOUR)
        appeared[hour] = appeared.get(hour, 0) + many
    for at in range(count):
        numbers += appeared.get(at, 0)
        passed = (last if at == count - 1 else 1.0) / HOURS_PER_DAY
        hours[at] = hours[at]._replace(number_days=numbers * passed, hold_days=held[at] * passed)
    first = since_at // HOUR
    counted = {first + hour: many for hour, many in begun.items() if 0 <= hour < count}
    return Exposure(since_at, hours, clicks, _rhythm(counted, first, count - 1 + last))


def _rhythm(visits: Mapping[int, float], first: int, hours: float) -> tuple[float, ...]:
    """`visits`: how many began in which hour, of so many hours from the `first` on."""
    by_hour, passed = [0.0] * HOURS_PER_DAY, [0.0] * HOURS_PER_DAY
    for place in range(math.ceil(hours)):
        passed[(first + place) % HOURS_PER_DAY] += min(1.0, hours - place)
    for hour, many in visits.items():
        by_hour[hour % HOURS_PER_DAY] += many
    usual = sum(by_hour) / (hours or 1.0)
    return tuple(
        (RHYTHM_WEIGHT + many) / (RHYTHM_WEIGHT + usual * length)
        for many, length in zip(by_hour, passed, strict=True)
    )


def _late_by_hour(prior: Model, lookback_seconds: int) -> list[tuple[int, float]]:
    """For each hour after a visit's own: its stage, and the share of visits that would call in it."""
    found = []
    for lag in range(lookback_seconds // 3600 + 1):
        # On average a visit begins in the middle of its hour.
        least, most = max(0.0, lag - 0.5) * 3600, (lag + 0.5) * 3600
        share = prior.later.share_until(most) - prior.later.share_until(least)
        found.append((bisect_right(LATER_STAGES, (least + most) / 2), prior.later_share * share))
    return found


def _add_soon(past: Past, until_at: int, prior: Model, weight: float, soon: list[float]) -> None:
    end = (until_at - past.shown_at) / 1000
    stay = end if past.gone_at is None else max(0.0, (past.gone_at - past.shown_at) / 1000)
    weight *= 1 - prior.later_share
    for stage, limit in enumerate((*HERE_STAGES, math.inf)):
        least, most = (HERE_STAGES[stage - 1] if stage else 0.0), min(limit, stay, end)
        if most <= least:
            break
        soon[stage] += weight * (prior.on_page.share_until(most) - prior.on_page.share_until(least))
    for number, limit in enumerate(GONE_STAGES):
        gone_for = GONE_STAGES[number - 1] if number else 0.0
        least, most = stay + gone_for, min(stay + limit, end)
        if most <= least:
            break
        share = prior.on_page.share_until(most) - prior.on_page.share_until(least)
        middle = math.sqrt(max(least - stay, 1.0) * (most - stay))
        soon[len(HERE_STAGES) + 1 + number] += weight * share * prior.fade(middle)
