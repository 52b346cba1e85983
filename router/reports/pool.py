"""How well the pools served visits, hour by hour: which rung each number came from, how many were held."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import Field
from typing_extensions import TypedDict

from pool.instants import DAY, Instant, to_iso
from pool.leases import EXCLUSIVE_RUNGS, Rung
from pool.service import Pool
from router.reports.periods import Period, bounds, number_of
from router.reports.pool_use import OccupancyAnswer, Span, pool_use
from router.reports.tally import QUERIES
from router.schema import Count, Iso, Share

Local: TypeAlias = Annotated[str, Field(examples=["2026-11-22 13:00"])]
COLUMNS: Final = (
    "hour", "local", "wanted", "own", "site", "base", "extension", "reserve", "main", "fallen", "blocking",
    "held",
)  # fmt: skip


class PoolHour(TypedDict):
    """One hour: the slots of visits that wanted a number, and where each came from (docs/reports.md). `held`:
    the most numbers that were held at one moment; null: not known any more.
    """

    hour: Iso | None
    local: Local
    wanted: Count
    own: Count
    site: Count
    base: Count
    extension: Count
    reserve: Count
    main: Count
    fallen: Count
    blocking: Share | None
    held: Count | None


class PoolAnswer(TypedDict):
    """`busiest`: the hour in which the most was wanted; null: nothing was."""

    total: PoolHour
    busiest: PoolHour | None
    hours: list[PoolHour]
    occupancy: OccupancyAnswer


async def pool_report(
    inventory: Pool,
    period: Period,
    zone: ZoneInfo,
    *,
    at: Instant,
    keep_days: int,
    site: str | None = None,
    pool: str | None = None,
) -> PoolAnswer:
    """The hours (UTC) that begin in the period's local days and in which anything was wanted; and how many
    numbers were held, as far as it is known at `at` and leases are kept, which is `keep_days`.

    `site` and `pool` None: all. Raises StoreUnavailable.
    """
    since_at = bounds(number_of(period.first), zone)[0]
    until_at = bounds(number_of(period.last), zone)[1]
    queries = inventory.database.queries(QUERIES)
    span = Span(since_at, until_at, at - keep_days * DAY, at)
    async with inventory.database.leisurely:
        rows = await inventory.database.fetch(
            queries.served_by_hour, since_at=since_at, until_at=until_at, site=site, pool=pool
        )
        occupancy, held = await pool_use(inventory, span, site=site, pool=pool)
    by_hour: defaultdict[int, dict[str, int]] = defaultdict(dict)
    whole: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        by_hour[row["hour_at"]][row["rung"]] = int(row["slots"])
        whole[row["rung"]] += int(row["slots"])
    hours = [_hour(hour_at, slots, zone, held.get(hour_at)) for hour_at, slots in by_hour.items()]
    return {
        "total": _hour(None, whole, zone, max(held.values(), default=None)),
        "busiest": max(hours, key=lambda hour: hour["wanted"], default=None),
        "hours": hours,
        "occupancy": occupancy,
    }


def _hour(hour_at: int | None, slots: Mapping[str, int], zone: ZoneInfo, held: int | None) -> PoolHour:
    wanted = sum(slots.values())
    fallen = sum(count for rung, count in slots.items() if Rung(rung) not in EXCLUSIVE_RUNGS)
    return {
        "hour": None if hour_at is None else to_iso(hour_at),
        "local": "Total" if hour_at is None else _local(hour_at, zone),
        "wanted": wanted,
        "own": slots.get("own", 0),
        "site": slots.get("site", 0),
        "base": slots.get("base", 0),
        "extension": slots.get("extension", 0),
        "reserve": slots.get("reserve", 0),
        "main": slots.get("main", 0),
        "fallen": fallen,
        "blocking": round(fallen / wanted, 4) if wanted else None,
        "held": held,
    }


def _local(hour_at: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(hour_at / 1000, zone):%Y-%m-%d %H:%M}"
