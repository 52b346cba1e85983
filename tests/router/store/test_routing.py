"""Holders and agents as redirect plans ask for them, on both databases."""

from pool.database import Database
from pool.leases import Lease, LeaseWish, SlotWish
from pool.service import Pool
from router.attribution.visit import attribution_of
from router.store.calls import CallStore
from router.store.routing import Holder, RoutingStore
from router.store.visits import Arrival, VisitStore

from ...pool.stock import add_numbers
from ..cdr.stored import batch, row

AT = 1_790_000_000_000
MINUTE = 60_000
CALLER = "+447700900123"


async def shown(database: Database, visitor: str, at: int, channel: str, region: str) -> Lease:
    came = Arrival(
        site="shop",
        at=at,
        attribution=attribution_of("https://shop.example/", ""),
        channel=channel,
        region=region,
        title="",
        params={},
    )
    wish = LeaseWish("shop", visitor, f"visit-{visitor}", [SlotWish("main", channel=channel)], 900)
    return await Pool(database).lease(wish, at, attach=[VisitStore(database).attachment(came)])


async def test_who_was_shown_a_number_last_as_seen_from_an_instant(database: Database) -> None:
    await add_numbers(Pool(database), "+442079460100", at=AT)
    store = RoutingStore(database)
    first = await shown(database, "v1", AT, "Google Ads", "GB-ENG")
    [slot] = first.slots
    assert slot.number == "+442079460100"
    assert await store.holder(slot.number, "", AT - 1) is None
    assert await store.holder(slot.number, "", AT) == Holder("main", "Google Ads", "GB-ENG", AT)
    assert await store.holder(slot.number, "4711", AT) is None
    await Pool(database).left(first.lease_id, AT + MINUTE)
    await shown(database, "v2", AT + 60 * MINUTE, "Newspaper", "")
    found = await store.holder(slot.number, "", AT + 61 * MINUTE)
    assert found == Holder("main", "Newspaper", "", AT + 60 * MINUTE)
    before = await store.holder(slot.number, "", AT + 59 * MINUTE)
    assert before == Holder("main", "Google Ads", "GB-ENG", AT + MINUTE)


async def test_a_keyed_codes_holder(database: Database) -> None:
    header = "number,kind,site"
    await add_numbers(Pool(database), "+442079460500,extension,shop", at=AT, header=header)
    [slot] = (await shown(database, "v1", AT, "Google Ads", "")).slots
    assert slot.number == "+442079460500"
    assert slot.extension
    store = RoutingStore(database)
    assert await store.holder(slot.number, slot.extension, AT) == Holder("main", "Google Ads", "", AT)
    assert await store.holder(slot.number, "", AT) is None


async def test_who_answered_a_callers_calls(database: Database) -> None:
    rows = [
        row(1, started_at=AT, answered_by="PJSIP/agent1"),
        row(2, started_at=AT + MINUTE),
        row(3, started_at=AT + 2 * MINUTE, answered_by="PJSIP/agent2", caller="+447700900999"),
        row(4, started_at=AT + 3 * MINUTE, answered_by="PJSIP/agent3", site="other"),
    ]
    await CallStore(database).write(batch(*rows))
    store = RoutingStore(database)
    assert await store.agents("shop", CALLER, AT + 9 * MINUTE) == [None, "PJSIP/agent1"]
    assert await store.agents("shop", CALLER, AT + MINUTE) == ["PJSIP/agent1"]
    assert await store.agents("shop", CALLER, AT) == []
