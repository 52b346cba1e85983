"""Blanks erased persons in the files beside this PBX: lines of `cdr.ndjson`, and recordings if asked to."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from pool.database import StoreUnavailable
from pool.instants import SECOND, Instant
from router.cdr.blanking import blank_lines
from router.config.live import LiveConfig
from router.recordings import files
from router.store.erasing import ErasedCall, ErasingStore
from router.store.recordings import RecordingStore

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
SETTLED_SECONDS: Final = 10
"""So long after the store, the file's writer has written what it read before."""
MOVING: Final = frozenset({"due", "replacing"})


class Erasing:
    """Looks for calls that were erased, whoever did so and wherever."""

    def __init__(
        self,
        live: LiveConfig,
        switch: str,
        store: ErasingStore,
        recordings: RecordingStore,
        *,
        now: Callable[[], Instant],
    ) -> None:
        self._live = live
        self._switch = switch
        self._store = store
        self._recordings = recordings
        self._now = now

    async def run(self) -> None:
        """Looks every half minute until cancelled."""
        while True:
            try:
                await self.look()
            except (OSError, StoreUnavailable) as error:
                log.warning("erasing.failed", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Blanks what is due; gives how many calls are done. Raises OSError, StoreUnavailable."""
        at = self._now()
        due = await self._store.due(self._switch, at - SETTLED_SECONDS * SECOND)
        if not due:
            return 0
        path = self._live.current.cdr.path
        lines = await asyncio.to_thread(blank_lines, path, {call.call_id: call.record for call in due})
        waiting = await self._delete_recordings([call for call in due if call.recording])
        done = [call.call_id for call in due if call.call_id not in waiting]
        if done:
            await self._store.done(done, at)
            log.info("erasing.blanked", calls=len(done), lines=lines, waiting=len(waiting))
        return len(done)

    async def _delete_recordings(self, calls: Sequence[ErasedCall]) -> set[str]:
        """Deletes these calls' recordings; gives those that are just being worked on."""
        found = await self._recordings.of([call.call_id for call in calls]) if calls else {}
        folder = self._live.current.recordings.folder
        waiting = set()
        for call_id, recording in found.items():
            if recording.state in MOVING:
                waiting.add(call_id)
            elif recording.state != "deleted":
                freed = await asyncio.to_thread(files.delete, files.every(folder, recording.name))
                await self._recordings.change(
                    recording._replace(state="deleted", reason="erased", changed_at=self._now())
                )
                log.info(
                    "recording.deleted", call_id=call_id, name=recording.name, bytes=freed, reason="erased"
                )
        return waiting
