"""The recordings of one switch, one after another: those of new calls are looked up, then made ready.

The table `recording` says how far each is; its rows follow the stored calls. A file is deleted only after
the row that no longer names it is stored, and a row changes only after the file it names is whole on disk:
whatever is killed, doing the rest is safe.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.core import Metric

from pool.database import StoreUnavailable
from router.config.live import LiveConfig
from router.metrics import counter, gauge
from router.recordings import files
from router.recordings.encoders import WANTED, Encoder, ProgramFailed, find_encoder
from router.recordings.finishing import NothingRecorded, NothingThere, NotProved, finish, whole
from router.recordings.intake import Folders, looked_up
from router.recordings.sweep import Sweep
from router.recordings.wav import NotWav
from router.store.calls import CallStore
from router.store.recordings import Recording, RecordingStore, State

log = structlog.get_logger(__name__)

LOCK: Final = ".leaseline.lock"
LOOK_SECONDS: Final = 5.0
SETTLE_MS: Final = 2_000
"""After a call's end its files may still be written to for some milliseconds."""
GATHER_SECONDS: Final = 5.0
"""Calls that end one after another are looked at together. Until then the WAV is served as it is."""
AGAIN_MS: Final = (10_000, 60_000, 600_000)
"""How long after a failure it is tried again; after the last, the WAV is kept as it is."""
SWEEP_SECONDS: Final = 3_600.0
SAY_AGAIN_SECONDS: Final = 3_600.0
PAGE: Final = 200


