"""The FastAGI server: answers the dialplan's questions, or gets out of its way.

What has to be kept out here is a stranger who asks who holds a number, and a peer that ties the server up.
So: peers by network, deadlines and caps on everything, and no answer rather than a late one. Every way to
fail closes the connection without the sentinel, and the dialplan takes its local fallback.
"""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import structlog

from agi.protocol import Limits
from agi.session import Route, Session, Terms
from agi.statistics import Outcome, Statistics
from agi.variables import DEFAULT_PORT

log = structlog.get_logger(__name__)

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
CONFIRM_SECONDS: Final = 0.25
"""Answers given within this time are seen taken, and their connections closed, together..."""
_MANY_ANSWERED: Final = 64
"""...but not more than so many: they hold connections."""
_BACKLOG: Final = 1024
"""Takes the burst that piles up while another process takes over."""
_MOST_ACCEPTED: Final = 16
"""In one go: others want the loop too."""
_ACCEPT_PAUSE_SECONDS: Final = 1.0
_NOT_HERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class FastAgiServer:
    """Serves ``routes`` (path, "/route", to `Route`) to peers in the networks ``allow``.

    A route that has a method ``at_once`` (`AtOnce`) is asked by it first.

    header_seconds: from connecting to the last header. answer_seconds: from there to the answer; keep it
    below the dialplan's own bound, which is 1.5 s. confirm_seconds: for Asterisk to take the answer.
    Raises ValueError for a network that is none.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        *,
        allow: Sequence[str] = LOOPBACK,
        header_seconds: float = 1.0,
        answer_seconds: float = 0.5,
        confirm_seconds: float = 1.0,
        max_connections: int = 1000,
        limits: Limits | None = None,
    ) -> None:
        networks = [ipaddress.ip_network(network) for network in allow]
        self.statistics = Statistics()
        self._sessions: set[Session] = set()
        self._max_connections = max_connections
        self._draining = False
        self._empty = asyncio.Event()
        self._answered: list[Session] = []
        self._look: asyncio.TimerHandle | None = None
        self._listeners: list[socket.socket] = []
        self._terms = Terms(
            routes={
                _with_slash(path): (route, getattr(route, "at_once", None)) for path, route in routes.items()
            },
            limits=limits or Limits(),
            header_seconds=header_seconds,
            answer_seconds=answer_seconds,
            confirm_seconds=confirm_seconds,
            statistics=self.statistics,
            # Bound once: the lazy proxy would look the configuration up for every line.
            log=structlog.get_logger(__name__).bind(),
            admit=self._admit,
            answered=self._confirm_later,
            ended=self._ended,
        )

        @lru_cache(maxsize=1024)
        def is_allowed(peer: str) -> bool:
            try:
                address = ipaddress.ip_address(peer.partition("%")[0])
            except ValueError:
                return False
            mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
            return any((mapped or address) in network for network in networks)

        self._is_allowed = is_allowed

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._sessions)

    @property
    def port(self) -> int:
        """The port listened on; 0 when not listening."""
        return int(self._listeners[0].getsockname()[1]) if self._listeners else 0

    async def start(self, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
        """Listen. Raises OSError when the address cannot be had. May be started again after a drain."""
        loop = asyncio.get_running_loop()
        self._draining = False
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        refused: list[OSError] = []
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                # One protocol each, and without SO_REUSEPORT: whoever has the port already is told.
                listener = socket.create_server(address, family=family, backlog=_BACKLOG)
            except OSError as error:
                refused.append(error)
            else:
                listener.setblocking(False)
                self._listeners.append(listener)
        # A name may have an address of a protocol that the machine has not.
        if refused and not (self._listeners and all(error.errno in _NOT_HERE for error in refused)):
            self._stop_listening()
            raise refused[0]
        for listener in self._listeners:
            self._listen(listener)
        log.info("fastagi listening", host=host, port=self.port)

    def _listen(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_MOST_ACCEPTED):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors or memory: Asterisk's connect is not answered, and the call falls back.
                log.error("fastagi cannot accept", reason=str(error))
                loop.remove_reader(listener.fileno())
                loop.call_later(_ACCEPT_PAUSE_SECONDS, self._listen, listener)
                return
            Session(self._terms, loop, connection, address[0]).begin()

    def _stop_listening(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()

    async def drain(self, seconds: float) -> None:
        """Refuse new connections, let those that are open finish within ``seconds``, then cut them off.

        The listening socket closes first: Asterisk's connect is refused and the call falls back at once.
        """
        self._draining = True
        self._stop_listening()
        self._confirm()
        if self._sessions and seconds > 0:
            self._empty.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._empty.wait()
            except TimeoutError:
                log.warning("fastagi requests cut off at shutdown", count=len(self._sessions))
        for session in list(self._sessions):
            session.shut_down()

    async def close(self) -> None:
        """Stop at once."""
        await self.drain(0)

    def _admit(self, session: Session, peer: str) -> Outcome | None:
        if self._draining:
            return Outcome.SHUT_DOWN
        if not self._is_allowed(peer):
            return Outcome.PEER_REFUSED
        if len(self._sessions) >= self._max_connections:
            return Outcome.TOO_MANY
        self._sessions.add(session)
        return None

    def _confirm_later(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        self._answered.append(session)
        if self._draining or len(self._answered) == _MANY_ANSWERED:
            loop.call_soon(self._confirm)
        elif len(self._answered) == 1:
            self._look = loop.call_later(CONFIRM_SECONDS, self._confirm)

    def _confirm(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        sessions, self._answered = self._answered, []
        for session in sessions:
            session.confirm()

    def _ended(self, session: Session) -> None:
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()


def _with_slash(path: str) -> str:
    return path if path.startswith("/") else "/" + path
