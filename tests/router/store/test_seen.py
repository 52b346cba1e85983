"""What calls tell, stored with them, and the models learnt from it: on both databases."""

from dataclasses import replace

from pool.database import Database, open_database
from pool.leases import LeaseWish, SlotWish
from pool.past import past_holds
from pool.service import Pool
from router.attribution.call import Seen
from router.attribution.call_model import Model
from router.attribution.countries import Countries, Origin
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.outcome import CallFacts
from router.learning import SiteModels
from router.store.calls import CallStore
from router.store.seen import SeenStore, seen_row
from tests.router.cdr.stored import NOW, batch, row

MINUTE = 60_000
OLD_ROW = "INSERT INTO call_seen VALUES ('shop', {at}, 'old', '[[],[[0,2.5e-06]],0.0,1e-12,1.0,2]')"
SEEN = Seen(NOW - 90_000, ((1, 0.0031415926), (6, 1e-9)), ((0, 2.5e-6),), 0.0, 1e-12, 1.0, 2)


def told(number: int, seen: Seen, **more: object):
    call = row(number, **more)
    return call, seen_row("shop", call["call_id"], seen)


async def write(database: Database, *calls) -> None:
    rows, seen = zip(*calls, strict=True)
    await CallStore(database).write(batch(*rows, seen=seen))


async def test_it_is_kept_once_a_call(database: Database) -> None:
    store = SeenStore(database)
    await write(database, told(1, SEEN), told(2, SEEN._replace(at=NOW - 50_000)))
    # The same call read again, under another id.
    await write(database, told(9, SEEN._replace(at=NOW - 10_000), linkedid=row(1)["linkedid"]))
    latest = await store.latest("shop", 0, 10)
    assert [one.at for one in latest] == [NOW - 50_000, NOW - 90_000]
    assert latest[1] == SEEN._replace(soon=((1, 0.00314159), (6, 1e-9)))
    assert await store.latest("shop", NOW - 60_000, 10) == latest[:1]
    assert await store.latest("shop", 0, 1) == latest[:1]
    assert await store.by_site() == [("shop", 2, NOW - 50_000)]
    await store.forget("shop", NOW - 60_000)
    assert await store.latest("shop", 0, 10) == latest[:1]
    assert seen_row(None, "id", SEEN) is seen_row("shop", "id", None) is None


async def test_what_a_call_told_is_read_as_it_was_written(database: Database) -> None:
    told_all = SEEN._replace(at=NOW - 1, soon=(), short=True, origin=Origin("FR", 0.25, 0.5))
    told_talk = SEEN._replace(at=NOW - 2, soon=(), short=False)
    told_origin = SEEN._replace(at=NOW - 3, soon=(), origin=Origin("GB", 0.0, 1.0))
    kept = [told_all, told_talk, told_origin]
    await write(database, *(told(number, seen) for number, seen in enumerate(kept)))
    # As earlier versions wrote it.
    async with database.write() as transaction:
        await transaction.statement(OLD_ROW.format(at=NOW - 4))
    plain = SEEN._replace(at=NOW - 4, soon=())
    assert await SeenStore(database).latest("shop", 0, 10) == [*kept, plain]


async def test_countries_are_learnt_from_the_store(database: Database, tmp_path) -> None:
    await shown(database, tmp_path, country="FR")
    calls = [
        SEEN._replace(at=NOW - 50 * MINUTE + place, origin=Origin("GB" if place else "FR", 0.0, 0.9))
        for place in range(40)
    ]
    await write(database, *(told(number, seen) for number, seen in enumerate(calls)))
    countries = (await models(database).learn("shop", NOW)).model.countries
    # All visitors were in France, and nearly all callers have British phones.
    assert countries.mix["GB"] > countries.mix["FR"] > 0.3
    assert countries.at_home < 0.3


def models(database: Database) -> SiteModels:
    return SiteModels(
        SeenStore(database),
        lambda site, since_at, at: past_holds(database, site, since_at, at),
        lookback_seconds=72 * 3600,
    )


async def shown(database: Database, tmp_path, country: str = "") -> None:
    """Twenty numbers, each held for five minutes by somebody who saw it."""
    pool = Pool(database)
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("number\n" + "".join(f"+4420794601{place:02}\n" for place in range(20)))
    at = NOW - 60 * MINUTE
    await pool.import_csv(numbers, at, default_country="GB")
    for place in range(20):
        wish = LeaseWish(
            "shop", f"visitor-{place}", f"visit-{place}", [SlotWish("main")], 900, country=country
        )
        lease = await pool.lease(wish, at)
        await pool.seen(lease.lease_id, at, shown=place != 0, tel_click=place == 1)
        await pool.left(lease.lease_id, at + 5 * MINUTE)


async def test_a_model_is_learnt_from_the_store_and_again_after_a_restart(
    database: Database, store_url: str, tmp_path
) -> None:
    await shown(database, tmp_path)
    first = models(database)
    assert (await first.learn("shop", NOW)).calls == 0
    assert first.model("shop") == first.prior
    # Ten of twenty visits called within two minutes.
    quick = first.prior.sign(shown_for=90, gone_for=0, shown=True)
    seen = Seen(
        NOW - 58 * MINUTE, ((quick.stage, quick.soon),), ((quick.later_stage, quick.late),), 0, 0, 1, 1
    )
    await write(database, *(told(number, seen._replace(at=seen.at + number)) for number in range(10)))
    done = await first.learn("shop", NOW)
    assert (done.calls, done.visits, done.clicks) == (10, 20, 1)
    assert done.model.calls_per_visit > 5 * first.prior.calls_per_visit
    assert first.model("shop") == done.model
    assert first.model("other") == first.model(None) == first.prior
    again = await open_database(store_url)
    try:
        assert (await models(again).learn("shop", NOW)).model == done.model
    finally:
        await again.close()


