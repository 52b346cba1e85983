"""`GET /api/v1/pools`: how the numbers stand."""

from aiohttp import web

from pool.instants import HOUR, now, to_iso
from pool.service import Pool

HOURS = 24


class Pools:
    """The handler."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

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
