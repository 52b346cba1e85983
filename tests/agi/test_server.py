import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

import agi.server as server_module
from agi.protocol import Limits
from agi.request import AgiRequest
from agi.server import CONFIRM_SECONDS, FastAgiServer
from agi.session import Route, Session, Terms
from agi.statistics import Outcome, Statistics
from tests.ports import free_ports
from tests.waiting import until

from .asterisk_bytes import header_block
from .asterisk_client import Seen, ask

ANSWER = {"LL_NUMBER": "+442079460123", "LL_SITE": "shop", "LL_D1": "PJSIP/agent1&PJSIP/agent2"}


async def answer(request: AgiRequest) -> Mapping[str, str]:
    return ANSWER


class AtOnce:
    """A route whose answer has nothing to wait for, unless it is `none`; it then waits for another."""

    def __init__(self, answer: Mapping[str, str] | Exception | None, other: Route = answer) -> None:
        self._answer = answer
        self._other = other
        self.waited_for = 0

    def at_once(self, request: AgiRequest) -> Mapping[str, str] | None:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def __call__(self, request: AgiRequest) -> Mapping[str, str]:
        self.waited_for += 1
        return await self._other(request)


@contextlib.asynccontextmanager
async def serving(route: Route = answer, **terms: Any) -> AsyncIterator[FastAgiServer]:
    # Deadlines that no busy machine misses, where a test is not about them.
    patient = {"header_seconds": 20.0, "answer_seconds": 20.0, "confirm_seconds": 20.0}
    server = FastAgiServer({"/route": route}, **patient | terms)
    await server.start(port=0)
    try:
        yield server
    finally:
        await server.close()
        await until(lambda: server.connections == 0)


def outcomes(server: FastAgiServer) -> dict[str, int]:
    return {str(outcome): count for outcome, count in server.statistics.outcomes.items() if count}


async def test_an_answer_is_one_line_with_the_sentinel_last() -> None:
    async with serving() as server:
        seen = await ask(server.port)
        await until(lambda: server.connections == 0)
    assert len(seen.lines) == 1
    assert seen.ended
    assert [name for name, _ in seen.pair_list] == [*ANSWER, "LL_MS", "LL_OK"]
    assert seen.pairs["LL_D1"] == ANSWER["LL_D1"]
    assert seen.pairs["LL_OK"] == "1"
    assert 0 <= float(seen.pairs["LL_MS"]) < 20_000
    assert outcomes(server) == {"answered": 1}
    assert server.statistics.hangups == 0
    assert server.statistics.latency.count == sum(server.statistics.latency.buckets) == 1


async def test_what_can_be_answered_at_once_is_not_waited_for() -> None:
    for route, waited_for in ((AtOnce({"LL_SITE": "at once"}), 0), (AtOnce(None), 1)):
        async with serving(route) as server:
            seen = await ask(server.port)
        assert seen.pairs["LL_SITE"] == ("shop" if waited_for else "at once")
        assert list(seen.pairs)[-2:] == ["LL_MS", "LL_OK"]
        assert outcomes(server) == {"answered": 1}
        assert route.waited_for == waited_for


async def test_the_request_is_what_the_dialplan_passed() -> None:
    got: list[AgiRequest] = []

    async def keep(request: AgiRequest) -> Mapping[str, str]:
        got.append(request)
        return {}

    async with serving(keep) as server:
        await ask(server.port, header_block(script="route?x=1&y=", name=b"M\xfcller"), segments=40)
    [request] = got
    assert (request.path, request.query) == ("/route", {"x": "1", "y": ""})
    assert request.args == (request.dialed, request.linkedid, request.caller)
    assert request.args == ("442079460123", "1763817000.42", "+447700900123")
    assert request.variables["agi_calleridname"] == "Müller"
    assert request.peer == "127.0.0.1"
    assert request.received_at > 1_600_000_000_000


async def test_the_stream_ends_with_the_answer_without_waiting_for_the_reply() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block())
        async with asyncio.timeout(15):
            line = await reader.read()
        assert line.startswith(b"EXEC MSet")
        assert line.endswith(b'LL_OK=1"\n')
        writer.write(b"200 result=0\nHANGUP\n")
        writer.close()
        await until(lambda: server.connections == 0)
    assert outcomes(server) == {"answered": 1}
    assert server.statistics.hangups == 0


