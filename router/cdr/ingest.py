"""From the journal to the store: one ordered consumer, finished calls written in batches.

The journal's position is committed with the calls, so that whatever is killed, reading goes on from the
start of the oldest call that is not stored; what is then read twice changes nothing (`router.store.calls`).
When the store is gone, calls wait; when too many wait, reading waits too. Nothing is lost: the journal is a
file.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final, Protocol

import structlog

from agi.cel import CelEvent
from agi.journal import JournalLine
from agi.journal_files import Position
from pool.database import StoreUnavailable
from router.cdr.facts import CallState
from router.cdr.live import LiveCall, LiveCalls
from router.cdr.record import Cdr
from router.cdr.reducer import asked_at, dialed
from router.cdr.writer import CallWriter, Finisher, Holds, IngestCounts, Pauses, Store
from router.store.calls import JournalMark, NewDelivery

log = structlog.get_logger(__name__)

GATHER_SECONDS: Final = 1.2
"""Calls that end within this time of one another share a transaction. The journal has them meanwhile."""
ENOUGH_IN_BATCH: Final = 50
"""For so many no further ones are waited for: a caller's question would wait for a large batch's work."""
MOST_IN_BATCH: Final = 100
MOST_WAITING: Final = 1_000
"""Finished calls that may wait for the store before reading waits too."""
TICK_SECONDS: Final = 1.0
TELL_TICKS: Final = 3
"""After so many, numbers' holders are told of the calls that began: in one transaction for all."""
TELL_EVERY_MS: Final = 30_000
SAVE_POSITION_SECONDS: Final = 5.0
TRY_REFUSED_SECONDS: Final = 60.0
REMEMBER_MS: Final = 3_600_000
"""Calls stored so long before the position's instant, and later, are known without asking the store again."""


class Journal(Protocol):
    """What is needed of `agi.journal.JournalReader`."""

    caught_up: bool

    def batches(self, position: Position | None = None) -> AsyncGenerator[list[JournalLine]]: ...


