"""What became of each call's recording: one row per recording, beside the call's unchanging record."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pool.database import Database, Row, Transaction
from router.recordings.encoders import Format
from router.store.calls import FilePlace

QUERIES = Path(__file__).parent / "sql" / "recordings"

State = Literal["due", "replacing", "ready", "kept", "missing", "deleted"]


class Recording(NamedTuple):
    """One recording. `name` is the file that is served; `ended_at` the call's end, milliseconds."""

    call_id: str
    linkedid: str
    name: str
    state: State
    format: Format
    seconds: float
    channels: int
    bytes: int
    ended_at: int
    attempts: int = 0
    reason: str | None = None
    changed_at: int = 0


class RecordingStore:
    """Recordings, and how far they follow the calls. Every method raises StoreUnavailable with the store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def place(self, switch: str) -> FilePlace:
        """The last call of the switch that was looked at."""
        row = await self._database.one(self._queries.recording_place, switch=switch)
        return FilePlace(0, "") if row is None else FilePlace(*row)

    async def add(self, switch: str, found: Sequence[Recording], place: FilePlace, due_at: int) -> None:
        """Lays down rows for recordings that are due, and that all calls up to `place` were looked at."""
        rows = [
            {
                "call_id": recording.call_id,
                "switch": switch,
                "linkedid": recording.linkedid,
                "name": recording.name,
                "seconds": recording.seconds,
                "channels": recording.channels,
                "bytes": recording.bytes,
                "ended_at": recording.ended_at,
                "due_at": due_at,
                "changed_at": recording.changed_at,
            }
            for recording in found
        ]

        async def work(transaction: Transaction) -> None:
            await transaction.many(self._queries.add_recording, rows)
            await transaction.run(self._queries.save_recording_place, switch=switch, **place._asdict())

        await self._database.transact(work)

    async def due(self, switch: str, at: int, most: int) -> list[Recording]:
        """What is to be worked on at an instant: what was begun first, then in the order of becoming due."""
        rows = await self._database.lookup(self._queries.due_recordings, switch=switch, at=at, most=most)
        return [_recording(row) for row in rows]

    async def change(self, recording: Recording, *, due_at: int = 0) -> None:
        """Writes a recording's new state, durably."""
        await self.change_all([recording], due_at=due_at)

    async def change_all(self, recordings: Sequence[Recording], *, due_at: int = 0) -> None:
        """Writes the new states of several recordings in one transaction, durably."""
        rows = []
        for recording in recordings:
            columns = recording._asdict()
            del columns["linkedid"], columns["ended_at"]
            rows.append(columns | {"due_at": due_at})

        async def work(transaction: Transaction) -> None:
            await transaction.many(self._queries.change_recording, rows)

        await self._database.transact(work)

    async def try_again(self, switch: str, state: State, at: int) -> None:
        """Makes due what came to rest in `state`."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.try_recordings_again, switch=switch, state=state, at=at)

    async def ended_before(self, switch: str, before: int, most: int = 200) -> list[Recording]:
        """Recordings that are there, of calls that ended before an instant; the oldest first."""
        rows = await self._database.fetch(
            self._queries.recordings_ended_before, switch=switch, before=before, most=most
        )
        return [_recording(row) for row in rows]

    async def waiting(self, switch: str) -> int:
        """How many are not finished yet."""
        return int(await self._database.value(self._queries.recordings_waiting, switch=switch) or 0)

    async def of(self, call_ids: Iterable[str]) -> dict[str, Recording]:
        """The recordings of these calls, by call id."""
        wanted = json.dumps(list(call_ids))
        rows = await self._database.fetch(self._queries.recordings_of, call_ids=wanted)
        return {row["call_id"]: _recording(row) for row in rows}

    async def calls_known(self, switch: str, linkedids: Iterable[str]) -> frozenset[str]:
        """Which of these calls have ended and are stored."""
        wanted = json.dumps(list(linkedids))
        rows = await self._database.fetch(self._queries.calls_known, switch=switch, linkedids=wanted)
        return frozenset(row["linkedid"] for row in rows)


def _recording(row: Row) -> Recording:
    return Recording(*row)
