"""The traffic that was offered to the pools, measured from what the store keeps."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from pool.database import Database
from pool.instants import DAY, HOUR, SECOND, Instant
from pool.lifecycle import GRACE_BEATS, LONGEST_CALL_SECONDS
from pool.sizing import erlangs

QUERIES = Path(__file__).parent / "sql" / "queries"


class Offered(NamedTuple):
    """One site's traffic on one pool.

    `visits_per_hour`: in the busy hour, which is the mean over the days of each day's busiest clock hour
    (ADPFH, average daily peak full hour, of ITU-T E.500); `busiest`: in the busiest hour of all.
    `hold_minutes`: how long a visit took a number away from others, freeze and rest included, of those that
    hold one still as long as it is known by now; None when nobody ever held one.
    """

    site: str
    pool: str
    visits_per_hour: float
    busiest: int | None
    hold_minutes: float | None
    holds: int

    @property
    def load(self) -> float | None:
        """The offered load in erlangs, of the busy hour."""
        return None if self.hold_minutes is None else erlangs(self.visits_per_hour, self.hold_minutes)


async def offered(database: Database, at: Instant, *, days: int, rest_seconds: int) -> list[Offered]:
    """The traffic of the last `days` days, by site and pool.

    Visits that found no number count as well: they were offered. One who found none and opened another page
    before their lease was over counts again. Days are of 24 hours, and the last ends with the present hour.
    Raises StoreUnavailable.
    """
    queries = database.queries(QUERIES)
    until_at = at - at % HOUR + HOUR
    since_at = max(0, until_at - days * DAY)
    async with database.read() as reading:
        arrivals = await reading.fetch(queries.arrivals_by_hour, since_at=since_at, until_at=until_at)
        lengths = await reading.fetch(
            queries.hold_lengths,
            since_id=f"{since_at:011x}",
            at=at,
            grace_beats=GRACE_BEATS,
            longest_call=LONGEST_CALL_SECONDS * SECOND,
        )
    peaks: defaultdict[tuple[str, str], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in arrivals:
        by_day = peaks[row["site"], row["pool"]]
        day = (until_at - 1 - row["hour_at"]) // DAY
        by_day[day] = max(by_day[day], int(row["slots"]))
    held = {(row["site"], row["pool"]): (int(row["holds"]), float(row["mean_length"])) for row in lengths}
    return [
        _offered(site, pool, list(by_day.values()), held.get((site, pool)), rest_seconds)
        for (site, pool), by_day in sorted(peaks.items())
    ]


def _offered(
    site: str, pool: str, peaks: list[int], held: tuple[int, float] | None, rest_seconds: int
) -> Offered:
    holds, length = held or (0, 0.0)
    minutes = (length / SECOND + rest_seconds) / 60 if held else None
    return Offered(site, pool, fmean(peaks), max(peaks), minutes, holds)
