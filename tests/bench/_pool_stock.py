"""What the benchmarks of the pool share: a store with many numbers, and figures.

The numbers are of +888, a code that no network routes (it was set aside for disaster relief and is spare).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pool.database import Database, open_database
from pool.instants import Instant
from pool.service import Pool

CHUNK = 20_000


def number_at(place: int) -> str:
    return f"+8880{place:010}"


def _rows(places: range, at: Instant) -> Iterator[dict[str, object]]:
    for place in places:
        yield {
            "number": number_at(place),
            "kind": "dynamic",
            "pool": "default",
            "site": "",
            "channel": "",
            "label": "",
            "added_at": at,
        }


async def stocked(url: str, numbers: int, at: Instant) -> tuple[Database, Pool]:
    """An open store with that many numbers in the base, free since `at`."""
    database = await open_database(url)
    pool = Pool(database)
    await pool.open()
    queries = database.queries(Path(__file__).parents[2] / "pool" / "sql" / "queries")
    for first in range(0, numbers, CHUNK):
        async with database.write() as transaction:
            rows = _rows(range(first, min(numbers, first + CHUNK)), at)
            await transaction.many(queries.add_number, rows)
            await transaction.many(queries.add_queue, [{"pool": "default", "site": ""}])
    return database, pool


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(seconds: Sequence[float]) -> str:
    """Median and 99th percentile, in milliseconds."""
    return f"p50 {percentile(seconds, 0.5) * 1e3:.2f} p99 {percentile(seconds, 0.99) * 1e3:.2f} ms"


def resident_megabytes(process: int | str = "self") -> float:
    """VmRSS of /proc: Linux only."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")
