"""Looks at what nobody else reports: the store, disks, and whether numbers are shown."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import structlog

from pool.database import Database, StoreUnavailable
from pool.instants import DAY, HOUR, Instant, to_iso
from router.alerts.notice import Notice
from router.alerts.service import Alerts
from router.alerts.silence import LONGEST, WEEK, WEEKS, chance_of_silence
from router.config.live import LiveConfig

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
SHOWN_SECONDS: Final = 60.0
STORE_LOOKS: Final = 3
"""The store is told of when it could not be used at so many looks in a row."""
KEPT_MS: Final = WEEKS * WEEK + LONGEST + DAY


class AlertWatch:
    """Part of every process: `run`. `shown` is told by the web side, `journal` is asked of the calls side."""

    def __init__(
        self,
        live: LiveConfig,
        database: Database,
        alerts: Alerts,
        *,
        now: Callable[[], Instant],
        journal: Callable[[], str | None] = lambda: None,
        disk_problem: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`journal` says what is wrong with it (None: nothing), `disk_problem` with the recordings' disk."""
        self._live = live
        self._database = database
        self._alerts = alerts
        self._now = now
        self._journal = journal
        self._disk_problem = disk_problem
        self._shown: dict[str, tuple[int, Instant]] = {}
        self._store_failed = 0
        self._forgotten_at = 0

    def shown(self, site: str) -> None:
        """A browser said that it shows a number of the site."""
        self._shown[site] = (self._shown.get(site, (0, 0))[0] + 1, self._now())

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "alert-watch", self.run

    async def run(self) -> None:
        """Looks until cancelled."""
        loop = asyncio.get_running_loop()
        shown_at = loop.time() + SHOWN_SECONDS  # at a first start there is no table yet
        while True:
            self.look_at_store()
            self.look_at_journal()
            await self.look_at_disks()
            if loop.time() >= shown_at:
                shown_at = loop.time() + SHOWN_SECONDS
                with contextlib.suppress(StoreUnavailable):
                    await self.look_at_shown()
            await asyncio.sleep(LOOK_SECONDS)

    def look_at_store(self) -> None:
        """Warns when the store cannot be used for some time."""
        self._store_failed = 0 if self._database.healthy else self._store_failed + 1
        if self._store_failed >= STORE_LOOKS:
            place = self._live.current.node.switch
            text = f"The store cannot be used since {self._store_failed * LOOK_SECONDS:.0f} s at least: "
            self._alerts.notify(Notice("store", place, text + str(self._database.last_error)))

    def look_at_journal(self) -> None:
        """Warns when the journal cannot be read, or is read late."""
        problem = self._journal()
        if problem is not None:
            switch = self._live.current.node.switch
            self._alerts.notify(Notice("journal", switch, f"The journal of {switch}: {problem}"))

    async def look_at_disks(self) -> None:
        """Warns of little room where the journal, the records, the recordings or the store are."""
        config = self._live.current
        folders = {config.journal.path.parent, config.cdr.path.parent, config.recordings.folder}
        if config.storage.url.startswith("sqlite:///"):
            folders.add(Path(config.storage.url.removeprefix("sqlite:///")).parent)
        least = config.alerts.least_free_megabytes
        found = await asyncio.to_thread(_little_room, sorted(folders), least)
        problem = self._disk_problem()
        if problem is not None:
            found["recordings"] = problem
        for place, text in found.items():
            self._alerts.notify(Notice("disk", f"{config.node.switch} {place}", text))

    async def look_at_shown(self) -> None:
        """Keeps what was shown, and warns of sites where it is strange that nothing is. Raises
        StoreUnavailable; what was not kept is kept the next time.
        """
        at = self._now()
        counts, self._shown = self._shown, {}
        try:
            if counts:
                await self._alerts.store.add_shown(counts)
        except StoreUnavailable:
            for site, (times, last_at) in counts.items():
                now_times, now_last = self._shown.get(site, (0, 0))
                self._shown[site] = (times + now_times, max(last_at, now_last))
            raise
        if at - self._forgotten_at >= DAY:
            await self._alerts.store.forget_shown(at - KEPT_MS)
            self._forgotten_at = at
        least = self._live.current.alerts.not_shown_probability
        if not least:
            return
        hours: dict[str, dict[Instant, int]] = {}
        last: dict[str, Instant] = {}
        for row in await self._alerts.store.shown(at // HOUR * HOUR - KEPT_MS):
            hours.setdefault(row.site, {})[row.hour_at] = row.times
            last[row.site] = max(last.get(row.site, 0), row.last_at)
        for site, last_at in last.items():
            self._look_at_silence(site, hours[site], last_at, at)

    def _look_at_silence(
        self, site: str, hours: Mapping[Instant, int], last_at: Instant, at: Instant
    ) -> None:
        if self._live.current.site_of(site) is None:
            return
        chance = chance_of_silence(hours, last_at, at)
        if chance < self._live.current.alerts.not_shown_probability:
            text = (
                f"No visitor of {site} was shown a number since {to_iso(last_at)}. By the same hours of the "
                f"last weeks the probability of that is {chance:.1g}. Look whether the page still has the "
                "widget's script, and whether browsers reach it."
            )
            self._alerts.notify(Notice("not_shown", site, text, site))


def _little_room(folders: list[Path], least_megabytes: int) -> dict[str, str]:
    """What to say of each file system with less room, by the first folder on it."""
    found: dict[int, tuple[str, str]] = {}
    for folder in folders:
        try:
            status, device = os.statvfs(folder), folder.stat().st_dev
        except OSError:
            continue
        free = status.f_bavail * status.f_frsize // 1024 // 1024
        if free < least_megabytes:
            found.setdefault(device, (str(folder), f"{folder}: {free} MB free, less than {least_megabytes}"))
    return dict(found.values())
