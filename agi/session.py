"""One FastAGI connection: a request, its answer in one write, the confirmation, the end.

On the socket itself: the usual session is over within two looks at it, one when Asterisk connects and one
that many sessions share, and costs neither a transport nor a timer; a task only where a route waits.
"""

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger

from agi.commands import UnsafeValue, set_variables
from agi.protocol import FastAgiCodec, Hangup, Limits, Reply, Request, Violation
from agi.request import AgiRequest
from agi.statistics import Outcome, Statistics
from agi.variables import ADDED_BY_SERVER, DECIDED_MS, OK

Route: TypeAlias = Callable[[AgiRequest], Awaitable[Mapping[str, str]]]
"""Gives the channel variables to set. Raising, or being late, leaves the call to the dialplan's fallback."""

AtOnce: TypeAlias = Callable[[AgiRequest], Mapping[str, str] | None]
"""Gives the same where it has nothing to wait for, else None: no task has to be made for it."""

_READ_BYTES: Final = 4096
"""Several header blocks."""
_MOST_READS: Final = 16
"""In one go: a peer that never stops must not keep the loop from the others."""

_QUIET = frozenset({Outcome.ANSWERED, Outcome.UNCONFIRMED, Outcome.PEER_GONE, Outcome.SHUT_DOWN})


@dataclass(frozen=True, slots=True)
class Terms:
    """What all sessions of a server share. Seconds are deadlines, each from the step before it."""

    routes: Mapping[str, tuple[Route, AtOnce | None]]
    limits: Limits
    header_seconds: float
    answer_seconds: float
    confirm_seconds: float
    statistics: Statistics
    log: FilteringBoundLogger
    admit: Callable[["Session", str], Outcome | None]
    answered: Callable[["Session"], None]
    ended: Callable[["Session"], None]


