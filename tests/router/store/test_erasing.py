"""One person erased from everything that is stored, on both databases."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pool.database import Database
from pool.instants import DAY, HOUR
from pool.service import Pool
from router.config.live import LiveConfig
from router.config.model import Config
from router.erasing import Erasing
from router.reports import Query, Reports
from router.reports.periods import Period
from router.reports.rebuild import Rebuild
from router.store.calls import CallFilter, CallStore, SeenRow
from router.store.deliveries import ERASED, MAY_HAVE_ARRIVED, DeliveryFilter, DeliveryStore, Finished
from router.store.erasing import Erased, ErasingStore
from router.store.journeys import JourneyStore
from router.store.recordings import Recording, RecordingStore
from router.store.visits import VisitStore
from tests.router.cdr.stored import batch, row
from tests.router.cdr.test_blanking import PERSONAL, record

from .test_visits import AT, BING, arrival, arrive

NUMBER = "+442079460001"
ME, OTHER = "visitor77", "other"


def call(
    number: int, visitor: str | None = None, caller: str | None = PERSONAL["number"], **more: Any
) -> dict[str, Any]:
    stored = row(number, visitor_id=visitor, caller=caller, visit_id=visitor and f"{visitor}-visit", **more)
    told = record(stored["call_id"])
    told["caller"]["number"] = caller
    told["attribution"]["visitor_id"] = visitor
    told["candidates"][0]["visitor_id"] = visitor
    return stored | {"record": json.dumps(told)}


@pytest.fixture
async def pool(database: Database, tmp_path: Path) -> Pool:
    pool = Pool(database, sweep_seconds=0)
    (tmp_path / "n.csv").write_text(f"number\n{NUMBER}\n", encoding="utf-8")
    await pool.import_csv(tmp_path / "n.csv", AT - DAY, default_country=None)
    return pool


async def test_a_visitor_is_erased_and_the_calls_still_count(database: Database, pool: Pool) -> None:
    store, visits = ErasingStore(database, pool), VisitStore(database)
    lease = await arrive(database, ME, arrival(AT))
    await arrive(database, ME, arrival(AT + 60_000, BING))
    await arrive(database, ME, arrival(AT, site="florist"))
    other = await arrive(database, OTHER, arrival(AT + HOUR))
    mine, theirs = call(1, ME), call(2, OTHER, "+442079460888")
    told = json.loads(theirs["record"])
    told["candidates"][1]["visitor_id"] = ME
    theirs["record"] = json.dumps(told)
    await CallStore(database).write(batch(mine, theirs))

    person = await store.of_visitor(ME, ["shop"])
    assert await store.erase(person, AT + DAY, recordings=False) == Erased(1, 2, 2, 1, 1, 1)

    assert await visits.visitor("shop", ME) is None
    assert await visits.visit(lease.visit_id) is None
    assert await JourneyStore(database).journey("shop", ME) is None
    assert await visits.visitor("florist", ME) is not None
    assert await visits.visit(other.visit_id) is not None
    records, _ = await CallStore(database).page(CallFilter())
    assert len(records) == 2
    assert all(ME not in text for text in records)
    told = {one["id"]: one for one in map(json.loads, records)}
    assert told[mine["call_id"]]["caller"]["number"] is None
    assert told[theirs["call_id"]]["caller"]["number"] == "+442079460888"
    # The number is still held, by somebody whose name nobody knows.
    (held,) = [
        one
        for one in await pool.holders(NUMBER, None, AT + 90_000, lookback_seconds=0)
        if one.state == "live"
    ]
    assert held.lease_id == lease.lease_id
    assert (held.visitor_id, held.visit_id) != (ME, lease.visit_id)
    # Pages of a tab that is still open belong to nobody.
    await visits.add_page_view(held.visit_id, AT + 95_000, "https://shop.example/jo", "Jo")
    assert await visits.page_views(held.visit_id) == []


async def test_a_caller_is_erased_with_the_visitors_behind_the_calls(database: Database, pool: Pool) -> None:
    store = ErasingStore(database, pool)
    for visitor in (ME, OTHER):
        await arrive(database, visitor, arrival(AT))
    mine = [call(1, ME), call(2), call(3, ME, "+442079460999"), call(4, site="florist")]
    await CallStore(database).write(batch(*mine, call(5, OTHER, "+442079460888")))

    at_shop = await store.of_caller(PERSONAL["number"], "shop")
    assert (list(at_shop.visitors), len(at_shop.calls)) == ([("shop", ME)], 3)
    person = await store.of_caller(PERSONAL["number"], None)
    erased = await store.erase(person, AT, recordings=False)
    assert (erased.visitors, erased.visits, erased.calls) == (1, 1, 4)

    records, _ = await CallStore(database).page(CallFilter())
    assert sum(PERSONAL["number"] in text for text in records) == 0
    assert [json.loads(text)["caller"]["number"] for text in records].count("+442079460888") == 1
    assert await store.of_caller(PERSONAL["number"], None) == ([], [])
    assert await VisitStore(database).visitor("shop", OTHER) is not None


COUNTING = ("call_credit", "call_by_source", "call_by_value", "call_seen")
STATES = ("due", "retried", "sending", "sent", "accepted", "dead", "unclear")


async def test_deliveries_of_an_erased_call_are_not_sent_and_quote_nothing(
    database: Database, pool: Pool
) -> None:
    deliveries = DeliveryStore(database)
    mine, theirs = call(1, ME), call(2, OTHER, "+442079460888")
    await CallStore(database).write(batch(mine, theirs, told=STATES))
    quoted = f"200 you sent {PERSONAL['number']}"
    for name in STATES[1:]:
        claimed = await deliveries.claim(name, "run", AT, 10)
        assert len(claimed) == 2
        if name != "sending":
            state: Any = "due" if name == "retried" else name
            upload = "job-1" if name == "accepted" else None
            done = [Finished(one.call_id, state, 1, AT, AT, quoted, quoted, upload) for one in claimed]
            await deliveries.finish(name, "run", AT, done)
    await ErasingStore(database, pool).erase(
        await ErasingStore(database).of_visitor(ME, ["shop"]), AT, recordings=False
    )

    # Who was just sending, and what is judged later, has nothing to say any more.
    late = Finished(mine["call_id"], "due", 1, AT, None, quoted, quoted)
    await deliveries.finish("sending", "run", AT, [late, late._replace(call_id=theirs["call_id"])])
    await deliveries.finish_upload("accepted", "job-1", "refused", answer=quoted, reason=quoted, at=AT)
    shown, _ = await deliveries.page(DeliveryFilter(call=mine["call_id"]))
    assert PERSONAL["number"] not in json.dumps(shown)
    assert {one["destination"]: (one["state"], one["reason"]) for one in shown} == {
        "due": ("skipped", ERASED),
        "retried": ("skipped", ERASED),
        "sending": ("skipped", MAY_HAVE_ARRIVED),
        "sent": ("sent", ERASED),
        "accepted": ("skipped", MAY_HAVE_ARRIVED),
        "dead": ("skipped", ERASED),
        "unclear": ("skipped", MAY_HAVE_ARRIVED),
    }
    for name in STATES:
        assert not await deliveries.retry(mine["call_id"], name, AT)
        assert await deliveries.retry(theirs["call_id"], name, AT)
        assert [one.call_id for one in await deliveries.claim(name, "next", AT, 10)] == [theirs["call_id"]]


async def test_reports_count_an_erased_call_as_before_and_hold_nothing_of_the_person(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    await arrive(database, ME, arrival(AT))
    mine = [
        call(
            number, ME, site="shop", match="live", result="answered", channel="Google Ads", source="google",
            region="GB-LND", landing_page=PERSONAL["landing"], page_called_from=PERSONAL["page_called_from"],
        )
        for number in range(3)
    ]  # fmt: skip
    seen = [SeenRow("shop", AT, mine[0]["call_id"], "[[],[],0.5,0.1,0.1,1]")]
    await CallStore(database).write(batch(*mine, call(9, OTHER, "+442079460888"), seen=seen))
    at_all_times = Period(date(2025, 1, 1), date(2026, 12, 31))

    async def counted() -> list[Any]:
        reports = Reports(database, Config)
        made = [
            await reports.make(Query(name, at_all_times, "shop"))
            for name in ("channel", "landing_page", "page_called_from", "region", "number")
        ]
        # A visitor who is gone is no visitor; calls stay.
        return [
            [(row.key, row.measures.calls, row.measures.callers, row.measures.answered) for row in one.rows]
            for one in made
        ]

    before = await counted()
    assert before[0][0][1] == 3
    await ErasingStore(database, pool).erase(
        await ErasingStore(database).of_visitor(ME, ["shop"]), AT, recordings=False
    )
    assert await counted() == before
    rebuild = Rebuild(database, Config(), lambda *told: None)
    assert await rebuild.check() == []
    await rebuild.run()
    assert await counted() == before
    (tmp_path / "all.sql").write_text(
        "".join(f"-- name: every_{table}()\nSELECT * FROM {table};\n\n" for table in COUNTING), "utf-8"
    )
    everything = database.queries(tmp_path)
    for table in COUNTING:
        text = repr([tuple(row) for row in await database.fetch(getattr(everything, f"every_{table}"))])
        assert mine[0]["call_id"] in text or table.startswith("call_by")
        for name, value in PERSONAL.items():
            assert value not in text, (table, name)
        assert ME not in text
        assert "jo" not in text


@pytest.mark.parametrize("recordings", [True, False])
async def test_the_pbxs_own_router_blanks_its_files(
    database: Database, pool: Pool, tmp_path: Path, recordings: bool
) -> None:
    store = ErasingStore(database, pool)
    mine = [call(1, ME), call(2, ME)]
    await CallStore(database).write(batch(*mine))
    path = tmp_path / "cdr.ndjson"
    path.write_text("".join(one["record"] + "\n" for one in mine), encoding="utf-8")
    ids = [one["call_id"] for one in mine]
    kept = RecordingStore(database)
    place = await kept.place("pbx")
    laid = [Recording(call_id, "x", f"{call_id}.wav", "due", "wav", 3.0, 1, 44, 0) for call_id in ids]
    await kept.add("pbx", laid, place, 0)
    await kept.change(laid[0]._replace(state="ready"))
    for recording in laid:
        (tmp_path / recording.name).write_bytes(b"RIFF")
    config = Config.model_validate({"cdr": {"path": str(path)}, "recordings": {"folder": str(tmp_path)}})
    live = LiveConfig(tmp_path / "c.toml", config)

    def erasing(switch: str, at: int) -> Erasing:
        return Erasing(live, switch, store, kept, now=lambda: at)

    await store.erase(await store.of_visitor(ME, ["shop"]), AT, recordings=recordings)
    assert await erasing("pbx", AT + 5_000).look() == 0  # the file's writer may still be at it
    assert await erasing("branch", AT + 60_000).look() == 0
    assert await erasing("pbx", AT + 60_000).look() == (1 if recordings else 2)

    assert PERSONAL["number"] not in path.read_text(encoding="utf-8")
    assert (tmp_path / laid[0].name).exists() is not recordings
    assert (tmp_path / laid[1].name).exists()
    if recordings:  # the other was just being converted
        await kept.change(laid[1]._replace(state="ready"))
        assert await erasing("pbx", AT + 90_000).look() == 1
        found = await kept.of(ids)
        assert {one.state for one in found.values()} == {"deleted"}
        assert not (tmp_path / laid[1].name).exists()
    assert await erasing("pbx", AT + 99_000).look() == 0
