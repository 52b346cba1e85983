import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from agi.ami import AmiConnection, AmiDisconnected, AmiEvent, AmiRefused, AmiTimeout, LiveChannel
from agi.ami_guard import UnsafeAction
from tests.waiting import until

from .ami_peer import AmiPeer, error, items, listening, message, own, success


@contextlib.asynccontextmanager
async def connected(peer: AmiPeer, **settings: Any) -> AsyncIterator[AmiConnection]:
    settings = {"reconnect_seconds": (0.01, 0.05), "action_seconds": 5.0, "ping_seconds": 30.0} | settings
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", **settings)
    running = asyncio.create_task(connection.run())
    try:
        assert await connection.wait_connected(20)
        yield connection
    finally:
        await connection.close()
        await running


@pytest.fixture
async def peer() -> AsyncIterator[AmiPeer]:
    async with listening() as listener:
        yield listener


async def test_login_and_actions(peer: AmiPeer) -> None:
    peer.answers["corestatus"] = lambda fields: message(
        Response="Success", **own(fields), CoreCurrentCalls="3", ChanVariable="a=1"
    ).replace("\r\n\r\n", "\r\nChanVariable: b=2\r\n\r\n")
    async with connected(peer, events="call,system") as ami:
        assert peer.actions[0]["events"] == "call,system"
        assert ami.banner == "Asterisk Call Manager/11.0.0"
        assert await ami.ping() >= 0
        reply = await ami.action({"Action": "CoreStatus"})
        assert reply.success
        assert reply.headers["corecurrentcalls"] == "3"
        assert reply.headers["chanvariable"] == ["a=1", "b=2"]
        refused = await ami.action({"Action": "Nonsense"})
        assert (refused.success, refused.message) == (False, "Invalid/unknown command")
    assert not ami.connected


async def test_many_actions_at_once_get_their_own_replies(peer: AmiPeer) -> None:
    peer.answers["echo"] = lambda fields: success(fields, fields["text"])
    async with connected(peer) as ami:
        replies = await asyncio.gather(*(ami.action({"Action": "Echo", "Text": str(n)}) for n in range(200)))
    assert [reply.message for reply in replies] == [str(n) for n in range(200)]


async def test_live_channels(peer: AmiPeer) -> None:
    def channels(fields: dict[str, str]) -> str:
        return items(
            fields,
            [
                message(
                    Event="CoreShowChannel",
                    **own(fields),
                    Channel=f"PJSIP/carrier-{n:08x}",
                    ChannelStateDesc="Up",
                    CallerIDNum="+447700900123",
                    ConnectedLineNum="",
                    Context="leaseline-in",
                    Exten="442079460123",
                    Uniqueid=f"1.{n}",
                    Linkedid="1.0",
                    Application="Dial",
                    Duration="00:01:05",
                    BridgeId="b",
                )
                for n in range(3)
            ],
            "CoreShowChannelsComplete",
        )

    peer.answers["coreshowchannels"] = channels
    async with connected(peer) as ami:
        live = await ami.live_channels()
        peer.answers["coreshowchannels"] = lambda fields: items(fields, [], "CoreShowChannelsComplete")
        assert await ami.live_channels() == []
    assert live[0] == LiveChannel(
        channel="PJSIP/carrier-00000000",
        uniqueid="1.0",
        linkedid="1.0",
        state="Up",
        context="leaseline-in",
        exten="442079460123",
        caller_number="+447700900123",
        connected_number="",
        application="Dial",
        bridge_id="b",
        duration_seconds=65,
    )
    assert [channel.uniqueid for channel in live] == ["1.0", "1.1", "1.2"]


