"""The ladder: which number each slot of each visit is shown. One batch of requests, one transaction.

own last number → the site's queue → the base's queue → a code on the site's extension host → the channel's
reserve number → the main number. Every rung is tried for all requests of the batch at once, so that a batch
costs a dozen statements whatever its size. What a rung serves is counted.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from pool import lifecycle
from pool.database import Queries, Transaction
from pool.instants import HOUR, SECOND, Instant
from pool.leases import Lease, LeaseRow, Rung, SlotWish, WishKind
from pool.lifecycle import Event, State
from pool.queues import NumberQueues
from pool.special import SpecialNumbers
from pool.wants import LeaseRequest, Want

SWEEP_SECONDS = 1
"""Numbers that fell idle are looked for at most so often, unless the base is empty."""
LONGEST_SKEW = 1 * SECOND
"""Requests further apart than this are not decided together."""


class Allocation:
    """Decides batches of requests."""

    def __init__(
        self, queries: Queries, *, rest_seconds: int, idle_days: float, shard: int, sweep_seconds: float
    ) -> None:
        self._queries = queries
        self._shard = shard
        self._queues = NumberQueues(
            queries, rest_seconds=rest_seconds, idle_days=idle_days, sweep_seconds=sweep_seconds
        )
        self._special = SpecialNumbers(queries, rest_seconds=rest_seconds)

    async def lease(self, transaction: Transaction, requests: Sequence[LeaseRequest]) -> list[Lease]:
        """One lease per request, in order: for a batch as if they came one after the other."""
        leases: dict[int, Lease] = {}
        for wave in _waves(requests):
            decided = await self._wave(transaction, [requests[place] for place in wave])
            leases.update(zip(wave, decided, strict=True))
        return [leases[place] for place in range(len(requests))]

    async def _wave(self, transaction: Transaction, requests: list[LeaseRequest]) -> list[Lease]:
        queries = self._queries
        at = min(request.at for request in requests)
        last = await self._last_rows(transaction, requests)
        wants: list[Want] = []
        revived: dict[int, list[LeaseRow]] = {}
        revivals: list[LeaseRow] = []
        for place, asked in enumerate(requests):
            request = asked
            rows = last.get((request.wish.site, request.wish.visitor_id), [])
            if rows and all(lifecycle.current_state(row.hold, request.at) is not State.OVER for row in rows):
                rows = [_seen_again(row, request.at) for row in rows]
                revived[place] = rows
                revivals += rows
                request = request._replace(lease_id=rows[0].lease_id, visit_id=rows[0].visit_id)
                requests[place] = request
            else:
                rows = []
            wants += (Want(request, slot) for slot in request.wish.slots if not _has(rows, slot))
        await self._climb_down(transaction, wants, last, at)
        new_rows = [want.row for want in wants]
        await transaction.run_rows(queries.write_holds, revivals)
        await transaction.run_rows(queries.write_leases, new_rows)
        await transaction.run_rows(
            queries.remember_leases,
            [
                (request.wish.site, request.wish.visitor_id, request.lease_id)
                for place, request in enumerate(requests)
                if place not in revived
            ],
        )
        await self._count(transaction, wants)
        rows_of: defaultdict[str, list[LeaseRow]] = defaultdict(list)
        for row in new_rows:
            rows_of[row.lease_id].append(row)
        return [
            _lease(request, _merged(revived.get(place, []), rows_of[request.lease_id]), place in revived)
            for place, request in enumerate(requests)
        ]

    async def _last_rows(
        self, transaction: Transaction, requests: list[LeaseRequest]
    ) -> dict[tuple[str, str], list[LeaseRow]]:
        """The rows of each visitor's last lease on the site."""
        visitors = json.dumps([[request.wish.site, request.wish.visitor_id] for request in requests])
        found = await transaction.fetch(self._queries.last_leases, visitors=visitors)
        ids = [row["lease_id"] for row in found if row["lease_id"]]
        rows: defaultdict[tuple[str, str], list[LeaseRow]] = defaultdict(list)
        if ids:
            for row in await transaction.fetch(self._queries.lease_rows, ids=json.dumps(ids)):
                lease_row = LeaseRow(*row)
                rows[lease_row.site, lease_row.visitor_id].append(lease_row)
        return rows

    async def _climb_down(
        self,
        transaction: Transaction,
        wants: list[Want],
        last: dict[tuple[str, str], list[LeaseRow]],
        at: Instant,
    ) -> None:
        dynamic = [want for want in wants if want.slot.kind is WishKind.DYNAMIC]
        if dynamic:
            await self._queues.meet(transaction, dynamic, last, at)
        special = [want for want in wants if not want.met and want.slot.kind is not WishKind.MAIN]
        if special:
            await self._special.meet(transaction, special, at)

    async def _count(self, transaction: Transaction, wants: list[Want]) -> None:
        served = Counter(
            (want.request.at - want.request.at % HOUR, want.request.wish.site, want.slot.pool, want.rung)
            for want in wants
            if want.slot.kind is not WishKind.MAIN
        )
        await transaction.many(
            self._queries.count_served,
            [
                {
                    "hour_at": hour_at,
                    "site": site,
                    "pool": pool,
                    "rung": rung,
                    "shard": self._shard,
                    "slots": n,
                }
                for (hour_at, site, pool, rung), n in sorted(served.items())
            ],
        )


def _waves(requests: Sequence[LeaseRequest]) -> list[list[int]]:
    """The batch in parts that can be decided at once: a visitor once in each, and instants close together."""
    waves: list[list[int]] = []
    visitors: set[tuple[str, str]] = set()
    first_at = 0
    for place, request in enumerate(requests):
        visitor = (request.wish.site, request.wish.visitor_id)
        if not waves or visitor in visitors or abs(request.at - first_at) > LONGEST_SKEW:
            waves.append([])
            visitors = set()
            first_at = request.at
        visitors.add(visitor)
        waves[-1].append(place)
    return waves


def _seen_again(row: LeaseRow, at: Instant) -> LeaseRow:
    return row.with_hold(lifecycle.apply(row.hold, Event.SEEN, at))


def _has(rows: list[LeaseRow], slot: SlotWish) -> bool:
    """Whether a lease already shows something in the slot. The main number by necessity is tried again."""
    for row in rows:
        if row.slot == slot.slot:
            return row.rung != Rung.MAIN or slot.kind is WishKind.MAIN
    return False


def _merged(old: list[LeaseRow], new: list[LeaseRow]) -> dict[str, LeaseRow]:
    return {row.slot: row for row in (*old, *new)}


def _lease(request: LeaseRequest, rows: dict[str, LeaseRow], revived: bool) -> Lease:
    wish = request.wish
    any_row = next(iter(rows.values()))
    return Lease(
        lease_id=any_row.lease_id,
        visit_id=any_row.visit_id,
        visitor_id=wish.visitor_id,
        slots=tuple(rows[slot.slot].shown for slot in wish.slots),
        from_at=min(row.from_at for row in rows.values()),
        frozen_until_at=min(lifecycle.hold_until_at(row.hold, request.at) for row in rows.values()),
        revived=revived,
    )
