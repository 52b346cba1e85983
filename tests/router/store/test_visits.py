"""Visits in the store, on both databases."""

import asyncio
from collections.abc import Awaitable

from pool.database import Database, open_database
from pool.leases import Lease, LeaseWish, SlotWish
from pool.service import Pool
from router.attribution.visit import attribution_of
from router.store.calls import CallStore, VisitsAtCall
from router.store.journeys import JourneyStore
from router.store.visits import MIGRATIONS, Arrival, VisitStore

AT = 1_790_000_000_000


def arrival(at: int, query: str = "", site: str = "shop") -> Arrival:
    found = attribution_of(f"https://shop.example/{query}", "")
    return Arrival(site=site, at=at, attribution=found, channel="Direct", title="Shop", params={"a": "ü"})


async def arrive(database: Database, visitor: str, came: Arrival) -> Lease:
    wish = LeaseWish(came.site, visitor, f"visit-{visitor}-{came.site}-{came.at}", [SlotWish("main")], 900)
    return await Pool(database).lease(wish, came.at, attach=[VisitStore(database).attachment(came)])


async def test_visits_of_one_visitor_are_counted_and_told_apart(database: Database) -> None:
    store = VisitStore(database)
    first = await arrive(database, "v1", arrival(AT, "?utm_source=google&utm_medium=cpc&gclid=1"))
    again = await arrive(database, "v1", arrival(AT + 60_000, "prices"))
    later = await arrive(database, "v1", arrival(AT + 86_400_000))
    assert again.revived
    assert first.visit_id == again.visit_id != later.visit_id

    visit = await store.visit(first.visit_id)
    assert visit is not None
    assert (visit["source"], visit["click_ids"], visit["visit_count"]) == ("google", '{"gclid":"1"}', 1)
    assert (visit["started_at"], visit["last_seen_at"]) == (AT, AT + 60_000)
    assert visit["params"] == '{"a":"ü"}'
    second = await store.visit(later.visit_id)
    assert second is not None
    assert (second["source"], second["visit_count"]) == ("(direct)", 2)
    visitor = await store.visitor("shop", "v1")
    assert visitor is not None
    assert (visitor["visit_count"], visitor["first_source"], visitor["first_at"]) == (2, "google", AT)
    assert visitor["last_seen_at"] == AT + 86_400_000
    assert [row["at"] for row in await store.page_views(first.visit_id)] == [AT, AT + 60_000]


async def test_many_at_once_share_a_transaction(database: Database) -> None:
    came = [arrival(AT + number) for number in range(40)]
    leases = await asyncio.gather(*(arrive(database, f"v{at}", one) for at, one in enumerate(came)))
    store = VisitStore(database)
    for lease in leases:
        assert await store.visit(lease.visit_id) is not None
        assert len(await store.page_views(lease.visit_id)) == 1


async def test_one_visitor_on_two_sites_at_once(database: Database) -> None:
    leases = await asyncio.gather(
        arrive(database, "v1", arrival(AT, site="shop")), arrive(database, "v1", arrival(AT, site="florist"))
    )
    visits = [await VisitStore(database).visit(lease.visit_id) for lease in leases]
    assert sorted(visit["site"] for visit in visits if visit) == ["florist", "shop"]


async def test_a_page_view_told_twice_is_one(database: Database) -> None:
    store = VisitStore(database)
    lease = await arrive(database, "v1", arrival(AT))
    for _ in range(2):
        await store.add_page_view(lease.visit_id, AT + 5, "https://shop.example/\x00" + "x" * 5_000, "T\n")
    views = await store.page_views(lease.visit_id)
    assert [(view["at"], len(view["url"]), view["title"]) for view in views] == [
        (AT, 21, "Shop"),
        (AT + 5, 2048, "T"),
    ]
    visit = await store.visit(lease.visit_id)
    assert visit is not None
    assert visit["last_seen_at"] == AT + 5


async def test_ids_of_analytics_that_come_later(database: Database) -> None:
    store = VisitStore(database)
    one, other = [await arrive(database, visitor, arrival(AT)) for visitor in ("v1", "v2")]
    await asyncio.gather(
        store.set_analytics_ids(one.visit_id, "1.2", "3", ""),
        store.set_analytics_ids(other.visit_id, "", "", "4"),
        store.set_analytics_ids("unknown", "1.2", "3", "4"),
    )
    await store.set_analytics_ids(one.visit_id, "", "5", "")
    visits = [await store.visit(lease.visit_id) for lease in (one, other)]
    ids = [(v["ga_client_id"], v["ga_session_id"], v["metrica_client_id"]) for v in visits if v]
    assert ids[0] == ("1.2", "5", "")
    assert ids[1][2] == "4"


