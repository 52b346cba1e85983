"""Finished calls: each stored once, in one transaction with its deliveries and the journal position."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Row, Transaction
from pool.instants import LAST_INSTANT
from router.reports.tally import Tally

QUERIES = Path(__file__).parent / "sql" / "calls"


class JournalMark(NamedTuple):
    """Where reading a switch's journal begins after a restart. `at`: the last event read, in milliseconds."""

    file_id: str
    path: str
    byte_offset: int
    at: int


class Written(NamedTuple):
    """A stored call's place in the order of writing, and its record as JSON."""

    call_id: str
    written_at: int
    record: str


class FilePlace(NamedTuple):
    """The last call that a `cdr.ndjson` holds."""

    written_at: int
    call_id: str


class NewDelivery(NamedTuple):
    """Who is to be told of a call. `state` is `due`, or `skipped` or `refused` with the `reason`; it is sent
    no earlier than `due_at` (milliseconds; 0: at once).
    """

    call_id: str
    destination: str
    state: str = "due"
    reason: str | None = None
    due_at: int = 0


class SeenRow(NamedTuple):
    """What a call tells its site's model, as JSON (router.store.seen). `at` in milliseconds."""

    site: str
    at: int
    call_id: str
    seen: str


class VisitsAtCall(NamedTuple):
    """A visit with its visitor's first source and the page it was on (columns of the query `visits_at_call`),
    and the later visits of leases, by the first ones: `router.attribution.stay`.
    """

    visit: Row | None
    renamed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallBatch:
    """Finished calls of one switch: rows by the columns of `call` but `written_at`, and who is to be told.

    `seen` is what their sites' models may learn from them; `position` is saved with them; `now` in
    milliseconds.
    """

    switch: str
    rows: Sequence[Mapping[str, Any]]
    deliveries: Sequence[NewDelivery]
    position: JournalMark
    now: int
    seen: Sequence[SeenRow] = ()


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; None is any. `since` and `until` (excluded) bound `started_at`, milliseconds."""

    since: int = 0
    until: int = LAST_INSTANT
    site: str | None = None
    number: str | None = None
    caller: str | None = None
    result: str | None = None
    match: str | None = None
    channel: str | None = None
    source: str | None = None


class Cursor(NamedTuple):
    """The last call of a page: the next page goes on behind it."""

    started_at: int
    call_id: str


class CallStore:
    """Calls, deliveries and positions. Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._tally = Tally(database)

    async def write(self, batch: CallBatch) -> frozenset[str]:
        """Stores what is not there yet, durably; gives the ids of the calls that are new.

        A call whose (switch, linkedid) is stored already stays as it is, under its first id, and its
        deliveries too. The position is saved in any case.
        """
        return await self._database.commit(self._write, batch)

    async def _write(self, transaction: Transaction, batches: Sequence[CallBatch]) -> list[frozenset[str]]:
        return [await self._write_one(transaction, batch) for batch in batches]

    async def _write_one(self, transaction: Transaction, batch: CallBatch) -> frozenset[str]:
        queries = self._queries
        await transaction.run(queries.save_journal_position, switch=batch.switch, **batch.position._asdict())
        if not batch.rows:
            return frozenset()
        stored = await self._stored(transaction, batch)
        rows = [
            {**row, "switch": batch.switch, "now": batch.now}
            for row in {row["linkedid"]: row for row in reversed(batch.rows)}.values()
            if row["linkedid"] not in stored
        ]
        rows.reverse()
        await transaction.many(queries.add_call, rows)
        if rows:
            await self._tally.add(transaction, batch.switch, rows)
        if batch.deliveries:
            told = [
                {**new._asdict(), "due_at": max(new.due_at, batch.now), "now": batch.now}
                for new in batch.deliveries
            ]
            await transaction.many(queries.add_delivery, told)
        if batch.seen:
            await transaction.many(queries.add_seen, [one._asdict() for one in batch.seen])
        # What is stored under the very ids of this batch was written by an attempt that got no answer.
        return frozenset(row["call_id"] for row in rows) | (
            frozenset(row["call_id"] for row in batch.rows) & frozenset(stored.values())
        )

    async def _stored(self, transaction: Transaction, batch: CallBatch) -> dict[str, str]:
        """Which of the batch's calls are stored already: linkedid → call_id."""
        asked = to_json([row["linkedid"] for row in batch.rows]).decode()
        found = await transaction.fetch(self._queries.stored_calls, switch=batch.switch, linkedids=asked)
        return {row["linkedid"]: row["call_id"] for row in found}

    async def position(self, switch: str) -> JournalMark | None:
        """Where to begin reading the switch's journal; None: never read."""
        row = await self._database.one(self._queries.journal_position, switch=switch)
        return None if row is None else JournalMark(*row)

    async def linkedids_since(self, switch: str, since: int) -> list[str]:
        """The calls of a switch that were stored at or after an instant."""
        rows = await self._database.fetch(self._queries.linkedids_written_since, switch=switch, since=since)
        return [row["linkedid"] for row in rows]

    async def calls_of_caller(self, site: str, caller: str, before: int, most: int = 10) -> list[Row]:
        """number, started_at and candidates (JSON, as in the CDR) of a caller's latest calls to a site."""
        return await self._database.lookup(
            self._queries.calls_of_caller, site=site, caller=caller, before=before, most=most
        )

    async def visits_at_call(self, chosen: str | None, held: Sequence[str], at: int) -> VisitsAtCall:
        """The chosen visit as it stood at an instant, and what else the visits of candidates had become.

        `held`: the first visits of the leases that the candidates held. The chosen one is looked up by the
        name that it then had if it is among them, else (a caller who returns) by its own.
        """
        row = await self._database.lookup_one(
            self._queries.visits_at_call,
            visit_id=chosen or "",
            held=json.dumps(held),
            held_at=at if chosen in held else -1,
            at=at,
        )
        if row is None:
            return VisitsAtCall(None, {})
        return VisitsAtCall(
            None if row["visit_id"] is None else row, dict(json.loads(row["renamed"] or "[]"))
        )

    async def channel_at(self, visit_id: str, at: int) -> str | None:
        """The channel of the visit that a lease's first visit had become by an instant."""
        channel: str | None = await self._database.value(self._queries.channel_at, visit_id=visit_id, at=at)
        return channel or None

    async def call(self, call_id: str) -> Written | None:
        """A call by its id."""
        row = await self._database.one(self._queries.call_by_id, call_id=call_id)
        return None if row is None else _written(row)

    async def call_of(self, switch: str, linkedid: str) -> Written | None:
        """A call by the switch's name for it."""
        row = await self._database.one(self._queries.call_of_linkedid, switch=switch, linkedid=linkedid)
        return None if row is None else _written(row)

    async def page(
        self, wanted: CallFilter, *, after: Cursor | None = None, most: int = 100
    ) -> tuple[list[str], Cursor | None]:
        """Records (JSON), the latest first, and the cursor of the next page (None: this was the last)."""
        before = after or Cursor(LAST_INSTANT, "~")
        rows = await self._database.fetch(
            self._queries.calls_page,
            since=wanted.since,
            until=wanted.until,
            site=wanted.site,
            number=wanted.number,
            caller=wanted.caller,
            result=wanted.result,
            match=wanted.match,
            channel=wanted.channel,
            source=wanted.source,
            before_at=before.started_at,
            before_id=before.call_id,
            most=most + 1,
        )
        shown = rows[:most]
        more = len(rows) > most
        cursor = Cursor(shown[-1]["started_at"], shown[-1]["call_id"]) if more else None
        return [row["record"] for row in shown], cursor

    async def written_after(self, switch: str, place: FilePlace, most: int = 500) -> list[Written]:
        """A switch's calls behind `place`, in the order in which they were written."""
        rows = await self._database.fetch(
            self._queries.calls_written_after,
            switch=switch,
            written_at=place.written_at,
            call_id=place.call_id,
            most=most,
        )
        return [_written(row) for row in rows]

    async def file_place(self, node: str) -> FilePlace | None:
        """The place that was last saved for a node's `cdr.ndjson`."""
        row = await self._database.one(self._queries.cdr_file_position, node=node)
        return None if row is None else FilePlace(*row)

    async def save_file_place(self, node: str, place: FilePlace) -> None:
        """Keeps the place of a node's `cdr.ndjson`, durably."""
        await self._database.commit(self._save_file_places, (node, place))

    async def _save_file_places(
        self, transaction: Transaction, places: Sequence[tuple[str, FilePlace]]
    ) -> list[None]:
        for node, place in places:
            await transaction.run(self._queries.save_cdr_file_position, node=node, **place._asdict())
        return [None] * len(places)


def _written(row: Row) -> Written:
    return Written(row["call_id"], row["written_at"], row["record"])
