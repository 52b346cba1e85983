"""The sums of reports against a count of the calls themselves, on both databases."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pool.database import Database
from pool.instants import DAY, HOUR
from router.config.model import Config
from router.reports import DIMENSIONS, Filters, Query, Reports
from router.reports.call_days import CallDays
from router.reports.periods import Period
from router.reports.rebuild import Rebuild
from router.reports.tally import QUERIES
from router.store.calls import CallStore
from tests.router.cdr.stored import NOW, batch, row

SITES = ("shop", "florist")
CHOSEN: dict[str, tuple[Any, ...]] = {
    "site": (*SITES, None),
    "channel": ("Google Ads", "Direct", None),
    "source": ("google", "(direct)", None),
    "medium": ("cpc", None),
    "campaign": ("spring", "", None),
    "term": ("boiler", None),
    "landing_page": ("https://shop.example/a?x=1", "https://shop.example/b"),
    "page_called_from": ("https://shop.example/c",),
    "region": ("GB-LND", None),
    "device": ("mobile", "desktop"),
    "number": ("+442079460123", "+442079460124"),
    "answered_by": ("anna", "bert"),
    "result": ("answered", "missed", "busy", "blocked"),
    "match": ("live", "late", "none", "static"),
    "caller": ("+447700900123", "+447700900124", None),
}
CONFIG = Config.model_validate(
    {
        "site": [
            {"key": key, "name": key, "main_number": "+442079460000", "origins": [f"https://{key}.example"]}
            for key in SITES
        ]
    }
)


@st.composite
def calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    last: dict[tuple[Any, Any], int] = {}
    ages = sorted(draw(st.lists(st.integers(0, 9 * 24), min_size=1, max_size=25)), reverse=True)
    for number, age in enumerate(ages):
        columns = {name: draw(st.sampled_from(values)) for name, values in CHOSEN.items()}
        columns["answered_by"] = columns["answered_by"] if columns["result"] == "answered" else None
        started_at = NOW - age * HOUR + number
        caller = columns["site"], columns["caller"]
        made.append(
            row(number)
            | columns
            | {
                "started_at": started_at,
                "before_at": last.get(caller),
                "visit_id": "v" if columns["match"] in {"live", "late"} else None,
                "visitor_id": "w",
                "confidence": draw(st.sampled_from([0.5, 0.75, 1.0])),
                "talk_seconds": draw(st.integers(0, 90_000)) / 1000,
                "qualified": draw(st.integers(0, 1)),
                "first_call": int(caller not in last) if None not in caller else None,
            }
        )
        last[caller] = started_at
    return made


def expected(rows: list[dict[str, Any]], dimension: str, wanted: Query) -> dict[Any, list[float]]:
    """By key: calls, answered, qualified, talk, Σp, callers."""
    found: defaultdict[Any, list[float]] = defaultdict(lambda: [0.0] * 6)
    first = (wanted.period.first - date(1970, 1, 1)).days
    for call in rows:
        day = call["started_at"] // DAY
        if not first <= day < first + wanted.period.days or wanted.site not in (None, call["site"]):
            continue
        told = {name: str(call.get(name) or "") for name in CHOSEN} | {"agent": call["answered_by"] or ""}
        told |= {name: told[name].partition("?")[0].replace("https://", "") for name in PAGES}
        if call["match"] == "none":
            told |= dict.fromkeys(("channel", "source", "medium", "campaign", "term", "landing_page"), "")
        filters = wanted.filters.given()
        unknown = call["match"] == "none" and {*filters} & KNOWN_ONLY
        if unknown or any(told[name] != value for name, value in filters.items()):
            continue
        at = date.fromordinal(day + date(1970, 1, 1).toordinal())
        told |= {"day": at.isoformat(), "weekday": str(at.isoweekday())}
        told["hour"] = f"{call['started_at'] // HOUR % 24:02}"
        key = None if call["match"] == "none" and dimension in KNOWN_ONLY else told[dimension]
        before = call["before_at"]
        new = call["caller"] is not None and call["site"] is not None
        new = new and (before is None or before // DAY < first)
        answered = call["result"] == "answered"
        added = (1, answered, call["qualified"], call["talk_seconds"], call["confidence"], new)
        found[key] = [a + b for a, b in zip(found[key], added, strict=True)]
    return dict(found)


PAGES = ("landing_page", "page_called_from")
KNOWN_ONLY = {"channel", "source", "medium", "campaign", "term", *PAGES, "region", "device"}
PERIODS = st.integers(0, 9).flatmap(
    lambda first: st.integers(0, first).map(
        lambda last: Period(
            date.fromordinal(date(1970, 1, 1).toordinal() + NOW // DAY - first),
            date.fromordinal(date(1970, 1, 1).toordinal() + NOW // DAY - last),
        )
    )
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(["Google Ads", "Direct", ""]),
        "campaign": st.just("spring"),
        "agent": st.sampled_from(["anna", ""]),
        "result": st.just("missed"),
        "device": st.just("mobile"),
    },
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    dimension = draw(st.sampled_from(sorted(DIMENSIONS)))
    return Query(
        dimension,
        draw(PERIODS),
        draw(st.sampled_from([None, "shop"])),
        filters=Filters(**draw(FILTERS)),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=calls(), query=queries(), sizes=st.lists(st.integers(1, 7), min_size=1), summed_at=st.integers(0, 25)
)
async def test_reports_are_what_a_count_of_the_calls_gives(
    database: Database, rows: list[dict[str, Any]], query: Query, sizes: list[int], summed_at: int
) -> None:
    await forget(database)
    store = CallStore(database)
    left = list(rows)
    while left:
        size = sizes[len(left) % len(sizes)]
        await store.write(batch(*left[:size]))
        await store.write(batch(*left[: size + 1]))  # told again, with one more
        left = left[size + 1 :]
        if summed_at % 2 and len(left) < summed_at:  # what comes after it opens its day again
            await CallDays(database, lambda: CONFIG, now=lambda: NOW + DAY).close_days()
    reports = Reports(database, lambda: CONFIG)
    report = await reports.make(query)
    shown = {
        one.key: [
            one.measures.calls,
            one.measures.answered,
            one.measures.qualified,
            one.measures.talk_seconds,
            one.measures.expected,
            one.measures.callers,
        ]
        for one in report.rows
    }
    wanted = expected(rows, query.dimension, query)
    assert shown.keys() == wanted.keys()
    for key, figures in wanted.items():
        assert shown[key] == pytest.approx(figures), (key, report.made_of)
    assert report.total.measures.calls == pytest.approx(sum(figures[0] for figures in wanted.values()))
    assert report.total.measures.callers == pytest.approx(sum(figures[5] for figures in wanted.values()))
    rebuild = Rebuild(database, CONFIG)
    assert await rebuild.check() == []
    await CallDays(database, lambda: CONFIG, now=lambda: NOW + 2 * DAY).close_days()
    assert await rebuild.check() == []
    assert await reports.make(query) == report


def calls_of_one(count: int) -> list[dict[str, Any]]:
    """Calls of one caller, each of which knows of the one before."""
    made = [row(number, match="static") for number in range(count)]
    for before, call in pairwise(made):
        call["before_at"] = before["started_at"]
    return made


async def test_what_differs_is_found_and_made_anew(database: Database) -> None:
    await CallStore(database).write(batch(*calls_of_one(20)))
    rebuild = Rebuild(database, CONFIG)
    days = CallDays(database, lambda: CONFIG, now=lambda: NOW + DAY)
    assert await days.close_days() == 1
    query = Query("number", Period(date(2025, 11, 22), date(2025, 11, 22)))
    reports = Reports(database, lambda: CONFIG)
    whole = (await reports.make(query)).rows
    assert whole[0].measures.calls == 20
    for damage in (
        "UPDATE call_by_value SET talk = talk + 1 WHERE dimension = 'agent'",
        "DELETE FROM call_by_source",
        "DELETE FROM call_credit",
        "UPDATE call_by_value SET value = 'x' WHERE dimension = 'number'",
    ):
        async with database.write() as transaction:
            await transaction.statement(damage)
        assert await rebuild.check() != [], damage
        assert await rebuild.run() == (20 if "credit" in damage else 0)
        assert await rebuild.check() == []
        assert (await reports.make(query)).rows == whole


async def test_calls_that_come_in_during_a_rebuild_are_counted_once(database: Database) -> None:
    store = CallStore(database)
    await store.write(batch(*(row(number) for number in range(60))))

    async def write_more() -> None:
        for number in range(60, 120):
            await store.write(batch(row(number)))

    rebuild = Rebuild(database, CONFIG)
    writing = asyncio.create_task(write_more())
    while not writing.done():
        await rebuild.run()
    await writing
    assert await rebuild.check() == []
    query = Query("site", Period(date(2025, 11, 22), date(2025, 11, 22)))
    assert (await Reports(database, lambda: CONFIG).make(query)).total.measures.calls == 120


async def test_a_day_is_added_up_when_it_is_over_everywhere(database: Database) -> None:
    store = CallStore(database)
    await store.write(batch(row(1)))  # 2025-11-22 13:10 UTC
    site = CONFIG.site[0].model_copy(update={"time_zone": "America/New_York"})  # five hours behind
    config = CONFIG.model_copy(update={"site": (site,)})
    over = (NOW // DAY + 1) * DAY + 6 * HOUR
    assert await CallDays(database, lambda: config, now=lambda: over - 1).close_days() == 0
    assert await summed(database) == 0
    assert await CallDays(database, lambda: config, now=lambda: over).close_days() == 1
    assert await summed(database) == 1_000_000
    assert await CallDays(database, lambda: config, now=lambda: over).close_days() == 0
    await store.write(batch(row(2)))  # late: reports see it at once, the sums when the day is closed again
    query = Query("hour", Period(date(2025, 11, 22), date(2025, 11, 22)))
    assert (await Reports(database, lambda: CONFIG).make(query)).total.measures.calls == 2
    assert await summed(database) == 1_000_000
    assert await CallDays(database, lambda: config, now=lambda: over).close_days() == 1
    assert await summed(database) == 2_000_000
    assert (await Reports(database, lambda: CONFIG).make(query)).total.measures.calls == 2


async def summed(database: Database) -> int:
    """What the sums by source hold, in millionths of calls."""
    async with database.read() as reading:
        found = await reading.fetch(database.queries(QUERIES).source_sums, switch="pbx", day=NOW // DAY)
    return sum(one["calls"] for one in found)


async def test_another_time_zone_moves_calls_to_other_days(database: Database) -> None:
    await CallStore(database).write(batch(row(1)))  # 2025-11-22 13:10 UTC
    site = CONFIG.site[0].model_copy(update={"time_zone": "Pacific/Auckland"})  # 13 hours ahead
    config = CONFIG.model_copy(update={"site": (site,)})
    await Rebuild(database, config).run()
    assert await Rebuild(database, config).check() == []
    query = Query("day", Period(date(2025, 11, 20), date(2025, 11, 25)), site="shop")
    found = await Reports(database, lambda: config).make(query)
    assert [(one.key, one.measures.calls) for one in found.rows] == [("2025-11-23", 1.0)]
    by_hour = await Reports(database, lambda: config).make(replace(query, dimension="hour"))
    assert [one.key for one in by_hour.rows] == ["02"]


async def forget(database: Database) -> None:
    async with database.write() as transaction:
        for table in ("call", "call_credit", "call_by_source", "call_by_value", "open_call_day", "delivery"):
            await transaction.statement(f"DELETE FROM {table}")  # noqa: S608
