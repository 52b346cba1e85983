"""Finished calls in the store: each once, in one order, with deliveries and position."""

import json
from dataclasses import replace

import pytest

from pool.database import StoreUnavailable, open_database
from router.store.calls import CallFilter, CallStore, FilePlace, JournalMark
from tests.router.cdr.stored import MARK, NOW, batch, row

START = FilePlace(0, "")


async def test_a_call_is_written_once_and_never_changed(store, database):
    first, again = row(1), row(1, call_id="f" * 35, record="{}", result="busy")
    assert await store.write(batch(first, told=("ga4",))) == {first["call_id"]}
    assert await store.write(batch(again, row(2), told=("ga4", "crm"))) == {row(2)["call_id"]}
    assert (await store.call_of("pbx", "1763817000.1")).record == first["record"]
    assert await store.call("f" * 35) is None
    async with database.write() as transaction:
        rows = await transaction.connection.execute_fetchall(
            "SELECT call_id, destination FROM delivery ORDER BY 1, 2"
        )
    assert [tuple(found) for found in rows] == [
        (first["call_id"], "ga4"),
        (row(2)["call_id"], "crm"),
        (row(2)["call_id"], "ga4"),
    ]


async def test_the_same_linkedid_of_another_switch_is_another_call(store):
    await store.write(batch(row(1)))
    other = replace(batch(row(1, call_id="e" * 35)), switch="pbx2")
    assert await store.write(other) == {"e" * 35}


async def test_position_is_kept_with_the_calls(store):
    assert await store.position("pbx") is None
    await store.write(batch(row(1)))
    assert await store.position("pbx") == MARK
    later = JournalMark("9:9:def", "/var/log/journal.csv", 5, NOW)
    await store.write(batch(mark=later))
    assert await store.position("pbx") == later
    assert await store.linkedids_since("pbx", NOW) == ["1763817000.1"]
    assert await store.linkedids_since("pbx", NOW + 10) == []


async def test_the_order_of_writing_grows_even_when_the_clock_does_not(store):
    await store.write(batch(row(5), row(4)))
    await store.write(batch(row(3), now=NOW - 5_000))
    written = await store.written_after("pbx", START)
    assert [call.call_id for call in written] == [row(number)["call_id"] for number in (5, 4, 3)]
    assert len({call.written_at for call in written}) == 3
    assert await store.written_after("pbx", FilePlace(*written[1][1::-1])) == written[2:]
    assert await store.written_after("pbx", START, 1) == written[:1]


async def test_writing_a_call_is_no_more_work_among_thousands(store, database):
    work: list[int] = []
    async with database.write() as transaction:
        await transaction.connection.set_progress_handler(lambda: work.append(1), 10)

    async def of_one(number: int) -> int:
        work.clear()
        await store.write(batch(row(number)))
        return len(work)

    await store.write(batch(*(row(number) for number in range(10))))
    among_few = await of_one(10)
    await store.write(batch(*(row(number) for number in range(11, 3_000))))
    assert 0 < await of_one(3_000) < 2 * among_few


async def test_pages_by_cursor_and_filter(store):
    rows = [row(number, result="busy" if number % 2 else "missed") for number in range(7)]
    await store.write(batch(*rows))
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = await store.page(CallFilter(), after=cursor, most=3)
        seen += page
        if cursor is None:
            break
    assert seen == [found["record"] for found in reversed(rows)]
    busy, _ = await store.page(CallFilter(result="busy", site="shop"), most=100)
    assert busy == [rows[number]["record"] for number in (5, 3, 1)]
    none, _ = await store.page(CallFilter(site="other"))
    assert none == []
    some, _ = await store.page(CallFilter(since=rows[2]["started_at"], until=rows[4]["started_at"]))
    assert some == [rows[3]["record"], rows[2]["record"]]


async def test_calls_of_a_caller_before_an_instant(store):
    guessed = json.dumps({"candidates": [{"visit_id": "é", "probability": 0.5}], "match": "live"})
    await store.write(
        batch(row(1, record=guessed), row(2), row(3, caller="+447700900999"), row(4, site="other"))
    )
    earlier = await store.calls_of_caller("shop", "+447700900123", NOW)
    assert [(found["candidates"], found["started_at"]) for found in earlier[:1]] == [
        (None, row(2)["started_at"])
    ]
    assert json.loads(earlier[1]["candidates"]) == [{"visit_id": "é", "probability": 0.5}]
    assert await store.calls_of_caller("shop", "+447700900123", row(1)["started_at"]) == []


async def test_the_files_place(store):
    assert await store.file_place("pbx") is None
    await store.save_file_place("pbx", FilePlace(5, "a"))
    await store.save_file_place("pbx", FilePlace(6, "b"))
    assert await store.file_place("pbx") == FilePlace(6, "b")


async def test_a_store_that_is_gone_says_so(tmp_path):
    database = await open_database(f"sqlite:///{tmp_path}/no/such/folder/x.db")
    with pytest.raises(StoreUnavailable):
        await CallStore(database).position("pbx")
    await database.close()
