"""The journal's way into a real store: once each, in any weather."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from agi.cel import CelEvent
from pool.database import StoreUnavailable
from router.cdr import ingest as ingest_module
from router.cdr.ingest import Ingest
from router.cdr.live import SETTLE_MS
from tests.router.cdr.bench import NOW, Bench, lease
from tests.router.cdr.calls import AGENT1, EPOCH, NUMBER, Script, answered, coarse
from tests.router.cdr.lines import append
from tests.waiting import until


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(ingest_module, "GATHER_SECONDS", 0.005)
    monkeypatch.setattr(ingest_module, "TICK_SECONDS", 0.02)


@pytest.fixture
def bench(tmp_path, database, store) -> Bench:
    return Bench(tmp_path, database, store)


async def test_a_call_becomes_a_record_a_delivery_and_a_position(bench):
    append(bench.journal, answered(30.0).in_order())
    async with bench.running() as ingest:
        (record,) = await bench.records(1)
        assert ingest.counts.written == 1
        assert ingest.waiting == 0
    assert (record["result"], record["switch"], record["site"]) == ("answered", "pbx", "shop")
    assert record["caller"] == {"number": "+447700900123", "name": "Ann", "region": None}
    assert (record["qualified"], record["first_call"]) == (True, True)
    assert record["route"] == {"decided_in_ms": 1.234, "by": "router", "late": False}
    assert record["started_at"] == "2025-11-22T13:10:00.125Z"
    assert bench.told == ["1763817000.10"]
    mark = await bench.calls.position("pbx")
    assert mark is not None
    assert mark.byte_offset == bench.journal.stat().st_size


async def test_the_second_call_of_a_caller_is_not_the_first(bench):
    append(bench.journal, answered().in_order())
    append(bench.journal, answered(seq=50, epoch=EPOCH + 100).in_order())
    async with bench.running():
        first, second = await bench.records(2)
    assert (first["first_call"], second["first_call"]) == (True, False)


async def test_several_calls_of_one_caller_in_one_batch(bench, monkeypatch):
    monkeypatch.setattr(ingest_module, "GATHER_SECONDS", 0.3)
    for number in range(5):
        append(bench.journal, answered(seq=10 * number + 10, epoch=EPOCH + 100 * number).in_order())
    async with bench.running():
        records = await bench.records(5)
    assert [record["first_call"] for record in records] == [True, False, False, False, False]


async def test_many_calls_are_not_gathered_for_long(bench, monkeypatch):
    monkeypatch.setattr(ingest_module, "GATHER_SECONDS", 600.0)
    many = ingest_module.ENOUGH_IN_BATCH
    for number in range(many):
        append(bench.journal, answered(seq=10 * number + 10, epoch=EPOCH + 100 * number).in_order())
    async with bench.running():
        assert len(await bench.records(many)) == many


async def test_a_call_is_attributed_to_who_held_the_number(bench):
    await lease(bench, (EPOCH - 60) * 1000)
    append(bench.journal, answered().in_order())
    async with bench.running():
        (record,) = await bench.records(1)
    assert record["match"] == "live"
    assert record["confidence"] > 0.9
    assert [found["match"] for found in record["candidates"]] == ["live", "none"]
    assert record["attribution"]["visit_id"] == "visit-1"
    assert record["attribution"]["unknown"] == "the visit is no longer stored"


async def test_attribution_that_fails_loses_no_record(bench):
    async def broken(*args, **options):
        raise RuntimeError("out of order")

    bench.pool.holders = broken
    append(bench.journal, answered().in_order())
    async with bench.running():
        (record,) = await bench.records(1)
    assert (record["match"], record["result"]) == ("none", "answered")
    assert "out of order" in record["attribution"]["unknown"]


async def test_restarting_writes_nothing_twice(bench):
    append(bench.journal, answered().in_order())
    async with bench.running():
        await bench.records(1)
    append(bench.journal, answered(seq=50, epoch=EPOCH + 100).in_order())
    bench.ingest = bench.make()
    async with bench.running() as ingest:
        assert len(await bench.records(2)) == 2
        assert (ingest.counts.written, ingest.counts.repeated) == (1, 0)


async def test_a_restart_in_mid_call_reads_the_call_again_from_its_start(bench):
    events = answered().in_order()
    other = answered(seq=50).in_order()
    append(bench.journal, [*events[:5], *other])
    async with bench.running() as ingest:
        await bench.records(1)
        assert [call.stage for call in ingest.live()] == ["ringing"]
    append(bench.journal, events[5:])
    bench.ingest = bench.make()
    async with bench.running():
        records = await bench.records(2)
    assert [record["repaired"] for record in records] == [None, None]
    assert records[1]["linkedid"] == events[0].linkedid


async def test_a_store_that_is_gone_is_waited_for(tmp_path, database, store):
    class Failing:
        gone = True

        def __getattr__(self, name):
            async def used(*args, **options):
                if self.gone:
                    raise StoreUnavailable("disk full")
                return await getattr(store, name)(*args, **options)

            return used

    failing = Failing()
    bench = Bench(tmp_path, database, failing)
    append(bench.journal, answered().in_order())
    async with bench.running() as ingest:
        await until(lambda: ingest.counts.store_failures >= 2)
        failing.gone = False
        await bench.records(1)
        failing.gone = True
        append(bench.journal, answered(seq=50, epoch=EPOCH + 100).in_order())
        failures = ingest.counts.store_failures
        await until(lambda: ingest.counts.store_failures >= failures + 2)
        assert ingest.waiting == 1
        failing.gone = False
        assert len(await bench.records(2)) == 2
    assert bench.told == ["1763817000.10", "1763817100.50"]


async def test_back_pressure_stops_reading(tmp_path, database, store, monkeypatch):
    monkeypatch.setattr(ingest_module, "MOST_WAITING", 3)

    class Slow:
        may_write = asyncio.Event()

        def __getattr__(self, name):
            return getattr(store, name)

        async def write(self, batch):
            await self.may_write.wait()
            return await store.write(batch)

    slow = Slow()
    bench = Bench(tmp_path, database, slow)
    for number in range(1200):
        append(bench.journal, answered(seq=10 * number + 10, epoch=EPOCH + number).in_order())
    async with bench.running() as ingest:
        await until(lambda: ingest.waiting >= 3)
        await asyncio.sleep(0.2)
        read = ingest.counts.events
        assert read < 13 * 1200
        slow.may_write.set()
        await until(lambda: ingest.counts.written >= 1200, 90)
    assert len(set(bench.told)) == 1200


async def test_a_call_that_cannot_be_written_does_not_keep_the_others(tmp_path, database, store):
    class Picky:
        def __getattr__(self, name):
            return getattr(store, name)

        async def write(self, batch):
            if any(row["linkedid"] == "1763817000.10" for row in batch.rows):
                raise ValueError("no such row")
            return await store.write(batch)

    bench = Bench(tmp_path, database, Picky())
    append(bench.journal, answered().in_order() + answered(seq=50).in_order())
    async with bench.running() as ingest:
        (record,) = await bench.records(1)
        assert ingest.counts.refused == 1
    assert record["linkedid"] == "1763817000.50"
    mark = await bench.calls.position("pbx")
    assert mark is not None
    assert mark.byte_offset == 0, "it will be read again"


async def test_an_asterisk_that_died_leaves_a_record_when_it_is_back(bench):
    events = answered(60.0, record="mono", seq=40).in_order()
    bench.sizes[f"/var/spool/asterisk/monitor/leaseline/{EPOCH}.40.wav"] = 44 + 16_000 * 9
    append(bench.journal, events[: [event.type for event in events].index("BRIDGE_EXIT")])
    append(bench.journal, answered(seq=0, epoch=EPOCH + 30).in_order())
    async with bench.running() as ingest:
        cut, whole = await bench.records(2)
        assert ingest.counts.repaired == 1
    assert (cut["repaired"], cut["hung_up_by"], cut["result"]) == ("switch-restarted", "system", "answered")
    assert cut["recording"]["seconds"] == 9.0
    assert cut["talk_seconds"] == pytest.approx(9.0, abs=0.01)
    assert whole["repaired"] is None


async def test_calls_that_the_switch_no_longer_has_are_finished(bench):
    script = Script().arrive()
    script.leg(0.05, AGENT1)
    append(bench.journal, script.in_order())
    async with bench.running() as ingest:
        await until(lambda: ingest.live())
        ingest.switch_live([script.linkedid], NOW)
        bench.clock.at += 5_000
        ingest.switch_live([], bench.clock.at)
        await asyncio.sleep(0.1)
        assert ingest.live(), "its last words may still be under way"
        bench.clock.at += 5_000
        (record,) = await bench.records(1)
    assert (record["repaired"], record["result"]) == ("channels-gone", "failed")
    assert record["ended_at"] == "2025-11-22T13:10:40.000Z"


@asynccontextmanager
async def witnessed(bench: Bench, events: Sequence[CelEvent]) -> AsyncIterator[Ingest]:
    """The journal told of three events until now, the second witness of all."""
    append(bench.journal, events[:3])
    async with bench.running() as ingest:
        await until(lambda: ingest.counts.events >= 3)
        for event in coarse(events):
            ingest.witness(event)
        yield ingest


async def test_the_second_witness_fills_what_the_journal_lost(bench):
    events = answered(30.0).in_order()
    async with witnessed(bench, events) as ingest:
        bench.clock.at += SETTLE_MS
        (record,) = await bench.records(1)
        for event in coarse(events):
            ingest.witness(event)
        await asyncio.sleep(0.1)
        assert ingest.live() == []
    assert (record["result"], record["repaired"]) == ("answered", None)
    assert record["talk_seconds"] == pytest.approx(30.0, abs=1.01)


async def test_a_witness_ahead_of_the_journal_costs_no_precision(bench):
    events = answered(30.0).in_order()
    async with witnessed(bench, events):
        await asyncio.sleep(0.1)
        append(bench.journal, events[3:])
        (record,) = await bench.records(1)
    assert record["ended_at"] == "2025-11-22T13:10:35.330Z"
    assert record["talk_seconds"] == pytest.approx(30.0, abs=0.01)


async def test_holders_are_told_while_the_call_goes_on_and_when_it_ends(bench):
    await lease(bench, (EPOCH - 60) * 1000)
    told: list[tuple] = []

    async def active(*args):
        told.append(("active", *args))

    async def ended(*args):
        told.append(("ended", *args))

    bench.pool.call_active, bench.pool.call_ended = active, ended
    events = answered(30.0).in_order()
    append(bench.journal, events[:8])
    async with bench.running():
        await until(lambda: told)
        await asyncio.sleep(0.1)
        bench.clock.at += 31_000
        await until(lambda: len(told) >= 2)
        append(bench.journal, events[8:])
        await bench.records(1)
    started_at = EPOCH * 1000 + 125
    assert told == [
        ("active", NUMBER, None, started_at, NOW),
        ("active", NUMBER, None, started_at, NOW + 31_000),
        ("ended", NUMBER, None, started_at, started_at + 35_205, NOW + 31_000),
    ]


async def test_calls_of_others_leave_no_record(bench):
    foreign = [event._replace(context="office") for event in answered(seq=90).in_order() if event.user == {}]
    append(bench.journal, foreign + answered(seq=100).in_order())
    async with bench.running():
        (record,) = await bench.records(1)
        await asyncio.sleep(0.1)
        assert len(await bench.records(1)) == 1
    assert record["linkedid"] == "1763817000.100"
