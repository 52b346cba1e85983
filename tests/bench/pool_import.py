"""Importing a million numbers from CSV, while leases go on.

    python tests/bench/pool_import.py [--rows 1000000]

Prints the time of the checked (all or nothing) import, the most memory, and what the leases meanwhile felt.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

from _pool_stock import number_at, spread

from pool.database import open_database
from pool.ids import new_id
from pool.importer import ImportProgress
from pool.instants import now
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool


def told(progress: ImportProgress) -> None:
    if progress.rows % 50_000 == 0:
        print(f"\r{progress.stage:9} {progress.rows:9,} rows {progress.share:4.0%}", end="", file=sys.stderr)


async def lease_on(pool: Pool, latencies: list[float]) -> None:
    while True:
        began = time.perf_counter()
        at = now()
        await pool.lease(LeaseWish("shop", new_id(at), new_id(at), [SlotWish("main")], 900), at)
        latencies.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)


async def measure(folder: Path, rows: int) -> None:
    file = folder / "numbers.csv"
    with file.open("w") as out:
        out.write("number,kind,pool,label\n")
        for place in range(rows):
            out.write(f"{number_at(place)},dynamic,default,line {place}\n")
    database = await open_database(f"sqlite:///{folder}/pool.db")
    pool = Pool(database)
    await pool.open()
    latencies: list[float] = []
    leasing = asyncio.create_task(lease_on(pool, latencies))
    began = time.perf_counter()
    report = await pool.import_csv(file, now(), default_country=None, progress=told)
    seconds = time.perf_counter() - began
    leasing.cancel()
    await asyncio.wait([leasing])
    await database.close()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{report.added:,} rows in {seconds:.1f} s, at most {most:.0f} MB")
    print(f"{len(latencies)} leases meanwhile: {spread(latencies)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Import of a million numbers.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), parser.parse_args().rows))


if __name__ == "__main__":
    main()
