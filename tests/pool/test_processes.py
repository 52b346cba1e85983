"""Several real processes on one store: contention, SIGKILL, SIGSTOP, a server killed, a network cut."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    """A leasing_process.py, its acknowledgements collected in a file; it goes on until `stop`."""

    def __init__(self, url: str, name: str, folder: Path) -> None:
        self.output = folder / f"{name}.jsonl"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, url, name, str(VISITORS)],
                stdout=output,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    def told(self) -> list[dict[str, Any]]:
        """Whole lines only: a killed process may have been writing."""
        text = self.output.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def leases(self) -> list[dict[str, Any]]:
        return [line for line in self.told() if "lease_id" in line]

    def stop(self) -> None:
        """Let it end what it began."""
        self.process.terminate()
        assert self.process.wait(60) == 0


@contextmanager
def leasing(url: str, folder: Path, *names: str) -> Iterator[list[LeasingProcess]]:
    """So many processes, which have all begun; none is left at the end."""
    processes = [LeasingProcess(url, name, folder) for name in names]
    try:
        wait_until(lambda: all(len(process.leases()) >= 30 for process in processes))
        yield processes
    finally:
        for process in processes:
            process.process.kill()
            process.process.wait()


def wait_until(wanted: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
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


def in_turn(groups: Mapping[str, list[LeaseRow]]) -> Iterator[tuple[LeaseRow, LeaseRow]]:
    """Each hold and the one that follows it."""
    for held in groups.values():
        held.sort(key=lambda row: (row.from_at, row.lease_id))
        yield from itertools.pairwise(held)


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
    for row, following in in_turn(by_number):
        assert hold_until_at(row.hold, row.from_at) <= following.from_at, (row, following)
    # A visitor's request may have waited for others' transactions, one of which gave their former number on:
    # by its own instant that was still theirs, but not any more when the request was decided.
    told_at: dict[str, int] = {}
    for process in processes:
        for lease in process.leases():
            told_at.setdefault(lease["lease_id"], lease["told_at"])
    for row, following in in_turn(by_visitor):
        if following.lease_id in told_at:
            assert hold_until_at(row.hold, row.from_at) <= told_at[following.lease_id], (row, following)
    stored = {(row.lease_id, row.visitor_id) for row in rows}
    for process in processes:
        for lease in process.leases():
            assert (lease["lease_id"], lease["visitor"]) in stored, lease
    assert len(by_number) == holders_at_once
    return Counter({number: len(held) for number, held in by_number.items()})


async def test_processes_that_contend_never_give_a_number_twice(store_url: str, tmp_path: Path) -> None:
    await prepare(store_url)
    with leasing(store_url, tmp_path, "p0", "p1", "p2") as processes:

        def given_again() -> bool:
            """Each process had much to get wrong: numbers that others had before."""
            given = [{lease["number"] for lease in process.leases()} - {None} for process in processes]
            return all(len(numbers) > NUMBERS / 2 for numbers in given)

        wait_until(given_again)
        for process in processes:
            process.stop()
            assert not [line for line in process.told() if "unavailable" in line]
        holders = await check(store_url, processes)
    assert max(holders.values()) > 1


async def test_a_killed_process_takes_nothing_along(store_url: str, tmp_path: Path) -> None:
    await prepare(store_url)
    with leasing(store_url, tmp_path, "k0", "k1", "other") as (*killed, other):
        for process in killed:
            process.process.send_signal(signal.SIGKILL)
            process.process.wait(30)
        before = len(other.leases())
        wait_until(lambda: len(other.leases()) > before + 100)
        other.stop()
        await check(store_url, [*killed, other])


async def test_a_server_that_dies_and_comes_back(postgresql_server: PostgresqlServer, tmp_path: Path) -> None:
    with postgresql_server.database() as url:
        await prepare(url)
        with leasing(url, tmp_path, "p0", "p1") as processes:
            postgresql_server.kill()
            wait_until(lambda: all(any("unavailable" in line for line in one.told()) for one in processes))
            postgresql_server.start()
            before = [len(process.leases()) for process in processes]
            wait_until(
                lambda: all(
                    len(one.leases()) > count + 30 for one, count in zip(processes, before, strict=True)
                )
            )
            for process in processes:
                process.stop()
            await check(url, processes)