async def test_astdb(peer: AmiPeer) -> None:
    pairs = [(f"44207946{n:04}", f"PJSIP/agent{n}") for n in range(1000)]
    async with connected(peer) as ami:
        await ami.db_put("leaseline", pairs)
        assert peer.astdb == {("leaseline", key): value for key, value in pairs}
        assert await ami.db_get("leaseline", "442079460999") == "PJSIP/agent999"
        assert await ami.db_get("leaseline", "0") is None
        await ami.db_del("leaseline", [key for key, _ in pairs[1:]] + ["0"])
        assert list(peer.astdb) == [("leaseline", "442079460000")]
        await ami.db_put("leaseline", [])
        peer.answers["dbput"] = lambda fields: error(fields, "Permission denied")
        with pytest.raises(AmiRefused, match=r"442079460000.*Permission denied"):
            await ami.db_put("leaseline", pairs)
        peer.answers["dbget"] = lambda fields: error(fields, "Permission denied")
        with pytest.raises(AmiRefused, match="Permission denied"):
            await ami.db_get("leaseline", "442079460000")


async def test_a_lost_bulk_says_so(peer: AmiPeer) -> None:
    peer.answers["dbput"] = lambda fields: None
    async with connected(peer, action_seconds=0.5) as ami:
        with pytest.raises(AmiTimeout, match="2 of 2"):
            await ami.db_put("leaseline", [("1", "a"), ("2", "b")])
    async with connected(peer) as ami:
        putting = asyncio.create_task(ami.db_put("leaseline", [("3", "a"), ("4", "b")]))
        await until(lambda: any(fields.get("key") == "4" for fields in peer.actions))
        peer.drop()
        with pytest.raises(AmiDisconnected):
            await putting


@pytest.mark.parametrize("bad", ["a\r\nAction: Originate", "a\n", "\r", "\0", "\udcff"])
async def test_a_value_cannot_become_an_action(peer: AmiPeer, bad: str) -> None:
    async with connected(peer) as ami:
        for attempt in (
            ami.action({"Action": "Ping", "X": bad}),
            ami.action({"Action": "Ping", bad: "x"}),
            ami.action({"Action": "Ping", "X": ["ok", bad]}),
            ami.list_action({"Action": bad}),
            ami.db_put("leaseline", [("1", "ok"), ("2", bad)]),
            ami.db_put(bad, [("1", "ok")]),
            ami.db_del("leaseline", [bad]),
            ami.db_get("leaseline", bad),
        ):
            with pytest.raises(UnsafeAction):
                await attempt
    assert peer.names() == []


async def test_a_list_that_is_refused_cut_short_or_too_long_is_an_error(peer: AmiPeer) -> None:
    item = message(Event="Item")
    async with connected(peer) as ami:
        peer.answers["x"] = lambda fields: error(fields, "Permission denied")
        with pytest.raises(AmiRefused, match="Permission denied"):
            await ami.list_action({"Action": "X"})
        peer.answers["x"] = lambda fields: items(fields, [], "XComplete", "cancelled")
        with pytest.raises(AmiRefused, match="cut short"):
            await ami.list_action({"Action": "X"})
        peer.answers["x"] = lambda fields: items(
            fields,
            [item.replace("\r\n\r\n", f"\r\nActionID: {fields['actionid']}\r\n\r\n")] * 11,
            "XComplete",
        )
        with pytest.raises(AmiRefused, match="more than 10 items"):
            await ami.list_action({"Action": "X"}, limit=10)
        assert len(await ami.list_action({"Action": "X"}, limit=11)) == 11
        assert await ami.ping() >= 0
        assert len(ami.queue) == 0


async def test_it_reconnects_and_asks_what_is_live_each_time(peer: AmiPeer) -> None:
    hooks: list[str] = []

    async def hook(ami: AmiConnection) -> None:
        await ami.ping()
        hooks.append("in")
        try:
            await asyncio.Event().wait()
        finally:
            hooks.append("out")

    async with connected(peer, on_connected=hook) as ami:
        for _ in range(3):
            await until(lambda: hooks and hooks[-1] == "in")
            assert ami.connected
            told = len(hooks)
            peer.drop()
            await until(lambda told=told: len(hooks) == told + 2)
    assert hooks == ["in", "out"] * 4
    assert ami.connections == 4


