"""The queues of dynamic numbers: each site's, and the base's. One table, one index, longest free first."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pool import lifecycle
from pool.database import Queries, Row, Transaction
from pool.instants import DAY, SECOND, Instant
from pool.leases import LeaseRow, Rung
from pool.lifecycle import Event, Hold
from pool.queueing import Entry, draw
from pool.wants import Want

FIRST_ROUND_SPARE = 8
"""Entries fetched beyond those wanted, since some may turn out to be held for longer."""
MOST_PER_ROUND = 2_048
MOST_ROUNDS = 12


WAITS_FOR_OTHERS = (0.005, 0.01, 0.02)
"""Seconds. A number that another process has locked may turn out free: it is no reason to fall at once."""


class Place(NamedTuple):
    """Where a number stands, and its last hold; None where nobody held it yet."""

    pool: str
    site: str
    lease_id: str | None
    hold: Hold | None


class NumberQueues:
    """Meets wants from the queues. Keeps nothing but when the next number may fall idle, which is a hint."""

    def __init__(
        self, queries: Queries, *, rest_seconds: int, idle_days: float, sweep_seconds: float
    ) -> None:
        self._queries = queries
        self._rest_seconds = rest_seconds
        self._idle = round(idle_days * DAY)
        self._sweep = round(sweep_seconds * SECOND)
        self._next_sweep_at: Instant = 0
        self._idle_due_at: Instant = 0

    async def meet(
        self,
        transaction: Transaction,
        wants: Sequence[Want],
        last: dict[tuple[str, str], list[LeaseRow]],
        at: Instant,
    ) -> None:
        """Each visitor's own last number (of the leases in `last`), their site's queue, the base's queue."""
        if at >= self._next_sweep_at:
            await self._return_idle(transaction, at)
        await self._from_own(transaction, wants, last, at)
        for wait_seconds in WAITS_FOR_OTHERS:
            await self._from_queues(transaction, wants, Rung.SITE, at)
            await self._from_queues(transaction, wants, Rung.BASE, at)
            if at >= self._idle_due_at and not all(want.met for want in wants):
                await self._return_idle(transaction, at)
                await self._from_queues(transaction, wants, Rung.BASE, at)
            if not await self._others_are_looking(transaction, wants, at):
                return
            await asyncio.sleep(wait_seconds)

    async def _others_are_looking(self, transaction: Transaction, wants: Sequence[Want], at: Instant) -> bool:
        """Whether wants are unmet though there are numbers, which another process has locked."""
        queues = {
            (want.slot.pool, site) for want in wants if not want.met for site in (want.request.wish.site, "")
        }
        if not queues:
            return False
        busy = await transaction.value(self._queries.busy_numbers, queues=json.dumps(sorted(queues)), at=at)
        return bool(busy)

    async def _from_own(
        self,
        transaction: Transaction,
        wants: Sequence[Want],
        last: dict[tuple[str, str], list[LeaseRow]],
        at: Instant,
    ) -> None:
        own = [
            (want, row.number)
            for want in wants
            for row in last.get((want.request.wish.site, want.request.wish.visitor_id), ())
            if row.slot == want.slot.slot and row.number is not None
        ]
        if not own:
            return
        numbers = json.dumps(sorted({number for _, number in own}))
        found = await transaction.fetch(self._queries.own_numbers, numbers=numbers)
        entries = {entry.name: entry for entry in await self._entries(transaction, found, at)}
        taken: list[tuple[Want, Entry]] = []
        for want, number in own:
            entry = entries.get(number)
            if entry is not None and entry.free_at <= at and entry.what.pool == want.slot.pool:
                want.meet(Rung.OWN, number)
                taken.append((want, entries.pop(number)))
        await self._place(transaction, taken, [])

    async def _from_queues(
        self, transaction: Transaction, wants: Sequence[Want], rung: Rung, at: Instant
    ) -> None:
        """Meets wants from their site's queue or from the base's, longest free first."""
        waiting: defaultdict[tuple[str, str], list[Want]] = defaultdict(list)
        for want in wants:
            if not want.met:
                site = want.request.wish.site if rung is Rung.SITE else ""
                waiting[want.slot.pool, site].append(want)
        spare = FIRST_ROUND_SPARE
        for _ in range(MOST_ROUNDS):
            if not waiting:
                return
            most = min(max(map(len, waiting.values())) + spare, MOST_PER_ROUND)
            found = await transaction.fetch(
                self._queries.queue_heads, queues=json.dumps(list(waiting)), at=at, most=most
            )
            full = Counter((row["pool"], row["site"]) for row in found)
            by_queue: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)
            for entry in await self._entries(transaction, found, at):
                by_queue[entry.what.pool, entry.what.site].append(entry)
            taken: list[tuple[Want, Entry]] = []
            moved: list[Entry] = []
            for queue in list(waiting):
                entries = by_queue[queue]
                more = full[queue] >= most
                horizon = max(((e.key_at, e.name) for e in entries), default=None) if more else None
                drawn = draw(entries, len(waiting[queue]), at, horizon)
                for want, entry in zip(waiting[queue], drawn.given, strict=False):
                    want.meet(rung, entry.name)
                    taken.append((want, entry))
                moved += drawn.moved
                waiting[queue] = waiting[queue][len(drawn.given) :]
                if not waiting[queue] or not more:
                    del waiting[queue]
            await self._place(transaction, taken, moved)
            spare *= 4

    async def _entries(self, transaction: Transaction, found: Iterable[Row], at: Instant) -> list[Entry]:
        """The rows with the truth about when they are free, from the leases that held them last."""
        rows = [tuple(row) for row in found]
        ids = sorted({lease_id for *_, lease_id in rows if lease_id is not None})
        holds: dict[tuple[str, str | None], Hold] = {}
        if ids:
            for past in await transaction.fetch(self._queries.past_lease_rows, ids=json.dumps(ids)):
                lease_row = LeaseRow(*past)
                holds[lease_row.lease_id, lease_row.number] = lease_row.hold
        entries = []
        for pool, site, number, free_at, lease_id in rows:
            if lease_id is None:
                entries.append(Entry(free_at, number, free_at, Place(pool, site, None, None)))
            elif (hold := holds.get((lease_id, number))) is not None:
                true_at = max(free_at, lifecycle.free_at(hold, at, self._rest_seconds))
                entries.append(Entry(free_at, number, true_at, Place(pool, site, lease_id, hold)))
            # else somebody is changing that lease at this moment: the number is not free
        return entries

    async def _place(
        self, transaction: Transaction, taken: list[tuple[Want, Entry]], moved: list[Entry]
    ) -> None:
        """Writes the numbers' new places: the taken to their holders, the moved to their true instants."""
        places = [(e.name, e.what.site, e.free_at, e.what.lease_id) for e in moved]
        endings = []
        queues = set()
        for want, entry in taken:
            site = want.request.wish.site
            free_at = lifecycle.free_at(want.hold, want.request.at, self._rest_seconds)
            places.append((entry.name, site, free_at, want.request.lease_id))
            if entry.what.hold is not None:
                endings.append(ending(entry.what.lease_id, entry.name, "", entry.what.hold, want.request.at))
            if entry.what.site != site:
                queues.add((entry.what.pool, site))
        await transaction.run_rows(self._queries.place_numbers, places)
        await transaction.run_rows(self._queries.end_leases, endings)
        await transaction.many(
            self._queries.add_queue, [{"pool": pool, "site": site} for pool, site in sorted(queues)]
        )

    async def _return_idle(self, transaction: Transaction, at: Instant) -> None:
        """Moves numbers no site has shown for `idle_days` to the base, in the order they fell idle.

        At most MOST_PER_ROUND per queue at a time.
        """
        before = at - self._idle
        heads = await transaction.fetch(self._queries.site_queues)
        first_at = [row["head_at"] for row in heads if row["head_at"] is not None]
        self._idle_due_at = max(at, min([*first_at, at]) + self._idle)
        self._next_sweep_at = max(self._idle_due_at, at + self._sweep)
        due = [(row["pool"], row["site"]) for row in heads if (row["head_at"] or before + 1) <= before]
        if not due:
            return
        found = await transaction.fetch(
            self._queries.queue_heads, queues=json.dumps(due), at=before, most=MOST_PER_ROUND
        )
        moved = []
        for entry in await self._entries(transaction, found, at):
            if entry.free_at > before:
                moved.append(entry)
            else:
                base = entry.what._replace(site="")
                moved.append(entry._replace(free_at=entry.free_at + self._idle, what=base))
        await self._place(transaction, [], moved)


def ending(
    lease_id: str, number: str, extension: str, hold: Hold, at: Instant
) -> tuple[str, str, str, Instant | None]:
    """The row for `end_leases` of a number that is given on at `at`.

    Raises LeaseIsHeld should it still be held: a last line of defence, no request may reach it.
    """
    over_at = hold.over_at
    if over_at is None:
        over_at = lifecycle.apply(hold, Event.OVER, at).over_at
    return lease_id, number, extension, over_at
