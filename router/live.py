"""The calls that are going on, for those who watch: a snapshot, and what changes after it.

The source is ingest's table of unfinished calls, which the journal fills and the switch's own channel list
corrects; nothing is kept here that could differ from it. It is looked at only while somebody watches.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from typing_extensions import TypedDict

from pool.instants import to_iso
from router.cdr.live import LiveCall, Stage
from router.schema import Iso, Seconds

LOOK_SECONDS: Final = 0.3


class LiveEntry(TypedDict):
    """A call that is going on. `agent` rings or talks; `hold` is null where that is not known."""

    switch: str
    linkedid: str
    site: str | None
    number: str | None
    caller: str | None
    state: Stage
    agent: str | None
    channel: str | None
    hold: bool | None
    started_at: Iso
    answered_at: Iso | None
    seconds: Seconds
    talk_seconds: Seconds


@dataclass(frozen=True, slots=True)
class Shown:
    """One call as it is shown, without its running duration. `channel` is what most probably caused it."""

    call: LiveCall
    channel: str | None
    hold: bool | None

    def entry(self, switch: str, at: int) -> LiveEntry:
        """The call as JSON at an instant."""
        call = self.call
        return {
            "switch": switch,
            "linkedid": call.linkedid,
            "site": call.site or None,
            "number": call.number or call.dialed or None,
            "caller": call.caller or None,
            "state": call.stage,
            "agent": call.target,
            "channel": self.channel,
            "hold": self.hold,
            "started_at": to_iso(call.started_at),
            "answered_at": None if call.answered_at is None else to_iso(call.answered_at),
            "seconds": round(max(0, at - call.started_at) / 1000, 3),
            "talk_seconds": 0.0
            if call.answered_at is None
            else round(max(0, at - call.answered_at) / 1000, 3),
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All calls at one look. `catching_up`: the journal holds lines that were not read yet."""

    calls: Mapping[str, Shown] = field(default_factory=dict)
    catching_up: bool = True
    version: int = 0


class Change(NamedTuple):
    """What is told to a watcher: `snapshot`, `call` (new or changed) or `ended`."""

    event: str
    calls: tuple[Shown, ...]


def changes(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    """What leads from `before` (None: nothing was told yet) to `after`."""
    if before is None or before.catching_up != after.catching_up:
        yield Change("snapshot", tuple(after.calls.values()))
        return
    for linkedid, shown in after.calls.items():
        if before.calls.get(linkedid) != shown:
            yield Change("call", (shown,))
    for linkedid, shown in before.calls.items():
        if linkedid not in after.calls:
            yield Change("ended", (shown,))


class LiveView:
    """One switch's calls, looked at while anybody watches."""

    def __init__(
        self,
        switch: str,
        calls: Callable[[], list[LiveCall]],
        *,
        caught_up: Callable[[], bool],
        channel_of: Callable[[LiveCall], Awaitable[str | None]],
        hold_of: Callable[[LiveCall], bool | None],
        now: Callable[[], int],
    ) -> None:
        """`channel_of` finds the marketing channel, asked once for each call and number; `hold_of` says
        whether a call is on hold, None where that is not known.
        """
        self.switch = switch
        self.now = now
        self.watchers = 0
        self.snapshot = Snapshot()
        self._calls = calls
        self._caught_up = caught_up
        self._channel_of = channel_of
        self._hold_of = hold_of
        self._channels: dict[tuple[str, str], str | None] = {}
        self._changed = asyncio.Condition()
        self._watched = asyncio.Event()

    async def run(self) -> None:
        """Looks while anybody watches, until cancelled."""
        while True:
            await self._watched.wait()
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Takes a new snapshot if anything changed."""
        calls = self._calls()
        keys = [(call.linkedid, call.number or call.dialed) for call in calls]
        self._channels = {key: self._channels[key] for key in keys if key in self._channels}
        for key, call in zip(keys, calls, strict=True):
            if key not in self._channels:
                self._channels[key] = await self._channel_of(call)
        shown = {
            call.linkedid: Shown(call, self._channels[key], self._hold_of(call))
            for key, call in zip(keys, calls, strict=True)
        }
        catching_up = not self._caught_up()
        before = self.snapshot
        if (shown, catching_up) != (before.calls, before.catching_up) or before.version == 0:
            self.snapshot = Snapshot(shown, catching_up, before.version + 1)
            async with self._changed:
                self._changed.notify_all()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The view is kept up to date within this."""
        if self.watchers == 0:
            # What was seen last may be old: a watcher waits for the first look.
            self.snapshot = Snapshot()
        self.watchers += 1
        self._watched.set()
        try:
            yield
        finally:
            self.watchers -= 1
            if self.watchers == 0:
                self._watched.clear()

    async def after(self, version: int, seconds: float) -> Snapshot | None:
        """The snapshot once it is newer than `version`; None when it is not within `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.snapshot.version != version)
                return self.snapshot
        return None


async def told(view: LiveView, beat_seconds: float) -> AsyncGenerator[list[Change]]:
    """What a watcher is told, as it comes; an empty list is a heartbeat. A slow one misses no state."""
    shown: Snapshot | None = None
    with view.watching():
        while True:
            newer = await view.after(shown.version if shown else 0, beat_seconds)
            if newer is None:
                yield []
                continue
            yield list(changes(shown, newer))
            shown = newer
