"""A process that makes recordings ready until it is killed: `python -m … FOLDER FORMAT`."""

import asyncio
import os
import sys
from pathlib import Path

from pool.database import open_database
from pool.instants import now
from router.config.live import LiveConfig
from router.config.model import Config
from router.recordings import worker
from router.recordings.worker import Recordings
from router.store.calls import CallStore
from router.store.recordings import RecordingStore
from router.store.visits import MIGRATIONS

worker.SETTLE_MS = 1  # type: ignore[misc]
worker.LOOK_SECONDS = 0.01  # type: ignore[misc]
worker.GATHER_SECONDS = 0.001  # type: ignore[misc]


async def main(folder: Path, form: str) -> None:
    settings = {"folder": str(folder / "recordings"), "format": form, "least_free_megabytes": 1}
    live = LiveConfig(folder / "config.toml", Config.model_validate({"recordings": settings}))
    database = await open_database(f"sqlite:///{folder}/leaseline.db")
    await database.migrate("router", MIGRATIONS)
    recordings = Recordings(live, "pbx", CallStore(database), RecordingStore(database), now=now)
    (folder / f"ready-{os.getpid()}").touch()
    await recordings.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
