"""The connection to Asterisk's manager interface: health, live channels, events, AstDB.

It is kept up by `AmiConnection.run`, or made for a moment by `AmiConnection.visit`: Asterisk wakes every
session for each of a call's ninety events, whatever the session reads, so that one which has nothing to do
costs more than the calls' own dialplan. Actions are never repeated by themselves: after a time-out or a lost
connection nobody knows whether Asterisk carried them out.
"""

import asyncio
import contextlib
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from agi.ami_event import AmiEvent, AmiReply, EventQueue, HeaderValue, LiveChannel
from agi.ami_guard import (
    AmiDisconnected,
    AmiError,
    AmiRefused,
    AmiTimeout,
    Answers,
    GuardedProtocol,
    check_text,
)

__all__ = [
    "AmiConnection",
    "AmiDisconnected",
    "AmiError",
    "AmiEvent",
    "AmiRefused",
    "AmiTimeout",
    "LiveChannel",
]

log = structlog.get_logger(__name__)

BULK_SIZE: Final = 200
"""Actions in one write; small enough that replies never fill a socket while we still write."""
_NOT_FOUND: Final = "not found"
_random: Final = secrets.SystemRandom()


class AmiConnection:
    """One AMI user's connection: kept, and made again whenever it is lost (`run`), or for a moment (`visit`).

    events: what to subscribe to, "off", "on" or classes ("call,system"). on_connected: run after each
    login, and cancelled when that connection is lost; it is the place to ask what is live. Events queue up
    meanwhile. action_seconds: how long to wait for a reply unless told otherwise; ping_seconds: how often
    to ask whether the other side is alive; reconnect_seconds: the first and the longest pause before trying
    again.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        events: str = "on",
        on_connected: Callable[["AmiConnection"], Awaitable[None]] | None = None,
        action_seconds: float = 5.0,
        ping_seconds: float = 5.0,
        reconnect_seconds: tuple[float, float] = (0.2, 10.0),
        queue_size: int = 20_000,
        event_age_alarm_seconds: float = 2.0,
        list_limit: int = 100_000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.username = username
        self.last_error = "not connected yet"
        self.connections = 0
        self.queue = EventQueue(queue_size, event_age_alarm_seconds)
        self._secret = secret
        self._events = events
        self._on_connected = on_connected
        self._action_seconds = action_seconds
        self._ping_seconds = ping_seconds
        self._reconnect_seconds = reconnect_seconds
        self._list_limit = list_limit
        self._tls = tls
        self._protocol: GuardedProtocol | None = None
        self._closing = asyncio.Event()
        self._up = asyncio.Event()
        self._visiting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Logged in, and not known to be lost."""
        return self._protocol is not None

    @property
    def banner(self) -> str:
        """What the other side calls itself: "Asterisk Call Manager/11.0.0"."""
        return self._protocol.banner if self._protocol else ""

    async def run(self) -> None:
        """Keep the connection until `close`. Never raises but for cancellation, which also ends the
        connection."""
        first, longest = self._reconnect_seconds
        pause = first
        try:
            while not self._closing.is_set():
                before = self.connections
                try:
                    await self._connect_once()
                except (AmiError, OSError) as error:
                    self._note(error)
                pause = first if self.connections > before else min(pause * 2, longest)
                # Jitter: many routers must not come back to a restarted switch at one instant.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause * _random.uniform(0.5, 1.0)):
                        await self._closing.wait()
        finally:
            self.queue.close()

    @contextlib.asynccontextmanager
    async def visit(self) -> AsyncGenerator[None]:
        """Connected within the block, one visit after another; not to be mixed with `run`.

        Raises `AmiError` or OSError when there is no connection; `last_error` then says why until the next
        visit, and the log once for each reason. A connection that is lost meanwhile shows in the next action.
        """
        async with self._visiting:
            reached = not self.last_error
            try:
                protocol = await self._open()
            except (AmiError, OSError) as error:
                self._note(error)
                raise
            try:
                if not reached:
                    self._tell_connected(protocol)
                yield
                await protocol.request({"Action": "Logoff"}, timeout=self._action_seconds)
            except (AmiDisconnected, AmiTimeout) as error:
                self._note(error)
                raise
            finally:
                self._shut(protocol)

    async def close(self) -> None:
        """End the connection for good; `run` and `events` end too. Also while waiting to reconnect."""
        self._closing.set()
        if self._protocol is not None:
            self._protocol.close()

    async def wait_connected(self, seconds: float) -> bool:
        """Whether there is a connection, after waiting for it at most ``seconds``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._up.wait()
        return self.connected

    async def events(self) -> AsyncGenerator[AmiEvent]:
        """Events, in order, across reconnections (`AmiEvent.after_gap`); ends with `close`. One consumer."""
        while (event := await self.queue.get()) is not None:
            yield event

    async def action(self, fields: Mapping[str, HeaderValue], *, timeout: float | None = None) -> AmiReply:
        """Send one action (``{"Action": "CoreStatus"}``) and give its reply, also an error reply.

        Raises `AmiDisconnected`, `AmiTimeout`, and `UnsafeAction` (a ValueError) before anything is sent.
        """
        return await self._live().request(
            fields, timeout=self._action_seconds if timeout is None else timeout
        )

    async def list_action(
        self, fields: Mapping[str, HeaderValue], *, timeout: float | None = None, limit: int | None = None
    ) -> tuple[AmiEvent, ...]:
        """Send an action that answers with a list and give its items. Raises as `action` does, and
        `AmiRefused`."""
        reply = await self._live().request(
            fields,
            timeout=self._action_seconds if timeout is None else timeout,
            limit=self._list_limit if limit is None else limit,
        )
        if not reply.success:
            raise AmiRefused(f"{fields.get('Action')}: {reply.message}")
        return reply.events

    async def ping(self, *, timeout: float | None = None) -> float:
        """Round trip to the manager in seconds."""
        started = time.monotonic()
        await self.action({"Action": "Ping"}, timeout=timeout)
        return time.monotonic() - started

    async def live_channels(self) -> list[LiveChannel]:
        """The channels that are up now."""
        items = await self.list_action({"Action": "CoreShowChannels"})
        return [LiveChannel.of(item) for item in items if item.name == "CoreShowChannel"]

    async def variables(self, channels: Sequence[str], variable: str) -> dict[str, str]:
        """A variable, or function, of each of these channels; those that are gone or lack it are left out."""
        asked = [(("Channel", name), ("Variable", variable)) for name in channels]
        return {channels[index]: value for index, value in (await self._bulk("GetVar", asked)).values.items()}

    async def db_get(self, family: str, key: str) -> str | None:
        """AstDB's value; None when there is none."""
        try:
            items = await self.list_action({"Action": "DBGet", "Family": family, "Key": key})
        except AmiRefused as error:
            if _NOT_FOUND in str(error):
                return None
            raise
        return next((item.get("Val") for item in items if item.name == "DBGetResponse"), None)

    async def db_put(self, family: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Put all ``pairs`` (key, value), pipelined, in order. Durable about a second later.

        Raises `AmiRefused` for the first pair that was refused; the others are put.
        """
        asked = [(("Family", family), ("Key", key), ("Val", value)) for key, value in pairs]
        refused = (await self._bulk("DBPut", asked)).refused
        if refused:
            index, message = refused[0]
            raise AmiRefused(f"DBPut {family}/{pairs[index][0]}: {message} ({len(refused)} of {len(pairs)})")

    async def db_del(self, family: str, keys: Sequence[str]) -> None:
        """Delete ``keys``; those that are not there are no error."""
        answers = await self._bulk("DBDel", [(("Family", family), ("Key", key)) for key in keys])
        for index, message in answers.refused:
            # Asterisk refuses a key that is not there, in words that differ by version.
            if await self.db_get(family, keys[index]) is not None:
                raise AmiRefused(f"DBDel {family}/{keys[index]}: {message}")

    async def db_clear(self, family: str) -> None:
        """Delete a whole family; an empty one is no error."""
        reply = await self.action({"Action": "DBDelTree", "Family": family})
        if not reply.success and _NOT_FOUND not in reply.message:
            raise AmiRefused(f"DBDelTree {family}: {reply.message}")

    async def _bulk(self, name: str, actions: Sequence[Sequence[tuple[str, str]]]) -> Answers:
        """Send ``actions``, many in one write, and give all their answers."""
        for fields in actions:
            for _, value in fields:
                check_text(value)
        answers = Answers([], {})
        for start in range(0, len(actions), BULK_SIZE):
            texts = [
                f"Action: {name}\r\n" + "".join(f"{header}: {value}\r\n" for header, value in fields)
                for fields in actions[start : start + BULK_SIZE]
            ]
            bulk = await self._live().request_bulk(texts, timeout=self._action_seconds)
            answers.refused.extend((start + index, message) for index, message in bulk.answers.refused)
            answers.values.update((start + index, value) for index, value in bulk.answers.values.items())
        return answers

    def _live(self) -> GuardedProtocol:
        if self._protocol is None:
            raise AmiDisconnected(self.last_error)
        return self._protocol

    async def _connect_once(self) -> None:
        """Connect, log in, and stay until the connection is lost. Raises why it was."""
        protocol = await self._open()
        hook = asyncio.get_running_loop().create_task(self._hook())
        try:
            self._tell_connected(protocol)
            await self._watch(protocol)
        finally:
            self._shut(protocol)
            hook.cancel()
            await asyncio.wait([hook], timeout=self._action_seconds)

    async def _open(self) -> GuardedProtocol:
        """Connect and log in."""
        try:
            async with asyncio.timeout(self._action_seconds):
                _, protocol = await asyncio.get_running_loop().create_connection(
                    lambda: GuardedProtocol(self.queue.put), self.host, self.port, ssl=self._tls
                )
        except TimeoutError:
            raise AmiTimeout(
                f"no connection to {self.host}:{self.port} within {self._action_seconds} s"
            ) from None
        try:
            await self._log_in(protocol)
        except BaseException:
            protocol.close()
            raise
        self._protocol = protocol
        self.connections += 1
        self.last_error = ""
        self._up.set()
        return protocol

    def _shut(self, protocol: GuardedProtocol) -> None:
        self._protocol = None
        self._up.clear()
        self.queue.mark_gap()
        protocol.close()

    def _tell_connected(self, protocol: GuardedProtocol) -> None:
        log.info("ami connected", host=self.host, port=self.port, user=self.username, banner=protocol.banner)

    async def _log_in(self, protocol: GuardedProtocol) -> None:
        fields = {
            "Action": "Login",
            "Username": self.username,
            "Secret": self._secret,
            "Events": self._events,
        }
        reply = await protocol.request(fields, timeout=self._action_seconds)
        if not reply.success:
            raise AmiRefused(f"login of {self.username!r}: {reply.message}")

    async def _watch(self, protocol: GuardedProtocol) -> None:
        """Ping until the connection is lost, or ends because a ping was not answered."""
        while True:
            await asyncio.wait([protocol.lost], timeout=self._ping_seconds)
            if protocol.lost.done():
                protocol.lost.result()
            self.queue.check_age()
            await protocol.request({"Action": "Ping"}, timeout=self._action_seconds)

    async def _hook(self) -> None:
        if self._on_connected is None:
            return
        try:
            await self._on_connected(self)
        except AmiDisconnected as error:
            log.info("ami hook ended with its connection", reason=str(error))
        except Exception:
            log.exception("ami hook failed", host=self.host, port=self.port)

    def _note(self, error: Exception) -> None:
        """Tell why there is no connection, once for each reason."""
        reason = str(error) or type(error).__name__
        if reason != self.last_error and not self._closing.is_set():
            log.warning(
                "ami not connected", host=self.host, port=self.port, user=self.username, reason=reason
            )
        self.last_error = reason
