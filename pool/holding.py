"""What happens to a lease while it is held: signs of the browser and of calls. Batch handlers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pool import lifecycle
from pool.database import Queries, Transaction
from pool.instants import Instant
from pool.leases import LeaseRow, LeaseView
from pool.lifecycle import Event, IllegalTransition, State

HOLDERS_LOOKED_AT = 8
"""A call belongs to whoever held the number when it began; so many latest holders are looked at."""


class Sign(NamedTuple):
    """A sign of the browser: a heartbeat (perhaps saying that the swap is visible), a click, `left`."""

    lease_id: str
    at: Instant
    event: Event
    shown: bool = False


class CallSign(NamedTuple):
    """A call on a number is going on (`ended_at` None) or has ended."""

    number: str
    extension: str
    started_at: Instant
    at: Instant
    ended_at: Instant | None = None


class Keeping:
    """Applies signs to leases, in batches."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def signs(self, transaction: Transaction, signs: Sequence[Sign]) -> list[LeaseView | None]:
        """The lease after each sign; None for an unknown id. What is over stays over and says so."""
        leases = await self._leases(transaction, (sign.lease_id for sign in signs))
        changed: dict[str, list[LeaseRow]] = {}
        views: list[LeaseView | None] = []
        for sign in signs:
            rows = leases.get(sign.lease_id)
            if rows is None:
                views.append(None)
                continue
            try:
                rows = [_after(row, sign) for row in rows]
            except IllegalTransition:
                views.append(view(rows, sign.at, over=True))
                continue
            leases[sign.lease_id] = changed[sign.lease_id] = rows
            views.append(view(rows, sign.at))
        await self._write(transaction, changed.values())
        return views

    async def calls(self, transaction: Transaction, signs: Sequence[CallSign]) -> list[None]:
        """Extends the lease that held the number when the call began. Calls of nobody's are let pass."""
        for sign in signs:
            await self._call(transaction, sign)
        return [None] * len(signs)

    async def _call(self, transaction: Transaction, sign: CallSign) -> None:
        queries = self._queries
        holders = await transaction.fetch(
            queries.latest_holders, number=sign.number, extension=sign.extension, most=HOLDERS_LOOKED_AT
        )
        lease_id = _holder_at([LeaseRow(*row) for row in holders], sign.started_at)
        if lease_id is None:
            return
        rows = (await self._leases(transaction, [lease_id])).get(lease_id)
        if rows is None:
            return
        key = {"number": sign.number, "extension": sign.extension, "started_at": sign.started_at}
        if sign.ended_at is None:
            await transaction.run(queries.write_open_call, **key, lease_id=lease_id, sign_at=sign.at)
        else:
            await transaction.run(queries.delete_open_call, **key)
        open_at = await transaction.value(queries.last_open_call, lease_id=lease_id)
        await self._write(transaction, [[_after_call(row, sign, open_at) for row in rows]])

    async def _leases(self, transaction: Transaction, ids: Iterable[str]) -> dict[str, list[LeaseRow]]:
        leases: defaultdict[str, list[LeaseRow]] = defaultdict(list)
        wanted = json.dumps(sorted(set(ids)))
        for row in await transaction.fetch(self._queries.lease_rows, ids=wanted):
            lease_row = LeaseRow(*row)
            leases[lease_row.lease_id].append(lease_row)
        return dict(leases)

    async def _write(self, transaction: Transaction, leases: Iterable[list[LeaseRow]]) -> None:
        await transaction.run_rows(self._queries.write_holds, [row for rows in leases for row in rows])


def view(rows: Sequence[LeaseRow], at: Instant, *, over: bool = False) -> LeaseView:
    """The lease of these rows at `at`. It is over as soon as one of its slots is."""
    states = {lifecycle.current_state(row.hold, at) for row in rows}
    state = (
        State.OVER if over or State.OVER in states else State.FROZEN if State.FROZEN in states else State.LIVE
    )
    first = rows[0]
    return LeaseView(
        lease_id=first.lease_id,
        visit_id=first.visit_id,
        visitor_id=first.visitor_id,
        site=first.site,
        state=state,
        slots=tuple(row.shown for row in rows),
        from_at=min(row.from_at for row in rows),
        last_seen_at=max(row.last_seen_at for row in rows),
        left_at=first.left_at,
        frozen_until_at=min(lifecycle.hold_until_at(row.hold, at) for row in rows),
    )


def _after(row: LeaseRow, sign: Sign) -> LeaseRow:
    hold = lifecycle.apply(row.hold, sign.event, sign.at)
    shown_at = sign.at if sign.shown and row.shown_at is None else row.shown_at
    return LeaseRow(*row[:10], shown_at, *hold)


def _after_call(row: LeaseRow, sign: CallSign, open_at: Instant | None) -> LeaseRow:
    """Judged by the call's begin. A slot whose number was given on since has nothing left to hold."""
    try:
        hold = lifecycle.apply(row.hold, Event.CALL, sign.started_at)
        if sign.ended_at is not None:
            hold = lifecycle.apply(hold, Event.CALL_END, sign.ended_at)
    except IllegalTransition:
        return row
    return LeaseRow(*row[:11], *hold._replace(call_at=open_at))


def _holder_at(rows: Iterable[LeaseRow], at: Instant) -> str | None:
    for row in rows:
        if row.from_at <= at and lifecycle.state_at(row.hold, at) is not State.OVER:
            return row.lease_id
    return None
