"""Deliveries: the outbox that the calls' own transaction fills, and the ledger of what was sent."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from typing_extensions import TypedDict

from pool.database import Database, Row, Transaction
from pool.instants import DAY, LAST_INSTANT, to_iso
from router.cdr.outcome import Result
from router.schema import Count, Id, Iso

QUERIES = Path(__file__).parent / "sql" / "deliveries"

State = Literal["due", "sending", "accepted", "sent", "skipped", "refused", "unclear", "dead"]
STATES: Final[tuple[State, ...]] = (
    "due", "sending", "accepted", "sent", "skipped", "refused", "unclear", "dead",
)  # fmt: skip
ERASED: Final = "erased"
MAY_HAVE_ARRIVED: Final = "erased; it may have arrived"
"""Why a delivery of an erased call is at rest: such a one is never sent again."""
FEED_PAGE: Final = 500
LONGEST_WAIT_MS: Final = 2 * DAY
"""Nothing is ever put off for longer: what seems to be was written before the clock was set back."""


class Claimed(NamedTuple):
    """A delivery that was taken to be sent. `attempts` counts this one; `since_at` in milliseconds."""

    call_id: str
    attempts: int
    since_at: int
    record: str


class Finished(NamedTuple):
    """What became of a delivery that was taken."""

    call_id: str
    state: State
    attempts: int
    due_at: int = 0
    sent_at: int | None = None
    answer: str | None = None
    reason: str | None = None
    upload_id: str | None = None


class Orphan(NamedTuple):
    """A delivery whose sender never told how it ended."""

    call_id: str
    claim: str
    attempts: int
    since_at: int


class Standing(NamedTuple):
    """What is known of a destination."""

    held_until: int
    disabled_at: int | None
    disabled_reason: str | None


class Upload(NamedTuple):
    """A file that the far side has taken and not judged yet."""

    upload_id: str
    deliveries: int
    since_at: int


class StoredDelivery(TypedDict):
    """A delivery as it is shown, with the call that it tells of."""

    call: Id
    destination: str
    state: State
    attempts: Count
    due_at: Iso | None
    sent_at: Iso | None
    answer: str | None
    reason: str | None
    changed_at: Iso | None
    site: str | None
    number: str | None
    caller: str | None
    started_at: Iso
    result: Result
    channel: str | None


class DeliveryCursor(NamedTuple):
    """The last delivery of a page: the next page goes on behind it."""

    call_id: str
    destination: str


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to list; None is any. `since` and `until` (excluded) bound the call's start."""

    call: str | None = None
    destination: str | None = None
    state: str | None = None
    site: str | None = None
    since: int = 0
    until: int = LAST_INSTANT


class DeliveryStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def hold(self, destination: str, holder: str, at: int, until: int) -> Row | None:
        """Makes `holder` the one who works for a destination; gives its standing, None: another one does."""
        async with self._database.write() as transaction:
            return await transaction.one(
                self._queries.hold_destination, destination=destination, holder=holder, at=at, until=until
            )

    async def release(self, destination: str, holder: str) -> None:
        """Lets others take over at once."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.release_destination, destination=destination, holder=holder)

    async def claim(self, destination: str, claim: str, at: int, most: int) -> list[Claimed]:
        """Takes up to `most` that are due, the longest due first: durably `sending` when this returns."""
        latest = at + LONGEST_WAIT_MS

        async def work(transaction: Transaction) -> tuple[list[Row], dict[str, str]]:
            rows = await transaction.fetch(
                self._queries.claim_due, destination=destination, claim=claim, at=at, latest=latest, most=most
            )
            return rows, await self._records(transaction, [row["call_id"] for row in rows])

        rows, records = await self._database.transact(work)
        found = [
            Claimed(row["call_id"], row["attempts"], row["since_at"], records[row["call_id"]])
            for row in rows
            if row["call_id"] in records
        ]
        return sorted(found)

    async def _records(self, transaction: Transaction, call_ids: Sequence[str]) -> dict[str, str]:
        if not call_ids:
            return {}
        rows = await transaction.fetch(self._queries.records_of, call_ids=json.dumps(call_ids))
        return {row["call_id"]: row["record"] for row in rows}

    async def record(self, call_id: str) -> str | None:
        """A call's record, as JSON."""
        rows = await self._database.fetch(self._queries.records_of, call_ids=json.dumps([call_id]))
        return rows[0]["record"] if rows else None

    async def visit_span(self, visit_id: str) -> tuple[int, int] | None:
        """When a visit began and was last seen; None: it is no longer stored."""
        row = await self._database.one(self._queries.visit_span, visit_id=visit_id)
        return None if row is None else (row["started_at"], row["last_seen_at"])

    async def finish(self, destination: str, claim: str, at: int, done: Iterable[Finished]) -> None:
        """Keeps what became of deliveries that were claimed with `claim`."""
        rows = [{**one._asdict(), "destination": destination, "claim": claim, "at": at} for one in done]
        if rows:
            await self._database.commit(self._finish, rows)

    async def _finish(
        self, transaction: Transaction, batches: Sequence[Sequence[Mapping[str, Any]]]
    ) -> list[None]:
        # In one order, or two transactions could wait for each other.
        rows = sorted((row for rows in batches for row in rows), key=lambda row: row["call_id"])
        await transaction.many(self._queries.finish_delivery, rows)
        return [None] * len(batches)

    async def orphans(self, destination: str, claim: str) -> list[Orphan]:
        """What others than `claim` took and never told the end of."""
        rows = await self._database.fetch(self._queries.orphaned, destination=destination, claim=claim)
        return [Orphan(*row) for row in rows]

    async def next_due(self, destination: str, at: int) -> int | None:
        """When the next one is due, seen from `at`; None: none is."""
        row = await self._database.one(self._queries.next_due, destination=destination)
        if row is None or row["first_at"] is None:
            return None
        first_at: int = row["first_at"]
        return at if row["last_at"] > at + LONGEST_WAIT_MS else first_at

    async def uploads(self, destination: str) -> list[Upload]:
        """Files that were taken and not judged yet, the oldest first."""
        rows = await self._database.fetch(self._queries.accepted_uploads, destination=destination)
        return [Upload(*row) for row in rows]

    async def finish_upload(
        self, destination: str, upload_id: str, state: State, *, answer: str, reason: str | None, at: int
    ) -> None:
        """Keeps how a file was judged, for every delivery in it."""
        async with self._database.write() as transaction:
            await transaction.run(
                self._queries.finish_upload,
                destination=destination,
                upload_id=upload_id,
                state=state,
                answer=answer,
                reason=reason,
                at=at,
            )

    async def feed(self, destination: str, since: int, at: int, after: str) -> list[tuple[str, str, str]]:
        """Call id, state and record of what a fetched file holds, page by page behind the call `after`."""
        rows = await self._database.fetch(
            self._queries.feed_page,
            destination=destination,
            since=f"{max(0, since):011x}",
            at=at,
            after=after,
            most=FEED_PAGE,
        )
        return [(row["call_id"], row["state"], row["record"]) for row in rows]

    async def fetched(self, destination: str, call_ids: Iterable[str], answer: str, at: int) -> None:
        """These were due, and were in a file that was fetched."""
        rows = [
            {"call_id": call_id, "destination": destination, "answer": answer, "at": at}
            for call_id in call_ids
        ]
        async with self._database.write() as transaction:
            await transaction.many(self._queries.fetched, rows)

    async def retry(self, call_id: str, destination: str, at: int) -> bool:
        """Makes one due again, whatever became of it; False: there is none, it is being sent, or its call was
        erased.
        """
        async with self._database.write() as transaction:
            return bool(
                await transaction.fetch(
                    self._queries.retry_delivery,
                    call_id=call_id,
                    destination=destination,
                    at=at,
                    erased=ERASED,
                    may_have_arrived=MAY_HAVE_ARRIVED,
                )
            )

    async def retry_all(self, destination: str, state: State, at: int) -> int:
        """Makes due again what is `dead`, `unclear` or `refused`; gives how many."""
        async with self._database.write() as transaction:
            rows = await transaction.fetch(
                self._queries.retry_all, destination=destination, state=state, at=at
            )
            return len(rows)

    async def disable(self, destination: str, reason: str, at: int) -> None:
        """Nothing more is sent there until it is enabled."""
        async with self._database.write() as transaction:
            await transaction.run(
                self._queries.disable_destination, destination=destination, reason=reason, at=at
            )

    async def enable(self, destination: str) -> bool:
        """Whether it was disabled."""
        async with self._database.write() as transaction:
            return bool(await transaction.fetch(self._queries.enable_destination, destination=destination))

    async def standings(self) -> dict[str, Standing]:
        """What is known of each destination, by name."""
        rows = await self._database.fetch(self._queries.destinations)
        return {row[0]: Standing(row[1], row[2], row[3]) for row in rows}

    async def counts(self) -> list[Row]:
        """destination, state, deliveries, oldest_at, last_sent_at."""
        return await self._database.fetch(self._queries.counts_by_state)

    async def waiting(self) -> list[Row]:
        """destination, state, deliveries, oldest_at of what is not at rest, and of what failed."""
        return await self._database.fetch(self._queries.waiting)

    async def page(
        self, wanted: DeliveryFilter, *, after: DeliveryCursor | None = None, most: int = 100
    ) -> tuple[list[StoredDelivery], DeliveryCursor | None]:
        """Deliveries as docs/http-api.md describes them, those of the latest calls first; the next cursor."""
        before = after or DeliveryCursor("~", "~")
        rows = await self._database.fetch(
            self._queries.deliveries_page,
            call_id=wanted.call,
            destination=wanted.destination,
            state=wanted.state,
            site=wanted.site,
            since=f"{max(0, wanted.since):011x}",  # a call's id begins with the instant of its start
            until=f"{wanted.until:011x}",
            before_call=before.call_id,
            before_destination=before.destination,
            most=most + 1,
        )
        shown = [_shown(row) for row in rows[:most]]
        more = len(rows) > most
        return shown, DeliveryCursor(shown[-1]["call"], shown[-1]["destination"]) if more else None


def _shown(row: Row) -> StoredDelivery:
    state = row["state"]
    return {
        "call": row["call_id"],
        "destination": row["destination"],
        "state": state,
        "attempts": row["attempts"],
        "due_at": to_iso(row["due_at"]) if state == "due" else None,
        "sent_at": None if row["sent_at"] is None else to_iso(row["sent_at"]),
        "answer": row["answer"],
        "reason": row["reason"],
        "changed_at": to_iso(row["changed_at"]) if row["changed_at"] else None,
        "site": row["site"],
        "number": row["number"],
        "caller": row["caller"],
        "started_at": to_iso(row["started_at"]),
        "result": row["result"],
        "channel": row["channel"],
    }
