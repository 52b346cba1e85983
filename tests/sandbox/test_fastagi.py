"""Our FastAGI server and journal reader beside a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from instance import Instance

from agi import variables
from agi.cel import from_line
from agi.journal import JournalLine, JournalReader
from agi.request import AgiRequest
from agi.server import FastAgiServer

pytestmark = pytest.mark.sandbox


def plan(steps: int, *, long: bool = False) -> dict[str, str]:
    """Step 1 rings agent1; the others are there to make the answer long."""
    targets = {f"LL_D{n}": "PJSIP/agent1" for n in range(1, steps + 1)}
    if long:
        targets["LL_D9"] = "&".join(f"PJSIP/agent{n:03}" for n in range(110))
        targets["LL_D8"] = "&".join(f"PJSIP/agent{n:03}" for n in range(110))
    seconds = {f"LL_T{n}": "20" for n in range(1, steps + 1)}
    return {variables.NUMBER: "", variables.SITE: "shop", **targets, **seconds, variables.RECORD: ""}


@contextlib.asynccontextmanager
async def serving(instance: Instance, answer: Mapping[str, str]) -> Any:
    got: list[AgiRequest] = []

    async def route(request: AgiRequest) -> Mapping[str, str]:
        got.append(request)
        return {**answer, variables.NUMBER: "+" + request.dialed.lstrip("+")}

    server = FastAgiServer({variables.PATH_ROUTE: route}, answer_seconds=3.0, confirm_seconds=10.0)
    await server.start(*instance.agi)
    try:
        yield server, got
    finally:
        await server.drain(1)


@pytest.mark.parametrize(
    ("steps", "long"), [(1, False), (9, False), (9, True)], ids=["short", "28 pairs", "4 kB"]
)
async def test_the_dialplan_takes_every_answer_whole(
    either: Instance, number: str, steps: int, long: bool
) -> None:
    """The end of the stream follows the last line at once: Asterisk must execute that line all the same."""
    answer = plan(steps, long=long)
    async with serving(either, answer) as (server, got):
        with either.agent("agent1"):
            for count in (1, 2, 3):
                outcome = await asyncio.to_thread(either.call, number)
                assert outcome.answered
                assert server.statistics.outcomes["answered"] == count, server.statistics.outcomes
    last = got[-1].linkedid
    for _ in range(3_000):
        lines = [from_line(raw) for raw in either.journal_path.read_bytes().splitlines()]
        if any(line.type == "LINKEDID_END" and line.linkedid == last for line in lines):
            break
        await asyncio.sleep(0.01)
    if long:
        # Readers that do not expect lines to be cut would stumble over this one.
        either.journal_path.unlink()
    [told] = [line.user for line in lines if line.type == "LL_ROUTE" and line.linkedid == last]
    assert told["by"] == "router"
    assert told["agi"] == "SUCCESS"
    assert float(told["ms"]) < 3_000
    assert told["number"] == number
    assert told["d1"] == "PJSIP/agent1"
    steps_told = [name for name in told if name.startswith("d") and name != "dnis"]
    # Asterisk 22 cuts a line of the journal at 1,023 bytes; what it still tells is read.
    assert len(steps_told) == steps or (long and steps_told == [f"d{n}" for n in range(1, 8)])
    assert {request.dialed for request in got} == {number}
    assert [request.linkedid for request in got] == [request.variables["agi_uniqueid"] for request in got]
    assert server.statistics.hangups == 0


async def test_rotating_during_calls_loses_no_line(sandbox: Instance, number: str) -> None:
    reader = JournalReader(sandbox.journal_path)
    got: list[JournalLine] = []

    async def read() -> None:
        async for batch in reader.batches():
            got.extend(batch)

    async def rotate(stop: asyncio.Event) -> int:
        rotations = 0
        while not stop.is_set():
            rotations += reader.rotate() is not None
            await asyncio.sleep(0.02)
        return rotations

    reading = asyncio.create_task(read())
    stop = asyncio.Event()
    rotating = asyncio.create_task(rotate(stop))
    async with serving(sandbox, plan(1)):
        with sandbox.agent("agent1"):
            for _ in range(3):
                await asyncio.gather(
                    *(
                        asyncio.to_thread(sandbox.call, number, seconds=0.5, caller=f"+4477009001{n:02}")
                        for n in range(2)
                    )
                )

    def ended() -> int:
        ours = {line.event.linkedid for line in got if line.event.exten == number}
        return sum(line.event.type == "LINKEDID_END" and line.event.linkedid in ours for line in got)

    async with asyncio.timeout(60):
        while ended() < 6:
            await asyncio.sleep(0.01)
    stop.set()
    assert await rotating > 3
    deleted = reader.delete_consumed(got[-1].end)
    assert len(deleted) > 3
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    calls: dict[str, list[str]] = {line.event.linkedid: [] for line in got if line.event.exten == number}
    for line in got:
        if line.event.linkedid in calls:
            calls[line.event.linkedid].append(line.event.type)
    ours = list(calls.values())
    assert len(ours) == 6
    for types in ours:
        assert sorted(types) == sorted(ours[0])
        assert types[0] == "CHAN_START"
        assert types[-1] == "LINKEDID_END"
    assert reader.truncations == 0
