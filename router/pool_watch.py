"""Watches the pools: figures for monitoring, and a warning before visitors notice that numbers run out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, NamedTuple

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from pool.database import StoreUnavailable
from pool.instants import HOUR, Instant, now
from pool.inventory import PoolStatus
from pool.leases import EXCLUSIVE_RUNGS, Rung
from pool.service import Pool
from router.config import Config, Site
from router.config.live import LiveConfig
from router.metrics import counter

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
SHARE_OF_TIME: Final = 0.05
"""Looking at a million numbers takes seconds: the pause grows so that no more time than this is spent."""
QUIET: Final = HOUR
"""One cause is warned of at most so often."""
FEWEST_VISITS: Final = 20
"""The share of fewer visits that found no number says nothing."""


class Pressure(NamedTuple):
    """How a site stands. `use`: the share of its pools' numbers that are not free; `blocking`: the share of
    its visits, in the present clock hour and the one before, that found no number of their own. None where
    there are no numbers, or no visits.
    """

    site: str
    numbers: int
    use: float | None
    visits: int
    blocking: float | None


class Alert(NamedTuple):
    """A threshold that was passed: `cause` is `use` or `blocking`."""

    site: str
    cause: str
    value: float
    threshold: float


class PoolWatch:
    """Part of the role `web`. Every process that runs it looks, and warns, for itself."""

    def __init__(
        self,
        live: LiveConfig,
        pool: Pool,
        *,
        clock: Callable[[], Instant] = now,
        on_alert: Callable[[Alert], None] = lambda alert: None,
    ) -> None:
        """`on_alert` is called at every look at which a threshold is passed."""
        self._on_alert = on_alert
        self._live = live
        self._pool = pool
        self._now = clock
        self._status: PoolStatus | None = None
        self._pressures: list[Pressure] = []
        self._warned_at: dict[tuple[str, str], Instant] = {}
        self._warnings = 0

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "pool-watch", self.run

    async def run(self) -> None:
        """Looks for ever, every minute. While the store is down, the last figures stay."""
        while True:
            started = time.monotonic()
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("pool.not_watched", error=str(error))
            await asyncio.sleep(max(EVERY_SECONDS, (time.monotonic() - started) / SHARE_OF_TIME))

    async def look(self) -> None:
        """Looks once, and warns of what passes a site's threshold. Raises StoreUnavailable."""
        at = self._now()
        config = self._live.current
        self._status = await self._pool.status(at, served_since_at=max(0, at - HOUR))
        self._pressures = pressures(config, self._status)
        for alert in alerts(config, self._pressures):
            self._on_alert(alert)
            key = alert.site, alert.cause
            if at - self._warned_at.get(key, -QUIET) >= QUIET:
                self._warned_at[key] = at
                self._warnings += 1
                log.warning("pool.alert", **alert._asdict())

    def figures(self) -> Sequence[Metric]:
        """Gauges as of the last look."""
        numbers = _family("pool_numbers", "Dynamic numbers by state", "pool", "site", "state")
        served = _family(
            "pool_served", "Numbers shown in this clock hour and the last, by rung", "site", "pool", "rung"
        )
        use = _family("pool_use", "Share of a site's dynamic numbers that are not free", "site")
        coverage = _family("pool_coverage", "Share of visits that were shown a number of their own", "site")
        if self._status is not None:
            for (pool, site), states in sorted(self._status.states.items()):
                for state, count in states.items():
                    numbers.add_metric([pool, site, state], count)
            for (site, pool), rungs in sorted(self._status.served.items()):
                for rung, slots in rungs.items():
                    served.add_metric([site, pool, rung.value], slots)
        for one in self._pressures:
            if one.use is not None:
                use.add_metric([one.site], one.use)
            if one.blocking is not None:
                coverage.add_metric([one.site], 1 - one.blocking)
        warnings = counter("pool_alerts", "Warnings that numbers run out", self._warnings)
        return [numbers, served, use, coverage, warnings]


def pressures(config: Config, status: PoolStatus) -> list[Pressure]:
    """How each site of the configuration stands."""
    return [_pressure(site, status) for site in config.site]


def alerts(config: Config, found: Sequence[Pressure]) -> Iterator[Alert]:
    """The thresholds that were passed."""
    for one in found:
        site = config.site_of(one.site)
        if site is None:
            continue
        if one.use is not None and one.use > site.alert_use:
            yield Alert(one.site, "use", round(one.use, 4), site.alert_use)
        if one.blocking is not None and one.blocking > site.alert_blocking and one.visits >= FEWEST_VISITS:
            yield Alert(one.site, "blocking", round(one.blocking, 4), site.alert_blocking)


def _pressure(site: Site, status: PoolStatus) -> Pressure:
    pools = site.pools
    states = [counts for (pool, _), counts in status.states.items() if pool in pools]
    numbers = sum(sum(counts.values()) for counts in states)
    taken = numbers - sum(counts.get("free", 0) for counts in states)
    rungs = [
        (rung, slots)
        for (key, _), counts in status.served.items()
        if key == site.key
        for rung, slots in counts.items()
        if rung is not Rung.STATIC
    ]
    visits = sum(slots for _, slots in rungs)
    fallen = sum(slots for rung, slots in rungs if rung not in EXCLUSIVE_RUNGS)
    return Pressure(
        site.key,
        numbers,
        taken / numbers if numbers else None,
        visits,
        fallen / visits if visits else None,
    )


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"leaseline_{name}", text, labels=labels)