async def test_the_past_of_a_sites_numbers(database: Database, tmp_path) -> None:
    await shown(database, tmp_path, country="IE")
    past = await past_holds(database, "shop", NOW - 120 * MINUTE, NOW)
    assert len(past.holds) == 20
    assert past.each == 1
    assert sum(past.first_held.values()) == 20
    assert all(hold.gone_at == NOW - 55 * MINUTE for hold in past.holds)
    assert {hold.country for hold in past.holds} == {"IE"}
    assert [hold.clicked for hold in past.holds].count(True) == 1
    assert [hold.shown for hold in past.holds].count(False) == 1
    assert (await past_holds(database, "other", 0, NOW)).holds == []
    assert (await past_holds(database, "shop", NOW - MINUTE, NOW)).holds == []


def call_facts(name: str, number: str, at: int) -> CallFacts:
    """A call of a moment, as the journal tells it."""
    return CallFacts(
        linkedid=name,
        dialed=number,
        number=number,
        site="shop",
        extension=None,
        caller_number=f"+44770090{name}",
        caller_name="",
        started_us=at * 1000,
        answered_us=None,
        ended_us=at * 1000,
        ring_seconds=0.0,
        talk_seconds=0.0,
        result="missed",
        answered_by=None,
        hung_up_by="caller",
        legs=(),
        transfers=(),
        recording=None,
        decided_in_ms=1.0,
        by_router=True,
        repaired=None,
    )


async def test_calls_are_judged_by_what_earlier_calls_told(database: Database, tmp_path) -> None:
    """From the call to its record, to the model, and to the next call's confidence."""
    await shown(database, tmp_path)
    learning = models(database)
    pool = Pool(database)
    enricher = Enricher(
        "pbx",
        pool,
        CallStore(database),
        rules=lambda site: SiteRules(model=learning.model(site)),
        e164=lambda digits: digits if digits.startswith("+") else None,
        site_of=lambda number, record: "shop",
        now=lambda: NOW,
    )
    late = call_facts("0099", "+442079460119", NOW)
    before = (await enricher.finished(late)).cdr
    for place in range(2, 12):
        facts = call_facts(f"00{place:02}", f"+4420794601{place:02}", NOW - 58 * MINUTE + place)
        finished = await enricher.finished(facts)
        assert finished.cdr["attribution"].get("visit_id") == f"visit-{place}"
        row_seen = seen_row("shop", finished.cdr["id"], finished.seen)
        assert row_seen is not None
        await CallStore(database).write(batch(finished.row, seen=[row_seen]))
    done = await learning.learn("shop", NOW)
    assert (done.calls, done.visits) == (10, 20)
    after = (await enricher.finished(late)).cdr
    assert before["candidates"] != after["candidates"]
    # A call of a few seconds, later of minutes: rather a wrong number, rather the visitor.
    brief, long = [
        (await enricher.finished(replace(late, answered_us=NOW * 1000, talk_seconds=talk))).cdr
        for talk in (6.0, 180.0)
    ]
    assert share(brief, "visit-19") < share(after, "visit-19") < share(long, "visit-19")
    # So many of the site's visits call that this one's holder is likelier to have called.
    assert share(after, "visit-19") > share(before, "visit-19")


async def test_a_caller_is_rather_the_visitor_of_the_same_country(database: Database, tmp_path) -> None:
    """Two visitors, half of each country, held the number one after the other; then a French phone calls."""
    pool = Pool(database, rest_seconds=0)
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("number\n+442079460101\n")
    await pool.import_csv(numbers, NOW - 60 * MINUTE, default_country="GB")
    for place, country in enumerate(("FR", "GB")):
        at = NOW - (30 - 15 * place) * MINUTE
        wish = LeaseWish(
            "shop", f"visitor-{place}", f"visit-{place}", [SlotWish("main")], 60, country=country
        )
        lease = await pool.lease(wish, at)
        await pool.seen(lease.lease_id, at, shown=True)
        await pool.left(lease.lease_id, at + 10 * MINUTE)
    model = replace(Model(), countries=Countries(0.9, {"GB": 0.5, "FR": 0.5}))
    enricher = Enricher(
        "pbx",
        pool,
        CallStore(database),
        rules=lambda site: SiteRules(model=model),
        e164=lambda digits: digits,
        site_of=lambda number, record: "shop",
        now=lambda: NOW,
    )
    facts = call_facts("0001", "+442079460101", NOW)
    french = await enricher.finished(replace(facts, caller_number="+33639980001"))
    british = await enricher.finished(facts)
    assert french.cdr["caller"]["region"] == "FR"
    assert share(french.cdr, "visit-0") > 3 * share(british.cdr, "visit-0")
    assert share(french.cdr, "visit-1") < share(british.cdr, "visit-1") / 3
    assert french.seen is not None
    assert french.seen.origin is not None
    assert french.seen.origin.caller == "FR"


def share(cdr, visit: str) -> float:
    return sum(one["probability"] for one in cdr["candidates"] if one["visit_id"] == visit)
