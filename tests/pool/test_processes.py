"""Several real processes on one store: contention, SIGKILL, SIGSTOP, a server killed, a network cut."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from pool.database import Database, open_database
from pool.leases import LeaseRow
from pool.lifecycle import hold_until_at
from pool.service import Pool

from .postgresql_server import PostgresqlServer
from .stock import START, add_numbers, london

SCRIPT = Path(__file__).parent / "leasing_process.py"
ROOT = Path(__file__).parents[2]
NUMBERS = 25
VISITORS = 2_000


class LeasingProcess:
    """A leasing_process.py, its acknowledgements collected in a file."""

    def __init__(self, url: str, name: str, folder: Path, seconds: float) -> None:
        self.output = folder / f"{name}.jsonl"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, url, name, str(VISITORS), str(seconds)],
                stdout=output,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def told(self) -> list[dict[str, Any]]:
        """Whole lines only: a killed process may have been writing."""
        text = self.output.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def leases(self) -> list[dict[str, Any]]:
        return [line for line in self.told() if "lease_id" in line]

    def wait_for_leases(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.leases()) < count:
            assert time.monotonic() < deadline, self.told()[-3:]
            time.sleep(0.05)


async def prepare(url: str) -> None:
    database = await open_database(url)
    pool = Pool(database)
    await pool.open()
    await add_numbers(pool, *map(london, range(NUMBERS)), at=START - 10**11)
    await database.close()


async def all_rows(database: Database) -> list[LeaseRow]:
    async with database.read() as reading:
        if database.dialect == "sqlite":
            rows = await reading.connection.execute_fetchall("SELECT * FROM lease")
        else:
            rows = await reading.connection.fetch("SELECT * FROM lease")
    return [LeaseRow(*row) for row in rows]


async def check(url: str, processes: list[LeasingProcess], *, holders_at_once: int = NUMBERS) -> Counter[str]:
    """No number had two holders at an instant, no visitor two leases, and nothing acknowledged is missing."""
    database = await open_database(url)
    rows = await all_rows(database)
    await database.close()
    by_number: defaultdict[str, list[LeaseRow]] = defaultdict(list)
    by_visitor: defaultdict[str, list[LeaseRow]] = defaultdict(list)
    for row in rows:
        if row.number is not None:
            by_number[row.number].append(row)
        by_visitor[row.visitor_id].append(row)
    for held in (*by_number.values(), *by_visitor.values()):
        held.sort(key=lambda row: (row.from_at, row.lease_id))
        for row, following in itertools.pairwise(held):
            assert hold_until_at(row.hold, row.from_at) <= following.from_at, (row, following)
    stored = {(row.lease_id, row.visitor_id) for row in rows}
    for process in processes:
        for lease in process.leases():
            assert (lease["lease_id"], lease["visitor"]) in stored, lease
    assert len(by_number) == holders_at_once
    return Counter({number: len(held) for number, held in by_number.items()})


async def test_processes_that_contend_never_give_a_number_twice(store_url: str, tmp_path: Path) -> None:
    await prepare(store_url)
    processes = [LeasingProcess(store_url, f"p{n}", tmp_path, 5) for n in range(3)]
    for process in processes:
        assert await asyncio.to_thread(process.process.wait, 60) == 0
        assert not [line for line in process.told() if "unavailable" in line]
        assert len(process.leases()) > 50
    holders = await check(store_url, processes)
    assert max(holders.values()) > 1  # numbers were given again, so there was something to get wrong


async def test_a_killed_process_takes_nothing_along(store_url: str, tmp_path: Path) -> None:
    await prepare(store_url)
    killed = [LeasingProcess(store_url, f"k{n}", tmp_path, 30) for n in range(2)]
    other = LeasingProcess(store_url, "other", tmp_path, 7)
    for process in killed:
        await asyncio.to_thread(process.wait_for_leases, 30)
        process.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.process.wait, 10)
    assert await asyncio.to_thread(other.process.wait, 60) == 0
    await check(store_url, [*killed, other])


async def test_a_server_that_dies_and_comes_back(postgresql_server: PostgresqlServer, tmp_path: Path) -> None:
    with postgresql_server.database() as url:
        await prepare(url)
        processes = [LeasingProcess(url, f"p{n}", tmp_path, 9) for n in range(2)]
        for process in processes:
            await asyncio.to_thread(process.wait_for_leases, 30)
        await asyncio.to_thread(postgresql_server.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(postgresql_server.start)
        for process in processes:
            assert await asyncio.to_thread(process.process.wait, 60) == 0
            told = process.told()
            first_down = next(place for place, line in enumerate(told) if "unavailable" in line)
            assert any("lease_id" in line for line in told[first_down:])
        await check(url, processes)
