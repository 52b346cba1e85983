"""The live view: a snapshot, what changes after it, heartbeats, and an honest answer where it is not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse

from pool.instants import now
from router import live
from router.cdr.live import LiveCall
from router.store.users import UserStore
from router.users.roles import Role
from router.web import admin_live
from tests.router.web.admin.conftest import Admin


def ringing(linkedid: str, **more: Any) -> LiveCall:
    call = LiveCall(
        linkedid, "shop", "+442079460123", "442079460123", "+447700900123", "ringing", now() - 1_500, None,
        "PJSIP/agent1",
    )  # fmt: skip
    return call._replace(**more)


class Watcher:
    """Reads server-sent events as a browser would."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer

    async def block(self) -> str:
        """The next event or comment, as it is written."""
        async with asyncio.timeout(60):
            return (await self.answer.content.readuntil(b"\n\n")).decode().strip()

    async def next(self) -> tuple[str, Any]:
        """The next event and its data; comments, which come when nothing does for a while, are left out."""
        while (block := await self.block()).startswith(":"):
            pass
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        return lines["event"], json.loads(lines["data"])


@asynccontextmanager
async def watching(admin: Admin) -> AsyncIterator[Watcher]:
    """A watcher, with the view's own service running."""
    assert admin.view is not None
    service = asyncio.create_task(admin.view.run())
    try:
        async with await admin.get("/api/v1/live") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            yield Watcher(answer)
    finally:
        service.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(admin_live, "BEAT_SECONDS", 0.3)


async def test_a_snapshot_then_what_changes(admin: Admin) -> None:
    admin.live_calls.append(ringing("1.1"))
    async with watching(admin) as watcher:
        event, data = await watcher.next()
        assert (event, data["catching_up"]) == ("snapshot", False)
        [call] = data["calls"]
        assert call.items() >= {
            "switch": "pbx", "linkedid": "1.1", "site": "shop", "number": "+442079460123",
            "caller": "+447700900123", "state": "ringing", "agent": "PJSIP/agent1",
            "channel": "Google Ads", "hold": None, "answered_at": None, "talk_seconds": 0.0,
        }.items()  # fmt: skip
        assert 1.5 <= call["seconds"] < 100
        admin.live_calls.append(ringing("1.2", number="", dialed="100", target=None, stage="routing"))
        event, data = await watcher.next()
        assert (event, data["linkedid"], data["number"], data["channel"]) == ("call", "1.2", "100", None)
        admin.live_calls[0] = ringing("1.1", stage="talking", answered_at=now(), started_at=1)
        event, data = await watcher.next()
        assert (event, data["linkedid"], data["state"]) == ("call", "1.1", "talking")
        admin.live_calls.clear()
        ended = [await watcher.next(), await watcher.next()]
        assert [(event, data["linkedid"]) for event, data in ended] == [("ended", "1.1"), ("ended", "1.2")]
        assert await watcher.block() == ": beat"


async def test_while_the_journal_is_caught_up_after_a_restart_the_snapshot_says_so(admin: Admin) -> None:
    admin.caught_up[0] = False
    async with watching(admin) as watcher:
        assert (await watcher.next())[1]["catching_up"] is True
        admin.live_calls.append(ringing("1.1"))
        assert (await watcher.next())[0] == "call"
        admin.caught_up[0] = True
        event, data = await watcher.next()
        assert (event, data["catching_up"], len(data["calls"])) == ("snapshot", False, 1)


async def test_many_watch_and_nobody_looks_when_nobody_does(admin: Admin) -> None:
    assert admin.view is not None
    async with watching(admin) as one, aclosing(live.told(admin.view, 60)) as other:
        await one.next()
        assert [change.event for change in await anext(other)] == ["snapshot"]
        assert admin.view.watchers == 2
        admin.live_calls.append(ringing("1.1"))
        assert (await one.next())[0] == (await anext(other))[0].event == "call"
    async with asyncio.timeout(60):
        while admin.view.watchers:
            await asyncio.sleep(0.02)
    admin.live_calls.clear()
    async with watching(admin) as again:
        assert (await again.next())[1]["calls"] == []


async def test_a_watcher_whose_key_is_taken_back_is_sent_away(admin: Admin) -> None:
    async with watching(admin) as watcher:
        await watcher.next()
        await UserStore(admin.database).remove_key(admin.keys[Role.VIEWER].key_id)
        while not watcher.answer.content.at_eof():
            await asyncio.wait_for(watcher.answer.content.readany(), 60)


async def test_a_view_that_fails_breaks_the_stream_instead_of_seeming_idle(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(admin) as watcher:
        await watcher.next()
        monkeypatch.setattr(admin_live, "_event", lambda view, change: 1 / 0)
        admin.live_calls.append(ringing("1.1"))
        with pytest.raises(ClientError):
            await asyncio.wait_for(watcher.answer.content.read(), 60)


async def test_the_listener_closes_with_watchers(admin: Admin) -> None:
    async with watching(admin) as watcher:
        await watcher.next()
        async with asyncio.timeout(30):
            await admin.client.server.close()


async def test_a_process_without_the_calls_role_says_where_to_ask(web_only: Admin) -> None:
    answer = await web_only.get("/api/v1/live")
    assert answer.status == 404
    assert (await answer.json())["type"] == "urn:leaseline:problem:live-not-here"
