"""What adding up for reports costs a call that is stored: CPU of `CallStore.write` with and without it.

    python tests/bench/call_write.py [--calls 4000] [--batch 1] [--before 0]

Each call has a journey of one visit and is answered by one of twenty agents; both ways in turns,
transaction by transaction, on SQLite. The medians are compared. --before: so many calls are there already.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from typing import Any

from pool.database import open_database
from pool.instants import now
from pool.service import Pool
from router.reports.tally import Tally
from router.store.calls import CallBatch, CallStore, JournalMark
from router.store.visits import MIGRATIONS


def row(number: int) -> dict[str, Any]:
    return {
        "call_id": f"{now():011x}{number:024x}", "linkedid": f"1790000000.{number}", "site": "shop",
        "number": f"+44207946{number % 300:04}", "extension": None, "caller": f"+4477009{number % 50_000:05}",
        "started_at": now() - 60_000, "answered_at": now() - 50_000, "ended_at": now(), "result": "answered",
        "match": "live", "confidence": 0.93, "visit_id": f"v{number % 500}", "visitor_id": f"w{number % 500}",
        "channel": f"Channel {number % 8}", "source": f"source{number % 20}", "medium": "cpc",
        "campaign": f"campaign {number % 60}", "ring_seconds": 10.0, "talk_seconds": 50.0, "qualified": 1,
        "first_call": 1, "answered_by": f"agent{number % 20}", "record": json.dumps({"filler": "x" * 1400}),
        "term": f"term {number % 300}", "landing_page": f"https://shop.example/page{number % 300}?gclid=x",
        "page_called_from": f"https://shop.example/page{number % 100}", "region": f"GB-{number % 40}",
        "device": "mobile", "zone": None, "before_at": None,
    }  # fmt: skip


async def nothing(*_: object) -> None:
    return None


async def measure(calls: int, size: int, before: int) -> None:
    adding = Tally.add
    took: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(f"sqlite:///{folder}/calls.db")
        await Pool(database).open()
        await database.migrate("router", MIGRATIONS)
        store = CallStore(database)
        for first in range(0, before, 250):
            rows = [row(number) for number in range(first, min(first + 250, before))]
            await store.write(CallBatch("pbx", rows, [], JournalMark("f", "p", first, now()), now()))
        for place in range(2 * calls // size):
            way = ("without", "with")[place % 2]
            Tally.add = adding if way == "with" else nothing  # type: ignore[method-assign,assignment]
            rows = [row(before + place * size + more) for more in range(size)]
            batch = CallBatch("pbx", rows, [], JournalMark("f", "p", place, now()), now())
            begin = time.process_time()
            await store.write(batch)
            took[way].append((time.process_time() - begin) / size)
        await database.close()
    figures = {way: 1e6 * statistics.median(values) for way, values in took.items()}
    means = {way: 1e6 * statistics.mean(values) for way, values in took.items()}
    print(
        f"{size} at a time: {figures['without']:.0f} µs a call without, {figures['with']:.0f} µs with: "
        f"{figures['with'] - figures['without']:.0f} µs for reports "
        f"({means['with'] - means['without']:.0f} µs in the mean, checkpoints and other load included)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--before", type=int, default=0)
    asked = parser.parse_args()
    asyncio.run(measure(asked.calls, asked.batch, asked.before))
    return 0


if __name__ == "__main__":
    sys.exit(main())
