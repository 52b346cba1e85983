"""A process that leases from a shared store: `leasing_process.py URL NAME VISITORS`, until it gets SIGTERM.

Prints each acknowledged lease as a JSON line, at once. Freezes are as short as they can be, so that numbers
are given again within seconds.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys

from pool.database import StoreUnavailable, open_database
from pool.instants import now
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool

AT_ONCE = 8


async def main(url: str, name: str, visitors: int) -> None:
    enough = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, enough.set)
    database = await open_database(url)
    pool = Pool(database, rest_seconds=0)
    await pool.open()
    chance = random.Random(name)

    async def lease_on() -> None:
        while not enough.is_set():
            visitor = f"visitor-{chance.randrange(visitors)}"
            wish = LeaseWish("shop", visitor, f"{name}-{now()}", [SlotWish("main")], 1, 1)
            try:
                lease = await pool.lease(wish, now())
                if chance.random() < 0.3:
                    await pool.left(lease.lease_id, now())
            except StoreUnavailable as error:
                print(json.dumps({"unavailable": str(error)}), flush=True)
                await asyncio.sleep(0.05)
                continue
            shown = lease.slots[0]
            told = {
                "lease_id": lease.lease_id,
                "visitor": visitor,
                "number": shown.number,
                "revived": lease.revived,
                "told_at": now(),
            }
            print(json.dumps(told), flush=True)
            await asyncio.sleep(chance.random() * 0.05)

    await asyncio.gather(*(lease_on() for _ in range(AT_ONCE)))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
