"""How many numbers of the pools were held over a period, and at the most."""

from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

from pydantic import Field
from typing_extensions import TypedDict

from pool.instants import DAY, HOUR, SECOND, Instant, to_iso
from pool.inventory import PoolStatus
from pool.occupancy import Occupancy, occupancy
from pool.service import Pool
from router.schema import Count, Iso

Use = Annotated[float, Field(json_schema_extra={"minimum": 0})]
"""A share of the numbers that there are now: more than 1 where some were taken away since."""

STEPS: Final = ((8 * DAY, 300), (32 * DAY, 900))
"""Periods up to so long, and the seconds from one moment to the next."""
LONGEST_STEP_SECONDS: Final = 3600


class PoolUse(TypedDict):
    """A pool. `held[i]`: numbers held `i` steps after the first; null: not known any more, or not yet."""

    pool: str
    numbers: Count
    peak: Count | None
    peak_at: Iso | None
    peak_use: Use | None
    mean: Use | None
    held: list[Count | None]


class OccupancyAnswer(TypedDict):
    """`first_at` is the first moment, each next one `step_seconds` later. `pools`, by name: those that have
    numbers, held some, or were asked for one.
    """

    first_at: Iso
    step_seconds: Count
    pools: list[PoolUse]


class Span(NamedTuple):
    """From `since_at` to `until_at` (excluded), known from `kept_at` up to `at`. Milliseconds."""

    since_at: Instant
    until_at: Instant
    kept_at: Instant
    at: Instant


async def pool_use(
    inventory: Pool, span: Span, *, site: str | None = None, pool: str | None = None
) -> tuple[OccupancyAnswer, dict[Instant, int]]:
    """The pools' use, and by hour (its beginning) the most that were held at one moment of it in all of them.

    `site`: held by this site's visitors, of the numbers that these may get. Raises StoreUnavailable.
    """
    step_seconds = step_of(span)
    step = step_seconds * SECOND
    first = -(-span.since_at // step) * step
    moments = range(first, span.until_at, step)
    known = range(max(first, -(-span.kept_at // step) * step), min(span.until_at, span.at + 1), step)
    found = await _occupancy(inventory, known, site) if known else {}
    numbers = _numbers(await inventory.status(span.at), site)
    pools = []
    in_all = dict.fromkeys(known, 0)
    for name in sorted({*found, *numbers} if pool is None else {pool} & {*found, *numbers}):
        curve = dict(zip(found[name].instants, found[name].held, strict=True)) if name in found else {}
        for moment in known:
            in_all[moment] += curve.get(moment, 0)
        held = [curve.get(moment, 0) if moment in known else None for moment in moments]
        pools.append(_use(name, numbers.get(name, 0), moments, held))
    by_hour: dict[Instant, int] = {}
    for moment, held_now in in_all.items():
        hour = moment // HOUR * HOUR
        by_hour[hour] = max(by_hour.get(hour, 0), held_now)
    return {"first_at": to_iso(first), "step_seconds": step_seconds, "pools": pools}, by_hour


async def _occupancy(inventory: Pool, known: range, site: str | None) -> dict[str, Occupancy]:
    hours = (known[-1] - known[0]) // HOUR + 1
    return await occupancy(
        inventory.database, known[-1], hours=hours, step_seconds=known.step // SECOND, site=site
    )


def step_of(span: Span) -> int:
    """Seconds from one moment to the next: longer periods are looked at more coarsely."""
    length = span.until_at - span.since_at
    return next((seconds for most, seconds in STEPS if length <= most), LONGEST_STEP_SECONDS)


def _use(name: str, numbers: int, moments: Sequence[Instant], held: list[int | None]) -> PoolUse:
    known = [(count, -moment) for count, moment in zip(held, moments, strict=True) if count is not None]
    peak, peak_at = max(known, default=(None, 0))  # of equal ones the first
    return {
        "pool": name,
        "numbers": numbers,
        "peak": peak,
        "peak_at": to_iso(-peak_at) if peak else None,
        "peak_use": round(peak / numbers, 4) if peak is not None and numbers else None,
        "mean": round(sum(count for count, _ in known) / len(known), 2) if known else None,
        "held": held,
    }


def _numbers(status: PoolStatus, site: str | None) -> dict[str, int]:
    """How many dynamic numbers each pool has now that the site (None: any) may get."""
    numbers: dict[str, int] = {}
    for (name, of_site), states in status.states.items():
        if site is None or of_site in ("", site):
            numbers[name] = numbers.get(name, 0) + sum(states.values())
    return numbers