async def test_a_hook_that_fails_does_not_cost_the_connection(peer: AmiPeer) -> None:
    async def hook(ami: AmiConnection) -> None:
        raise LookupError("store gone")

    with capture_logs() as logs:
        async with connected(peer, on_connected=hook) as ami:
            await until(lambda: any(entry["event"] == "ami hook failed" for entry in logs))
            assert await ami.ping() >= 0


async def test_reconnecting_backs_off_until_the_switch_is_back(peer: AmiPeer) -> None:
    async with connected(peer) as ami:
        await peer.stop()
        await until(lambda: not ami.connected)
        with pytest.raises(AmiDisconnected):
            await ami.ping()
        await until(lambda: "refused" in ami.last_error.lower() or "connect" in ami.last_error.lower())
        await peer.listen()
        await until(lambda: ami.connected)
        assert ami.last_error == ""


async def test_a_refused_login_is_told_and_tried_again(peer: AmiPeer) -> None:
    peer.answers["login"] = lambda fields: error(fields, "Authentication failed")
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "wrong", reconnect_seconds=(0.01, 0.02))
    with capture_logs() as logs:
        running = asyncio.create_task(connection.run())
        await until(lambda: len(peer.actions) >= 3)
        assert not connection.connected
        assert connection.last_error == "login of 'leaseline': Authentication failed"
        peer.answers.clear()
        assert await connection.wait_connected(20)
        await connection.close()
        await running
    assert len([entry for entry in logs if "Authentication failed" in str(entry.get("reason"))]) == 1
    assert "wrong" not in str(logs)


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"x" * 500])
async def test_something_that_is_no_manager_is_left_alone(peer: AmiPeer, banner: bytes) -> None:
    peer.banner = banner
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", reconnect_seconds=(0.01, 0.02))
    running = asyncio.create_task(connection.run())
    await until(lambda: "no Asterisk" in connection.last_error)
    await connection.close()
    await running


async def test_a_message_without_end_is_bounded(peer: AmiPeer) -> None:
    async with connected(peer) as ami:
        peer.send(b"Event: X\r\n" + b"y" * 2_000_000)
        await until(lambda: peer.logins == 2 and ami.connected)


async def test_events_stay_in_order_across_a_reconnection_and_gaps_are_marked(peer: AmiPeer) -> None:
    got: list[AmiEvent] = []

    async def consume(ami: AmiConnection) -> None:
        async for event in ami.events():
            got.append(event)
            if len(got) % 50 == 0:
                await asyncio.sleep(0.001)

    async with connected(peer) as ami:
        consuming = asyncio.create_task(consume(ami))
        for n in range(500):
            peer.event("Hold", Number=str(n))
        await until(lambda: len(got) == 500)
        peer.drop()
        await until(lambda: peer.logins == 2 and ami.connected)
        for n in range(500, 600):
            peer.event("Hold", Number=str(n))
        await until(lambda: len(got) == 600)
    async with asyncio.timeout(20):
        await consuming
    assert [event.get("number") for event in got] == [str(n) for n in range(600)]
    assert [n for n, event in enumerate(got) if event.after_gap] == [0, 500]


async def test_a_full_queue_drops_what_is_new_counts_it_and_marks_the_gap(peer: AmiPeer) -> None:
    async with connected(peer, queue_size=10) as ami:
        for n in range(25):
            peer.event("Hold", Number=str(n))
        await until(lambda: ami.queue.dropped == 15)
        events = ami.events()
        first = [await anext(events) for _ in range(10)]
        peer.event("Hold", Number="25")
        last = await anext(events)
    assert [event.get("Number") for event in first] == [str(n) for n in range(10)]
    assert (last.get("Number"), last.after_gap) == ("25", True)