class Session:
    """Serves one connection from `begin` on. Whatever happens, it closes: only that frees the dialplan.

    The socket may be a blocking one; it is never waited for.
    """

    def __init__(
        self, terms: Terms, loop: asyncio.AbstractEventLoop, connection: socket.socket, peer: str
    ) -> None:
        self._terms = terms
        self._loop = loop
        self._socket = connection
        self._codec = FastAgiCodec(terms.limits)
        self._watching = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._request: AgiRequest | None = None
        self._received = 0.0
        self._lines: deque[bytes] = deque()
        self._answered = False
        self._left_to_server = False
        self._hung_up = False
        self._outcome: Outcome | None = None
        self.peer = peer

    def begin(self) -> None:
        """Serve what has come already, unless the peer is refused."""
        refusal = self._terms.admit(self, self.peer)
        if refusal is not None:
            self._finish(refusal)
        else:
            self._read()

    def confirm(self) -> None:
        """Look whether Asterisk took the answer, now or when it says so."""
        self._left_to_server = False
        self._read()

    def shut_down(self) -> None:
        """Close now; what was not answered yet is not answered any more."""
        self._finish(Outcome.UNCONFIRMED if self._answered else Outcome.SHUT_DOWN)

    def _read(self) -> None:
        """Take what has come, or some of what never ends. Whatever goes wrong with it, the socket closes."""
        try:
            for _ in range(_MOST_READS):
                data = self._next_data()
                if data is None:
                    break
                if data:
                    self._take(data)
                else:
                    self._gone()
                if self._outcome is not None or self._left_to_server:
                    return
            self._watch()
        except Exception:
            self._failed()

    def _next_data(self) -> bytes | None:
        """None while nothing has come, empty at the stream's end."""
        try:
            return self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def _take(self, data: bytes) -> None:
        request: Request | None = None
        for event in self._codec.receive(data):
            match event:
                case Request():
                    # Answered only once what came with it was looked at: a line too many is a stranger's.
                    request = event
                case Reply():
                    self._on_reply(event)
                case Hangup():
                    # Asterisk also says HANGUP when an AGI ends by itself, after the last reply.
                    self._hung_up = self._hung_up or self._outcome is None
                case Violation():
                    self._finish(Outcome.NOT_FASTAGI, reason=event.reason)
        if request is not None and self._outcome is None:
            self._on_request(request)

    def _gone(self) -> None:
        self._finish(Outcome.UNCONFIRMED if self._answered else Outcome.PEER_GONE)

    def _watch(self) -> None:
        """Wait for more, once: what has come is looked at."""
        if self._watching:
            return
        self._watching = True
        self._loop.add_reader(self._socket.fileno(), self._read)
        if self._answered:
            self._rearm(self._terms.confirm_seconds, Outcome.UNCONFIRMED)
        elif self._timer is None:
            self._rearm(self._terms.header_seconds, Outcome.HEADER_DEADLINE)

    def _on_request(self, event: Request) -> None:
        # Not the loop's clock: uvloop's counts whole milliseconds.
        self._received = time.perf_counter()
        self._request = request = AgiRequest.of(event.variables, self.peer, time.time_ns() // 1_000_000)
        known = self._terms.routes.get(request.path)
        if known is None:
            self._finish(Outcome.NO_ROUTE)
            return
        route, at_once = known
        if at_once is not None:
            variables = at_once(request)
            if variables is not None:
                self._answer(variables)
                return
        self._rearm(self._terms.answer_seconds, Outcome.ANSWER_DEADLINE)
        self._task = self._loop.create_task(self._wait_for(route, request))

    async def _wait_for(self, route: Route, request: AgiRequest) -> None:
        structlog.contextvars.bind_contextvars(linkedid=request.linkedid)
        try:
            self._answer(await route(request))
        except asyncio.CancelledError:
            self._finish(Outcome.SHUT_DOWN)
            raise
        except Exception:
            self._failed()

    def _answer(self, variables: Mapping[str, str]) -> None:
        decided_ms = (time.perf_counter() - self._received) * 1000
        try:
            self._lines.extend(_answer_lines(variables, decided_ms))
        except UnsafeValue as error:
            self._finish(Outcome.UNSAFE_ANSWER, reason=str(error))
        else:
            self._write_next()

    def _failed(self) -> None:
        """Called where an exception is handled."""
        path, linkedid = self._asked_for()
        self._terms.log.exception("route failed", path=path, linkedid=linkedid)
        self._finish(Outcome.ROUTE_FAILED)

    def _write_next(self) -> None:
        """Write the next line whole. With the last one our side of the connection ends.

        Asterisk executes the line, answers it and then reads the end of the stream at once, so the dialplan
        goes on without waiting for us to see the answer and close.
        """
        if self._outcome is not None:
            return
        line = self._codec.send(self._lines.popleft())
        try:
            # A line fits into an empty socket buffer many times over, and the one before it was answered.
            sent = self._socket.send(line, socket.MSG_DONTWAIT)
            if sent == len(line) and not self._lines:
                self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            sent = 0
        if sent < len(line):
            self._finish(Outcome.PEER_GONE)
            return
        if self._lines:
            self._rearm(self._terms.confirm_seconds, Outcome.UNCONFIRMED)
            return
        self._answered = True
        self._terms.statistics.latency.observe(time.perf_counter() - self._received)
        self._leave_to_server()

    def _leave_to_server(self) -> None:
        """Asterisk's reply and end are looked at with those of other sessions: waking up for each would cost
        as much as deciding.
        """
        self._disarm()
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._socket.fileno())
        self._left_to_server = True
        self._terms.answered(self)

    def _on_reply(self, reply: Reply) -> None:
        # EXEC of an application that is not there: "200 result=-2".
        if reply.code != 200 or reply.result.startswith("-"):
            self._finish(Outcome.COMMAND_REFUSED, reason=reply.text)
        elif self._lines:
            self._write_next()
        else:
            self._finish(Outcome.ANSWERED)

    def _rearm(self, seconds: float, outcome: Outcome) -> None:
        self._disarm()
        self._timer = self._loop.call_later(seconds, self._finish, outcome)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self, outcome: Outcome, *, reason: str | None = None) -> None:
        """End the session; the first outcome counts. The socket closes before the route is cancelled."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        self._disarm()
        if self._watching:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._terms.ended(self)
        task = self._task
        if task is not None and not task.done() and task is not asyncio.current_task(self._loop):
            task.cancel()
        statistics = self._terms.statistics
        statistics.outcomes[outcome] += 1
        statistics.hangups += self._hung_up
        self._tell(outcome, reason)

    def _asked_for(self) -> tuple[str | None, str | None]:
        """Path and linkedid, once they are known."""
        request = self._request
        return (request.path, request.linkedid) if request else (None, None)

    def _tell(self, outcome: Outcome, reason: str | None) -> None:
        log = self._terms.log
        tell = log.info if outcome in _QUIET else log.warning
        if outcome is Outcome.ANSWERED:
            # The call's own line says what was decided, and how fast: one line a call is enough.
            if not log.is_enabled_for(logging.DEBUG):
                return
            tell = log.debug
        path, linkedid = self._asked_for()
        tell(
            "fastagi",
            outcome=str(outcome),
            peer=self.peer,
            path=path,
            linkedid=linkedid,
            total_ms=round((time.perf_counter() - self._received) * 1000, 3) if self._request else None,
            hung_up=self._hung_up,
            **({"reason": reason} if reason else {}),
        )


def _answer_lines(variables: Mapping[str, str], decided_ms: float) -> list[bytes]:
    if not ADDED_BY_SERVER.isdisjoint(variables):
        raise UnsafeValue(f"a route may not answer {sorted(ADDED_BY_SERVER)} itself")
    return set_variables([*variables.items(), (DECIDED_MS, f"{decided_ms:.3f}"), (OK, "1")])