async def test_a_long_answer_takes_several_round_trips_and_the_sentinel_is_in_the_last() -> None:
    plan = {f"LL_D{step}": "&".join(f"PJSIP/agent{n:03}" for n in range(60)) for step in range(1, 6)}

    async def long(request: AgiRequest) -> Mapping[str, str]:
        return plan

    async with serving(long) as server:
        seen = await ask(server.port)
    assert len(seen.lines) == 3
    assert all(len(line) <= 1900 for line in seen.lines)
    assert b"LL_OK" not in b"".join(seen.lines[:-1])
    assert plan.items() <= seen.pairs.items()
    assert seen.pair_list[-1] == ("LL_OK", "1")


@pytest.mark.parametrize("reply", [b"511 Command Not Permitted on a dead channel\n", b"200 result=-2\n"])
async def test_a_refused_command_ends_the_conversation(reply: bytes) -> None:
    plan = {f"LL_X{n}": "x" * 1000 for n in range(4)}

    async def long(request: AgiRequest) -> Mapping[str, str]:
        return plan

    async with serving(long) as server:
        seen = await ask(server.port, replies=(reply,))
    assert len(seen.lines) == 1
    assert outcomes(server) == {"command_refused": 1}


async def test_hangup_before_the_answer_and_before_the_reply_is_not_a_reply() -> None:
    go = asyncio.Event()

    async def wait(request: AgiRequest) -> Mapping[str, str]:
        await go.wait()
        return {f"LL_X{n}": "x" * 1000 for n in range(4)}

    async with serving(wait) as server:
        asking = asyncio.create_task(
            ask(
                server.port,
                header_block() + b"HANGUP\n",
                replies=(b"HANGUP\n200 result=0\n", b"200 result=0\n"),
            )
        )
        await until(lambda: server.connections == 1)
        go.set()
        seen = await asking
        await until(lambda: server.connections == 0)
    assert seen.pair_list[-1] == ("LL_OK", "1")
    assert len(seen.lines) == 4
    assert outcomes(server) == {"answered": 1}
    assert server.statistics.hangups == 1


async def fail(request: AgiRequest) -> Mapping[str, str]:
    raise LookupError("database gone")


async def never(request: AgiRequest) -> Mapping[str, str]:
    await asyncio.Event().wait()
    raise AssertionError


async def unsafe(request: AgiRequest) -> Mapping[str, str]:
    return {"LL_D1": "PJSIP/a,b"}


async def forged(request: AgiRequest) -> Mapping[str, str]:
    return {"LL_OK": "1"}


