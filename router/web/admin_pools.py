"""`GET /api/v1/pools`: how the numbers stand."""

from typing import Required

from aiohttp import web
from typing_extensions import TypedDict

from pool.instants import HOUR, now, to_iso
from pool.service import Pool
from router.schema import Count, Iso, Share
from router.web.openapi.operation import JSON, described

HOURS = 24


class NumberStates(TypedDict, total=False):
    """Dynamic numbers of a pool by state. The site null is the base."""

    pool: Required[str]
    site: Required[str | None]
    free: Count
    live: Count
    frozen: Count
    resting: Count


class Served(TypedDict, total=False):
    """What the slots of visits were served, by where the number came from."""

    pool: Required[str]
    site: Required[str]
    own: Count
    base: Count
    extension: Count
    reserve: Count
    main: Count
    static: Count


class PoolsAnswer(TypedDict):
    """How the numbers stand. `coverage`: the share of slots that got a number of their own."""

    at: Iso
    served_since: Iso
    numbers: list[NumberStates]
    served: list[Served]
    coverage: Share | None
    retired: Count


class Pools:
    """The handler."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @described("pools", answers={200: JSON(PoolsAnswer)})
    async def status(self, _: web.Request) -> web.Response:
        """Numbers by state; what visits of the last day were served; the share that got a number."""
        at = now()
        since_at = at - HOURS * HOUR
        found = await self._pool.status(at, served_since_at=since_at)
        return web.json_response(
            {
                "at": to_iso(at),
                "served_since": to_iso(since_at),
                "numbers": [
                    {"pool": name, "site": site or None, **counts}
                    for (name, site), counts in sorted(found.states.items())
                ],
                "served": [
                    {"pool": name, "site": site, **{rung.value: slots for rung, slots in counts.items()}}
                    for (site, name), counts in sorted(found.served.items())
                ],
                "coverage": found.coverage,
                "retired": found.retired,
            }
        )
