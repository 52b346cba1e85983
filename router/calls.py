"""The `calls` role beside one PBX: the journal into CDRs, the AMI, the fallback table."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import structlog
from prometheus_client.core import Metric

from agi.journal import JournalReader, JournalState
from agi.journal_files import Position
from pool.database import Database, StoreUnavailable
from pool.instants import now
from pool.numbers import NumberKind, NumberRecord
from pool.past import past_holds
from pool.service import Pool
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.ingest import Ingest
from router.cdr.live import LiveCall
from router.cdr.ndjson import CdrFile
from router.cdr.record import Cdr
from router.config import Config
from router.config.live import LiveConfig
from router.deliveries.service import Deliveries
from router.erasing import Erasing
from router.learning import SiteModels
from router.live import LiveView
from router.metrics import counter, gauge
from router.recordings.worker import Recordings
from router.routing.numbering import NotANumber, to_e164
from router.routing.route import NotOurNumber, site_of
from router.store.calls import CallStore
from router.store.erasing import ErasingStore
from router.store.recordings import RecordingStore
from router.store.seen import SeenStore
from router.switch import Switch
from router.web.parts import Check, Readiness

log = structlog.get_logger(__name__)

KEEP_SECONDS = 30.0
LATE_SECONDS = 30.0
"""A journal that is read so much later than it is written is not ready."""


class CallsRole:
    """Everything about calls but the FastAGI server."""

    def __init__(
        self,
        live: LiveConfig,
        database: Database,
        pool: Pool,
        deliveries: Deliveries | None = None,
        *,
        on_call: Callable[[Cdr], None] = lambda cdr: None,
    ) -> None:
        """`deliveries` lays down who is to be told of a call (None: nobody is); `on_call` hears of each."""
        config = live.current
        self._on_call = on_call
        self._deliveries = deliveries
        self._live = live
        self._pool = pool
        self._calls = CallStore(database)
        self._journal = JournalReader(config.journal.path)
        self._known_rules: dict[str | None, tuple[Config, SiteRules]] = {}
        self._models = SiteModels(
            SeenStore(database),
            lambda site, since_at, at: past_holds(database, site, since_at, at),
            lookback_seconds=config.cdr.lookback_hours * 3600,
        )
        enricher = Enricher(
            config.node.switch,
            pool,
            self._calls,
            rules=self._rules,
            e164=self._e164,
            site_of=self._site_of,
            now=now,
        )
        self.recordings = Recordings(live, config.node.switch, self._calls, RecordingStore(database), now=now)
        self._erasing = Erasing(
            live, config.node.switch, ErasingStore(database), RecordingStore(database), now=now
        )
        self._file = CdrFile(config.cdr.path, config.node.switch, self._calls, now=now)
        self.ingest = Ingest(
            config.node.switch,
            self._journal,
            self._calls,
            enricher,
            pool,
            e164=self._e164,
            file_size=self._recording_size,
            now=now,
            destinations=deliveries.of if deliveries else lambda cdr: (),
            on_written=self._written,
        )

        self.view = LiveView(
            config.node.switch,
            self.ingest.live,
            caught_up=lambda: self._journal.caught_up,
            channel_of=self._channel_of,
            hold_of=lambda call: self._switch.hold_of(call) if self._switch is not None else None,
            now=now,
        )
        self._switch = (
            Switch(live, database, self.ingest, self._journal, watched=lambda: self.view.watchers > 0)
            if config.ami.enabled
            else None
        )

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "learning", lambda: self._models.run(now)
        yield "ingest", self.ingest.run
        yield "cdr-file", self._file.run
        yield "journal-files", self._keep_journal
        yield "recordings", self.recordings.run
        yield "erasing", self._erasing.run
        yield "live", self.view.run
        if self._switch is not None:
            yield from self._switch.services()

    async def _keep_journal(self) -> None:
        """Rotate the journal when it is long, delete what is stored and old enough."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            wanted = self._live.current.journal
            if _size(wanted.path) >= wanted.rotate_megabytes * 1024 * 1024:
                log.info("journal.rotated", path=str(self._journal.rotate()))
            mark = await self._calls.position(self._live.current.node.switch)
            if mark is None:
                continue
            position = Position(mark.file_id, mark.byte_offset, mark.path)
            kept_seconds = wanted.keep_days * 86_400
            for file in self._journal.delete_consumed(position, kept_seconds=kept_seconds):
                log.info("journal.deleted", path=str(file))

    def checks(self) -> dict[str, Check]:
        """Readiness of each part."""
        checks = {
            "journal": self._journal_ready,
            "recordings": lambda: Readiness(True, self.recordings.state()),
        }
        return checks | self._switch.checks() if self._switch is not None else checks

    def journal_problem(self) -> str | None:
        """What is wrong with the journal for people to look at; None: nothing."""
        ready = self._journal_ready()
        return None if ready.ready else ready.detail

    def disk_problem(self) -> str | None:
        """What the recordings say of their disk; None: nothing."""
        return self.recordings.problems.get("disk")

    def _journal_ready(self) -> Readiness:
        if self._journal.state is JournalState.UNREADABLE:
            return Readiness(False, self._journal.reason)
        late = self.ingest.counts.lag_seconds
        return Readiness(late < LATE_SECONDS, f"{self._journal.state}, {late:.1f} s late")

    def figures(self) -> Sequence[Metric]:
        """Counters and gauges."""
        counts = self.ingest.counts
        return [
            *(self._switch.figures() if self._switch is not None else ()),
            counter("journal_events", "Events read from the journal", counts.events),
            counter("journal_malformed_lines", "Lines that could not be read", self._journal.lines_malformed),
            counter("calls_written", "Calls written to the store", counts.written),
            counter("calls_repaired", "Calls whose end had to be worked out", counts.repaired),
            counter("calls_unattributed", "Calls with the match `none`", counts.unattributed),
            counter("ingest_store_failures", "Times that the store could not be used", counts.store_failures),
            gauge("calls_live", "Calls going on", len(self.ingest.linkedids())),
            gauge("calls_waiting", "Finished calls that are not stored yet", self.ingest.waiting),
            gauge("journal_lag_seconds", "How late the journal is read", counts.lag_seconds),
            *self.recordings.figures(),
        ]

    def _written(self, cdr: Cdr) -> None:
        self._file.written()
        self.recordings.written()
        if self._deliveries is not None:
            self._deliveries.written()
        self._on_call(cdr)
        log.info(
            "call.ended",
            linkedid=cdr["linkedid"],
            call_id=cdr["id"],
            number=cdr["number"],
            result=cdr["result"],
            match=cdr["match"],
            confidence=cdr["confidence"],
        )

    def _rules(self, site_key: str | None) -> SiteRules:
        """Of the configuration and the model of now; made anew when either is another."""
        config, model = self._live.current, self._models.model(site_key)
        known = self._known_rules.get(site_key)
        if known is not None and known[0] is config and known[1].model is model:
            return known[1]
        site = config.site_of(site_key) if site_key else None
        rules = SiteRules(
            qualified_seconds=site.qualified_seconds if site else SiteRules().qualified_seconds,
            unknown_below=config.cdr.unknown_below,
            lookback_seconds=config.cdr.lookback_hours * 3600,
            model=model,
            zone=ZoneInfo(site.time_zone) if site else None,
        )
        if site is not None or site_key is None:
            self._known_rules[site_key] = config, rules
        return rules

    def _e164(self, digits: str) -> str | None:
        try:
            return to_e164(digits, self._live.current.asterisk.country)
        except NotANumber:
            return None

    def _site_of(self, number: str, record: NumberRecord | None) -> str | None:
        try:
            return site_of(self._live.current, number, record)[0].key
        except NotOurNumber:
            return None

    async def _channel_of(self, call: LiveCall) -> str | None:
        """The marketing channel of a call that is going on: its number's own, or its holder's just now.

        The record may judge otherwise; it also weighs who called before.
        """
        number = call.number or self._e164(call.dialed)
        try:
            record = await self._pool.number(number) if number else None
            if number is None or record is None or record.channel or record.kind == NumberKind.EXTENSION:
                return (record.channel or None) if record else None
            holders = await self._pool.holders(number, None, call.started_at, lookback_seconds=0)
            holder = next((held for held in holders if held.state in {"live", "frozen"}), None)
            return await self._calls.channel_at(holder.visit_id, call.started_at) if holder else None
        except StoreUnavailable:
            return None

    def _recording_size(self, path: str) -> int | None:
        """Bytes of a recording by the PBX's path, which may be mounted elsewhere here: the name decides."""
        try:
            return (self._live.current.recordings.folder / PurePosixPath(path).name).stat().st_size
        except OSError:
            return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
