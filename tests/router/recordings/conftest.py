"""A store on disk, a folder of recordings, and the worker between them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pool.database import Database, open_database
from pool.instants import now, to_iso
from router.config.live import LiveConfig
from router.config.model import Config
from router.recordings.worker import Recordings
from router.store.calls import CallBatch, CallStore, JournalMark
from router.store.recordings import Recording, RecordingStore
from router.store.visits import MIGRATIONS
from tests.router.cdr.stored import row

ENCODED = [
    pytest.param("opus", marks=pytest.mark.skipif(not shutil.which("opusenc"), reason="needs opus-tools")),
    pytest.param("mp3", marks=pytest.mark.skipif(not shutil.which("lame"), reason="needs lame")),
]


class Bench:
    """Calls and their recordings, as the router has them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.calls = CallStore(database)
        self.recordings = RecordingStore(database)
        self.live = LiveConfig(folder / "config.toml", Config())
        self._numbers = 0

    def configure(self, **recordings: Any) -> None:
        """Settings of `[recordings]`."""
        settings = {
            "folder": str(self.folder),
            "voicemail": str(self.folder.parent / "voicemail"),
            "least_free_megabytes": 1,
            **recordings,
        }
        self.live.current = Config.model_validate({"recordings": settings})

    async def call(
        self,
        name: str | None = None,
        *,
        told: bool = True,
        ended_at: int | None = None,
        channels: int = 1,
        **more: Any,
    ) -> str:
        """Stores a call that left the recording `name` (by default that of its linkedid); gives its id."""
        self._numbers += 1
        columns = row(self._numbers)
        ended_at = ended_at or now()
        path = f"/var/spool/asterisk/monitor/leaseline/{name or columns['linkedid'] + '.wav'}"
        recording = {"path": path, "seconds": 3.0, "channels": channels, "bytes": 48_044} if told else None
        record = {
            "id": columns["call_id"],
            "linkedid": columns["linkedid"],
            "ended_at": to_iso(ended_at),
            "recording": recording,
            "result": "answered",
            **more,
        }
        columns |= {"ended_at": ended_at, "record": json.dumps(record)}
        await self.calls.write(CallBatch("pbx", [columns], [], JournalMark("f", "p", 1, now()), now()))
        return str(columns["call_id"])

    def worker(self) -> Recordings:
        return Recordings(self.live, "pbx", self.calls, self.recordings, now=now)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Recordings]:
        """The service runs within this."""
        worker = self.worker()
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def until(
        self, call_id: str, wanted: Callable[[Recording], bool] = lambda found: found.state == "ready"
    ) -> Recording:
        """The call's recording once it is as wanted."""
        async with asyncio.timeout(60):
            while True:
                found = (await self.recordings.of([call_id])).get(call_id)
                if found is not None and wanted(found):
                    return found
                await asyncio.sleep(0.02)

    @property
    def names(self) -> set[str]:
        """The files in the folder but the lock."""
        return {path.name for path in self.folder.iterdir() if path.name != ".leaseline.lock"}


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("router.recordings.worker.SETTLE_MS", 20)
    monkeypatch.setattr("router.recordings.worker.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("router.recordings.worker.GATHER_SECONDS", 0.02)
    monkeypatch.setattr("router.recordings.worker.AGAIN_MS", (10, 10, 10))
    folder = tmp_path / "recordings"
    folder.mkdir()
    database = await open_database(f"sqlite:///{tmp_path}/leaseline.db")
    await database.migrate("router", MIGRATIONS)
    made = Bench(folder, database)
    made.configure()
    yield made
    await database.close()
