"""Finished calls into the store: enriched, written in one transaction, the pool told that they ended."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from pool.database import StoreUnavailable
from router.cdr.enrich import FinishedCall
from router.cdr.facts import MICROSECONDS, CallState
from router.cdr.outcome import CallFacts
from router.cdr.record import Cdr
from router.cdr.reducer import cut, finish, measured, recording_to_measure
from router.store.calls import CallBatch, JournalMark, NewDelivery
from router.store.seen import seen_row

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = (0.1, 10.0)


class Store(Protocol):
    """What is needed of `router.store.calls.CallStore`."""

    async def write(self, batch: CallBatch) -> frozenset[str]: ...
    async def position(self, switch: str) -> JournalMark | None: ...
    async def linkedids_since(self, switch: str, since: int) -> list[str]: ...


class Finisher(Protocol):
    """What is needed of `router.cdr.enrich.Enricher`."""

    async def finished(self, facts: CallFacts) -> FinishedCall: ...


class Holds(Protocol):
    """What the pool is told (pool.service.Pool): a number is not given on while a call on it goes on."""

    async def call_active(self, number: str, extension: str | None, started_at: int, at: int) -> None: ...

    async def call_ended(
        self, number: str, extension: str | None, started_at: int, ended_at: int, at: int
    ) -> None: ...


@dataclass(slots=True)
class IngestCounts:
    """What ingest did since it began. `lag_seconds`: the age of the journal's last line when it was read."""

    events: int = 0
    witnessed: int = 0
    written: int = 0
    repeated: int = 0
    repaired: int = 0
    unattributed: int = 0
    refused: int = 0
    store_failures: int = 0
    hold_failures: int = 0
    lag_seconds: float = 0.0


