"""Our AMI connection beside a real Asterisk, with pyst2 as the second opinion."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from instance import Instance

from agi.ami import AmiConnection, AmiRefused, LiveChannel
from agi.cel import CelEvent, from_ami, from_line

pytestmark = pytest.mark.sandbox
KEY = "442079468888"


@contextlib.asynccontextmanager
async def connected(
    instance: Instance, user: str = "leaseline", secret: str | None = None, **settings: Any
) -> AsyncIterator[AmiConnection]:
    connection = AmiConnection(
        "127.0.0.1",
        instance.ami_port,
        user,
        secret or instance.ami_secret,
        reconnect_seconds=(0.05, 0.2),
        **settings,
    )
    running = asyncio.create_task(connection.run())
    try:
        assert await connection.wait_connected(30), connection.last_error
        yield connection
    finally:
        await connection.close()
        await running


async def by_pyst2(
    instance: Instance, user: str, secret: str, *actions: dict[str, str]
) -> list[dict[str, Any]]:
    def ask() -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("ami_lists_by_pyst2.py")),
             str(instance.ami_port), user, secret],
            input=json.dumps(actions), capture_output=True, text=True, timeout=90, check=True,
        )  # fmt: skip
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return await asyncio.to_thread(ask)


async def soon(condition: Any, seconds: float = 30) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline
        await asyncio.sleep(0.01)


async def channels_once(
    ami: AmiConnection, wanted: Callable[[list[LiveChannel]], bool], seconds: float = 30
) -> list[LiveChannel]:
    """The live channels once they are as wanted."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not wanted(live := await ami.live_channels()):
        assert loop.time() < deadline, live
        await asyncio.sleep(0.02)
    return live


async def test_both_clients_see_the_same_channels(either: Instance, number: str) -> None:
    async with connected(either, events="off") as ami:
        await channels_once(ami, lambda live: live == [])
        with either.agent("agent1"):
            run = either.peers.call(number, seconds=60)
            try:
                # "Up" comes a moment before the bridge: from there on nothing changes until the end.
                live = await channels_once(
                    ami,
                    lambda live: len(live) == 2 and all(one.state == "Up" and one.bridge_id for one in live),
                )
                [answer] = await by_pyst2(
                    either, "leaseline", either.ami_secret, {"Action": "CoreShowChannels"}
                )
                await asyncio.to_thread(either.cli, "channel request hangup all")
                await asyncio.to_thread(run.wait, 20)
            finally:
                run.stop()
        await channels_once(ami, lambda live: live == [])
    theirs = {
        (item["Channel"], item["Uniqueid"], item["Linkedid"], item["ChannelStateDesc"], item["BridgeId"])
        for item in answer["items"]
    }
    assert {(c.channel, c.uniqueid, c.linkedid, c.state, c.bridge_id) for c in live} == theirs
    assert len({channel.linkedid for channel in live}) == 1
    assert all(channel.duration_seconds < 60 for channel in live)


async def test_both_clients_agree_about_astdb(either: Instance) -> None:
    user, secret = "leaseline-astdb", either.astdb_secret
    get = {"Action": "DBGet", "Family": "leaseline", "Key": KEY}
    many = [(f"44207946{n:04}", f"PJSIP/agent{n % 3 + 1}") for n in range(8000, 9000)]
    async with connected(either, user, secret, events="off") as ami:
        await ami.db_put("leaseline", many)
        [theirs] = await by_pyst2(either, user, secret, get)
        assert [item["Val"] for item in theirs["items"]] == [dict(many)[KEY]]
        assert await ami.db_get("leaseline", KEY) == dict(many)[KEY]
        await by_pyst2(either, user, secret, {**get, "Action": "DBPut", "Val": "PJSIP/agent1&PJSIP/agent2"})
        assert await ami.db_get("leaseline", KEY) == "PJSIP/agent1&PJSIP/agent2"
        await ami.db_del("leaseline", [key for key, _ in many] + ["0"])
        assert await ami.db_get("leaseline", KEY) is None
        [gone] = await by_pyst2(either, user, secret, get)
        assert gone["response"]["Response"] == "Error"
    assert "0 results found" in either.cli("database show leaseline 4420794688")


async def test_the_health_user_may_not_write(sandbox: Instance) -> None:
    async with connected(sandbox, events="off") as ami:
        with pytest.raises(AmiRefused, match="ermission"):
            await ami.db_put("leaseline", [(KEY, "PJSIP/agent1")])
        assert await ami.ping() < 5


async def test_both_witnesses_tell_the_same_events(either: Instance, number: str) -> None:
    told: list[CelEvent] = []

    async def listen(ami: AmiConnection) -> None:
        async for event in ami.events():
            told.extend([from_ami(event, event.received_at)] if event.name == "CEL" else [])

    def ended(events: list[CelEvent]) -> bool:
        ours = {event.linkedid for event in events if event.exten == number}
        return any(event.type == "LINKEDID_END" and event.linkedid in ours for event in events)

    def journalled() -> list[CelEvent]:
        raw = either.journal_path.read_bytes()
        return [from_line(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines()]

    async with connected(either, events="call,system") as ami:
        listening = asyncio.create_task(listen(ami))
        with either.agent("agent1"):
            outcome = await asyncio.to_thread(either.call, number)
        assert outcome.answered
        # Either may be ahead of the other, and may still tell the end of a call before this one.
        await soon(lambda: ended(told) and ended(journalled()))
    await listening
    linkedid = next(event.linkedid for event in told if event.exten == number)
    told = [event for event in told if event.linkedid == linkedid]
    lines = journalled()
    journal = [line for line in lines if line.linkedid == linkedid]
    assert sorted(event.identity for event in told) == sorted(event.identity for event in journal)
    by_identity = {event.identity: event for event in journal}
    for event in told:
        line = by_identity[event.identity]
        assert (event.user, event.extra, event.channel) == (line.user, line.extra, line.channel)
        assert 0 <= line.at_us - event.at_us < 1_000_000


async def test_it_comes_back_after_a_crash_of_asterisk(sandbox: Instance) -> None:
    async with connected(sandbox, events="off", ping_seconds=0.5) as ami:
        await asyncio.to_thread(sandbox.kill_asterisk)
        await soon(lambda: not ami.connected)
        await asyncio.to_thread(sandbox.restart)
        await soon(lambda: ami.connected, 60)
        assert await ami.live_channels() == []
        assert ami.connections == 2
