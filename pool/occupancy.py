"""How many numbers were held at each moment, and what visits got hour by hour: from what the store keeps."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from pool.database import Database
from pool.instants import DAY, HOUR, SECOND, Instant
from pool.leases import Rung
from pool.lifecycle import GRACE_BEATS, LONGEST_CALL_SECONDS

QUERIES = Path(__file__).parent / "sql" / "queries"


class Occupancy(NamedTuple):
    """One pool. `held[i]` numbers were held at `instants[i]`; `served`: hour's beginning → slots by rung."""

    instants: list[Instant]
    held: list[int]
    served: dict[Instant, dict[Rung, int]]


async def occupancy(
    database: Database, at: Instant, *, hours: int, step_seconds: int, site: str | None = None
) -> dict[str, Occupancy]:
    """The last `hours` up to `at`, by pool, at every `step_seconds` of the clock.

    A number counts as held from its lease's beginning to the end of the freeze, as far as that is known at
    `at`; extensions are not counted, they hold no number of their own. Holds that began more than a day
    before the period are left out. `site`: only what its visitors held (`served` is everybody's).
    Raises StoreUnavailable.
    """
    queries = database.queries(QUERIES)
    step = step_seconds * SECOND
    first, last = (at - hours * HOUR) // step + 1, at // step
    async with database.read() as reading:
        signs = await reading.fetch(
            queries.holds_in_steps,
            since_id=f"{max(0, at - hours * HOUR - DAY):011x}",
            at=at,
            step=step,
            grace_beats=GRACE_BEATS,
            longest_call=LONGEST_CALL_SECONDS * SECOND,
            site=site,
        )
        rungs = await reading.fetch(
            queries.served_by_hour, since_at=(at - hours * HOUR) // HOUR * HOUR, until_at=at + 1
        )
    changes: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for row in signs:
        changes[row["pool"]][int(row["step"])] = int(row["begun"]) - int(row["ended"])
    served: defaultdict[str, dict[Instant, dict[Rung, int]]] = defaultdict(dict)
    for row in rungs:
        served[row["pool"]].setdefault(row["hour_at"], {})[Rung(row["rung"])] = int(row["slots"])
    return {
        pool: Occupancy(
            [number * step for number in range(first, last + 1)],
            _held(changes[pool], first, last),
            served[pool],
        )
        for pool in sorted(changes.keys() | served.keys())
    }


def _held(changes: dict[int, int], first: int, last: int) -> list[int]:
    """The running sum at the beginning of each step from `first` to `last`."""
    held = sum(change for step, change in changes.items() if step < first)
    found = []
    for step in range(first, last + 1):
        found.append(max(0, held))
        held += changes.get(step, 0)
    return found
