"""How full the pools were, from real leases, on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pool.database import Database
from pool.instants import DAY, HOUR, to_iso
from pool.service import Pool
from router.reports.periods import Period
from router.reports.pool import PoolAnswer, pool_report
from router.reports.pool_use import LONGEST_STEP_SECONDS, Span, pool_use, step_of
from tests.pool.stock import MINUTE, START, add_numbers, london, wish

DAY_AT = START - START % DAY + DAY
NOON = DAY_AT + 12 * HOUR
UTC_ZONE = ZoneInfo("UTC")
TODAY = Period(
    datetime.fromtimestamp(DAY_AT / 1000, UTC).date(), datetime.fromtimestamp(DAY_AT / 1000, UTC).date()
)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = Pool(database, sweep_seconds=0)
    await add_numbers(pool, london(1), london(2), london(3), london(4))
    first = await pool.lease(wish("v1"), NOON + MINUTE)
    await pool.left(first.lease_id, NOON + 11 * MINUTE)  # and a freeze of 15 minutes
    second = await pool.lease(wish("v2", site="florist"), NOON + 14 * MINUTE)
    await pool.left(second.lease_id, NOON + 18 * MINUTE)
    return pool


async def report(inventory: Pool, *, at: int = DAY_AT + DAY, keep_days: int = 90, **only: str) -> PoolAnswer:
    return await pool_report(inventory, TODAY, UTC_ZONE, at=at, keep_days=keep_days, **only)


async def test_the_most_that_were_held_and_when(pool: Pool) -> None:
    answer = await report(pool)
    (default,) = answer["occupancy"]["pools"]
    assert (answer["occupancy"]["first_at"], answer["occupancy"]["step_seconds"]) == (to_iso(DAY_AT), 300)
    assert len(default["held"]) == 288
    noon = 12 * 12
    # Until minutes 26 and 33.
    assert default["held"][noon - 1 : noon + 9] == [0, 0, 1, 1, 2, 2, 2, 1, 0, 0]
    assert sum(count or 0 for count in default["held"]) == 9
    assert (default["peak"], default["peak_at"]) == (2, to_iso(NOON + 15 * MINUTE))
    assert (default["numbers"], default["peak_use"], default["mean"]) == (4, 0.5, round(9 / 288, 2))
    assert [(hour["hour"], hour["held"]) for hour in answer["hours"]] == [(to_iso(NOON), 2)]
    assert answer["total"]["held"] == 2


async def test_one_site_and_one_pool(pool: Pool) -> None:
    (default,) = (await report(pool, site="florist"))["occupancy"]["pools"]
    assert (default["peak"], default["peak_at"]) == (1, to_iso(NOON + 15 * MINUTE))
    nothing = await report(pool, pool="none")
    assert (nothing["occupancy"]["pools"], nothing["total"]["held"]) == ([], 0)


async def test_what_is_not_known_is_null(pool: Pool) -> None:
    at = NOON + 12 * MINUTE
    (default,) = (await report(pool, at=at))["occupancy"]["pools"]
    assert default["held"][12 * 12 : 12 * 12 + 4] == [0, 1, 1, None]
    late = await report(pool, at=NOON + 5 * DAY + 12 * MINUTE, keep_days=5)
    (default,) = late["occupancy"]["pools"]
    assert default["held"][12 * 12 + 2 : 12 * 12 + 4] == [None, 2]
    assert (await report(pool, at=DAY_AT + 9 * DAY, keep_days=3))["total"]["held"] is None
    (default,) = (await report(pool, at=DAY_AT - 1))["occupancy"]["pools"]
    assert (default["peak"], default["peak_use"], default["mean"]) == (None, None, None)


async def test_longer_periods_have_longer_steps(pool: Pool) -> None:
    for days, step in ((1, 300), (28, 900), (90, 3600)):
        span = Span(DAY_AT - (days - 1) * DAY, DAY_AT + DAY, 0, DAY_AT + DAY)
        assert step_of(span) == step
        answer, by_hour = await pool_use(pool, span)
        (default,) = answer["pools"]
        assert len(default["held"]) == days * DAY // 1000 // step
        assert by_hour.keys() == set(range(span.since_at, span.until_at, HOUR))
        assert default["peak"] == (0 if step == LONGEST_STEP_SECONDS else 2)  # between two moments of an hour
