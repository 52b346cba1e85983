"""The PBX seen through its AMI: what is live, the second witness of the journal, the fallback table."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import structlog
from prometheus_client.core import Metric

from agi.ami import AmiConnection, AmiError
from agi.ami_event import AmiReply
from agi.astdb import AstDbByVisits
from agi.cel import MalformedEvent, from_ami
from agi.journal import JournalReader, JournalState
from pool.database import Database, StoreUnavailable
from pool.instants import now
from router.cdr.ingest import Ingest
from router.cdr.live import LiveCall
from router.config.live import LiveConfig
from router.config.values import Secret
from router.holds import HELD, askable, holds_of
from router.metrics import counter, gauge
from router.routing.fallback import FallbackTable
from router.store.fallback import FallbackStore
from router.unheard import Unheard
from router.web.parts import Check, Readiness

log = structlog.get_logger(__name__)

TICK_SECONDS: Final = 1.0
"""While somebody watches, the switch is asked so often which calls are on hold."""
LONGEST_PAUSE_SECONDS: Final = 10.0
WITNESS_EVENTS: Final = "call,system"
WITNESS_STAYS_SECONDS: Final = 60.0
LEAST_DISK_BYTES: Final = 64 * 1024 * 1024
"""Below this the journal's disk may be full any moment, and Asterisk says nothing when it is."""
OUR_CONTEXTS: Final = "leaseline-"