class Ingest:
    """Reads one switch's journal into the store for ever: `run`. A new run reads from the stored position."""

    def __init__(
        self,
        switch: str,
        journal: Journal,
        store: Store,
        finisher: Finisher,
        holds: Holds,
        *,
        e164: Callable[[str], str | None],
        file_size: Callable[[str], int | None],
        now: Callable[[], int],
        destinations: Callable[[Cdr], Sequence[NewDelivery]] = lambda cdr: (),
        on_written: Callable[[Cdr], None] = lambda cdr: None,
    ) -> None:
        """`e164` reads a number in the trunk's form; for the others see CallWriter."""
        self.counts = IngestCounts()
        self._switch = switch
        self._journal = journal
        self._store = store
        self._holds = holds
        self._e164 = e164
        self._now = now
        self._writer = CallWriter(
            switch,
            store,
            finisher,
            holds,
            self.counts,
            file_size=file_size,
            destinations=destinations,
            on_written=on_written,
            now=now,
        )
        self._forget()

    def _forget(self) -> None:
        self._calls = LiveCalls()
        self._end = _NOWHERE
        self._writer.saved = None
        self._refused: list[CallState] = []
        self._refused_at = 0.0
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Ingests until cancelled. Raises what the journal raises; it can be run again then."""
        self._forget()
        mark = await self._begin()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(mark), name="journal.read")
            tasks.create_task(self._write(), name="journal.write")
            tasks.create_task(self._tick(), name="journal.tick")

    def witness(self, event: CelEvent) -> None:
        """Takes an event from the second witness (CEL over AMI)."""
        self.counts.witnessed += 1
        self._calls.hear(event, self._now())
        self._call_writer()

    def switch_live(self, linkedids: Iterable[str], at: int) -> None:
        """Takes the switch's own list of live calls at `at`: calls that it no longer has will be finished."""
        self._calls.switch_live(linkedids, at, self._now())

    def linkedids(self) -> frozenset[str]:
        """The linkedids of the calls that are going on: far cheaper than `live`."""
        return self._calls.linkedids()

    def has_heard(self, linkedid: str) -> bool:
        """Whether anything was heard of a call, going on or over since not too long."""
        return self._calls.has_heard(linkedid)

    def live(self) -> list[LiveCall]:
        """The calls that are going on."""
        return self._calls.live()

    @property
    def waiting(self) -> int:
        """Finished calls that are not stored yet."""
        return self._calls.unwritten

    @property
    def position(self) -> JournalMark | None:
        """The position that is stored: what lies wholly before it is not needed any more."""
        return self._writer.saved

    async def _begin(self) -> JournalMark | None:
        pauses = Pauses()
        while True:
            try:
                mark = await self._store.position(self._switch)
                if mark is not None:
                    self._end = self._writer.saved = mark
                    since = mark.at - REMEMBER_MS
                    self._calls.remember(await self._store.linkedids_since(self._switch, since))
                return mark
            except StoreUnavailable as error:
                self.counts.store_failures += 1
                log.warning("ingest.store_unavailable", error=str(error), switch=self._switch)
                await pauses.pause()

    async def _read(self, mark: JournalMark | None) -> None:
        position = None
        if mark is not None and mark.file_id:
            position = Position(mark.file_id, mark.byte_offset, mark.path)
        async with contextlib.aclosing(self._journal.batches(position)) as batches:
            async for lines in batches:
                now = self._now()
                for line in lines:
                    mark = JournalMark(line.file_id, line.path, line.offset, line.event.at)
                    self._calls.hear(line.event, now, mark)
                self._call_writer()
                last = lines[-1]
                self._end = JournalMark(last.file_id, last.path, last.end_offset, last.event.at)
                self.counts.events += len(lines)
                self.counts.lag_seconds = max(0.0, (now - last.event.at) / 1000)
                while self._calls.unwritten >= MOST_WAITING:
                    self._room.clear()
                    await self._room.wait()

    async def _tick(self) -> None:
        for tick in itertools.count():
            await asyncio.sleep(TICK_SECONDS)
            caught_up = self._journal.caught_up
            if caught_up:
                self.counts.lag_seconds = 0.0
                if tick % TELL_TICKS == 0:
                    await self._tell_active()
            self._calls.sweep(self._now(), caught_up=caught_up)
            self._call_writer()

    async def _tell_active(self) -> None:
        now = self._now()
        tellings = []
        for entry in self._calls.untold(now, TELL_EVERY_MS):
            called = dialed(entry.state)
            number = called.number or self._e164(called.digits)
            entry.told_at = now
            if number:
                started_at = asked_at(entry.state)
                tellings.append(self._holds.call_active(number, called.extension, started_at, now))
        for failed in await asyncio.gather(*tellings, return_exceptions=True):
            if isinstance(failed, BaseException):
                self._writer.hold_failed(failed)

    def _call_writer(self) -> None:
        if self._calls.ready:
            self._wake.set()
        if self._calls.ready >= ENOUGH_IN_BATCH:
            self._enough.set()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_POSITION_SECONDS):
                    await self._wake.wait()
                # Further calls that are about to end share the transaction.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_SECONDS):
                        await self._enough.wait()
            self._wake.clear()
            self._enough.clear()
            states = self._calls.take(MOST_IN_BATCH)
            if self._refused and loop.time() >= self._refused_at:
                states += self._refused
                self._refused = []
            if states or self._position(()) not in {self._writer.saved, _NOWHERE}:
                await self._write_calls(states)
            self._call_writer()

    async def _write_calls(self, states: Sequence[CallState]) -> None:
        refused = await self._writer.write(states, self._position)
        if refused:
            self._refused += refused
            self._refused_at = asyncio.get_running_loop().time() + TRY_REFUSED_SECONDS
        kept = {state.linkedid for state in refused}
        self._calls.written(state.linkedid for state in states if state.linkedid not in kept)
        self._room.set()

    def _position(self, stored: Sequence[CallState]) -> JournalMark:
        """Where reading has to begin once `stored` are stored."""
        return self._calls.reread_from(state.linkedid for state in stored) or self._end


_NOWHERE: Final = JournalMark("", "", 0, 0)
