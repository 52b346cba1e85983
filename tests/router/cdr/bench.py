"""An ingest with everything around it, on a real store."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from agi.journal import JournalReader
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.ingest import Ingest
from router.store.calls import CallStore, FilePlace, NewDelivery
from tests.router.cdr.calls import EPOCH, NUMBER

NOW = (EPOCH + 40) * 1000


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> int:
        return self.at


class Bench:
    """An ingest with a real journal, store and pool; `store` may be replaced by one that fails."""

    def __init__(self, tmp_path, database, store) -> None:
        self.journal = tmp_path / "leaseline.csv"
        self.pool = Pool(database)
        self.store = store
        self.calls = CallStore(database)
        self.clock = Clock()
        self.sizes: dict[str, int] = {}
        self.told: list[str] = []
        self.ingest = self.make()

    def make(self) -> Ingest:
        enricher = Enricher(
            "pbx",
            self.pool,
            self.store,
            rules=lambda site: SiteRules(qualified_seconds=20),
            e164=lambda digits: f"+{digits}" if digits.startswith("44") else None,
            site_of=lambda number, record: None,
            now=self.clock,
        )
        return Ingest(
            "pbx",
            JournalReader(self.journal, watch=False),
            self.store,
            enricher,
            self.pool,
            e164=lambda digits: None,
            file_size=self.sizes.get,
            now=self.clock,
            destinations=lambda cdr: (NewDelivery(cdr["id"], "crm"),),
            on_written=lambda cdr: self.told.append(cdr["linkedid"]),
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Ingest]:
        task = asyncio.create_task(self.ingest.run())
        try:
            yield self.ingest
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def records(self, count: int) -> list[dict]:
        """The first `count` records, in the order of writing."""
        async with asyncio.timeout(60):
            while True:
                written = await self.calls.written_after("pbx", FilePlace(0, ""))
                settled = self.ingest.waiting == 0 or self.ingest.counts.refused
                if len(written) >= count and settled:
                    return [json.loads(call.record) for call in written]
                await asyncio.sleep(0.01)


async def lease(bench: Bench, at: int) -> str:
    """A visitor who is shown NUMBER, by a visit that the store knows."""
    async with bench.pool.database.write() as transaction:
        await transaction.statement(
            "INSERT INTO number (number, kind, pool, site, channel, label, added_at, free_at) "  # noqa: S608
            f"VALUES ('{NUMBER}', 'dynamic', 'main', '', '', '', 0, 0)"
        )
    wish = LeaseWish("shop", "visitor-1", "visit-1", [SlotWish("main", "main")], 900)
    given = await bench.pool.lease(wish, at)
    await bench.pool.seen(given.lease_id, at + 1000, shown=True)
    return given.lease_id