async def test_events_that_wait_raise_an_alarm(peer: AmiPeer) -> None:
    with capture_logs() as logs:
        async with connected(peer, event_age_alarm_seconds=0.01, ping_seconds=0.02) as ami:
            peer.event("Hold")
            await until(lambda: ami.queue.alarms > 0)
            assert ami.queue.oldest_age_seconds > 0.01
    assert len([entry for entry in logs if entry["event"] == "ami events wait"]) == 1


async def test_close_ends_everything_also_while_reconnecting(peer: AmiPeer) -> None:
    peer.answers["slow"] = lambda fields: None
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", reconnect_seconds=(60, 60))
    running = asyncio.create_task(connection.run())
    assert await connection.wait_connected(20)
    waiting = asyncio.create_task(connection.action({"Action": "Slow"}))
    await until(lambda: peer.names() == ["Slow"])
    peer.drop()
    with pytest.raises(AmiDisconnected):
        await waiting
    # Far less than its pause, which is at least 30 s.
    async with asyncio.timeout(15):
        await connection.close()
        await running
        assert [event async for event in connection.events()] == []
    assert peer.logins == 1


async def test_cancelling_run_ends_the_connection(peer: AmiPeer) -> None:
    connection = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret")
    running = asyncio.create_task(connection.run())
    assert await connection.wait_connected(20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not connection.connected


def goodbye(fields: dict[str, str]) -> str:
    return message(Response="Goodbye", **own(fields), Message="Thanks for all the fish.")


async def test_a_visit_logs_in_asks_and_logs_off(peer: AmiPeer) -> None:
    peer.answers["logoff"] = goodbye
    ami = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", events="off")
    assert ami.last_error
    with capture_logs() as logs:
        for _ in range(2):
            async with ami.visit():
                assert await ami.ping() >= 0
            assert ami.last_error == ""
            with pytest.raises(AmiDisconnected):
                await ami.ping()
    assert [fields["action"] for fields in peer.actions] == ["Login", "Ping", "Logoff"] * 2
    assert [entry["event"] for entry in logs] == ["ami connected"]


async def test_visits_wait_for_one_another(peer: AmiPeer) -> None:
    peer.answers["logoff"] = goodbye
    ami = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", events="off")

    async def visit() -> None:
        async with ami.visit():
            await ami.ping()

    await asyncio.gather(visit(), visit(), visit())
    assert [fields["action"] for fields in peer.actions] == ["Login", "Ping", "Logoff"] * 3


async def test_why_a_visit_failed_is_told_once(peer: AmiPeer) -> None:
    await peer.stop()
    ami = AmiConnection("127.0.0.1", peer.port, "leaseline", "secret", action_seconds=2.0)

    async def ask(name: str) -> None:
        async with ami.visit():
            await ami.action({"Action": name})

    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(OSError, match="onnect"):
                await ask("Ping")
            assert "onnect" in ami.last_error
        await peer.listen()
        peer.answers["slow"] = lambda fields: None
        with pytest.raises(AmiTimeout):
            await ask("Slow")
        assert "Slow" in ami.last_error
        peer.answers["drop"] = lambda fields: peer.drop()
        with pytest.raises(AmiDisconnected):
            await ask("Drop")
    assert [entry["event"] for entry in logs] == [
        "ami not connected", "ami connected", "ami not connected", "ami connected", "ami not connected",
    ]  # fmt: skip


async def test_a_variable_of_many_channels(peer: AmiPeer) -> None:
    def answer(fields: dict[str, str]) -> str:
        if fields["channel"] == "PJSIP/gone-1":
            return error(fields, "No such channel")
        return message(
            Response="Success", **own(fields), Variable=fields["variable"], Value=fields["channel"][-1]
        )

    peer.answers["getvar"] = answer
    async with connected(peer) as ami:
        names = [f"PJSIP/a-{number}" for number in range(250)] + ["PJSIP/gone-1"]
        told = await ami.variables(names, "CHANNEL(rtp,hold)")
    assert told == {name: name[-1] for name in names[:-1]}
