"""A process that ingests a journal into SQLite and `cdr.ndjson` until it is killed: `python -m … FOLDER`."""

import asyncio
import os
import sys
from pathlib import Path

from agi.journal import JournalReader
from pool.database import open_database
from pool.instants import now
from pool.service import Pool
from router.cdr import ingest, ndjson
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.ingest import Ingest
from router.cdr.ndjson import CdrFile
from router.store.calls import CallStore
from router.store.visits import MIGRATIONS

# Short pauses: more transactions to be killed in.
ingest.GATHER_SECONDS = 0.001  # type: ignore[misc]
ingest.MOST_IN_BATCH = 3  # type: ignore[misc]
ndjson.GATHER_SECONDS = 0.001  # type: ignore[misc]
ndjson.MOST_LINES = 5  # type: ignore[misc]
ndjson.LOCK_SECONDS = 0.02  # type: ignore[misc]


async def main(folder: Path) -> None:
    database = await open_database(f"sqlite:///{folder}/leaseline.db")
    await database.migrate("router", MIGRATIONS)
    pool = Pool(database)
    await pool.open()
    store = CallStore(database)
    file = CdrFile(folder / "cdr.ndjson", "pbx", store, now=now)
    enricher = Enricher(
        "pbx",
        pool,
        store,
        rules=lambda site: SiteRules(),
        e164=lambda digits: None,
        site_of=lambda number, record: None,
        now=now,
    )
    ingesting = Ingest(
        "pbx",
        JournalReader(folder / "leaseline.csv"),
        store,
        enricher,
        pool,
        e164=lambda digits: None,
        file_size=lambda path: None,
        now=now,
        on_written=lambda cdr: file.written(),
    )
    (folder / f"ready-{os.getpid()}").touch()
    await asyncio.gather(ingesting.run(), file.run())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