class CallWriter:
    """Writes finished calls of one switch; a store that is gone is waited for."""

    def __init__(
        self,
        switch: str,
        store: Store,
        finisher: Finisher,
        holds: Holds,
        counts: IngestCounts,
        *,
        file_size: Callable[[str], int | None],
        destinations: Callable[[Cdr], Sequence[NewDelivery]],
        on_written: Callable[[Cdr], None],
        now: Callable[[], int],
    ) -> None:
        """`file_size` gives the bytes of a recording by the PBX's path for it, None when it cannot be seen;
        `destinations` who is to be told of a call; `on_written` is called once for each call that is new.
        """
        self._switch = switch
        self._store = store
        self._finisher = finisher
        self._holds = holds
        self._counts = counts
        self.saved: JournalMark | None = None
        self._file_size = file_size
        self._destinations = destinations
        self._on_written = on_written
        self._now = now

    async def write(
        self, states: Sequence[CallState], position: Callable[[Sequence[CallState]], JournalMark]
    ) -> list[CallState]:
        """Writes these calls with the position that holds once they are stored, however long the store takes.

        Gives those that cannot be written for a reason of their own: logged, and they may be tried again.
        """
        refused: list[CallState] = []
        stored: list[CallState] = []
        calls = []
        for state in states:
            calls.append((state, await self._facts(state)))
            # A caller may be waiting for an answer.
            await asyncio.sleep(0)
        for wave in _waves(calls):
            if await self._write_wave(wave, position, stored):
                continue
            # The one that cannot be written must not keep the others.
            for call in wave:
                if len(wave) == 1 or not await self._write_wave([call], position, stored):
                    refused += [call[0]]
        return refused

    async def _write_wave(
        self,
        wave: Sequence[tuple[CallState, CallFacts]],
        position: Callable[[Sequence[CallState]], JournalMark],
        stored: list[CallState],
    ) -> bool:
        """Writes calls together, and adds them to `stored`; False when one of them cannot be written."""
        pauses = Pauses()
        states = [state for state, _ in wave]
        finished: list[FinishedCall] = []
        while True:
            try:
                if len(finished) != len(wave):
                    finishing = (self._finisher.finished(facts) for _, facts in wave)
                    finished = list(await asyncio.gather(*finishing))
                await self._commit(finished, position([*stored, *states]))
                stored += states
                return True
            except StoreUnavailable as error:
                self._counts.store_failures += 1
                log.warning("ingest.store_unavailable", error=str(error), calls=len(states))
                await pauses.pause()
            except Exception:
                if len(states) <= 1:
                    self._counts.refused += 1
                    linkedids = [state.linkedid for state in states]
                    log.exception("ingest.call_not_written", linkedids=linkedids, switch=self._switch)
                return False

    async def _facts(self, state: CallState) -> CallFacts:
        """What happened in the call; its recording is measured where the journal could not tell its size."""
        path = recording_to_measure(state)
        if path is not None:
            size = await asyncio.to_thread(self._file_size, path)
            if size is not None:
                state = measured(state, path, size)
        facts = finish(state)
        recorded = facts.recording
        if facts.repaired is not None and recorded is not None and facts.answered_us is not None:
            # What was recorded was lived: the recording runs from the bridge on.
            lived_us = facts.answered_us + round(recorded.seconds * MICROSECONDS)
            if lived_us > facts.ended_us:
                facts = finish(cut(state, lived_us, facts.repaired))
        return facts

    async def _commit(self, finished: Sequence[FinishedCall], position: JournalMark) -> None:
        now = self._now()
        batch = CallBatch(
            switch=self._switch,
            rows=[call.row for call in finished],
            deliveries=[new for call in finished for new in self._destinations(call.cdr)],
            position=position,
            now=now,
            seen=[row for call in finished if (row := seen_row(call.cdr["site"], call.cdr["id"], call.seen))],
        )
        # Told beside the record: in the same group commit where the store has one lane for all.
        tellings = [self._tell_ended(call, now) for call in finished if call.held]
        new, *told = await asyncio.gather(self._store.write(batch), *tellings, return_exceptions=True)
        if isinstance(new, BaseException):
            raise new
        self.saved = position
        for failed in told:
            if isinstance(failed, BaseException):
                self.hold_failed(failed)
        self._count(finished, new or frozenset())

    async def _tell_ended(self, call: FinishedCall, now: int) -> None:
        number = call.cdr["number"]
        if number is not None:
            started_at = call.facts.holder_asked_at
            # A call of a moment, told to the second, would end before it began.
            ended_at = max(started_at, call.row["ended_at"])
            await self._holds.call_ended(number, call.facts.extension, started_at, ended_at, now)

    def hold_failed(self, error: BaseException) -> None:
        """A holder could not be told: the hold then ends with the last that was told, plus the freeze."""
        if not isinstance(error, Exception):
            raise error
        self._counts.hold_failures += 1
        log.warning("ingest.hold_not_told", error=str(error), switch=self._switch)

    def _count(self, finished: Sequence[FinishedCall], new: frozenset[str]) -> None:
        for call in finished:
            cdr = call.cdr
            if cdr["id"] not in new:
                self._counts.repeated += 1
                continue
            self._counts.written += 1
            self._counts.unattributed += cdr["match"] == "none"
            if cdr["repaired"] is not None:
                self._counts.repaired += 1
                reason, linkedid = cdr["repaired"], cdr["linkedid"]
                log.warning("call.repaired", linkedid=linkedid, call_id=cdr["id"], reason=reason)
            try:
                self._on_written(cdr)
            except Exception:
                log.exception("ingest.listener_failed", linkedid=cdr["linkedid"])


def _waves(calls: Sequence[tuple[CallState, CallFacts]]) -> list[list[tuple[CallState, CallFacts]]]:
    """Calls that may be written together: a caller's second call must be able to see the first one stored."""
    waves: list[list[tuple[CallState, CallFacts]]] = [[]]
    calls_of: dict[str, int] = {}
    for call in sorted(calls, key=lambda call: call[1].started_us):
        caller = call[1].caller_number
        wave = calls_of.get(caller, 0) if caller else 0
        calls_of[caller] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(call)
    return waves


class Pauses:
    """Growing pauses between attempts."""

    def __init__(self) -> None:
        self._seconds, self._longest = RETRY_SECONDS

    async def pause(self) -> None:
        """Waits, next time twice as long."""
        await asyncio.sleep(self._seconds)
        self._seconds = min(self._seconds * 2, self._longest)
