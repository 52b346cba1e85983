"""What watchers are told equals what is going on, wherever in a journal the watching begins."""

from pathlib import Path

import pytest

from agi.ami_event import AmiEvent
from agi.cel import CelEvent, from_line
from router.cdr.live import GONE_MS, SETTLE_MS, LiveCall, LiveCalls
from router.holds import Holds
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


def hold(name: str, linkedid: str, uniqueid: str) -> AmiEvent:
    return AmiEvent(name, {"linkedid": linkedid, "uniqueid": uniqueid}, 0, False)


def test_a_call_is_on_hold_while_any_of_its_channels_is() -> None:
    call = LiveCall("1.1", "", "", "", "", "talking", 1_000, 1_100, None)
    holds = Holds()
    assert holds.of(call) is None
    holds.listen(500)
    assert holds.of(call) is False
    for name, uniqueid, wanted in (
        ("Hold", "1.1", True), ("Hold", "1.2", True), ("Unhold", "1.1", True), ("Unhold", "1.2", False),
        ("Unhold", "1.2", False),
    ):  # fmt: skip
        holds.hear(hold(name, "1.1", uniqueid))
        assert holds.of(call) is wanted


def test_of_a_call_that_began_before_anybody_listened_hold_is_unknown_until_it_is_told() -> None:
    call = LiveCall("1.1", "", "", "", "", "talking", 1_000, 1_100, None)
    holds = Holds()
    holds.listen(2_000)
    assert holds.of(call) is None
    holds.hear(hold("Unhold", "1.1", "1.1"))
    assert holds.of(call) is None
    holds.hear(hold("Hold", "1.1", "1.1"))
    assert holds.of(call) is True
    holds.keep({"1.2"})
    assert holds.of(call) is None
    holds.hear(hold("Hold", "1.1", "1.1"))
    holds.listen(None)
    assert holds.of(call) is None
