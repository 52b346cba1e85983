"""The visits behind calls, on both databases."""

from pool.database import Database
from pool.instants import DAY
from router.attribution.journey import credits
from router.attribution.story import story
from router.store.calls import CallStore
from router.store.journeys import CallerVisitor, JourneyStore
from tests.router.cdr.stored import batch, row

from .test_visits import AT, arrival, arrive


async def test_each_call_gets_its_own_visitors_visits(database: Database) -> None:
    await arrive(database, "v1", arrival(AT, "?utm_source=google&utm_medium=cpc&utm_campaign=boilers"))
    await arrive(database, "v1", arrival(AT + DAY))
    await arrive(database, "v1", arrival(AT + 2 * DAY, "?utm_source=later&utm_medium=email"))
    await arrive(database, "v1", arrival(AT + 60_000, "?utm_source=other-site&utm_medium=x", site="florist"))
    await arrive(database, "v2", arrival(AT, "?utm_source=bing&utm_medium=cpc"))
    calls = [
        CallerVisitor("shop", "v2", AT),
        CallerVisitor("shop", "v1", AT + DAY + 5_000),
        CallerVisitor("shop", "nobody", AT + DAY),
        CallerVisitor("shop", "v1", AT + 5 * DAY),
        CallerVisitor("florist", "v1", AT + 5 * DAY),
        CallerVisitor("shop", "v1", AT - 1),
    ]

    before = await JourneyStore(database).visits_before(calls)

    assert [[visit.source for visit in visits] for visits in before] == [
        ["bing"],
        ["google", "(direct)"],
        [],
        ["google", "(direct)", "later"],
        ["other-site"],
        [],
    ]
    assert before[1][0].campaign == "boilers"
    assert before[1][0].started_at == AT
    assert credits(before[1], "last_non_direct") == [(0, 1.0)]


async def test_visits_beyond_the_lookback_have_no_part(database: Database) -> None:
    for days in (0, 40, 80):
        await arrive(database, "v1", arrival(AT + days * DAY, f"?utm_source=day{days}&utm_medium=cpc"))
    call = CallerVisitor("shop", "v1", AT + 81 * DAY)
    journeys = JourneyStore(database)
    assert len((await journeys.visits_before([call]))[0]) == 3
    (visits,) = await journeys.visits_before([call], lookback_days=41)
    assert [visit.source for visit in visits] == ["day40", "day80"]
    assert await journeys.visits_before([]) == []


async def test_a_journey_reaches_a_callers_other_visitors(database: Database) -> None:
    home = await arrive(database, "home", arrival(AT))
    work = await arrive(database, "work", arrival(AT + DAY))
    await arrive(database, "home", arrival(AT, site="florist"))
    tied = [
        row(1, visitor_id="home", visit_id=home.visit_id, started_at=AT + 5),
        row(2, visitor_id="work", visit_id=work.visit_id, started_at=AT + DAY + 5),
        row(3, site="florist", started_at=AT + 7),
    ]
    await CallStore(database).write(batch(*tied))
    journeys = JourneyStore(database)

    found = await journeys.journey("shop", "home")

    assert found is not None
    assert list(found.visitor_ids) == ["home", "work"]
    assert [visit["visit_id"] for visit in found.visits] == [home.visit_id, work.visit_id]
    assert [len(found.pages[visit["visit_id"]]) for visit in found.visits] == [1, 1]
    assert [call["call_id"] for call in found.calls] == [call["call_id"] for call in tied[:2]]
    told = story(**found._asdict())
    assert [event["kind"] for event in told["events"]] == ["visit", "call", "visit", "call"]
    assert await journeys.journey("florist", "work") is None
    assert await journeys.sites_of("home", ["shop", "florist", "other"]) == ["florist", "shop"]
    assert await journeys.sites_of("nobody", ["shop"]) == []
