"""The inventory: import, list, retire, move, and how it stands. All of it works while numbers are leased."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pool.codes import FEWEST_DIGITS, MOST_DIGITS
from pool.database import Database, Queries, Reading, Row, Transaction
from pool.importer import (
    BadRow,
    ImportProgress,
    ImportRefused,
    ImportReport,
    NumberRowRead,
    Progress,
    read_numbers,
)
from pool.instants import HOUR, SECOND, Instant
from pool.leases import Rung
from pool.lifecycle import GRACE_BEATS, LONGEST_CALL_SECONDS
from pool.numbers import DEFAULT_POOL, NumberKind, NumberRecord

CHUNK = 1_000
"""Rows written in one transaction: leases go on in between."""
ANY = "*"

_T = TypeVar("_T")


class UnknownNumbers(ValueError):
    """Numbers that were never added: the message lists them."""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How the pool stands. States are counted over dynamic numbers that are not retired."""

    states: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """(pool, site) → free, live, frozen, resting; the site "" is the base."""
    special: dict[tuple[NumberKind, str], int] = field(default_factory=dict)
    """(kind, site) → static, reserve and extension numbers."""
    retired: int = 0
    served: dict[tuple[str, str], dict[Rung, int]] = field(default_factory=dict)
    """(site, pool) → slots served by each rung in the period."""

    def total(self, state: str) -> int:
        return sum(states.get(state, 0) for states in self.states.values())

    @property
    def coverage(self) -> float | None:
        """The share of slots wanting a dynamic number that got one of their own; None if there were none."""
        rungs = [(rung, slots) for counts in self.served.values() for rung, slots in counts.items()]
        wanted = sum(slots for rung, slots in rungs if rung is not Rung.STATIC)
        own = sum(slots for rung, slots in rungs if rung in {Rung.OWN, Rung.SITE, Rung.BASE, Rung.EXTENSION})
        return own / wanted if wanted else None


