"""Reading Asterisk's journal (CEL to a file) as it grows, across rotations, from any position.

cel_custom opens, writes and closes the file for each event, so renaming it away is a safe rotation. A file
that was renamed (or replaced) is read to its end, a moment longer than its last write, before the next one
is begun.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from agi.cel import CelEvent, MalformedEvent, from_line
from agi.filewatch import FolderWaker
from agi.journal_files import OpenFile, Position, files_of, identify, is_ours, rotate, same_content

log = structlog.get_logger(__name__)

BATCH_BYTES: Final = 8_192
"""One read: some forty lines, so that catching up leaves the loop free every millisecond."""


class JournalState(StrEnum):
    WAITING = "waiting"
    """there is no file yet"""
    READING = "reading"
    UNREADABLE = "unreadable"


class JournalLine(NamedTuple):
    """One event, the file it is in, and where its line starts; ``end_offset`` is where the next one does."""

    event: CelEvent
    file_id: str
    path: str
    offset: int
    end_offset: int

    @property
    def position(self) -> Position:
        return Position(self.file_id, self.offset, self.path)

    @property
    def end(self) -> Position:
        return Position(self.file_id, self.end_offset, self.path)


class JournalReader:
    """Reads the journal at ``path``.

    For health and metrics: `state` with its `reason`, `caught_up` (all that is there has been given out),
    and the counters `lines_read`, `lines_malformed`, `truncations`, `late_files`. settle_seconds: how long
    a renamed file must have been quiet before it counts as finished. ``watch=False`` polls.
    """

    def __init__(self, path: Path, *, settle_seconds: float = 0.1, watch: bool = True) -> None:
        self.path = path
        self.state = JournalState.WAITING
        self.reason = ""
        self.lines_read = 0
        self.lines_malformed = 0
        self.truncations = 0
        self.late_files = 0
        self.caught_up = False
        self._settle_seconds = settle_seconds
        self._waker = FolderWaker(path.parent, watch=watch)
        self._file: OpenFile | None = None
        self._offset = 0
        self._skipping = False
        self._more = False
        # By file id: the size up to which it was read, None when that was in an earlier life.
        self._finished: dict[str, int | None] = {}

    @property
    def position(self) -> Position | None:
        """Up to where lines have been given out; None before the first whole line of a file."""
        if self._file is None or not self._file.file_id:
            return None
        return Position(self._file.file_id, self._offset, str(self._file.path))

    async def batches(self, position: Position | None = None) -> AsyncGenerator[list[JournalLine]]:
        """Lines as they come, from ``position`` on or from the oldest file, for ever; a list is never empty.

        One consumer at a time. Malformed lines are logged with their offset, counted and left out. A
        position whose file is gone is logged and starts at the oldest file. Close the generator to free the
        files.
        """
        self._finished.clear()
        sought = False
        try:
            while True:
                lines: list[JournalLine] = []
                try:
                    if not sought:
                        self._seek(position)
                        sought = True
                    lines = self._step()
                except (OSError, ValueError) as error:
                    sought = False
                    self._close_file()
                    self._be(JournalState.UNREADABLE, str(error))
                if lines:
                    self._waker.news()
                    self.caught_up = False
                    position = lines[-1].end
                    yield lines
                    if self._more:
                        await asyncio.sleep(0)
                        continue
                    settling = self._is_settling()
                    self.caught_up = not settling
                    await self._waker.pause(poll=settling)
                elif self._more:
                    await asyncio.sleep(0)
                else:
                    await self._waker.pause(poll=self._is_settling())
        finally:
            self._close_file()
            self._waker.close()

    async def lines(self, position: Position | None = None) -> AsyncGenerator[JournalLine]:
        """The same, line by line."""
        async with contextlib.aclosing(self.batches(position)) as batches:
            async for batch in batches:
                for line in batch:
                    yield line

    def rotate(self) -> Path | None:
        """Rename the live file away; None when there is nothing in it. Raises OSError."""
        return rotate(self.path)

    def delete_consumed(self, before: Position, *, kept_seconds: float = 0.0) -> list[Path]:
        """Delete the files renamed by `rotate` that lie wholly before ``before`` and were last written
        ``kept_seconds`` ago or longer, and tell which those were.

        A file that has grown since it was finished stays, and is told in the log. Raises OSError, ValueError.
        """
        deleted: list[Path] = []
        files = [(file, *identify(file)) for file in files_of(self.path)]
        ids = [file_id for _, file_id, _ in files]
        older = files[: ids.index(before.file_id)] if before.file_id in ids else []
        for file, file_id, size in older:
            finished_at = self._finished.get(file_id)
            if finished_at is not None and size > finished_at:
                self.late_files += 1
                log.error(
                    "journal file grew after it was read", path=str(file), offset=finished_at, size=size
                )
            elif is_ours(file, self.path) and file_id in self._finished:
                if time.time() - file.stat().st_mtime < kept_seconds:
                    continue
                file.unlink()
                del self._finished[file_id]
                deleted.append(file)
        return deleted

    def _seek(self, position: Position | None) -> None:
        """Open the file of ``position`` there; the files before it count as finished."""
        if position is None:
            return
        files = files_of(self.path)
        ids = [identify(file)[0] for file in files]
        matches = [i for i, file_id in enumerate(ids) if file_id == position.file_id]
        # Restored from a copy, or the disk's number is another since the machine was started.
        matches = matches or [i for i, file_id in enumerate(ids) if same_content(file_id, position.file_id)]
        if not matches:
            log.warning(
                "journal position lost, reading all there is", path=position.path, id=position.file_id
            )
            return
        for file_id in filter(None, ids[: matches[-1]]):
            self._finished.setdefault(file_id, None)
        self._file = OpenFile(files[matches[-1]])
        self._offset, self._skipping = position.byte_offset, False
        # A power cut may take a file's end; what is written after it then stands where something else was.
        if self._offset > self._file.status().st_size or not self._file.starts_line(self._offset):
            self._restart("journal file lost its end, reading it anew")

    def _step(self) -> list[JournalLine]:
        """Read once. An empty list: nothing to read for now, or another file was begun."""
        self._more = False
        file = self._file or self._open_next()
        if file is None:
            self._be(JournalState.WAITING, "no journal file yet")
            self.caught_up = True
            return []
        self._be(JournalState.READING, "")
        file.learn_head()
        chunk = file.read(self._offset, BATCH_BYTES)
        if not file.has_same_head() or (not chunk and file.status().st_size < self._offset):
            self._on_truncated(file)
            return []
        self._more = len(chunk) == BATCH_BYTES
        end = chunk.rfind(b"\n") + 1
        if end:
            return self._parse(file, chunk[:end])
        if self._more:
            if not self._skipping:
                self._malformed(self._offset, "line too long", chunk)
            self._skipping = True
            self._offset += len(chunk)
        elif self._is_finished(file):
            self._finish(file, chunk)
        else:
            self.caught_up = file.is_at(self.path)
        return []

    def _parse(self, file: OpenFile, chunk: bytes) -> list[JournalLine]:
        file_id, path = file.file_id, str(file.path)
        lines: list[JournalLine] = []
        start = self._offset
        for raw in chunk.split(b"\n")[:-1]:
            end = start + len(raw) + 1
            if self._skipping:
                self._skipping = False
            else:
                try:
                    lines.append(JournalLine(from_line(raw), file_id, path, start, end))
                except MalformedEvent as error:
                    self._malformed(start, str(error), raw)
            start = end
        self._offset = start
        self.lines_read += len(lines)
        return lines

    def _is_settling(self) -> bool:
        return self._file is not None and not self._file.is_at(self.path)

    def _is_finished(self, file: OpenFile) -> bool:
        """Whether nothing more will be written: the name is another's, and the last write is a while ago.

        A switch that had the file open when it was renamed writes its line to the old one.
        """
        if file.is_at(self.path):
            return False
        age = time.time() - file.status().st_mtime
        # An age below zero: the clock was set back.
        return age >= self._settle_seconds or age < -1

    def _finish(self, file: OpenFile, rest: bytes) -> None:
        if rest and not self._skipping:
            self._malformed(self._offset, "cut short at the end of the file", rest)
        if file.file_id:
            self._finished[file.file_id] = self._offset + len(rest)
        self.caught_up = False
        self._close_file()
        self._more = True  # the next file may be there already

    def _open_next(self) -> OpenFile | None:
        """The oldest file that is not finished."""
        for path in files_of(self.path):
            with contextlib.suppress(FileNotFoundError):
                file = OpenFile(path)
                # A renamed file without a whole line will not get one.
                if file.file_id in self._finished or (not file.file_id and path != self.path):
                    file.close()
                    continue
                self._file, self._offset, self._skipping = file, 0, False
                return file
        return None

    def _on_truncated(self, file: OpenFile) -> None:
        """The file was emptied in place. If it was copied before (copytruncate), go on in the copy."""
        for path in files_of(self.path):
            file_id, size = identify(path)
            if path != self.path and same_content(file_id, file.file_id) and size >= self._offset:
                log.warning("journal file was truncated, going on in its copy", path=str(path))
                self.truncations += 1
                self._close_file()
                self._file = OpenFile(path)
                self._more = True
                return
        self._restart("journal file was truncated")

    def _restart(self, why: str) -> None:
        """Read the open file from its start."""
        self.truncations += 1
        log.warning(why, path=str(self.path), offset=self._offset)
        self._offset, self._skipping, self._more = 0, False, True
        if self._file is not None:
            self._file.head = b""
            self._file.learn_head()

    def _malformed(self, offset: int, reason: str, raw: bytes) -> None:
        self.lines_malformed += 1
        # A file that is something else altogether should not fill the log.
        if self.lines_malformed <= 20 or self.lines_malformed % 1000 == 0:
            log.warning(
                "journal line skipped",
                path=str(self._file.path) if self._file else None,
                offset=offset,
                reason=reason,
                text=raw[:200].decode("latin-1"),
                so_far=self.lines_malformed,
            )

    def _be(self, state: JournalState, reason: str) -> None:
        if (state, reason) != (self.state, self.reason):
            self.state, self.reason = state, reason
            tell = log.error if state is JournalState.UNREADABLE else log.info
            tell(f"journal {state}", path=str(self.path), reason=reason or None)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
