"""What a lease and a route look-up cost as the pool grows; start-up and memory on the largest.

    python tests/bench/pool_growth.py [--sizes 1000 10000 100000 1000000] [--leases 4000]

In one process on a new SQLite file each. Leases come 64 at once, in rounds of 500 with all holds over in
between, so that numbers are given again; the CPU figure is of the whole process and minds other load the
least.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time

from _pool_stock import number_at, resident_megabytes, spread, stocked

from pool.database import open_database
from pool.ids import new_id
from pool.instants import Instant, now
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool

ROUND = 500
AT_ONCE = 64
LOOK_UPS = 1_000
AFTER_ALL_HOLDS = 3_600_000


async def lease_round(pool: Pool, at: Instant, latencies: list[float]) -> None:
    async def worker() -> None:
        for _ in range(ROUND // AT_ONCE):
            began = time.perf_counter()
            lease = await pool.lease(LeaseWish("shop", new_id(at), new_id(at), [SlotWish("main")], 900), at)
            latencies.append(time.perf_counter() - began)
            assert lease.slots[0].number is not None

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def look_ups(pool: Pool, size: int, at: Instant) -> list[float]:
    """What a call needs: the number's record and who held it."""
    latencies = []
    for place in range(LOOK_UPS):
        number = number_at(place * 7_919 % size)
        began = time.perf_counter()
        assert await pool.number(number) is not None
        await pool.holders(number, None, at, lookback_seconds=86_400)
        latencies.append(time.perf_counter() - began)
    return latencies


async def measure(size: int, leases: int, url: str) -> None:
    start_at = now()
    database, pool = await stocked(url, size, start_at)
    latencies: list[float] = []
    cpu = time.process_time()
    for turn in range(leases // ROUND):
        await lease_round(pool, start_at + turn * AFTER_ALL_HOLDS, latencies)
    cpu = (time.process_time() - cpu) / len(latencies) * 1e6
    routes = await look_ups(pool, size, start_at)
    await database.close()
    began = time.perf_counter()
    again = await open_database(url)
    pool = Pool(again)
    await pool.open()
    assert await pool.number(number_at(size // 2)) is not None
    await pool.holders(number_at(size // 2), None, start_at, lookback_seconds=86_400)
    first_route = time.perf_counter() - began
    await again.close()
    print(
        f"{size:9,} numbers   lease CPU {cpu:4.0f} us   {spread(latencies)}   route {spread(routes)}", end=""
    )
    print(f"   reopened to first route {first_route * 1e3:3.0f} ms   resident {resident_megabytes():3.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of a lease and a look-up as the pool grows.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--leases", type=int, default=4_000)
    options = parser.parse_args()
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(size, options.leases, f"sqlite:///{folder}/pool.db"))


if __name__ == "__main__":
    main()
