"""When it is strange that a site's numbers are not shown. Pure.

A site's visits have their week: what is to be expected of a silence is what the same hours of the last weeks
had. With N shown in the same stretch of n earlier weeks, and a gamma prior on the rate (Jeffreys': shape ½,
rate 0), the number shown in the stretch now is negative binomial, and the chance that it is none is

    P(0) = (n / (n + 1)) ** (N + ½)

(gamma-Poisson posterior predictive: Gelman et al., "Bayesian Data Analysis", 2.6). It stays above a threshold
of 0.0001 until there were 13 in one earlier week, or 41 in four together; a site that is new, or quiet at
night, is never strange.
"""

from collections.abc import Mapping
from typing import Final

from pool.instants import DAY, HOUR, Instant

WEEK: Final = 7 * DAY
WEEKS: Final = 4
LONGEST: Final = DAY
"""Of a longer silence its last day is looked at."""


def chance_of_silence(hours: Mapping[Instant, int], last_at: Instant, now: Instant) -> float:
    """The probability that nothing would have been shown since `last_at`, were all as usual.

    `hours`: how often something was shown in each clock hour (its start, milliseconds), of the last weeks;
    the first one with anything tells since when the site is known.
    """
    if not hours or last_at >= now:
        return 1.0
    known_since = min(hours)
    begin = max(last_at, now - LONGEST)
    weeks = [week for week in range(1, WEEKS + 1) if begin - week * WEEK >= known_since]
    if not weeks:
        return 1.0
    shown = sum(_shown_between(hours, begin - week * WEEK, now - week * WEEK) for week in weeks)
    return float((len(weeks) / (len(weeks) + 1)) ** (shown + 0.5))


def _shown_between(hours: Mapping[Instant, int], begin: Instant, end: Instant) -> float:
    """Of an hour that lies partly inside, that part of its number."""
    total = 0.0
    hour = begin // HOUR * HOUR
    while hour < end:
        inside = min(end, hour + HOUR) - max(begin, hour)
        total += hours.get(hour, 0) * inside / HOUR
        hour += HOUR
    return total