class Recordings:
    """The service of one switch. One process per folder works, the others wait for its lock."""

    def __init__(
        self,
        live: LiveConfig,
        switch: str,
        calls: CallStore,
        store: RecordingStore,
        *,
        now: Callable[[], int],
    ) -> None:
        self.finished = 0
        self.failures = 0
        self.waiting = 0
        self.problems: dict[str, str] = {}
        self.sweep = Sweep(live, switch, store, now=now)
        self._live = live
        self._switch = switch
        self._calls = calls
        self._store = store
        self._now = now
        self._wake = asyncio.Event()
        self._say_again_at: dict[str, float] = {}
        self._encoder: Encoder | None = None
        self._encoder_of = ""

    def written(self) -> None:
        """A call was stored: there may be a recording."""
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            folder = self._live.current.recordings.folder
            try:
                async with _locked(folder / LOCK):
                    await self._work(folder)
            except OSError as error:
                # Calls and their records need none of this; and where nothing is recorded there is no folder.
                if any(site.record != "off" for site in self._live.current.site):
                    self._say("folder", f"{folder} cannot be used: {error.strerror or error}")
            except StoreUnavailable as error:
                log.warning("recordings.store_unavailable", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _work(self, folder: Path) -> None:
        self.problems.pop("folder", None)
        await self._store.try_again(self._switch, "missing", self._now())
        # Whoever made these is gone: the lock is ours.
        await asyncio.to_thread(files.delete, list(files.parts(folder)))
        sweep_at = 0.0
        loop = asyncio.get_running_loop()
        while self._live.current.recordings.folder == folder:
            self._wake.clear()
            await self._choose_encoder()
            await self._take_in(folder)
            if loop.time() >= sweep_at:
                await self.sweep.run(folder)
                sweep_at = loop.time() + SWEEP_SECONDS
            worked = await self._has_room(folder) and await self._next(folder)
            self.waiting = await self._store.waiting(self._switch)
            if not worked:
                with contextlib.suppress(TimeoutError):
                    pause = SETTLE_MS / 1000 if self.waiting else LOOK_SECONDS
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                    await asyncio.sleep(GATHER_SECONDS)

    async def _choose_encoder(self) -> None:
        wanted = self._live.current.recordings.format
        if wanted == self._encoder_of:
            return
        self._encoder = await asyncio.to_thread(find_encoder, wanted)
        self._encoder_of = wanted
        self.problems.pop("encoder", None)
        if self._encoder is None and wanted != "wav":
            self._say("encoder", f'format = "{wanted}" needs {WANTED[wanted]}: recordings stay WAV')
            return
        log.info("recordings.format", format=wanted, encoder=self._encoder.name if self._encoder else None)
        await self._store.try_again(self._switch, "kept", self._now())

    async def _take_in(self, folder: Path) -> None:
        """Lays down a row for each recording of the calls that were stored since the last time."""
        folders = Folders(folder, self._live.current.recordings.voicemail)
        while True:
            place = await self._store.place(self._switch)
            page = await self._calls.written_after(self._switch, place, PAGE)
            if not page:
                return
            found = await asyncio.to_thread(looked_up, folders, page, self._now())
            last = page[-1]
            place = place._replace(written_at=last.written_at, call_id=last.call_id)
            await self._store.add(self._switch, found, place, self._now() + SETTLE_MS)

    async def _next(self, folder: Path) -> bool:
        """Works on the next recording that is due, or on many that need no work; False when there is none."""
        due = await self._store.due(self._switch, self._now(), 1 if self._encoder else PAGE)
        if not due:
            return False
        ready = await asyncio.to_thread(self._whole, folder, due) if self._encoder is None else []
        if ready:
            await self._store.change_all(ready)
            self.finished += len(ready)
            for recording in ready:
                _tell_ready(recording, 0)
            return True
        recording = due[0]
        if recording.state == "due":
            recording = await self._made_ready(folder, recording)
        if recording.state == "replacing":
            await self._end_replacing(folder, recording)
        return True

    def _whole(self, folder: Path, due: Sequence[Recording]) -> list[Recording]:
        """Those that are as they should be."""
        reason, ready = self._reason(), []
        for recording in due:
            made = whole(folder, recording.name) if recording.state == "due" else None
            if made is not None:
                state: State = "kept" if reason else "ready"
                judged = recording._replace(state=state, reason=reason, attempts=0, changed_at=self._now())
                ready.append(judged._replace(**made._asdict()))
        return ready

    def _reason(self) -> str | None:
        """Why recordings stay WAV although they should not."""
        if self._encoder is None and self._encoder_of != "wav":
            return f"no encoder for {self._encoder_of} is installed"
        return None

    async def _made_ready(self, folder: Path, recording: Recording) -> Recording:
        reason = self._reason()
        try:
            made = await finish(folder, recording.name, self._encoder)
        except NothingThere:
            return await self._failed(recording, "missing", "its file is not in the folder")
        except NothingRecorded:
            await asyncio.to_thread(files.delete, files.every(folder, recording.name))
            log.info("recording.deleted", call_id=recording.call_id, name=recording.name, reason="empty")
            return await self._change(recording._replace(state="deleted", reason="nothing was recorded"))
        except (NotProved, NotWav, ProgramFailed, OSError) as error:
            self.failures += 1
            return await self._failed(recording, "kept", str(error))
        return await self._change(
            recording._replace(state="replacing", reason=reason, attempts=0, **made._asdict())
        )

    async def _end_replacing(self, folder: Path, recording: Recording) -> None:
        """Deletes what the finished file replaces: only now is it sure that the store names that one."""
        if files.inside(folder, recording.name) is None:
            await self._change(recording._replace(state="due"))
            return
        rest = [path for path in files.every(folder, recording.name) if path.name != recording.name]
        freed = await asyncio.to_thread(files.delete, rest)
        self.finished += 1
        await self._change(recording._replace(state="kept" if recording.reason else "ready"))
        _tell_ready(recording, freed)

    async def _failed(self, recording: Recording, state: State, reason: str) -> Recording:
        """It is tried again a few times; then the state says what there is."""
        attempts = recording.attempts + 1
        again = AGAIN_MS[min(attempts, len(AGAIN_MS)) - 1]
        final = attempts > len(AGAIN_MS)
        tell = log.error if final else log.warning
        tell(
            "recording.not_ready", call_id=recording.call_id, name=recording.name, reason=reason, final=final
        )
        resting: State = state if final else "due"
        changed = recording._replace(state=resting, attempts=attempts, reason=reason[:300])
        return await self._change(changed, due_at=self._now() + again)

    async def _change(self, recording: Recording, *, due_at: int = 0) -> Recording:
        changed = recording._replace(changed_at=self._now())
        await self._store.change(changed, due_at=due_at)
        return changed

    async def _has_room(self, folder: Path) -> bool:
        """Whether the disk has room for a file in the making; if not, an error says so until it has."""
        least = self._live.current.recordings.least_free_megabytes
        free = await asyncio.to_thread(files.free_bytes, folder) // 1024 // 1024
        if free < least:
            self._say(
                "disk", f"{folder}: {free} MB free, less than {least}: nothing is converted or deleted for it"
            )
        elif self.problems.pop("disk", None):
            log.info("recordings.disk_has_room", free_megabytes=free)
        return free >= least

    def _say(self, kind: str, problem: str) -> None:
        """An error for whoever looks after the machine: at once, and again while it lasts."""
        seconds = asyncio.get_running_loop().time()
        if kind not in self.problems or seconds >= self._say_again_at[kind]:
            self._say_again_at[kind] = seconds + SAY_AGAIN_SECONDS
            log.error("recordings.alert", about=kind, problem=problem)
        self.problems[kind] = problem

    def figures(self) -> list[Metric]:
        """Counters and gauges."""
        return [
            gauge("recordings_waiting", "Recordings that are not ready yet", self.waiting),
            gauge("recordings_alerts", "What keeps recordings from being ready", len(self.problems)),
            counter("recordings_finished", "Recordings made ready", self.finished),
            counter("recordings_failures", "Times that one could not be made ready", self.failures),
            counter("recordings_deleted", "Recordings deleted because of their age", self.sweep.deleted),
        ]

    def state(self) -> str:
        """What `/readyz` tells: calls need none of this, so that it is always ready."""
        made = self._encoder.name if self._encoder else "wav"
        return "; ".join(self.problems.values()) or f"{made}, {self.waiting} waiting"


def _tell_ready(recording: Recording, freed: int) -> None:
    log.info(
        "recording.ready",
        call_id=recording.call_id,
        linkedid=recording.linkedid,
        name=recording.name,
        bytes=recording.bytes,
        freed=freed,
    )


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    """Holds the lock file; another process that has it is waited for."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOOK_SECONDS)
        yield
    finally:
        os.close(file)
