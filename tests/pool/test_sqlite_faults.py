"""SQLite gone, locked, full, unreadable, replaced: a clear error, and it works again once it can."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pool.database import NotAtOnce, StoreUnavailable, open_database
from pool.leases import Lease, Rung
from pool.service import Pool

from .stock import START, add_numbers, london, wish


@asynccontextmanager
async def opened(file: Path, **options: float) -> AsyncIterator[Pool]:
    database = await open_database(f"sqlite:///{file}", **options)
    try:
        yield Pool(database)
    finally:
        await database.close()


def _a_folder(file: Path) -> None:
    file.mkdir()


def _garbage(file: Path) -> None:
    file.write_bytes(b"this is no database, however long one looks at it. " * 40)


def _in_no_folder(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("a file where the folder should be")


@pytest.mark.parametrize("spoil", [_a_folder, _garbage, _in_no_folder])
async def test_a_store_that_is_unreadable_at_the_start_works_when_it_is_mended(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    file = folder / "pool.db"
    spoil(file)
    async with opened(file) as pool:
        with pytest.raises(StoreUnavailable, match=r"var/pool\.db"):
            await pool.open()
        with pytest.raises(NotAtOnce):
            pool.number_at_once(london(1))
        with pytest.raises(StoreUnavailable):
            await pool.lease(wish("v1"), START)
        with pytest.raises(StoreUnavailable):
            await pool.number(london(1))
        assert not pool.database.healthy
        assert "pool.db" in str(pool.database.last_error)
        for spoilt in (file, folder):
            if spoilt.is_dir():
                shutil.rmtree(spoilt)
            elif spoilt.exists():
                spoilt.unlink()
        # The tables come by themselves: nobody calls open() again.
        assert await pool.number(london(1)) is None
        await pool.lease(wish("v1"), START)
        assert pool.database.healthy


async def test_a_locked_store_is_waited_for_a_while_and_used_again(tmp_path: Path) -> None:
    file = tmp_path / "pool.db"
    async with opened(file, busy_seconds=0.2) as pool:
        await pool.open()
        await add_numbers(pool, london(1))
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(60):
            with pytest.raises(StoreUnavailable, match="locked"):
                await pool.lease(wish("v1"), START)
        assert await pool.number(london(1)) is not None  # readers do not mind
        other.execute("ROLLBACK")
        other.close()
        (shown,) = (await pool.lease(wish("v1"), START)).slots
        assert shown.rung is Rung.BASE
        assert pool.database.healthy


async def _lease_all(pool: Pool, acknowledged: list[Lease]) -> None:
    for n in range(1_000):
        lease = await pool.lease(wish(f"v{n}"), START)
        acknowledged.append(lease)


async def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "pool.db"
    async with opened(file) as pool:
        await pool.open()
        await add_numbers(pool, *map(london, range(1_000)))
        async with pool.database.write() as transaction:
            await transaction.statement(
                "PRAGMA max_page_count = 1"
            )  # the smallest possible: what there is now
        acknowledged: list[Lease] = []
        with pytest.raises(StoreUnavailable, match="full"):
            await _lease_all(pool, acknowledged)
        assert acknowledged
        assert await pool.number(london(1)) is not None
        async with pool.database.write() as transaction:
            await transaction.statement("PRAGMA max_page_count = 1000000")
        await pool.lease(wish("later"), START)
        for lease in acknowledged:
            view = await pool.lease_by_id(lease.lease_id, START)
            assert view is not None
            assert view.slots == lease.slots


async def test_a_store_that_was_moved_away_is_not_made_anew(tmp_path: Path) -> None:
    file, aside = tmp_path / "pool.db", tmp_path / "aside"
    async with opened(file) as pool:
        await pool.open()
        await add_numbers(pool, london(1))
        lease = await pool.lease(wish("v1"), START)
        aside.mkdir()
        for name in ("pool.db", "pool.db-wal", "pool.db-shm"):
            (tmp_path / name).rename(aside / name)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="unable to open"):
                await pool.lease(wish("v2"), START)
            with pytest.raises(StoreUnavailable, match="unable to open"):
                await pool.lease_by_id(lease.lease_id, START)
        assert not file.exists()
        for name in ("pool.db", "pool.db-wal", "pool.db-shm"):
            (aside / name).rename(tmp_path / name)
        assert await pool.lease_by_id(lease.lease_id, START) is not None
        assert (await pool.lease(wish("v1"), START)).revived


async def test_a_store_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "pool.db"
    async with opened(file) as pool, opened(tmp_path / "other.db") as other:
        await pool.open()
        await other.open()
        await add_numbers(other, london(7))
        await other.database.close()
        for name in ("pool.db-wal", "pool.db-shm"):
            (tmp_path / name).unlink()
        (tmp_path / "other.db").replace(file)
        (shown,) = (await pool.lease(wish("v1"), START)).slots
        assert shown.number == london(7)


async def test_a_store_that_does_not_answer_is_given_up_and_tried_again(tmp_path: Path) -> None:
    async with opened(tmp_path / "pool.db") as pool:
        await pool.open()
    async with opened(tmp_path / "pool.db", write_seconds=2.0, read_seconds=2.0) as pool:
        forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

        async def write() -> None:
            async with pool.database.write() as transaction:
                await transaction.statement(forever)

        async def read() -> None:
            async with pool.database.read() as reading:
                await reading.connection.execute_fetchall(forever)

        for use in (write, read):
            with pytest.raises(StoreUnavailable, match=r"no answer in 2\.0 s"):
                await use()
        await pool.lease(wish("v1"), START)
        assert await pool.number(london(1)) is None


async def test_readers_are_few_and_each_waits_its_turn(tmp_path: Path) -> None:
    async with opened(tmp_path / "pool.db", readers=2) as pool:
        await pool.open()
        await add_numbers(pool, london(1))
        threads = threading.active_count()
        found = await asyncio.gather(
            *(pool.holders(london(1), None, START, lookback_seconds=60) for _ in range(50))
        )
        assert found == [[]] * 50
        assert threading.active_count() <= threads + 2


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path / "pool.db") as pool:
        await pool.open()
        await pool.database.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await pool.lease(wish("v1"), START)