async def stubborn(request: AgiRequest) -> Mapping[str, str]:
    """Swallows cancellation: the socket must close all the same."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(30)
    return ANSWER


@pytest.mark.parametrize(
    ("route", "outcome"),
    [
        (fail, "route_failed"),
        (never, "answer_deadline"),
        (stubborn, "answer_deadline"),
        (unsafe, "unsafe_answer"),
        (forged, "unsafe_answer"),
        (AtOnce(LookupError("no such number")), "route_failed"),
        (AtOnce({"LL_D1": "PJSIP/a,b"}), "unsafe_answer"),
        (AtOnce({"LL_OK": "1"}), "unsafe_answer"),
        (AtOnce(None, never), "answer_deadline"),
    ],
)
async def test_a_route_that_fails_or_is_late_leaves_the_call_to_the_dialplan(
    route: Route, outcome: str
) -> None:
    with capture_logs() as logs:
        async with serving(route, answer_seconds=0.05 if outcome == "answer_deadline" else 20.0) as server:
            # Far less than the stubborn one takes.
            async with asyncio.timeout(15):
                seen = await ask(server.port)
    assert seen == Seen([], ended=True)
    assert outcomes(server) == {outcome: 1}
    assert [entry["linkedid"] for entry in logs if entry.get("outcome") == outcome] == ["1763817000.42"]


async def test_an_unknown_path_is_closed_without_an_answer() -> None:
    async with serving() as server:
        assert (await ask(server.port, header_block(script="passwd"))).lines == []
        assert (await ask(server.port, b"agi_request: agi://127.0.0.1\n\n")).lines == []
    assert outcomes(server) == {"no_route": 2}


@pytest.mark.parametrize("sent", [b"", b"agi_network: yes\n", b"agi_request: agi://x/rou"])
async def test_headers_have_a_deadline(sent: bytes) -> None:
    async with serving(header_seconds=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    assert outcomes(server) == {"header_deadline": 1}


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\nHost: x\n\n", b"agi_x: " + b"y" * 9000, b"\n\n", header_block() + b"agi_arg_1: 999\n"],
)
@pytest.mark.parametrize("route", [answer, AtOnce(ANSWER)])
async def test_a_peer_that_does_not_speak_fastagi_is_cut_off(route: Route, data: bytes) -> None:
    async with serving(route, limits=Limits(line_bytes=4096, junk_lines=8)) as server:
        seen = await ask(server.port, data)
        await until(lambda: server.connections == 0)
    assert seen.lines == []
    assert outcomes(server) == {"not_fastagi": 1}


async def test_a_peer_that_closes_in_the_headers_costs_nothing() -> None:
    """The bare library spins at 100 % here."""
    async with serving() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block()[:100])
        await writer.drain()
        writer.close()
        await until(lambda: outcomes(server) == {"peer_gone": 1})
        assert server.connections == 0


async def test_a_caller_who_leaves_cancels_the_route() -> None:
    cancelled = asyncio.Event()
    started = asyncio.Event()

    async def wait(request: AgiRequest) -> Mapping[str, str]:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return {}

    async with serving(wait, answer_seconds=30) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block())
        await started.wait()
        writer.close()
        async with asyncio.timeout(20):
            await cancelled.wait()
        await until(lambda: server.connections == 0)
    assert outcomes(server) == {"peer_gone": 1}


async def test_an_answer_that_nobody_confirms_is_counted_apart() -> None:
    async with serving(confirm_seconds=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block())
        await reader.readline()
        await until(lambda: outcomes(server) == {"unconfirmed": 1})
        writer.close()


async def test_a_confirmation_may_come_after_the_server_looked_for_it() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block())
        assert await reader.read()
        clock = asyncio.get_running_loop().time
        looked = clock() + 2 * CONFIRM_SECONDS
        await until(lambda: clock() > looked)
        assert (server.connections, outcomes(server)) == (1, {})
        writer.write(b"200 result=0\n")
        await until(lambda: server.connections == 0)
        writer.close()
    assert outcomes(server) == {"answered": 1}


async def test_answers_waiting_to_be_confirmed_do_not_use_the_connections_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "CONFIRM_SECONDS", 600.0)
    async with serving(max_connections=100) as server:
        for _ in range(300):
            assert (await ask(server.port)).pairs["LL_OK"] == "1"
        await server.drain(20)
    assert outcomes(server) == {"answered": 300}


async def test_a_drain_does_not_wait_for_the_next_look_at_confirmations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "CONFIRM_SECONDS", 600.0)
    async with serving() as server:
        seen = [await ask(server.port) for _ in range(3)]
        assert server.connections == 3
        await server.drain(20)
    assert all(each.pairs["LL_OK"] == "1" for each in seen)
    assert outcomes(server) == {"answered": 3}


async def test_what_is_answered_but_not_confirmed_at_the_end_is_not_called_shut_down() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(header_block())
        assert await reader.read()
        await server.close()
        writer.close()
    assert outcomes(server) == {"unconfirmed": 1}


class Endless(socket.socket):
    """A peer that asks and then says HANGUP faster than it can be read."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(connected.family, connected.type, fileno=connected.detach())
        self.reads = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.reads += 1
        if self.reads > 10_000:
            return b""
        return header_block() if self.reads == 1 else b"HANGUP\n" * 500


async def test_a_peer_that_never_stops_does_not_keep_the_loop() -> None:
    statistics = Statistics()
    terms = Terms(
        routes={"/route": (never, None)},
        limits=Limits(),
        header_seconds=20.0,
        answer_seconds=20.0,
        confirm_seconds=20.0,
        statistics=statistics,
        log=structlog.get_logger().bind(),
        admit=lambda session, peer: None,
        answered=lambda session: None,
        ended=lambda session: None,
    )
    ours, peer = socket.socketpair()
    endless = Endless(ours)
    session = Session(terms, asyncio.get_running_loop(), endless, "127.0.0.1")
    session.begin()
    assert endless.reads < 100
    assert not any(statistics.outcomes.values())
    session.shut_down()
    peer.close()
    assert statistics.outcomes[Outcome.SHUT_DOWN] == 1


async def test_a_mistake_of_our_own_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> AgiRequest:
        raise RuntimeError("a mistake")

    async with serving() as server:
        monkeypatch.setattr(AgiRequest, "of", mistaken)
        seen = await ask(server.port)
        await until(lambda: server.connections == 0)
    assert seen == Seen([], ended=True)
    assert outcomes(server) == {"route_failed": 1}


async def test_without_descriptors_it_tries_again_and_then_answers() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs:
        async with serving() as server:
            caller = socket.socket()
            # No descriptor below this one is free, and above it none is allowed.
            spare = []
            while (descriptor := os.dup(caller.fileno())) < caller.fileno():
                spare.append(descriptor)
            os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (caller.fileno() + 1, before[1]))
            try:
                caller.connect(("127.0.0.1", server.port))
                await until(lambda: any(e["event"] == "fastagi cannot accept" for e in logs))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                for descriptor in spare:
                    os.close(descriptor)
            reader, writer = await asyncio.open_connection(sock=caller)
            writer.write(header_block())
            assert (await reader.read()).endswith(b'LL_OK=1"\n')
            writer.close()


