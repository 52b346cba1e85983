"""How many numbers were held follows from the leases, on both stores."""

from __future__ import annotations

from pool.instants import HOUR
from pool.leases import Rung
from pool.occupancy import occupancy
from pool.service import Pool

from .stock import MINUTE, START, add_numbers, london, wish

HOUR_AT = START - START % HOUR + HOUR


async def test_nothing_was_held_in_an_empty_pool(pool: Pool) -> None:
    assert await occupancy(pool.database, START, hours=24, step_seconds=900) == {}


async def test_numbers_are_held_from_the_lease_to_the_end_of_the_freeze(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    first = await pool.lease(wish("v1"), HOUR_AT + 1 * MINUTE)
    await pool.left(first.lease_id, HOUR_AT + 6 * MINUTE)  # and a freeze of 15 minutes
    await pool.lease(wish("v2"), HOUR_AT + 12 * MINUTE)
    await pool.lease(wish("v3"), HOUR_AT + 13 * MINUTE)  # finds none
    found = (await occupancy(pool.database, HOUR_AT + HOUR, hours=1, step_seconds=600))["default"]
    assert found.instants == [HOUR_AT + step * 10 * MINUTE for step in range(1, 7)]
    assert found.held == [1, 2, 0, 0, 0, 0]  # until minutes 21 and 27
    assert found.served == {HOUR_AT: {Rung.BASE: 2, Rung.MAIN: 1}}


async def test_who_held_a_number_before_the_period_still_holds_it(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    lease = await pool.lease(wish("v1"), HOUR_AT)
    for minute in range(100):
        await pool.seen(lease.lease_id, HOUR_AT + minute * MINUTE)
    at = HOUR_AT + 100 * MINUTE
    found = (await occupancy(pool.database, at, hours=1, step_seconds=1_200))["default"]
    assert found.held == [1, 1, 1]


async def test_a_sites_visitors_alone(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2), london(3))
    for number, site in enumerate(("shop", "shop", "florist")):
        await pool.lease(wish(f"v{number}", site=site), HOUR_AT)
    for site, held in (("shop", 2), ("florist", 1), (None, 3)):
        found = await occupancy(pool.database, HOUR_AT + 600_000, hours=1, step_seconds=600, site=site)
        assert found["default"].held[-1] == held
    assert (await occupancy(pool.database, HOUR_AT, hours=1, step_seconds=600, site="none")).keys() <= {
        "default"
    }
