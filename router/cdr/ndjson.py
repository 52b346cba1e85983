"""`cdr.ndjson`: one finished call per line, in the order of the store; made for `tail -F`.

The file follows the store and never leads it. Its own last line tells how far it got (the store is asked
where that call stands), so a crash between writing and remembering neither repeats nor loses a line; a line
that was cut short is completed in place. The place is also kept in the store, for the moment after a rotation
and for files that somebody took away. One process per node writes: the others wait for its lock.
"""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from pool.database import StoreUnavailable
from router.store.calls import FilePlace, Written

log = structlog.get_logger(__name__)

MOST_LINES: Final = 500
POLL_SECONDS: Final = 5.0
GATHER_SECONDS: Final = 0.02
SAVE_SECONDS: Final = 5.0
RETRY_SECONDS: Final = (0.2, 10.0)
LOCK_SECONDS: Final = 1.0
TAIL_BYTES: Final = 1 << 16
MOST_TAIL_BYTES: Final = 1 << 22
DAY_MS: Final = 86_400_000
_START: Final = FilePlace(0, "")


class Store(Protocol):
    """What is needed of `router.store.calls.CallStore`."""

    async def written_after(self, switch: str, place: FilePlace, most: int = 500) -> list[Written]: ...
    async def call(self, call_id: str) -> Written | None: ...
    async def file_place(self, node: str) -> FilePlace | None: ...
    async def save_file_place(self, node: str, place: FilePlace) -> None: ...


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a file: the id in its last whole line, and what follows that line (a line cut short)."""

    call_id: str | None
    whole_bytes: int
    torn: bytes


class CdrFile:
    """Keeps `path` in step with the calls of one switch: `run`. `written` tells that there may be new."""

    def __init__(
        self, path: Path, switch: str, store: Store, *, now: Callable[[], int], lines_written: int = 0
    ) -> None:
        """`now` in milliseconds decides the day, in UTC, on which an idle file is rotated."""
        self._path = path
        self._switch = switch
        self._store = store
        self._now = now
        self._news = asyncio.Event()
        self._saved: FilePlace | None = None
        self._place = _START
        self._day: int | None = None
        self.lines_written = lines_written
        self.last_error: str | None = None

    def written(self) -> None:
        """There are new calls in the store."""
        self._news.set()

    async def run(self) -> None:
        """Follows the store until cancelled; a file or store that fails is tried again."""
        pause, longest = RETRY_SECONDS
        async with _locked(self._path.with_name(self._path.name + ".lock")):
            while True:
                try:
                    await self._follow()
                except (OSError, StoreUnavailable) as error:
                    self.last_error = str(error)
                    log.warning("cdr_file.failed", path=str(self._path), error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    async def _follow(self) -> None:
        self._place = await self._reconciled()
        loop = asyncio.get_running_loop()
        save_at = loop.time() + SAVE_SECONDS
        try:
            while True:
                self._news.clear()
                calls = await self._store.written_after(self._switch, self._place, MOST_LINES)
                if calls:
                    await _in_thread(self._append, calls)
                    self.last_error = None
                elif self._day is not None and self._day < self._now() // DAY_MS:
                    await _in_thread(self._rotate, self._day)
                if loop.time() >= save_at:
                    await self._save(self._place)
                    save_at = loop.time() + SAVE_SECONDS
                if len(calls) < MOST_LINES:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await self._news.wait()
                        await asyncio.sleep(GATHER_SECONDS)
        finally:
            with contextlib.suppress(StoreUnavailable):
                await self._save(self._place)

    async def _save(self, place: FilePlace) -> None:
        if place not in {self._saved, _START}:
            await self._store.save_file_place(self._switch, place)
            self._saved = place

    async def _reconciled(self) -> FilePlace:
        """The place behind the last line that is on disk; a line cut short is completed or cut off."""
        self._saved = await self._store.file_place(self._switch)
        place = self._saved or _START
        self._path.parent.mkdir(parents=True, exist_ok=True)
        tail = await asyncio.to_thread(tail_of, self._path)
        last = await self._known(tail.call_id)
        if last is None and tail.call_id is None:
            newest = await asyncio.to_thread(newest_rotated, self._path)
            if newest is not None:
                last = await self._known((await asyncio.to_thread(tail_of, newest)).call_id)
        if last is not None:
            place = max(place, FilePlace(last.written_at, last.call_id))
        self._day = None if tail.call_id is None else self._day_of(last)
        return await self._mended(tail, place) if tail.torn else place

    async def _known(self, call_id: str | None) -> Written | None:
        return None if call_id is None else await self._store.call(call_id)

    def _day_of(self, last: Written | None) -> int:
        """The day of the file's last line, by the file's own time where its call is not in the store."""
        return (last.written_at if last else int(self._path.stat().st_mtime * 1000)) // DAY_MS

    async def _mended(self, tail: Tail, place: FilePlace) -> FilePlace:
        """Completes a line that was cut short, where it begins the next call's; else cuts it off."""
        next_calls = await self._store.written_after(self._switch, place, 1)
        line = next_calls[0].record.encode() + b"\n" if next_calls else b""
        if not line.startswith(tail.torn):
            log.warning("cdr_file.torn_line_cut", path=str(self._path), bytes=len(tail.torn))
            await asyncio.to_thread(os.truncate, self._path, tail.whole_bytes)
            return place
        await _in_thread(self._write, line[len(tail.torn) :])
        if self._day is None:
            self._day = next_calls[0].written_at // DAY_MS
        return FilePlace(next_calls[0].written_at, next_calls[0].call_id)

    def _append(self, calls: list[Written]) -> None:
        """Writes the calls' lines durably; the day of a line is that on which its call was stored."""
        at = 0
        while at < len(calls):
            day = calls[at].written_at // DAY_MS
            if self._day is not None and day > self._day:
                self._rotate(self._day)
            # A call stored just before midnight may come after the rotation: it goes into the new day's file.
            self._day = max(day, self._day or day)
            last = at
            while last < len(calls) and calls[last].written_at // DAY_MS <= self._day:
                last += 1
            self._write(b"".join(call.record.encode() + b"\n" for call in calls[at:last]))
            self._place = FilePlace(calls[last - 1].written_at, calls[last - 1].call_id)
            self.lines_written += last - at
            at = last

    def _write(self, data: bytes) -> None:
        is_new = not self._path.exists()
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            while data:
                data = data[os.write(file, data) :]
            os.fdatasync(file)
        finally:
            os.close(file)
        if is_new:
            _sync_folder(self._path.parent)

    def _rotate(self, day: int) -> None:
        """Renames the file to its day: `cdr-2026-11-22.ndjson`, never over another."""
        self._day = None
        if not self._path.exists():
            return
        date = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
        stem, suffix = self._path.stem, self._path.suffix
        target, again = self._path.with_name(f"{stem}-{date}{suffix}"), 1
        while target.exists():
            again += 1
            target = self._path.with_name(f"{stem}-{date}.{again}{suffix}")
        self._path.rename(target)
        _sync_folder(self._path.parent)
        log.info("cdr_file.rotated", path=str(target))