async def test_a_port_that_is_taken_is_told_and_nothing_stays_open() -> None:
    async with serving() as server:
        other = FastAgiServer({"/route": answer})
        with pytest.raises(OSError, match="in use"):
            await other.start(port=server.port)
        assert other.port == 0


async def test_every_address_of_a_name_is_listened_on() -> None:
    server = FastAgiServer({"/route": answer})
    await server.start("localhost", free_ports(1)[0])
    try:
        for host in {str(address[0]) for *_, address in socket.getaddrinfo("localhost", None)}:
            reader, writer = await asyncio.open_connection(host, server.port)
            writer.write(header_block())
            assert (await reader.read()).endswith(b'LL_OK=1"\n')
            writer.close()
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("allow", "answered"),
    [(["127.0.0.0/8"], True), (["192.0.2.0/24"], False), ([], False), (["192.0.2.0/24", "127.0.0.1"], True)],
)
async def test_only_allowed_peers_are_answered(allow: list[str], answered: bool) -> None:
    async with serving(allow=allow) as server:
        seen = await ask(server.port)
        await until(lambda: server.connections == 0)
    assert bool(seen.lines) is answered
    assert outcomes(server) == ({"answered": 1} if answered else {"peer_refused": 1})


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pbx\.example"):
        FastAgiServer({}, allow=["pbx.example"])


async def test_connections_are_limited() -> None:
    async with serving(never, max_connections=2, answer_seconds=30) as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        await until(lambda: server.connections == 2)
        assert (await ask(server.port)).lines == []
        assert server.statistics.outcomes[Outcome.TOO_MANY] == 1
        for _, writer in held:
            writer.close()
        await until(lambda: server.connections == 0)


async def test_drain_finishes_what_is_asked_and_refuses_what_is_new() -> None:
    go = asyncio.Event()

    async def wait(request: AgiRequest) -> Mapping[str, str]:
        await go.wait()
        return ANSWER

    async with serving(wait, answer_seconds=30) as server:
        port = server.port
        asking = [asyncio.create_task(ask(port)) for _ in range(3)]
        await until(lambda: server.connections == 3)
        draining = asyncio.create_task(server.drain(10))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)
        go.set()
        await draining
        assert all(seen.pairs["LL_OK"] == "1" for seen in await asyncio.gather(*asking))
    assert outcomes(server) == {"answered": 3}


async def test_drain_cuts_off_what_does_not_finish() -> None:
    async with serving(never, answer_seconds=30) as server:
        asking = asyncio.create_task(ask(server.port))
        await until(lambda: server.connections == 1)
        await server.drain(0.05)
        assert await asking == Seen([], ended=True)
    assert outcomes(server) == {"shut_down": 1}


async def test_every_line_logged_by_a_route_carries_its_linkedid() -> None:
    async def speak(request: AgiRequest) -> Mapping[str, str]:
        await asyncio.sleep(0)
        structlog.get_logger().info("deciding", **structlog.contextvars.get_contextvars())
        return {}

    with capture_logs() as logs:
        async with serving(speak) as server:
            await asyncio.gather(*(ask(server.port, header_block(linkedid=f"{n}.1")) for n in range(5)))
    assert sorted(e["linkedid"] for e in logs if e["event"] == "deciding") == [f"{n}.1" for n in range(5)]


async def test_cancellation_from_outside_is_passed_on_and_closes_the_socket() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def wait(request: AgiRequest) -> Mapping[str, str]:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(30)
        return {}

    async with serving(wait, answer_seconds=30) as server:
        asking = asyncio.create_task(ask(server.port))
        await until(lambda: bool(tasks))
        assert tasks[0] is not None
        tasks[0].cancel()
        assert await asking == Seen([], ended=True)
        assert tasks[0].cancelled()


async def test_many_at_once_are_each_answered_their_own() -> None:
    async def own(request: AgiRequest) -> Mapping[str, str]:
        await asyncio.sleep(0.001)
        return {"LL_NUMBER": "+" + request.dialed}

    work: list[Awaitable[Seen]] = []
    async with serving(own) as server:
        work = [ask(server.port, header_block(dialed=f"4420794601{n:02}")) for n in range(100)]
        seen = await asyncio.gather(*work)
    assert [s.pairs["LL_NUMBER"] for s in seen] == [f"+4420794601{n:02}" for n in range(100)]
