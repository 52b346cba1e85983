"""The rungs below the pool: codes on the site's extension host, reserve numbers, and static numbers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pool import lifecycle
from pool.codes import code_at
from pool.database import Queries, Transaction
from pool.instants import Instant
from pool.leases import LeaseRow, Rung, WishKind
from pool.lifecycle import Hold
from pool.numbers import NumberKind
from pool.queueing import Entry, draw
from pool.queues import ending
from pool.wants import Want

SPARE = 8
MOST_ROUNDS = 8


class Host(NamedTuple):
    number: str
    digits: int
    secret: str
    next_code: int


class CodePlace(NamedTuple):
    """Who held a code last."""

    lease_id: str
    hold: Hold


class SpecialNumbers:
    """Meets wants that the queues could not, and those for static numbers, as far as there is something."""

    def __init__(self, queries: Queries, *, rest_seconds: int) -> None:
        self._queries = queries
        self._rest_seconds = rest_seconds

    async def meet(self, transaction: Transaction, wants: Sequence[Want], at: Instant) -> None:
        sites = sorted({"", *(want.request.wish.site for want in wants)})
        fixed: dict[tuple[NumberKind, str, str], str] = {}
        hosts: defaultdict[str, list[Host]] = defaultdict(list)
        for row in await transaction.fetch(self._queries.special_numbers, sites=json.dumps(sites)):
            if row["kind"] == NumberKind.EXTENSION:
                hosts[row["site"]].append(Host(row["number"], row["digits"], row["secret"], row["next_code"]))
            else:
                fixed.setdefault((NumberKind(row["kind"]), row["site"], row["channel"]), row["number"])
        await self._extensions(transaction, wants, hosts, at)
        for want in wants:
            if not want.met:
                _meet_fixed(want, fixed)

    async def _extensions(
        self,
        transaction: Transaction,
        wants: Sequence[Want],
        hosts: dict[str, list[Host]],
        at: Instant,
    ) -> None:
        waiting: defaultdict[str, list[Want]] = defaultdict(list)
        for want in wants:
            if want.slot.kind is WishKind.DYNAMIC:
                site = want.request.wish.site
                waiting[site if hosts.get(site) else ""].append(want)
        for site, left in waiting.items():
            unmet = left
            for host in hosts.get(site, ()):
                unmet = await self._codes(transaction, host, unmet, at)

    async def _codes(
        self, transaction: Transaction, host: Host, wants: list[Want], at: Instant
    ) -> list[Want]:
        """Gives the host's codes, those never given before first; returns the wants that got none."""
        if not wants:
            return wants
        taken: list[tuple[Want, str]] = []
        limit = 10**host.digits
        if host.next_code < limit:
            next_code = await transaction.value(self._queries.take_codes, host=host.number, count=len(wants))
            places = range(next_code - len(wants), min(next_code, limit))
            taken = [
                (want, code_at(place, host.digits, host.secret))
                for want, place in zip(wants, places, strict=False)
            ]
        left = wants[len(taken) :]
        moved: list[Entry] = []
        ended: list[tuple[str, str, str, Instant | None]] = []
        if left:
            used = await self._used_codes(transaction, host, len(left), at)
            taken += [(want, entry.name) for want, entry in zip(left, used.given, strict=False)]
            moved = used.moved
            ended = [
                ending(entry.what.lease_id, host.number, entry.name, entry.what.hold, want.request.at)
                for want, entry in zip(left, used.given, strict=False)
            ]
        for want, code in taken:
            want.meet(Rung.EXTENSION, host.number, code)
        await self._write(transaction, host, taken, moved, ended)
        return wants[len(taken) :]

    async def _write(
        self,
        transaction: Transaction,
        host: Host,
        taken: list[tuple[Want, str]],
        moved: list[Entry],
        ended: list[tuple[str, str, str, Instant | None]],
    ) -> None:
        places = [(host.number, e.name, e.free_at, e.what.lease_id) for e in moved]
        for want, code in taken:
            free_at = lifecycle.free_at(want.hold, want.request.at, self._rest_seconds)
            places.append((host.number, code, free_at, want.request.lease_id))
        await transaction.run_rows(self._queries.place_codes, places)
        await transaction.run_rows(self._queries.end_leases, ended)

    async def _used_codes(self, transaction: Transaction, host: Host, wanted: int, at: Instant) -> _Used:
        """Codes that were given before, longest free first."""
        most = wanted + SPARE
        moved: dict[str, Entry] = {}
        for _ in range(MOST_ROUNDS):
            found = await transaction.fetch(self._queries.free_codes, host=host.number, at=at, most=most)
            ids = sorted({row["lease_id"] for row in found})
            holds = {}
            for past in await transaction.fetch(self._queries.past_lease_rows, ids=json.dumps(ids)):
                row = LeaseRow(*past)
                holds[row.lease_id, row.number, row.extension] = row.hold
            entries = []
            for code in found:
                hold = holds.get((code["lease_id"], host.number, code["code"]))
                if hold is not None:  # else somebody is changing that lease at this moment
                    true_at = max(code["free_at"], lifecycle.free_at(hold, at, self._rest_seconds))
                    what = CodePlace(code["lease_id"], hold)
                    entries.append(Entry(code["free_at"], code["code"], true_at, what))
            more = len(found) >= most
            horizon = max(((e.key_at, e.name) for e in entries), default=None) if more else None
            drawn = draw(entries, wanted, at, horizon)
            moved = {entry.name: entry for entry in drawn.moved}
            if len(drawn.given) == wanted or not more:
                break
            most *= 4
        return _Used(drawn.given, list(moved.values()))


class _Used(NamedTuple):
    given: list[Entry]
    moved: list[Entry]


def _meet_fixed(want: Want, fixed: dict[tuple[NumberKind, str, str], str]) -> None:
    """The channel's own number before one for any channel, the site's own before one for any site."""
    static = want.slot.kind is WishKind.STATIC
    kind, rung = (NumberKind.STATIC, Rung.STATIC) if static else (NumberKind.RESERVE, Rung.RESERVE)
    channel = want.slot.channel or ""
    channels = (channel,) if static else (channel, "")
    for site in (want.request.wish.site, ""):
        for either in channels:
            number = fixed.get((kind, site, either))
            if number is not None:
                want.meet(rung, number)
                return
