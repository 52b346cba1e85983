"""Each site's model in virtual time: learnt from the calls of the trace so far, and from nothing else."""

import math
from collections import defaultdict
from typing import Final

from pool.database import Database
from pool.past import past_holds
from router.attribution.call import Seen
from router.attribution.call_model import Model
from router.learning import SiteModels
from router.store.seen import SiteSeen

GROWTH: Final = 1.1
"""A router learns as time goes by; here it is done once there are so many times more calls."""


class VirtualModels:
    """The models of one replay. What calls told is kept in memory, in their order."""

    def __init__(self, database: Database, lookback_seconds: int) -> None:
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self._next: defaultdict[str, int] = defaultdict(lambda: 1)
        self._models = SiteModels(
            self,
            lambda site, since_at, at: past_holds(database, site, since_at, at),
            lookback_seconds=lookback_seconds,
            in_thread=False,
        )

    def add(self, site: str | None, seen: Seen | None) -> None:
        """What a call told."""
        if site is not None and seen is not None:
            self._seen[site].append(seen)

    def model(self, site: str | None) -> Model:
        """The site's model as it was learnt last."""
        return self._models.model(site)

    async def keep(self, at: int) -> None:
        """Learns again where there are enough new calls; to be called before the call at `at`."""
        for site, seen in self._seen.items():
            if len(seen) >= self._next[site]:
                await self._models.learn(site, at)
                self._next[site] = max(len(seen) + 1, math.ceil(len(seen) * GROWTH))

    async def latest(self, site: str, since: int, most: int) -> list[Seen]:
        return [one for one in reversed(self._seen[site][-most:]) if one.at >= since]

    async def by_site(self) -> list[SiteSeen]:
        return [SiteSeen(site, len(seen), seen[-1].at) for site, seen in self._seen.items() if seen]

    async def forget(self, site: str, before: int) -> None:
        """Nothing: a replay ends before it has to forget."""
