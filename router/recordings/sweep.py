"""What is deleted from the recordings folder, and why: each deletion is logged."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from pool.instants import DAY
from router.config.live import LiveConfig
from router.recordings import files
from router.recordings.wav import EMPTY_BYTES
from router.store.recordings import RecordingStore

log = structlog.get_logger(__name__)

STRAY_SECONDS: Final = 86_400.0
"""A bare header of a call that left no record is deleted when it is so old; no call rings for so long."""
PAGE: Final = 200


class Sweep:
    """Retention, and files that belong to no stored call."""

    def __init__(
        self, live: LiveConfig, switch: str, store: RecordingStore, *, now: Callable[[], int]
    ) -> None:
        self.deleted = 0
        self._live = live
        self._switch = switch
        self._store = store
        self._now = now

    async def run(self, folder: Path) -> None:
        """Deletes what is older than `retention_days` (0: nothing), and what strays without content."""
        days = self._live.current.recordings.retention_days
        if days:
            await self._retain(folder, days)
        strays = await asyncio.to_thread(lambda: list(_strays(folder, days)))
        for start in range(0, len(strays), PAGE):
            some = strays[start : start + PAGE]
            known = await self._store.calls_known(self._switch, {stray.linkedid for stray in some})
            for stray in some:
                if stray.linkedid in known:
                    continue  # the call's row decides
                freed = await asyncio.to_thread(files.delete, [stray.path])
                self.deleted += 1
                log.info("recording.deleted", name=stray.path.name, bytes=freed, reason=stray.reason)

    async def _retain(self, folder: Path, days: int) -> None:
        before = self._now() - days * DAY
        while old := await self._store.ended_before(self._switch, before, PAGE):
            for recording in old:
                # The file first: killed here, the row still asks for the deletion.
                freed = await asyncio.to_thread(files.delete, files.every(folder, recording.name))
                await self._store.change(
                    recording._replace(
                        state="deleted", reason=f"older than {days} days", changed_at=self._now()
                    )
                )
                self.deleted += 1
                log.info(
                    "recording.deleted",
                    call_id=recording.call_id,
                    linkedid=recording.linkedid,
                    name=recording.name,
                    bytes=freed,
                    reason=f"older than {days} days",
                )


class Stray(NamedTuple):
    """A file that may belong to no call."""

    path: Path
    linkedid: str
    reason: str


def _strays(folder: Path, days: int) -> Iterator[Stray]:
    """Files that look like recordings and are old: empty ones after a day, others by retention."""
    at = time.time()
    for path in folder.iterdir():
        if not files.STRAY.match(path.name):
            continue
        try:
            state = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        age_seconds = at - state.st_mtime
        linkedid = path.name.rpartition(".")[0].removesuffix("-rx").removesuffix("-tx")
        if state.st_size <= EMPTY_BYTES and age_seconds >= STRAY_SECONDS:
            yield Stray(path, linkedid, "empty, and of no call")
        elif days and age_seconds >= days * 86_400:
            yield Stray(path, linkedid, f"older than {days} days, and of no call")
