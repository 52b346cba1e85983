"""How sure a number of calls is.

Each call's credit is right with the probability p that the attribution states, so the rightly credited calls
of a row are a sum of independent Bernoulli variables: the Poisson binomial distribution, with mean Σp and
variance Σp(1-p). Its normal approximation needs those two sums only (Y. Hong, "On computing the distribution
function for the Poisson binomial distribution", Computational Statistics & Data Analysis 59, 2013).
"""

import math
from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """From `low` to `high` calls."""

    low: float
    high: float


def credited_interval(calls: float, expected: float, variance: float, level: float = 0.95) -> Interval:
    """The rightly credited of `calls`, with probability `level`; `expected` is Σp, `variance` Σp(1-p).

    Half a call is added on both sides (continuity correction), and no more than all and no less than none
    can be right. Without variance the interval is `expected` itself.
    """
    if variance <= 0:
        return Interval(expected, expected)
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance) + 0.5
    return Interval(max(0.0, expected - half), min(calls, expected + half))