class Switch:
    """Both AMI users of one PBX. Calls need neither: the journal alone makes every CDR.

    The sessions are short, since idle ones cost Asterisk more than a call's dialplan (docs/benchmarks.md): a
    look at the live channels every few seconds, and one for each batch that goes into AstDB. Only the second
    witness stays connected.
    """

    def __init__(
        self,
        live: LiveConfig,
        database: Database,
        ingest: Ingest,
        journal: JournalReader,
        *,
        watched: Callable[[], bool],
    ) -> None:
        """`watched`: whether anybody looks at the live calls."""
        config = live.current
        self._ingest = ingest
        self._journal = journal
        self._watched = watched
        self._policy = config.ami.witness
        self._look_seconds = config.ami.ping_seconds
        self._witness_until = 0.0
        self._witnessing = False
        self._look_at = 0.0
        self._started = ""
        self._unheard = Unheard(ingest.has_heard, lambda: journal.caught_up)
        self._malformed = 0
        self._holds: dict[str, bool] = {}
        self._ami = _connection(live, config.ami.username, config.ami.secret)
        self._astdb = _connection(live, config.ami.fallback_username, config.ami.fallback_secret)
        self._table = FallbackTable(
            live, FallbackStore(database, config.node.switch), AstDbByVisits(self._astdb)
        )

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "ami", self._attend
        yield "ami-events", self._hear
        yield "ami-fallback", self._keep_table

    def checks(self) -> dict[str, Check]:
        """The AMI is told of, but a router without it still does all its work: it is always ready."""
        return {
            "ami": lambda: Readiness(True, self._state(self._ami)),
            "fallback": lambda: Readiness(True, self._state(self._astdb)),
        }

    def figures(self) -> Sequence[Metric]:
        """Counters and gauges."""
        return [
            gauge("ami_connected", "1 when the AMI answered last time", float(not self._ami.last_error)),
            gauge(
                "fallback_connected",
                "1 when AstDB could be reached last time",
                float(not self._astdb.last_error),
            ),
            gauge(
                "witness_on", "1 while the journal's events are read over AMI too", float(self._witnessing)
            ),
            counter("fallback_numbers_put", "Numbers put into AstDB", self._table.numbers_put),
            counter("ami_events_dropped", "AMI events that found the queue full", self._ami.queue.dropped),
            counter("ami_events_malformed", "CEL events over AMI that could not be read", self._malformed),
        ]

    def hold_of(self, call: LiveCall) -> bool | None:
        """Whether a call is on hold; None where that is not known (yet)."""
        return self._holds.get(call.linkedid)

    @staticmethod
    def _state(connection: AmiConnection) -> str:
        return f"not connected: {connection.last_error}" if connection.last_error else "connected"

    async def _keep_table(self) -> None:
        """Keep AstDB's table; while the AMI is away, try again after growing pauses."""
        pause = TICK_SECONDS
        while True:
            put = self._table.numbers_put
            try:
                await self._table.run()
            except (AmiError, OSError, StoreUnavailable) as error:
                log.info("fallback.waits", reason=str(error))
            pause = TICK_SECONDS if self._table.numbers_put > put else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def _attend(self) -> None:
        """Look in now and then; stay while the journal needs its second witness."""
        seconds = asyncio.get_running_loop().time
        pause = TICK_SECONDS
        while True:
            try:
                if self._wants_witness():
                    await self._bear_witness()
                elif seconds() >= self._look_at or self._watched():
                    async with self._ami.visit():
                        await self._look()
                pause = TICK_SECONDS
            except (AmiError, OSError) as error:
                self._holds = {}
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                log.debug("switch.look_failed", error=str(error))
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        """Tell ingest which calls the switch has; a call of ours it never heard of means missing lines."""
        connection = self._ami
        at = now()
        channels = await connection.live_channels()
        self._ingest.switch_live([channel.linkedid for channel in channels], at)
        seen_at = asyncio.get_running_loop().time()
        ours = {channel.linkedid for channel in channels if channel.context.startswith(OUR_CONTEXTS)}
        self._unheard.look(ours, seen_at)
        self._look_at = seen_at + self._look_seconds
        if self._watched():
            told = await connection.variables(askable(channels), HELD)
            self._holds = holds_of(channels, told)
        else:
            self._holds = {}
        self._notice_start(await connection.action({"Action": "CoreStatus"}))

    def _notice_start(self, status: AmiReply) -> None:
        started = f"{status.headers.get('corestartupdate')} {status.headers.get('corestartuptime')}"
        if self._started and started != self._started:
            log.info("switch.started_anew", at=started)
            self._table.doubt()
        self._started = started

    def _wants_witness(self) -> bool:
        seconds = asyncio.get_running_loop().time()
        if reason := self._reason():
            if seconds >= self._witness_until:
                tell = log.warning if self._policy == "auto" else log.info
                tell("switch.witness_wanted", reason=reason)
            self._witness_until = seconds + WITNESS_STAYS_SECONDS
        return seconds < self._witness_until

    def _reason(self) -> str:
        """Why the journal needs a second witness now; "" when it does not."""
        if self._policy != "auto":
            return "[ami] witness = on" if self._policy == "on" else ""
        if self._journal.state is JournalState.UNREADABLE:
            return f"the journal cannot be read: {self._journal.reason}"
        if self._unheard.lost(asyncio.get_running_loop().time()):
            return "calls are live that the journal does not tell of"
        free = _free_bytes(self._journal)
        if free is not None and free < LEAST_DISK_BYTES:
            return f"the journal's disk has {free // 1024 // 1024} MB left"
        return ""

    async def _bear_witness(self) -> None:
        """Read the journal's events over AMI until they are not needed, or the connection is lost."""
        seconds = asyncio.get_running_loop().time
        async with self._ami.visit():
            reply = await self._ami.action({"Action": "Events", "EventMask": WITNESS_EVENTS})
            if not reply.success:
                log.error("switch.witness_refused", reason=reply.message)
                return
            self._witnessing = True
            log.info("switch.witness_on")
            try:
                while self._wants_witness():
                    if seconds() >= self._look_at or self._watched():
                        await self._look()
                    else:
                        await self._ami.ping()
                    await asyncio.sleep(TICK_SECONDS)
            finally:
                self._witnessing = False
            log.info("switch.witness_off")

    async def _hear(self) -> None:
        """The journal's events, as the AMI tells them."""
        async for event in self._ami.events():
            if event.name != "CEL":
                continue
            try:
                self._ingest.witness(from_ami(event, event.received_at))
            except MalformedEvent as error:
                self._malformed += 1
                log.warning("switch.event_malformed", error=str(error))


def _connection(live: LiveConfig, username: str, secret: Secret) -> AmiConnection:
    ami = live.current.ami
    return AmiConnection(ami.host, ami.port, username, secret.read(), events="off")


def _free_bytes(journal: JournalReader) -> int | None:
    """Bytes left for the journal; None where that cannot be told."""
    try:
        state = os.statvfs(journal.path.parent)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize
