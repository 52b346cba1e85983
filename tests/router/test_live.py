"""What watchers are told equals what is going on, wherever in a journal the watching begins."""

from pathlib import Path

import pytest

from agi.ami_event import LiveChannel
from agi.cel import CelEvent, from_line
from router.cdr.live import GONE_MS, SETTLE_MS, LiveCall, LiveCalls
from router.holds import askable, holds_of
from router.live import LiveView, Snapshot, changes
from router.store.calls import JournalMark

CAPTURES = Path(__file__).parent / "cdr" / "captures"


def journal(name: str) -> list[CelEvent]:
    return [from_line(line) for line in (CAPTURES / name).read_bytes().splitlines()]


class Replay:
    """A journal read from some line on, and a watcher beside it."""

    def __init__(self) -> None:
        self.calls = LiveCalls()
        self.view = LiveView(
            "pbx",
            self.calls.live,
            caught_up=lambda: True,
            channel_of=self._channel_of,
            hold_of=lambda call: None,
            now=lambda: 0,
        )
        self.told: dict[str, LiveCall] = {}
        self._before: Snapshot | None = None

    async def _channel_of(self, call: LiveCall) -> str | None:
        return call.number or None

    async def step(self, now: int) -> None:
        """Finished calls are stored, then the watcher is told."""
        self.calls.sweep(now, caught_up=True)
        self.calls.written(state.linkedid for state in self.calls.take(100))
        await self.view.look()
        for change in changes(self._before, self.view.snapshot):
            if change.event == "snapshot":
                self.told = {}
            for shown in change.calls:
                if change.event == "ended":
                    del self.told[shown.call.linkedid]
                else:
                    assert shown.channel == (shown.call.number or None)
                    self.told[shown.call.linkedid] = shown.call
        self._before = self.view.snapshot
        assert self.told == {call.linkedid: call for call in self.calls.live()}


@pytest.mark.parametrize("name", ["asterisk22-calls.csv", "asterisk22-killed.csv"])
async def test_a_watcher_who_comes_at_any_line_sees_what_is_going_on(name: str) -> None:
    events = journal(name)
    for offset in range(len(events)):
        replay = Replay()
        seen: set[str] = set()
        for number, event in enumerate(events[offset:]):
            replay.calls.hear(event, event.at, JournalMark("1", "journal", number, event.at))
            await replay.step(event.at)
            seen |= replay.told.keys()
        last = events[-1].at + 10_000
        # What a kill of Asterisk left open, its own list of channels ends.
        replay.calls.switch_live([], last, last)
        await replay.step(last + max(SETTLE_MS, GONE_MS))
        assert replay.told == {}
        begun = {event.linkedid for event in events[offset:] if event.type == "LL_ROUTE"}
        assert begun <= seen


def channel(name: str, linkedid: str, *, state: str = "Up", bridge_id: str = "b") -> LiveChannel:
    return LiveChannel(name, linkedid, linkedid, state, "", "", "", "", "Dial", bridge_id, 5)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({}, {}),
        ({"PJSIP/trunk-1": "0"}, {"1.1": False}),
        ({"PJSIP/trunk-1": "0", "PJSIP/agent1-2": "1"}, {"1.1": True}),
        ({"PJSIP/trunk-1": "1", "PJSIP/agent1-2": "0", "PJSIP/x-3": "0"}, {"1.1": True, "1.3": False}),
        ({"PJSIP/trunk-1": "(null)", "PJSIP/x-3": ""}, {}),
    ],
)
def test_a_call_is_on_hold_while_any_of_its_channels_is(
    told: dict[str, str], wanted: dict[str, bool]
) -> None:
    channels = [
        channel("PJSIP/trunk-1", "1.1"),
        channel("PJSIP/agent1-2", "1.1"),
        channel("PJSIP/x-3", "1.3"),
    ]
    assert holds_of(channels, told) == wanted


def test_only_bridged_pjsip_channels_are_asked() -> None:
    assert askable(
        [
            channel("PJSIP/trunk-1", "1.1"),
            channel("PJSIP/agent1-2", "1.1", state="Ringing", bridge_id=""),
            channel("PJSIP/agent2-3", "1.1", bridge_id=""),
            channel("Local/8@x-4;1", "1.4"),
            channel("SIP/old-5", "1.5"),
        ]
    ) == ["PJSIP/trunk-1"]