async def _in_thread(work: Callable[[Any], None], given: Any) -> None:
    """Runs `work` in a thread to its end, also when cancelled: the lock must not be given up before."""
    working = asyncio.ensure_future(asyncio.to_thread(work, given))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _sync_folder(folder: Path) -> None:
    """Makes a new or renamed file's name survive a power cut."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.asynccontextmanager
async def _locked(path: Path) -> Any:
    """Holds the lock file; another process that has it is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    log.info("cdr_file.another_process_writes", path=str(path))
                    waited = True
                await asyncio.sleep(LOCK_SECONDS)
        yield
    finally:
        os.close(file)


def tail_of(path: Path) -> Tail:
    """The end of an ndjson file; of a missing one as of an empty one. Lines without an id are passed over."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return Tail(None, 0, b"")
    call_id: str | None = None
    torn: bytes | None = None
    with file:
        size = start = file.seek(0, os.SEEK_END)
        data = b""
        while start > 0 and call_id is None and len(data) < MOST_TAIL_BYTES:
            step = min(TAIL_BYTES, start)
            start -= step
            file.seek(start)
            data = file.read(step) + data
            lines = data.split(b"\n")
            if torn is None and len(lines) > 1:
                torn = lines[-1]
            # The first piece may be a part of a line, the last one is what was cut short.
            whole = lines[:-1] if start == 0 else lines[1:-1]
            call_id = next(filter(None, map(_id_in, reversed(whole))), None)
    torn = data if torn is None else torn
    return Tail(call_id, size - len(torn), torn)


def _id_in(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    call_id = record.get("id") if isinstance(record, dict) else None
    return call_id if isinstance(call_id, str) else None


def newest_rotated(path: Path) -> Path | None:
    """The file that was renamed last from `path`, or None."""
    rotated = path.parent.glob(f"{path.stem}-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*{path.suffix}")
    return max(rotated, key=lambda file: (file.stat().st_mtime_ns, file.name), default=None)