GOOGLE, BING = "?utm_source=google&utm_medium=cpc&gclid=1", "?utm_source=bing&utm_medium=cpc&msclkid=2"


async def test_another_advertisement_within_the_freeze_begins_a_visit(database: Database) -> None:
    store, calls = VisitStore(database), CallStore(database)
    first = await arrive(database, "v1", arrival(AT, GOOGLE))
    await arrive(database, "v1", arrival(AT + 5_000, "prices"))
    again = await arrive(database, "v1", arrival(AT + 60_000, BING))
    await arrive(database, "v1", arrival(AT + 61_000, BING))
    await store.add_page_view(first.visit_id, AT + 70_000, "https://shop.example/contact", "Contact")
    # The lease, and with it the number, stays what it was.
    assert (again.lease_id, again.visit_id, again.revived) == (first.lease_id, first.visit_id, True)

    def told(at: int) -> Awaitable[VisitsAtCall]:
        return calls.visits_at_call(first.visit_id, [first.visit_id], at)

    before, after = await told(AT + 59_999), await told(AT + 75_000)
    assert before.visit is not None
    assert after.visit is not None
    assert (before.renamed, before.visit["visit_id"]) == ({}, first.visit_id)
    assert (before.visit["source"], before.visit["visit_count"]) == ("google", 1)
    assert before.visit["page_called_from"] == "https://shop.example/prices"
    second = after.visit["visit_id"]
    assert after.renamed == {first.visit_id: second}
    assert (after.visit["source"], after.visit["visit_count"]) == ("bing", 2)
    assert (after.visit["first_source"], after.visit["first_at"]) == ("google", AT)
    assert after.visit["page_called_from"] == "https://shop.example/contact"

    assert [row["at"] for row in await store.page_views(first.visit_id)] == [AT, AT + 5_000]
    assert [row["at"] for row in await store.page_views(second)] == [AT + 60_000, AT + 61_000, AT + 70_000]
    stored = [await store.visit(first.visit_id), await store.visit(second)]
    assert [(row["started_at"], row["last_seen_at"]) for row in stored if row] == [
        (AT, AT + 5_000),
        (AT + 60_000, AT + 70_000),
    ]
    visitor = await store.visitor("shop", "v1")
    assert visitor is not None
    assert (visitor["visit_count"], visitor["first_source"]) == (2, "google")
    assert await calls.channel_at(first.visit_id, AT + 75_000) == "Direct"
    # A caller tied to the first visit by an earlier call is told by its name, whatever came later.
    tied = await calls.visits_at_call(first.visit_id, [], AT + 75_000)
    assert tied.visit is not None
    assert tied.visit["visit_id"] == first.visit_id
    assert await calls.visits_at_call(None, ["nobody"], AT) == VisitsAtCall(None, {})


async def test_advertisements_that_come_at_once_are_counted_one_by_one(database: Database) -> None:
    store = VisitStore(database)
    first = await arrive(database, "v1", arrival(AT, GOOGLE))
    came = [arrival(AT + 1_000 + number, f"?gclid=other{number}") for number in range(12)]
    await asyncio.gather(*(arrive(database, "v1", one) for one in came))
    visitor = await store.visitor("shop", "v1")
    assert visitor is not None
    assert visitor["visit_count"] == 13
    journey = await JourneyStore(database).journey("shop", "v1")
    assert journey is not None
    assert sorted(visit["visit_count"] for visit in journey.visits) == list(range(1, 14))
    assert journey.visits[0]["visit_id"] == first.visit_id


async def test_visits_of_one_visitor_by_two_routers_are_counted_once_each(store_url: str) -> None:
    """Two processes, as far as the store can tell."""
    databases = [await open_database(store_url) for _ in range(2)]
    try:
        for database in databases:
            await Pool(database).open()
            await database.migrate("router", MIGRATIONS)
        came = [arrival(AT + number, f"?gclid={number}") for number in range(10)]
        await asyncio.gather(
            *(arrive(databases[number % 2], "v1", one) for number, one in enumerate(came)),
            *(arrive(databases[number % 2], f"w{number}", one) for number, one in enumerate(came)),
        )
        visitor = await VisitStore(databases[0]).visitor("shop", "v1")
        assert visitor is not None
        journey = await JourneyStore(databases[0]).journey("shop", "v1")
        assert journey is not None
        assert sorted(visit["visit_count"] for visit in journey.visits) == list(range(1, 11))
        assert visitor["visit_count"] == 10
        first = next(visit for visit in journey.visits if visit["visit_count"] == 1)
        assert (visitor["first_at"], visitor["first_source"]) == (first["started_at"], first["source"])
    finally:
        for database in databases:
            await database.close()
