"""The PBX seen through its AMI: what is live, the second witness of the journal, the fallback table."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import structlog
from prometheus_client.core import Metric

from agi.ami import AmiConnection, AmiError
from agi.cel import MalformedEvent, from_ami
from agi.journal import JournalReader, JournalState
from pool.database import Database
from pool.instants import now
from router.cdr.ingest import Ingest
from router.cdr.live import LiveCall
from router.config.live import LiveConfig
from router.holds import Holds
from router.metrics import counter, gauge
from router.routing.fallback import FallbackTable
from router.store.fallback import FallbackStore
from router.supervision import keep_running
from router.web.admin import Check, Readiness

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 2.0
SYNC_SECONDS: Final = 5.0
WITNESS_EVENTS: Final = "call,system"
WITNESS_STAYS_SECONDS: Final = 60.0
LEAST_DISK_BYTES: Final = 64 * 1024 * 1024
"""Below this the journal's disk may be full any moment, and Asterisk says nothing when it is."""
UNHEARD_SECONDS: Final = 3.0
OUR_CONTEXTS: Final = "leaseline-"


class Switch:
    """Both AMI users of one PBX. Calls need neither: the journal alone makes every CDR."""

    def __init__(self, live: LiveConfig, database: Database, ingest: Ingest, journal: JournalReader) -> None:
        config = live.current
        self._ingest = ingest
        self._journal = journal
        self._policy = config.ami.witness
        self._witness_until = 0.0
        self._witnessing = False
        self._unheard: dict[str, float] = {}
        self._malformed = 0
        self._holds = Holds()
        self._ami = AmiConnection(
            config.ami.host,
            config.ami.port,
            config.ami.username,
            config.ami.secret.read(),
            events="off",
            on_connected=self._connected,
            ping_seconds=config.ami.ping_seconds,
        )
        self._astdb = AmiConnection(
            config.ami.host,
            config.ami.port,
            config.ami.fallback_username,
            config.ami.fallback_secret.read(),
            events="off",
            on_connected=lambda _: keep_running("fallback", self._table.run),
            ping_seconds=config.ami.ping_seconds,
        )
        self._table = FallbackTable(live, FallbackStore(database, config.node.switch), self._astdb)

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "ami", self._ami.run
        yield "ami-events", self._witness
        yield "ami-fallback", self._astdb.run

    def checks(self) -> dict[str, Check]:
        """The AMI is told of, but a router without it still does all its work: it is always ready."""
        return {
            "ami": lambda: Readiness(True, self._state(self._ami)),
            "fallback": lambda: Readiness(True, self._state(self._astdb)),
        }

    def figures(self) -> Sequence[Metric]:
        """Counters and gauges."""
        return [
            gauge("ami_connected", "1 while the AMI answers", float(self._ami.connected)),
            gauge("fallback_connected", "1 while AstDB can be kept in step", float(self._astdb.connected)),
            gauge(
                "witness_on", "1 while the journal's events are read over AMI too", float(self._witnessing)
            ),
            counter("fallback_numbers_put", "Numbers put into AstDB", self._table.numbers_put),
            counter("ami_events_dropped", "AMI events that found the queue full", self._ami.queue.dropped),
            counter("ami_events_malformed", "CEL events over AMI that could not be read", self._malformed),
        ]

    def hold_of(self, call: LiveCall) -> bool | None:
        """Whether a call is on hold; None where nobody listens: AMI's events are read only when needed."""
        return self._holds.of(call)

    @staticmethod
    def _state(connection: AmiConnection) -> str:
        return "connected" if connection.connected else f"not connected: {connection.last_error}"

    async def _connected(self, connection: AmiConnection) -> None:
        """Ask what is live, then look after the witness, until the connection is lost."""
        self._witnessing = False
        self._holds.listen(None)
        loop = asyncio.get_running_loop()
        sync_at = loop.time()
        while True:
            try:
                if loop.time() >= sync_at:
                    await self._sync(connection)
                    sync_at = loop.time() + SYNC_SECONDS
                await self._turn_witness(connection, self._reason())
            except AmiError as error:
                log.warning("switch.look_failed", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _sync(self, connection: AmiConnection) -> None:
        """Tell ingest which calls the switch has; a call of ours it never heard of means missing lines."""
        at = now()
        channels = await connection.live_channels()
        self._ingest.switch_live([channel.linkedid for channel in channels], at)
        self._holds.keep({channel.linkedid for channel in channels})
        heard = self._ingest.linkedids()
        seen_at = asyncio.get_running_loop().time()
        ours = {channel.linkedid for channel in channels if channel.context.startswith(OUR_CONTEXTS)}
        self._unheard = {name: self._unheard.get(name, seen_at) for name in ours - heard}

    def _reason(self) -> str:
        """Why the journal needs a second witness now; "" when it does not."""
        if self._policy != "auto":
            return "[ami] witness = on" if self._policy == "on" else ""
        if self._journal.state is JournalState.UNREADABLE:
            return f"the journal cannot be read: {self._journal.reason}"
        seconds = asyncio.get_running_loop().time()
        if any(seconds - since >= UNHEARD_SECONDS for since in self._unheard.values()):
            return "calls are live that the journal does not tell of"
        free = _free_bytes(self._journal)
        if free is not None and free < LEAST_DISK_BYTES:
            return f"the journal's disk has {free // 1024 // 1024} MB left"
        return ""

    async def _turn_witness(self, connection: AmiConnection, reason: str) -> None:
        seconds = asyncio.get_running_loop().time()
        if reason:
            self._witness_until = seconds + WITNESS_STAYS_SECONDS
        wanted = seconds < self._witness_until
        if wanted == self._witnessing:
            return
        reply = await connection.action(
            {"Action": "Events", "EventMask": WITNESS_EVENTS if wanted else "off"}
        )
        if not reply.success:
            log.error("switch.witness_refused", reason=reply.message)
            return
        self._witnessing = wanted
        self._holds.listen(now() if wanted else None)
        tell = log.warning if wanted and self._policy == "auto" else log.info
        tell("switch.witness_on" if wanted else "switch.witness_off", reason=reason or None)

    async def _witness(self) -> None:
        """The journal's events, as the AMI tells them."""
        async for event in self._ami.events():
            if event.name in {"Hold", "Unhold"}:
                self._holds.hear(event)
            if event.name != "CEL":
                continue
            try:
                self._ingest.witness(from_ami(event, event.received_at))
            except MalformedEvent as error:
                self._malformed += 1
                log.warning("switch.event_malformed", error=str(error))


def _free_bytes(journal: JournalReader) -> int | None:
    """Bytes left for the journal; None where that cannot be told."""
    try:
        state = os.statvfs(journal.path.parent)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize
