"""How many numbers a pool needs: by the traffic offered to it, as telephone exchanges are sized. Pure.

A visit that finds no free number is not kept waiting, it gets none: a loss system. Erlang's B formula gives
the share of visits that find all numbers held, when visits arrive independently of one another:

    B(N, A) = (A^N / N!) / Σ(k = 0…N) A^k / k!

for N numbers and the offered load A in erlangs, visits per hour times the hours that a number is taken by
each. It holds whatever the distribution of the holding times is; only their mean counts (A. K. Erlang,
"Solution of some Problems in the Theory of Probabilities of Significance in Automatic Telephone Exchanges",
Elektroteknikeren 13, 1917). It is computed by the recursion that follows from it, which never overflows:

    B(0, A) = 1,   B(n, A) = A·B(n-1, A) / (n + A·B(n-1, A))
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

MOST_ERLANGS = 1_000_000.0
SIZES_EACH_WAY = 4


class Size(NamedTuple):
    """A number of numbers, and the share of visits that would find all of them held."""

    numbers: int
    blocking: float


def erlangs(visits_per_hour: float, hold_minutes: float) -> float:
    """The offered load: how many numbers would be held on average if there were always one free.

    `hold_minutes`: how long a visit takes a number away from others: visit, freeze and rest. Raises
    ValueError for what no traffic can be.
    """
    load = visits_per_hour * hold_minutes / 60
    if not (visits_per_hour >= 0 and hold_minutes >= 0 and load <= MOST_ERLANGS):
        raise ValueError(
            f"{visits_per_hour} visits per hour holding {hold_minutes} minutes: neither may be negative, and "
            f"at most {MOST_ERLANGS:,.0f} erlangs can be computed"
        )
    return load


def blocking(numbers: int, load: float) -> float:
    """Erlang's B: the share of visits that find all `numbers` held, at `load` erlangs."""
    if numbers < 0:
        raise ValueError(f"there are no {numbers} numbers")
    return next(islice(_recursion(load), numbers, None)).blocking


def wanted_numbers(load: float, most_blocking: float) -> int:
    """The fewest numbers with a blocking of at most `most_blocking` (more than 0, at most 1)."""
    if not 0 < most_blocking <= 1:
        raise ValueError(
            f"a blocking of {most_blocking} cannot be met: more than 0 and at most 1 is expected"
        )
    return next(size.numbers for size in _recursion(load) if size.blocking <= most_blocking)


def sizes_around(load: float, wanted: int, present: int | None = None) -> list[Size]:
    """Sizes around `wanted`, a quarter of the load's standard deviation apart, and the present one."""
    step = max(1, round(math.sqrt(load) / 4))
    chosen = {wanted + place * step for place in range(-SIZES_EACH_WAY, SIZES_EACH_WAY + 1)}
    chosen = {numbers for numbers in chosen if numbers > 0} | ({present} if present is not None else set())
    found = islice(_recursion(load), max(chosen, default=0) + 1)
    return [size for size in found if size.numbers in chosen]


def _recursion(load: float) -> Iterator[Size]:
    """Every size from 0 on."""
    numbers, share = 0, 1.0
    while True:
        yield Size(numbers, share)
        numbers += 1
        share = load * share / (numbers + load * share)
