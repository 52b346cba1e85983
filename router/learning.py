"""Each site's model of who calls, kept in step with its calls."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from pool.past import PastHolds
from router.attribution.call import Seen
from router.attribution.call_model import HOUR, Model
from router.attribution.countries import learnt_countries
from router.attribution.exposure import Exposure, exposure
from router.attribution.learning import certain, learnt
from router.store.seen import SiteSeen
from router.supervision import repeat

log = structlog.get_logger(__name__)

MOST_CALLS: Final = 1_000
"""A model is learnt from so many calls, the latest."""
OLDEST_MS: Final = 30 * 24 * HOUR
"""What is older says nothing of how people call now."""
LOOK_SECONDS: Final = 60.0
GROWN: Final = 0.1
"""A site's model is learnt again once it has so many times more calls than it was learnt from."""


class Told(Protocol):
    """What calls told (router.store.seen.SeenStore)."""

    async def latest(self, site: str, since: int, most: int) -> list[Seen]: ...
    async def by_site(self) -> list[SiteSeen]: ...
    async def forget(self, site: str, before: int) -> None: ...


Past = Callable[[str, int, int], Awaitable[PastHolds]]
"""The holds of a site's numbers between two instants (pool.past)."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A site's model and what it was learnt from: calls, visits and clicks since an instant; `certain` of the
    calls are certain matches.
    """

    model: Model
    calls: int = 0
    since_at: int | None = None
    at: int | None = None
    visits: int = 0
    clicks: int = 0
    certain: int = 0


class SiteModels:
    """The model of each site; the stated prior until something is learnt."""

    def __init__(self, told: Told, past: Past, *, lookback_seconds: int, in_thread: bool = True) -> None:
        """`in_thread`: the figures are worked out beside the event loop, which goes on answering."""
        self.prior = Model()
        self._in_thread = in_thread
        self._told = told
        self._past = past
        self._lookback_seconds = lookback_seconds
        self._learnt: dict[str, Learnt] = {}
        self._latest: dict[str, SiteSeen] = {}

    def model(self, site: str | None) -> Model:
        """The site's model as it was learnt last."""
        found = self._learnt.get(site) if site is not None else None
        return self.prior if found is None else found.model

    async def learn(self, site: str, at: int) -> Learnt:
        """Learns a site's model from its calls before `at`. Raises StoreUnavailable."""
        calls = await self._told.latest(site, at - OLDEST_MS, MOST_CALLS)
        if not calls:
            return Learnt(self.prior)
        # Whole hours, and none that is known in part only.
        since_at = calls[-1].at - calls[-1].at % HOUR
        past = await self._past(site, since_at - self._lookback_seconds * 1000, at)
        first_at = min((hold.shown_at for hold in past.holds), default=at)
        if len(calls) < MOST_CALLS:
            # Visits before the first call count too: none of them called.
            since_at = max(at - OLDEST_MS, min(since_at, first_at - first_at % HOUR))
        if self._in_thread:
            model, exposed = await asyncio.to_thread(self._worked_out, calls, past, since_at, at)
        else:
            model, exposed = self._worked_out(calls, past, since_at, at)
        visits = round(past.each * sum(hold.shown_at >= since_at for hold in past.holds))
        matches = certain(model, calls)
        found = Learnt(model, len(calls), since_at, at, visits, round(exposed.clicks), matches)
        self._learnt[site] = found
        return found

    def _worked_out(
        self, calls: Sequence[Seen], past: PastHolds, since_at: int, at: int
    ) -> tuple[Model, Exposure]:
        exposed = exposure(
            past.holds,
            past.first_held,
            since_at,
            at,
            self.prior,
            each=past.each,
            lookback_seconds=self._lookback_seconds,
        )
        origins = [call.origin for call in calls if call.origin is not None]
        countries = learnt_countries(
            self.prior.countries, origins, Counter(hold.country for hold in past.holds)
        )
        return replace(learnt(self.prior, calls, exposed), countries=countries), exposed

    async def run(self, now: Callable[[], int]) -> None:
        """Keeps all models in step with the store, for as long as the process runs."""
        await repeat(lambda: self._look(now()), LOOK_SECONDS, "learning.store_unavailable")

    async def _look(self, at: int) -> None:
        for found in await self._told.by_site():
            before = self._latest.get(found.site)
            if before is not None and not _grown(before, found):
                continue
            done = await self.learn(found.site, at)
            full = done.calls >= MOST_CALLS and done.since_at is not None
            await self._told.forget(found.site, done.since_at if full and done.since_at else at - OLDEST_MS)
            self._latest[found.site] = found._replace(calls=done.calls)
            log.info("learning.learnt", site=found.site, calls=done.calls)


def _grown(before: SiteSeen, after: SiteSeen) -> bool:
    return after.latest_at > before.latest_at and after.calls - before.calls >= GROWN * before.calls
