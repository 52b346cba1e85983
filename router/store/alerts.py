"""Warnings that were told, across processes and restarts, and the hours in which numbers were shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pool.database import Database
from pool.instants import HOUR

QUERIES = Path(__file__).parent / "sql" / "alerts"
SKEW_MS = 60_000
"""How far the clocks of two processes may be apart; told further ahead means that a clock was set back."""


class Digest(NamedTuple):
    """What was not told while a cause had to be quiet. `text`: of the latest."""

    cause: str
    subject: str
    suppressed: int
    text: str


class ShownHour(NamedTuple):
    """How often numbers were shown on a site in a clock hour, and when last. Milliseconds."""

    site: str
    hour_at: int
    times: int
    last_at: int


class AlertStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def tell(
        self, cause: str, subject: str, text: str, *, at: int, quiet_ms: int, counts: bool
    ) -> int | None:
        """Whether this is to be told now: how many were kept quiet before it; None: not now.

        What is not told now is counted when `counts`, and told with the next one or as a digest.
        """
        queries = self._queries
        async with self._database.write() as transaction:
            before = await transaction.value(queries.suppressed_before, cause=cause, subject=subject)
            told = await transaction.fetch(
                queries.tell,
                cause=cause,
                subject=subject,
                text=text,
                at=at,
                quiet_before=at - quiet_ms,
                ahead_from=at + SKEW_MS,
            )
            if told:
                return int(before or 0)
            if counts:
                await transaction.run(queries.suppress, cause=cause, subject=subject, text=text)
            return None

    async def digests(self, *, at: int, quiet_ms: int) -> list[Digest]:
        """Causes that were kept quiet and may be told again."""
        rows = await self._database.fetch(self._queries.digests, quiet_before=at - quiet_ms)
        return [Digest(*row) for row in rows]

    async def add_shown(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Adds how often numbers were shown on each site, and when last."""
        rows = [
            {"site": site, "hour_at": last_at // HOUR * HOUR, "times": times, "last_at": last_at}
            for site, (times, last_at) in sorted(counts.items())
        ]
        async with self._database.write() as transaction:
            await transaction.many(self._queries.add_shown, rows)

    async def shown(self, since: int) -> list[ShownHour]:
        """The hours since an instant, by site, the earliest first."""
        rows = await self._database.fetch(self._queries.shown_hours, since=since)
        return [ShownHour(*row) for row in rows]

    async def forget_shown(self, before: int) -> None:
        """Deletes hours that nobody looks at any more."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.forget_shown, before=before)
