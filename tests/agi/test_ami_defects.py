"""Each defect of panoramisk's AMI Manager that we guard against, shown on the bare library and absent from
ours.

Every test does the same to both and tells whether the defect shows: it must on the bare library (when it no
longer does, the guard may go) and must not on ours.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import pytest
from panoramisk import Manager

from agi.ami import AmiConnection, AmiError
from agi.ami_event import EventQueue, HeaderValue
from agi.ami_guard import UnsafeAction
from tests.waiting import until

from .ami_peer import AmiPeer, listening, message, own, success

SOON, LATE = 0.3, 20.0
"""Seconds: how long is waited for what must not come, and at most for what must."""


class Client(Protocol):
    """What both can do."""

    bare: bool

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def close(self) -> Awaitable[None]: ...
    def send(self, fields: dict[str, str], *, as_list: bool = False) -> "asyncio.Future[Any]": ...
    def on_event(self, handle: Callable[[str], None]) -> None: ...
    def on_event_slowly(self, handle: Callable[[str], Awaitable[None]]) -> None: ...


class Bare:
    bare = True

    def __init__(self, port: int, **settings: Any) -> None:
        settings = {"reconnect_timeout": 0, "ping_delay": 30} | settings
        self.manager = Manager(
            loop=asyncio.get_running_loop(),
            host="127.0.0.1",
            port=port,
            username="leaseline",
            secret="secret",
            **settings,
        )

    async def start(self) -> None:
        await self.manager.connect()

    async def stop(self) -> None:
        self.manager.connect = lambda: None
        self.manager.close()

    async def close(self) -> None:
        self.manager.close()

    def send(self, fields: dict[str, str], *, as_list: bool = False) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.manager.send_action(fields, as_list=as_list or None)
        return future

    def on_event(self, handle: Callable[[str], None]) -> None:
        self.manager.register_event("Hold", lambda _, event: handle(event.number))

    def on_event_slowly(self, handle: Callable[[str], Awaitable[None]]) -> None:
        async def callback(_: Any, event: Any) -> None:
            await handle(event.number)

        self.manager.register_event("Hold", callback)


class Handling(EventQueue):
    def __init__(self, handle: Callable[[str], None]) -> None:
        super().__init__(100, 10)
        self._handle = handle

    def put(self, name: str, headers: Mapping[str, HeaderValue]) -> None:
        self._handle(str(headers.get("number")))


class Guarded:
    bare = False

    def __init__(self, port: int, **settings: Any) -> None:
        settings = {"reconnect_seconds": (0.01, 0.02), "ping_seconds": 30.0} | settings
        self.connection = AmiConnection("127.0.0.1", port, "leaseline", "secret", **settings)
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        self._tasks.append(asyncio.create_task(self.connection.run()))

    async def stop(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.connection.close()

    def send(self, fields: dict[str, str], *, as_list: bool = False) -> "asyncio.Future[Any]":
        action = self.connection.list_action if as_list else self.connection.action
        task: asyncio.Task[Any] = asyncio.create_task(action(fields))
        self._tasks.append(task)
        return task

    def on_event(self, handle: Callable[[str], None]) -> None:
        # There are no callbacks; the nearest to one is what takes events off the socket.
        self.connection.queue = Handling(handle)

    def on_event_slowly(self, handle: Callable[[str], Awaitable[None]]) -> None:
        async def consume() -> None:
            async for event in self.connection.events():
                await handle(event.get("Number"))

        self._tasks.append(asyncio.create_task(consume()))


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with listening() as listener:
        yield listener


@pytest.fixture(params=[Bare, Guarded], ids=["bare", "guarded"])
def make(request: pytest.FixtureRequest) -> Callable[..., Client]:
    kind: Callable[..., Client] = request.param
    return kind


@contextlib.asynccontextmanager
async def logged_in(client: Client, peer: AmiPeer) -> AsyncIterator[None]:
    await client.start()
    try:
        await until(lambda: peer.logins == 1)
        if isinstance(client, Guarded):
            assert await client.connection.wait_connected(LATE)
        await asyncio.sleep(0.02)
        yield
    finally:
        await client.stop()


def client_is_bare(make: Callable[..., Client]) -> bool:
    return bool(getattr(make, "bare", False))


async def ends(waiting: "asyncio.Future[Any]", *, expected: bool) -> bool:
    """Whether ``waiting`` comes to an end, however; what is expected may take its time."""
    done, _ = await asyncio.wait([waiting], timeout=LATE if expected else SOON)
    if done and not waiting.cancelled():
        waiting.exception()
    return bool(done)


async def comes(condition: Callable[[], object], *, expected: bool, patience: float = SOON) -> bool:
    """Whether ``condition`` becomes true; where it is not expected, within ``patience`` seconds."""
    with contextlib.suppress(TimeoutError):
        await until(condition, LATE if expected else patience)
    return bool(condition())


async def test_an_exception_while_handling_an_event_drops_the_connection(
    peer: AmiPeer, make: Callable[..., Client]
) -> None:
    client = make(peer.port)
    seen: list[str] = []

    def handle(number: str) -> None:
        seen.append(number)
        raise LookupError(number)

    client.on_event(handle)
    async with logged_in(client, peer):
        peer.event("Hold", Number="1")
        await until(lambda: seen == ["1"])
        assert await comes(lambda: peer.logins > 1, expected=client.bare) is client.bare


async def test_events_that_take_time_overtake_one_another(peer: AmiPeer, make: Callable[..., Client]) -> None:
    client = make(peer.port)
    order: list[str] = []

    async def handle(number: str) -> None:
        await asyncio.sleep(0.2 if number == "1" else 0)
        order.append(number)

    client.on_event_slowly(handle)
    async with logged_in(client, peer):
        for number in "123":
            peer.event("Hold", Number=number)
        await until(lambda: len(order) == 3)
    assert (order != ["1", "2", "3"]) is client.bare


async def test_a_list_that_is_cut_short_never_ends(peer: AmiPeer, make: Callable[..., Client]) -> None:
    peer.answers["list"] = lambda fields: (
        message(Response="Success", **own(fields), EventList="start", Message="Items will follow")
        + message(Event="Item", **own(fields))
    )
    client = make(peer.port)
    async with logged_in(client, peer):
        waiting = client.send({"Action": "List"}, as_list=True)
        await until(lambda: peer.names() == ["List"])
        await asyncio.sleep(0.02)
        peer.drop()
        assert await ends(waiting, expected=not client.bare) is not client.bare


async def test_a_list_that_is_refused_never_ends(peer: AmiPeer, make: Callable[..., Client]) -> None:
    client = make(peer.port)
    async with logged_in(client, peer):
        waiting = client.send({"Action": "List"}, as_list=True)
        assert await ends(waiting, expected=not client.bare) is not client.bare


async def test_a_drop_during_the_login_never_ends_it(peer: AmiPeer, make: Callable[..., Client]) -> None:
    peer.answers["login"] = lambda fields: None
    client = make(peer.port)
    await client.start()
    try:
        await until(lambda: peer.actions)
        first = client.manager.authenticated_future if isinstance(client, Bare) else None
        del peer.answers["login"]
        peer.drop()
        await until(lambda: peer.logins == 1)
        if isinstance(client, Guarded):
            assert await client.connection.wait_connected(5)
            assert client.connection.connections == 1
        else:
            assert first is not None
            assert not await ends(first, expected=False)
    finally:
        await client.stop()


async def test_unanswered_actions_are_sent_again_after_a_reconnection(
    peer: AmiPeer, make: Callable[..., Client]
) -> None:
    peer.answers["originate"] = lambda fields: None
    client = make(peer.port)
    async with logged_in(client, peer):
        waiting = client.send({"Action": "Originate", "Channel": "PJSIP/agent1"})
        await until(lambda: peer.names() == ["Originate"])
        peer.drop()
        await until(lambda: peer.logins == 2)
        peer.event("FullyBooted", Status="Fully Booted")
        assert await comes(lambda: len(peer.names()) == 2, expected=client.bare) is client.bare
        assert await ends(waiting, expected=not client.bare) is not client.bare


async def test_a_silent_peer_is_never_noticed(peer: AmiPeer, make: Callable[..., Client]) -> None:
    peer.answers["ping"] = lambda fields: None
    settings: dict[str, Any] = (
        {"ping_delay": 0, "ping_interval": 1}
        if client_is_bare(make)
        else {"ping_seconds": 0.05, "action_seconds": 0.1}
    )
    client = make(peer.port, **settings)
    async with logged_in(client, peer):
        noticed = await comes(lambda: peer.logins > 1, expected=not client.bare, patience=1.5)
        assert noticed is not client.bare


async def test_a_character_in_two_segments_is_lost(peer: AmiPeer, make: Callable[..., Client]) -> None:
    client = make(peer.port)
    seen: list[str] = []
    client.on_event(seen.append)
    async with logged_in(client, peer):
        raw = message(Event="Hold", Number="Jürgen €").encode()
        for cut in range(raw.index(b"J"), len(raw) - 4):
            peer.send(raw[:cut])
            await asyncio.sleep(0.005)
            peer.send(raw[cut:])
            await asyncio.sleep(0.005)
        await until(lambda: len(seen) == len(raw) - 4 - raw.index(b"J"))
    assert (set(seen) != {"Jürgen €"}) is client.bare


async def test_a_line_break_in_a_value_becomes_an_action(peer: AmiPeer, make: Callable[..., Client]) -> None:
    client = make(peer.port)
    async with logged_in(client, peer):
        waiting = client.send({"Action": "Filter", "Text": "x\r\n\r\nAction: Originate\r\nChannel: PJSIP/1"})
        assert await comes(lambda: "Originate" in peer.names(), expected=client.bare) is client.bare
        if not client.bare:
            assert await ends(waiting, expected=True)
            assert isinstance(waiting.exception(), UnsafeAction)


async def test_closing_while_waiting_to_reconnect_does_not_help(
    peer: AmiPeer, make: Callable[..., Client]
) -> None:
    pause: dict[str, Any] = (
        {"reconnect_timeout": 1} if client_is_bare(make) else {"reconnect_seconds": (1.0, 1.0)}
    )
    client = make(peer.port, **pause)
    async with logged_in(client, peer):
        peer.drop()
        await asyncio.sleep(0.05)
        await client.close()
        again = await comes(lambda: peer.logins == 2, expected=client.bare, patience=1.5)
        assert again is client.bare


async def test_a_successfully_queued_reply_drops_the_connection(
    peer: AmiPeer, make: Callable[..., Client]
) -> None:
    peer.answers["originate"] = lambda fields: success(fields, "Originate successfully queued")
    client = make(peer.port)
    async with logged_in(client, peer):
        sent = client.send({"Action": "Originate", "Channel": "PJSIP/agent1"})
        assert await comes(lambda: peer.logins > 1, expected=client.bare) is client.bare
        await ends(sent, expected=not client.bare)


async def test_ours_tells_each_failure_apart(peer: AmiPeer) -> None:
    """Whatever goes wrong is an `AmiError`, so that a caller needs to know one class."""
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret")
    for attempt in (connection.ping(), connection.live_channels(), connection.db_put("f", [("k", "v")])):
        with pytest.raises(AmiError):
            await attempt
