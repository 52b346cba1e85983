"""Erlang's B formula, against its definition, against published figures, and against a simulation."""

from __future__ import annotations

import heapq
import math
import random

import pytest

from pool.sizing import blocking, erlangs, sizes_around, wanted_numbers


@pytest.mark.parametrize(("numbers", "per_cent"), [(10, 21.5), (15, 3.6), (18, 0.7)])
def test_ten_erlangs(numbers: int, per_cent: float) -> None:
    assert blocking(numbers, 10) * 100 == pytest.approx(per_cent, abs=0.06)


@pytest.mark.parametrize("load", [0.1, 1.0, 7.5, 40.0])
@pytest.mark.parametrize("numbers", [0, 1, 5, 50])
def test_the_recursion_is_the_formula(numbers: int, load: float) -> None:
    terms = [load**k / math.factorial(k) for k in range(numbers + 1)]
    assert blocking(numbers, load) == pytest.approx(terms[-1] / math.fsum(terms))


def test_no_load_and_no_numbers() -> None:
    assert blocking(0, 0) == 1
    assert blocking(1, 0) == 0
    assert wanted_numbers(0, 0.01) == 1
    assert wanted_numbers(10, 1) == 0


@pytest.mark.parametrize("most_blocking", [0.5, 0.1, 0.01, 1e-6])
@pytest.mark.parametrize("load", [0.01, 3.0, 10.0, 4000.0])
def test_the_wanted_size_is_the_smallest(load: float, most_blocking: float) -> None:
    wanted = wanted_numbers(load, most_blocking)
    assert blocking(wanted, load) <= most_blocking < blocking(wanted - 1, load)


def test_large_loads_stay_finite() -> None:
    assert 0 < blocking(1_000_000, 1_000_000) < 0.01


def test_sizes_around_have_the_wanted_and_the_present() -> None:
    sizes = sizes_around(10, 18, present=3)
    assert [size.numbers for size in sizes] == [3, 14, 15, 16, 17, 18, 19, 20, 21, 22]
    assert all(size.blocking == blocking(size.numbers, 10) for size in sizes)
    assert [size.numbers for size in sizes_around(0.5, 2)] == [1, 2, 3, 4, 5, 6]
    assert sizes_around(5, 8, present=0)[0] == (0, 1.0)


def test_what_no_traffic_can_be_is_refused() -> None:
    assert erlangs(60, 10) == 10
    for rate, minutes in ((-1, 5), (5, -1), (math.nan, 5), (math.inf, 5), (1e9, 1e9)):
        with pytest.raises(ValueError, match="visits per hour"):
            erlangs(rate, minutes)
    for share in (0, -0.1, 1.1):
        with pytest.raises(ValueError, match="cannot be met"):
            wanted_numbers(5, share)
    with pytest.raises(ValueError, match="there are no -1 numbers"):
        blocking(-1, 5)


def test_a_simulation_blocks_as_much_whatever_the_holding_times_are() -> None:
    chance = random.Random(1)
    for hold in (lambda: 10.0, lambda: chance.expovariate(0.1), lambda: chance.choice((1.0, 19.0))):
        at, blocked, ends = 0.0, 0, []
        for _ in range(60_000):
            at += chance.expovariate(1)
            while ends and ends[0] <= at:
                heapq.heappop(ends)
            if len(ends) < 12:
                heapq.heappush(ends, at + hold())
            else:
                blocked += 1
        assert blocked / 60_000 == pytest.approx(blocking(12, 10), abs=0.01)