class Inventory:
    def __init__(self, database: Database, queries: Queries, *, rest_seconds: int) -> None:
        self._database = database
        self._queries = queries
        self._rest_seconds = rest_seconds

    async def import_csv(
        self,
        path: Path,
        at: Instant,
        *,
        default_country: str | None,
        skip_bad: bool,
        extension_digits: int,
        progress: Progress | None,
    ) -> ImportReport:
        if not FEWEST_DIGITS <= extension_digits <= MOST_DIGITS:
            raise ValueError(
                f"extension_digits = {extension_digits}: {FEWEST_DIGITS} to {MOST_DIGITS} is allowed"
            )
        report = ImportReport()
        if not skip_bad:
            async for _ in self._checked(path, default_country, report, "checking", progress):
                pass
            if report.bad_count:
                raise ImportRefused(report)
            report = ImportReport()
        async for chunk in self._checked(path, default_country, report, "writing", progress):
            async with self._database.write() as transaction:
                await self._write(transaction, chunk, at, extension_digits, report)
        if report.bad_count and not skip_bad:
            raise ImportRefused(report)  # somebody else added numbers of another kind since the check
        return report

    async def _checked(
        self,
        path: Path,
        default_country: str | None,
        report: ImportReport,
        stage: str,
        progress: Progress | None,
    ) -> AsyncIterator[list[NumberRowRead]]:
        """The good rows in chunks; the bad ones go into the report."""
        size = max(1, await asyncio.to_thread(lambda: path.stat().st_size))
        seen: set[int] = set()
        for rows in _chunks(read_numbers(path, default_country), CHUNK):
            good: dict[str, NumberRowRead] = {}
            for row, _ in rows:
                report.rows += 1
                if isinstance(row, BadRow):
                    report.refuse(row)
                elif int(row.number) in seen:
                    report.refuse(
                        BadRow(row.row, row.number, f"{row.number} is in the file already, further up")
                    )
                else:
                    seen.add(int(row.number))
                    good[row.number] = row
            async with self._database.read() as reading:
                for record in await self._records(reading, good):
                    if record.kind != good[record.number].kind:
                        report.refuse(_other_kind(good.pop(record.number), record))
            if progress is not None:
                progress(ImportProgress(stage, report.rows, min(1.0, rows[-1][1] / size)))
            await asyncio.sleep(0)
            yield list(good.values())

    async def _write(
        self,
        transaction: Transaction,
        rows: Sequence[NumberRowRead],
        at: Instant,
        extension_digits: int,
        report: ImportReport,
    ) -> None:
        known = {
            record.number: record for record in await self._records(transaction, (r.number for r in rows))
        }
        new: list[NumberRecord] = []
        changed: list[NumberRecord] = []
        for row in rows:
            record = known.get(row.number)
            if record is None:
                new.append(_new_record(row, at))
            elif record.kind != row.kind:
                report.refuse(_other_kind(row, record))
            elif (updated := _updated(record, row)) != record:
                changed.append(updated)
            else:
                report.unchanged += 1
        await self._add(transaction, new, extension_digits)
        await self._change(transaction, changed, at)
        report.added += len(new)
        report.changed += len(changed)

    async def _add(
        self, transaction: Transaction, new: Sequence[NumberRecord], extension_digits: int
    ) -> None:
        if not new:
            return
        await transaction.many(self._queries.add_number, [record._asdict() for record in new])
        hosts = [
            {"number": record.number, "digits": extension_digits, "secret": secrets.token_hex(16)}
            for record in new
            if record.kind is NumberKind.EXTENSION
        ]
        if hosts:
            await transaction.many(self._queries.add_extension_host, hosts)
        await self._add_queues(transaction, new)

    async def _change(self, transaction: Transaction, changed: Sequence[NumberRecord], at: Instant) -> None:
        if changed:
            await transaction.many(
                self._queries.change_number, [{**record._asdict(), "at": at} for record in changed]
            )
            await self._add_queues(transaction, changed)

    async def _add_queues(self, transaction: Transaction, records: Iterable[NumberRecord]) -> None:
        queues = sorted({(r.pool, r.site) for r in records if r.kind == NumberKind.DYNAMIC})
        if queues:
            rows = [{"pool": pool, "site": site} for pool, site in queues]
            await transaction.many(self._queries.add_queue, rows)

    async def list_numbers(
        self,
        *,
        after: str,
        kind: NumberKind | None,
        pool: str | None,
        site: str | None,
        retired: bool | None,
        most: int,
    ) -> list[NumberRecord]:
        rows = await self._database.fetch(
            self._queries.list_numbers,
            after=after,
            kind=ANY if kind is None else kind.value,
            pool=ANY if pool is None else pool,
            site=ANY if site is None else site,
            retired=-1 if retired is None else int(retired),
            most=most,
        )
        return [_record(row) for row in rows]

    async def retire(self, numbers: Sequence[str], at: Instant) -> int:
        """Gives how many were not retired already."""
        return await self._changed(
            numbers,
            at,
            lambda record: record._replace(retired_at=at) if record.retired_at is None else record,
        )

    async def move(self, numbers: Sequence[str], at: Instant, *, pool: str | None, site: str | None) -> int:
        """Gives how many really moved."""
        return await self._changed(
            numbers,
            at,
            lambda record: record._replace(
                pool=record.pool if pool is None else pool, site=record.site if site is None else site
            ),
        )

    async def _changed(
        self, numbers: Sequence[str], at: Instant, change: Callable[[NumberRecord], NumberRecord]
    ) -> int:
        count = 0
        for chunk in _chunks(iter(dict.fromkeys(numbers)), CHUNK):
            async with self._database.write() as transaction:
                records = await self._records(transaction, chunk)
                unknown = sorted(set(chunk) - {record.number for record in records})
                if unknown:
                    raise UnknownNumbers(f"never added: {', '.join(unknown[:20])}")
                changed = [new for record in records if (new := change(record)) != record]
                await self._change(transaction, changed, at)
                count += len(changed)
        return count

    async def _records(self, reading: Reading, numbers: Iterable[str]) -> list[NumberRecord]:
        rows = await reading.fetch(self._queries.number_records, numbers=json.dumps(list(numbers)))
        return [_record(row) for row in rows]

    async def status(self, at: Instant, *, served_since_at: Instant, site: str | None) -> PoolStatus:
        queries = self._queries
        status = PoolStatus()
        async with self._database.read() as reading:
            counts = await reading.fetch(
                queries.inventory_counts,
                at=at,
                rest=self._rest_seconds * SECOND,
                grace_beats=GRACE_BEATS,
                longest_call=LONGEST_CALL_SECONDS * SECOND,
            )
            special = await reading.fetch(queries.special_counts)
            retired = await reading.value(queries.retired_count)
            served = await reading.fetch(
                queries.served_since, since_at=served_since_at - served_since_at % HOUR, site=site or ANY
            )
        for row in counts:
            status.states.setdefault((row["pool"], row["site"]), {})[row["state"]] = row["numbers"]
        for row in special:
            status.special[NumberKind(row["kind"]), row["site"]] = row["numbers"]
        for row in served:
            status.served.setdefault((row["site"], row["pool"]), {})[Rung(row["rung"])] = int(row["slots"])
        return replace(status, retired=retired)


def _record(row: Row) -> NumberRecord:
    record = NumberRecord(*row)
    return record._replace(kind=NumberKind(record.kind))


def _new_record(row: NumberRowRead, at: Instant) -> NumberRecord:
    return NumberRecord(
        row.number, row.kind, row.pool or DEFAULT_POOL, row.site, row.channel, row.label, at, None
    )


def _updated(record: NumberRecord, row: NumberRowRead) -> NumberRecord:
    """The known number with what the row says. An empty cell leaves what is known; a retired one is back; and
    the site of a dynamic number is its affinity, which only `move` sets.
    """
    site = record.site if row.kind is NumberKind.DYNAMIC else row.site or record.site
    return record._replace(
        pool=row.pool or record.pool,
        site=site,
        channel=row.channel or record.channel,
        label=row.label or record.label,
        retired_at=None,
    )


def _other_kind(row: NumberRowRead, record: NumberRecord) -> BadRow:
    return BadRow(row.row, row.number, f"{row.number} is known as {record.kind}, not {row.kind}")


def _chunks(items: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while chunk := list(islice(items, size)):
        yield chunk
