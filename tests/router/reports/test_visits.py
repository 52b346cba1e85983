"""Visits in reports: the same whether counted when asked for or when their day was over."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pool.database import Database
from pool.instants import DAY, HOUR, now
from pool.service import Pool
from router.config.model import Config
from router.reports import Query, Reports, period
from router.reports.periods import number_of, today_in
from router.reports.visit_days import VisitDays
from tests.router.store.test_visits import arrival, arrive

ZONE = ZoneInfo("Asia/Kolkata")  # half an hour off: days begin at 18:30 UTC
CONFIG = Config.model_validate(
    {
        "site": [
            {
                "key": "shop",
                "name": "Shop",
                "main_number": "+442079460000",
                "origins": ["https://shop.example"],
                "time_zone": "Asia/Kolkata",
            }
        ]
    }
)
TODAY = today_in(ZONE, now())
MIDNIGHT = int(datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZONE).timestamp() * 1000)


def figures(report: Any) -> dict[Any, Iterator[Any]]:
    names = ("visits", "visitors", "unique_visitors", "new_visitors", "visits_with_number", "visits_shown")
    shown = (*report.rows, report.total)
    return {one.label: tuple(getattr(one.measures, name) for name in names) for one in shown}


@pytest.fixture
async def visited(database: Database) -> Database:
    """Three days: v1 comes on each, v2 twice on one of them."""
    ads = "boilers?utm_source=google&utm_medium=cpc&gclid=a"
    pool = Pool(database)
    numbers = CONFIG.site[0].main_number
    assert numbers
    for days in (3, 2, 1):
        begin = MIDNIGHT - days * DAY
        lease = await arrive(database, "v1", arrival(begin + 5 * 60_000, ads))
        if days == 2:
            await pool.seen(lease.lease_id, begin + 6 * 60_000, shown=True)
            await arrive(database, "v2", arrival(begin + 10 * HOUR, "?utm_source=bing&utm_medium=cpc"))
            await arrive(database, "v2", arrival(begin + 20 * HOUR, ads.replace("=a", "=b")))
    return database


async def test_closed_days_tell_the_same_as_the_visits(visited: Database) -> None:
    reports = Reports(visited, lambda: CONFIG)
    chosen = period("7d", TODAY)
    dimensions = ("channel", "source", "term", "landing_page", "device", "hour", "day", "weekday", "site")
    before = {name: figures(await reports.make(Query(name, chosen, "shop"))) for name in dimensions}
    assert before["source"] == {
        "google": (4, 3, 1, 1, 0, 1),
        "bing": (1, 1, 1, 1, 0, 0),
        "Total": (5, 4, 2, 2, 0, 1),
    }
    assert before["hour"]["00:00"][0] == 3
    assert set(before["landing_page"]) == {"shop.example/boilers", "shop.example", "Total"}
    days = VisitDays(visited, lambda: CONFIG, now=lambda: MIDNIGHT + 2 * HOUR)
    assert await days.close_days() == 3
    assert await days.close_days() == 0
    for name in dimensions:
        assert figures(await reports.make(Query(name, chosen, "shop"))) == before[name], name
    async with visited.write() as transaction:
        await transaction.statement("DELETE FROM visit")
    after = await reports.make(Query("source", chosen, "shop"))
    assert figures(after)["google"] == (4, 3, None, 1, 0, 1)
    assert "unique visitors cannot be told: visits of this period are no longer stored" in after.notes


async def test_a_day_is_not_closed_before_it_is_over_for_an_hour(visited: Database) -> None:
    at = MIDNIGHT - DAY + HOUR - 1
    assert await VisitDays(visited, lambda: CONFIG, now=lambda: at).close_days() == 1
    assert await VisitDays(visited, lambda: CONFIG, now=lambda: at + 1).close_days() == 1


async def test_two_processes_count_a_day_once(visited: Database) -> None:
    first = VisitDays(visited, lambda: CONFIG, now=lambda: MIDNIGHT + 2 * HOUR)
    second = VisitDays(visited, lambda: CONFIG, now=lambda: MIDNIGHT + 2 * HOUR)
    assert await first.close_days() + await second.close_days() == 3
    await first.recount("shop", number_of(TODAY) - 1, ZONE)
    report = await Reports(visited, lambda: CONFIG).make(Query("site", period("7d", TODAY), "shop"))
    assert report.total.measures.visits == 5
