"""Leases/s from one PostgreSQL pool by 1, 2 and 4 processes, and that no number was given twice.

    python tests/bench/pool_postgresql.py [--url URL] [--numbers 100000] [--seconds 4] [--processes 1 2 4]

Without a URL it starts a private server, as the tests do. The server and the processes share the machine's
cores.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _pool_stock import spread, stocked

from pool.database import open_database
from pool.ids import new_id
from pool.instants import Instant, now
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool

AT_ONCE = 32


async def lease_for(url: str, seconds: float) -> tuple[list[str], list[float]]:
    database = await open_database(url)
    pool = Pool(database)
    await pool.open()
    numbers: list[str] = []
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def worker() -> None:
        while (began := time.perf_counter()) < until:
            at = now()
            lease = await pool.lease(LeaseWish("shop", new_id(at), new_id(at), [SlotWish("main")], 900), at)
            latencies.append(time.perf_counter() - began)
            numbers.append(lease.slots[0].number or "none")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    await database.close()
    return numbers, latencies


def run(url_and_seconds: tuple[str, float]) -> tuple[list[str], list[float]]:
    return asyncio.run(lease_for(*url_and_seconds))


async def prepare(url: str, numbers: int, at: Instant) -> None:
    database, _ = await stocked(url, numbers, at)
    await database.close()


@contextmanager
def empty_databases() -> Iterator[Iterator[str]]:
    """URLs of databases on a private server."""
    file = Path(__file__).parents[1] / "pool" / "postgresql_server.py"
    spec = importlib.util.spec_from_file_location("postgresql_server", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    servers = module.server_or_reason()
    server = next(servers)

    def urls() -> Iterator[str]:
        while True:
            with server.database() as url:
                yield url

    each = urls()
    try:
        yield each
    finally:
        each.close()
        servers.close()


def measure(url: str, processes: int, seconds: float, numbers: int) -> None:
    asyncio.run(prepare(url, numbers, now() - 1_000))
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        results = workers.map(run, [(url, seconds)] * processes)
    given = [number for numbers, _ in results for number in numbers]
    latencies = [latency for _, each in results for latency in each]
    assert len(set(given)) == len(given)
    assert "none" not in given
    print(f"{processes} processes   {len(given) / seconds:7.0f} leases/s   {spread(latencies)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Leases by several processes on PostgreSQL.")
    parser.add_argument("--url", help="an empty database; it is filled, and used for the first figure alone")
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    if options.url:
        measure(options.url, options.processes[0], options.seconds, options.numbers)
        return
    with empty_databases() as urls:
        for processes in options.processes:
            measure(next(urls), processes, options.seconds, options.numbers)


if __name__ == "__main__":
    main()
