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


class Call(NamedTuple):
    """A call on a number, as the table `open_call` knows it."""

    number: str
    extension: str
    started_at: Instant


class CallSign(NamedTuple):
    """A call on a number is going on (`ended_at` None) or has ended."""

    number: str
    extension: str
    started_at: Instant
    at: Instant
    ended_at: Instant | None = None

    @property
    def call(self) -> Call:
        return Call(self.number, self.extension, self.started_at)


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
        """Extends the lease that held the number when each call began. Calls of nobody's are let pass."""
        queries = self._queries
        held = [(sign, await self._holder(transaction, sign)) for sign in signs]
        leases = await self._leases(transaction, (lease_id for _, lease_id in held if lease_id is not None))
        told = [(sign, lease_id) for sign, lease_id in held if lease_id is not None and lease_id in leases]
        # Of several signs of one call the last decides whether it is still open.
        last = {sign.call: (sign, lease_id) for sign, lease_id in told}
        await transaction.many(
            queries.write_open_call,
            [
                {**sign.call._asdict(), "lease_id": lease_id, "sign_at": sign.at}
                for sign, lease_id in last.values()
                if sign.ended_at is None
            ],
        )
        ended = [sign.call._asdict() for sign, _ in last.values() if sign.ended_at is not None]
        await transaction.many(queries.delete_open_call, ended)
        wanted = json.dumps(sorted({lease_id for _, lease_id in told}))
        found = await transaction.fetch(queries.last_open_calls, ids=wanted) if told else []
        open_at: dict[str, Instant] = {row["lease_id"]: row["sign_at"] for row in found}
        changed: dict[str, list[LeaseRow]] = {}
        for sign, lease_id in told:
            rows = changed.get(lease_id) or leases[lease_id]
            changed[lease_id] = [_after_call(row, sign, open_at.get(lease_id)) for row in rows]
        await self._write(transaction, changed.values())
        return [None] * len(signs)

    async def _holder(self, transaction: Transaction, sign: CallSign) -> str | None:
        """Who held the number when the call began."""
        holders = await transaction.fetch(
            self._queries.latest_holders,
            number=sign.number,
            extension=sign.extension,
            most=HOLDERS_LOOKED_AT,
        )
        return _holder_at([LeaseRow(*row) for row in holders], sign.started_at)

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
    return row._replace(shown_at=shown_at).with_hold(hold)


def _after_call(row: LeaseRow, sign: CallSign, open_at: Instant | None) -> LeaseRow:
    """Judged by the call's begin. A slot whose number was given on since has nothing left to hold."""
    try:
        hold = lifecycle.apply(row.hold, Event.CALL, sign.started_at)
        if sign.ended_at is not None:
            hold = lifecycle.apply(hold, Event.CALL_END, sign.ended_at)
    except IllegalTransition:
        return row
    return row.with_hold(hold._replace(call_at=open_at))


def _holder_at(rows: Iterable[LeaseRow], at: Instant) -> str | None:
    for row in rows:
        if row.from_at <= at and lifecycle.state_at(row.hold, at) is not State.OVER:
            return row.lease_id
    return None
