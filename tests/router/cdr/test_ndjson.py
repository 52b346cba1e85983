"""cdr.ndjson follows the store: never twice, never lost, readable while it grows."""

import asyncio
import contextlib
import json
import os

import pytest

from pool.database import StoreUnavailable
from router.cdr import ndjson as ndjson_module
from router.cdr.ndjson import CdrFile, newest_rotated, tail_of
from router.store.calls import FilePlace
from tests.router.cdr.stored import NOW, batch, row
from tests.waiting import until

DAY = 86_400_000


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(ndjson_module, "GATHER_SECONDS", 0.001)
    monkeypatch.setattr(ndjson_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(ndjson_module, "LOCK_SECONDS", 0.02)
    monkeypatch.setattr(ndjson_module, "RETRY_SECONDS", (0.01, 0.02))


@contextlib.asynccontextmanager
async def following(path, store, *, at=NOW):
    file = CdrFile(path, "pbx", store, now=lambda: at)
    task = asyncio.create_task(file.run())
    try:
        yield file
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def lines(path, count):
    """The records' ids in the file, once there are `count`."""
    async with asyncio.timeout(60):
        while True:
            text = path.read_text(errors="replace") if path.exists() else ""
            if text.count("\n") >= count:
                return [json.loads(line)["id"] for line in text.splitlines()]
            await asyncio.sleep(0.005)


def ids(*numbers):
    return [row(number)["call_id"] for number in numbers]


async def test_lines_come_in_the_order_of_the_store_and_as_they_are_stored(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    await store.write(batch(row(3), row(1)))
    async with following(path, store) as file:
        assert await lines(path, 2) == ids(3, 1)
        await store.write(batch(row(2)))
        file.written()
        assert await lines(path, 3) == ids(3, 1, 2)
    assert path.read_text().splitlines()[2] == row(2)["record"]
    assert file.lines_written == 3


async def test_going_on_after_a_restart(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    await store.write(batch(row(1), row(2)))
    async with following(path, store):
        await lines(path, 2)
    await store.write(batch(row(3)))
    async with following(path, store):
        assert await lines(path, 3) == ids(1, 2, 3)
    assert await store.file_place("pbx") is not None


async def test_any_cut_of_the_file_is_mended(tmp_path, store):
    """Whatever a crash left of the file, the lines come out whole, each once."""
    await store.write(batch(*(row(number) for number in range(1, 5))))
    whole = tmp_path / "whole.ndjson"
    async with following(whole, store):
        await lines(whole, 4)
    data = whole.read_bytes()
    # The place in the store is that of a moment before: nothing was saved yet.
    await store.save_file_place("pbx", FilePlace(0, ""))
    for length in range(0, len(data) + 1, 7):
        path = tmp_path / f"cut{length}.ndjson"
        path.write_bytes(data[:length])
        async with following(path, store):
            await lines(path, 4)
        assert path.read_bytes() == data, length
        await store.save_file_place("pbx", FilePlace(0, ""))


async def test_a_torn_line_that_is_no_calls_is_cut_off(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    path.write_bytes(row(1)["record"].encode() + b"\n" + b'{"rubbish')
    await store.write(batch(row(1), row(2)))
    async with following(path, store):
        assert await lines(path, 2) == ids(1, 2)


async def test_foreign_lines_are_passed_over(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    path.write_text(row(1)["record"] + "\nnot json\n[]\n")
    await store.write(batch(row(1), row(2)))
    async with following(path, store):
        await until(lambda: row(2)["call_id"] in path.read_text())
    assert path.read_text().count(row(1)["call_id"]) == 1


async def test_a_file_that_was_taken_away_is_not_written_again(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    await store.write(batch(row(1)))
    async with following(path, store):
        await lines(path, 1)
    path.unlink()
    await store.write(batch(row(2)))
    async with following(path, store):
        assert await lines(path, 1) == ids(2)


async def test_daily_rotation_by_renaming(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    await store.write(batch(row(1)))
    await store.write(batch(row(2), now=NOW + DAY))
    async with following(path, store, at=NOW + DAY):
        rotated = tmp_path / "cdr-2025-11-22.ndjson"
        assert await lines(rotated, 1) == ids(1)
        assert await lines(path, 1) == ids(2)
    assert newest_rotated(path) == rotated


async def test_an_idle_file_is_rotated_at_midnight_and_nothing_is_written_twice(tmp_path, store):
    path, rotated = tmp_path / "cdr.ndjson", tmp_path / "cdr-2025-11-22.ndjson"
    await store.write(batch(row(1)))
    async with following(path, store):
        await lines(path, 1)
    async with following(path, store, at=NOW + DAY):
        assert await lines(rotated, 1) == ids(1)
    await store.save_file_place("pbx", FilePlace(0, ""))
    async with following(path, store, at=NOW + DAY):
        await store.write(batch(row(2), now=NOW + DAY))
        assert await lines(path, 1) == ids(2)


async def test_a_rotated_file_is_never_overwritten(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    (tmp_path / "cdr-2025-11-22.ndjson").write_text("{}\n")
    await store.write(batch(row(1)))
    await store.write(batch(row(2), now=NOW + DAY))
    async with following(path, store, at=NOW + DAY):
        assert await lines(tmp_path / "cdr-2025-11-22.2.ndjson", 1) == ids(1)


async def test_only_one_process_writes(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    async with following(path, store), following(path, store):
        await store.write(batch(*(row(number) for number in range(20))))
        assert await lines(path, 20) == ids(*range(20))
        await asyncio.sleep(0.1)
        assert len(await lines(path, 20)) == 20


async def test_the_next_process_takes_over(tmp_path, store):
    path = tmp_path / "cdr.ndjson"
    async with contextlib.AsyncExitStack() as second:
        async with following(path, store):
            await second.enter_async_context(following(path, store))
            await store.write(batch(row(1)))
            await lines(path, 1)
        await store.write(batch(row(2)))
        assert await lines(path, 2) == ids(1, 2)


async def test_a_store_and_a_folder_that_fail_are_tried_again(tmp_path, store):
    class Failing:
        gone = True

        def __getattr__(self, name):
            if self.gone:
                raise StoreUnavailable("gone")
            return getattr(store, name)

    failing = Failing()
    path = tmp_path / "cdr.ndjson"
    await store.write(batch(row(1)))
    async with following(path, failing) as file:
        await until(lambda: file.last_error == "gone")
        path.mkdir()
        failing.gone = False
        await until(lambda: "directory" in (file.last_error or ""))
        path.rmdir()
        assert await lines(path, 1) == ids(1)


def test_tail_of_long_files(tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson_module, "TAIL_BYTES", 64)
    path = tmp_path / "x.ndjson"
    assert tail_of(path).call_id is None
    text = "".join(json.dumps({"id": f"call{number}", "pad": "x" * 100}) + "\n" for number in range(50))
    path.write_text(text + '{"id": "cut')
    tail = tail_of(path)
    assert (tail.call_id, tail.torn, tail.whole_bytes) == ("call49", b'{"id": "cut', len(text))
    os.truncate(path, len(text))
    assert tail_of(path).torn == b""
    path.write_text("x" * 1000)
    assert (tail_of(path).call_id, tail_of(path).whole_bytes) == (None, 0)
