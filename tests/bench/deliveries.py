"""What telling other systems costs: choosing at the CDR, the outbox in its transaction, and sending.

    python tests/bench/deliveries.py [--calls 2000] [--destinations 3]

Processor time of this process, the far side included in the last figure's wall time only: it is a process of
its own, which answers 204.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from aiohttp import web

from pool.database import Database, open_database
from pool.instants import now
from router.config.live import LiveConfig
from router.config.model import Config
from router.deliveries.service import Deliveries
from router.log import set_up_logging
from router.store.calls import CallBatch, CallStore, JournalMark
from router.store.deliveries import DeliveryStore
from router.store.visits import MIGRATIONS
from tests.router.deliveries.records import cdr, columns


def far_side(told: Connection) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    async def serve() -> None:
        application = web.Application()
        application.router.add_post("/", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


def config(port: int, destinations: int) -> Config:
    table: dict[str, Any] = {
        "kind": "webhook", "url": f"http://127.0.0.1:{port}/", "per_minute": 60_000, "concurrency": 4,
        "channels": ["Google Ads"],
    }  # fmt: skip
    return Config.model_validate({"delivery": [table | {"name": f"d{n}"} for n in range(destinations)]})


async def write(database: Database, service: Deliveries | None, first: int, calls: int) -> float:
    """Stores calls in batches of 20, as a busy ingest does; gives the processor seconds."""
    store, at = CallStore(database), now()
    records = [cdr(number, at=at - 60_000 + number) for number in range(first, first + calls)]
    rows = [columns(record, at) for record in records]
    started = time.process_time()
    for begin in range(0, calls, 20):
        part = records[begin : begin + 20]
        told = [new for record in part for new in service.of(record)] if service else []
        batch = CallBatch("pbx", rows[begin : begin + 20], told, JournalMark("f", "p", 1, at), at)
        await store.write(batch)
    return time.process_time() - started


async def main(calls: int, destinations: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=far_side, args=(theirs,), daemon=True)
    server.start()
    live = LiveConfig(Path("config.toml"), config(ours.recv(), destinations))
    with tempfile.TemporaryDirectory() as folder:
        database = await open_database(f"sqlite:///{folder}/leaseline.db")
        await database.migrate("router", MIGRATIONS)
        service = Deliveries(live, database, now=now)
        record = cdr(1, at=now())
        started = time.process_time()
        for _ in range(10_000):
            service.of(record)
        choosing = (time.process_time() - started) / 10_000
        await write(database, None, 1, 200)
        bare = await write(database, None, 1_000, calls)
        with_outbox = await write(database, service, 100_000, calls)
        print(f"choosing, {destinations} destinations: {choosing * 1e6:.1f} µs a call")
        print(f"writing the record alone: {bare / calls * 1e6:.0f} µs a call")
        print(f"with its outbox: {with_outbox / calls * 1e6:.0f} µs a call")
        began, started = time.monotonic(), time.process_time()
        task = asyncio.create_task(service.run())
        store = DeliveryStore(database)
        while any(row["state"] != "sent" for row in await store.counts()):
            await asyncio.sleep(0.5)
        seconds, cpu = time.monotonic() - began, time.process_time() - started
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sent = calls * destinations
        print(
            f"sending: {cpu / sent * 1e6:.0f} µs of processor a delivery, {sent / seconds:.0f} deliveries/s"
        )
        await database.close()
    server.terminate()


if __name__ == "__main__":
    set_up_logging("info", "json", Path(os.devnull).open("w"))  # noqa: SIM115 - as in production, unread
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--destinations", type=int, default=3)
    options = parser.parse_args()
    asyncio.run(main(options.calls, options.destinations))
