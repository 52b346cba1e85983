"""What was offered to the pools is measured from leases, on both stores."""

from __future__ import annotations

from pool.instants import DAY, HOUR, SECOND
from pool.service import Pool
from pool.traffic import offered

from .stock import MINUTE, START, add_numbers, london, wish

MIDDLE = START - START % HOUR + HOUR // 2


async def test_nothing_was_offered_to_an_empty_pool(pool: Pool) -> None:
    assert await offered(pool.database, START, days=7, rest_seconds=60) == []


async def test_arrivals_and_holding_times(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    first = await pool.lease(wish("v1"), MIDDLE)
    await pool.left(first.lease_id, MIDDLE + 1 * MINUTE)  # held for 1 + 15 minutes
    second = await pool.lease(wish("v2"), MIDDLE)
    await pool.left(second.lease_id, MIDDLE + 3 * MINUTE)  # 3 + 15
    await pool.lease(wish("v3"), MIDDLE)  # offered, and found none
    (found,) = await offered(pool.database, MIDDLE + HOUR, days=7, rest_seconds=60)
    assert (found.site, found.pool) == ("shop", "default")
    assert (found.visits_per_hour, found.busiest, found.holds) == (3, 3, 2)
    assert found.hold_minutes == 17 + 1  # and a minute's rest
    assert found.load == 3 * 18 / 60


async def test_the_busy_hour_is_the_mean_of_the_days_busiest(pool: Pool) -> None:
    await add_numbers(pool, *(london(place) for place in range(20)))
    for day, visits in ((0, 1), (1, 4), (3, 2)):
        for place in range(visits):
            at = MIDDLE + day * DAY
            await pool.lease(wish(f"v{day}-{place}"), at)
            await pool.lease(wish(f"v{day}-{place}-b", site="other"), at)
        await pool.lease(wish(f"w{day}"), at - 5 * HOUR)
    at = MIDDLE + 3 * DAY + 10 * SECOND
    other, shop = await offered(pool.database, at, days=3, rest_seconds=0)
    assert (other.site, shop.site) == ("other", "shop")
    assert (shop.visits_per_hour, shop.busiest) == ((4 + 2) / 2, 4)  # the first day is too long ago
    assert shop.holds == 4 + 2 + 2
    assert shop.hold_minutes is not None
    assert 15 <= shop.hold_minutes < 16


async def test_a_hold_that_is_not_over_counts_as_far_as_it_is_known(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish(), MIDDLE)
    (found,) = await offered(pool.database, MIDDLE + 2 * MINUTE, days=1, rest_seconds=0)
    assert found.hold_minutes == 15
    await pool.call_active(london(1), None, MIDDLE + 2 * MINUTE, MIDDLE + 9 * MINUTE)
    (found,) = await offered(pool.database, MIDDLE + 9 * MINUTE, days=1, rest_seconds=0)
    assert found.hold_minutes == 24


async def test_static_numbers_are_no_load(pool: Pool) -> None:
    await add_numbers(pool, f"{london(1)},static,Newspaper", header="number,kind,channel")
    await pool.lease(wish(kind="static", channel="Newspaper"), MIDDLE)
    await pool.lease(wish("v2", kind="main"), MIDDLE)
    assert await offered(pool.database, MIDDLE, days=1, rest_seconds=0) == []
    await pool.lease(wish("v3"), MIDDLE)
    (found,) = await offered(pool.database, MIDDLE, days=1, rest_seconds=0)
    assert (found.visits_per_hour, found.hold_minutes, found.load) == (1, None, None)
