"""The table of unfinished calls: what was heard of each, when it is finished, where re-reading must begin.

Pure but for its own state: it is told events, the switch's list of live channels and the time, and decides.
Times called `now` are milliseconds by the router's clock, those that end in `_us` microseconds by the
journal's.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from agi.cel import CelEvent
from router.cdr.facts import CHAN_START, HANGUP, LINKEDID_END, CallState
from router.cdr.outcome import transfers_of
from router.cdr.reducer import complete, cut, dialed, heard, reduce, started_us
from router.cdr.talk import Talk
from router.cdr.timeline import epoch, sequence
from router.store.calls import JournalMark

SETTLE_MS: Final = 2_000
"""How long to wait, after a call's last word, for words that were overtaken, and for the journal's."""
GONE_MS: Final = 3_000
"""How long to wait for the journal to tell the end of a call that the switch no longer has."""
SILENT_MS: Final = 24 * 3_600_000
"""A call without a word for so long, and without a switch to ask, is over."""
DOUBT_US: Final = 15 * 60 * 1_000_000
"""So long, re-reading starts no later than a call that may still turn out to be ours. An office's own calls
may last for hours."""
REMEMBERED: Final = 20_000
PASSED: Final = 1_000
"""So many calls that were none of ours are known to have been heard of."""

Stage = Literal["routing", "ringing", "talking", "parked", "ending"]
"""Of a call that was passed on: where the caller is now."""


@dataclass(slots=True)
class Entry:
    """An unfinished call."""

    state: CallState
    heard_at: int
    last_us: int
    mark: JournalMark | None = None
    line: int = 0
    alive_us: int = 0
    over_at: int | None = None
    journal_over: bool = False
    gone_at: int | None = None
    told_at: int | None = None
    taken: bool = False


class LiveCall(NamedTuple):
    """A call that is going on; instants in milliseconds. `target`: who rings or talks."""

    linkedid: str
    site: str
    number: str
    dialed: str
    caller: str
    stage: Stage
    started_at: int
    answered_at: int | None
    target: str | None


class LiveCalls:
    """Unfinished calls by linkedid."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._over: dict[str, None] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._passed: deque[str] = deque(maxlen=PASSED)
        self._run = (0, -1)
        self._last_us = 0
        self._lines = 0
        self._taken = 0
        self.repeated = 0
        self.restarts = 0

    def __len__(self) -> int:
        return sum(entry.state.ours for entry in self._entries.values())

    def remember(self, linkedids: Iterable[str]) -> None:
        """These calls are stored: whatever else is heard of them changes nothing."""
        for linkedid in linkedids:
            self._finished[linkedid] = None
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)

    def hear(self, event: CelEvent, now: int, mark: JournalMark | None = None) -> None:
        """Takes one event in; `mark` is where its line begins (None: the second witness told it)."""
        if not event.linkedid:
            return
        if mark is not None:
            # Only the journal tells a restart: before its line, all that the former switch wrote was read.
            self._lines += 1
            if event.type == CHAN_START:
                self._note_restart(event)
        self._last_us = max(self._last_us, event.at_us)
        entry = self._entries.get(event.linkedid)
        if entry is None:
            if event.linkedid in self._finished:
                self.repeated += 1
                return
            entry = Entry(reduce(None, event), now, event.at_us)
            self._entries[event.linkedid] = entry
        elif entry.taken:
            self.repeated += 1
            return
        else:
            entry.state = reduce(entry.state, event)
            entry.heard_at = now
            entry.last_us = max(entry.last_us, event.at_us)
        if entry.mark is None and mark is not None:
            entry.mark, entry.line = mark, self._lines
        if event.type == LINKEDID_END:
            entry.journal_over |= mark is not None
        elif entry.over_at is None:
            return
        self._ended(event.linkedid, entry, now)

    def _ended(self, linkedid: str, entry: Entry, now: int) -> None:
        if entry.over_at is None:
            entry.over_at = now
            self._over[linkedid] = None
        # The second witness may be ahead of the journal, and knows whole seconds only.
        if entry.journal_over and complete(entry.state):
            self._finish(linkedid, entry)

    def _finish(self, linkedid: str, entry: Entry) -> None:
        self._over.pop(linkedid, None)
        if entry.state.ours:
            self._ready[linkedid] = None
        else:
            del self._entries[linkedid]
            self._passed.append(linkedid)

    def _note_restart(self, event: CelEvent) -> None:
        """Asterisk numbers its channels from 0 at each start: an old number at a later second is a new life.

        The number is drawn a moment after the clock is read, so one second's difference proves nothing.
        """
        number, second = sequence(event.uniqueid), epoch(event.uniqueid)
        last_second, last_number = self._run
        if number > last_number or second < last_second:
            if number > last_number:
                self._run = (max(second, last_second), number)
        elif second >= last_second + 2:
            self._run = (second, number)
            self.restarts += 1
            self._cut_former(event.at_us, (second, number), last_second)

    def _cut_former(self, before_us: int, new: tuple[int, int], last_second: int) -> None:
        """Every call of the former life ended with its switch, at the latest when that began anew.

        `new`: second and number of the channel that told it, `last_second`: of the last channel before. The
        first lines of the new life may be lost: a call from in between is the former life's only by its
        number. And a call that the journal never told of is none: the second witness may be ahead of it.
        """
        second, number = new
        for linkedid, entry in list(self._entries.items()):
            going_on = not entry.taken and linkedid not in self._ready and entry.mark is not None
            begun = epoch(linkedid)
            if going_on and (begun <= last_second or (begun < second and sequence(linkedid) > number)):
                lived_us = max(entry.last_us, entry.alive_us, min(self._last_us, before_us))
                self._cut(linkedid, entry, min(lived_us, max(before_us, entry.last_us)), "switch-restarted")

    def _cut(self, linkedid: str, entry: Entry, at_us: int, reason: str) -> None:
        entry.state = cut(entry.state, at_us, reason)
        self._finish(linkedid, entry)

    def switch_live(self, linkedids: Iterable[str], at: int, now: int) -> None:
        """The switch's own list of what is live at the instant `at` (milliseconds)."""
        living = frozenset(linkedids)
        for linkedid, entry in self._entries.items():
            if linkedid in living:
                entry.alive_us = max(entry.alive_us, at * 1000)
                entry.gone_at = None
            elif entry.last_us < at * 1000 - 1_000_000 and entry.gone_at is None:
                entry.gone_at = now

    def sweep(self, now: int, *, caught_up: bool) -> None:
        """Finishes what ended without a last word. `caught_up`: the journal holds nothing unread."""
        for linkedid in list(self._over):
            entry = self._entries[linkedid]
            settled = entry.over_at is not None and now - entry.over_at >= SETTLE_MS
            if settled and (entry.journal_over or caught_up):
                self._finish(linkedid, entry)
        if not caught_up:
            return
        for linkedid, entry in list(self._entries.items()):
            if entry.taken or linkedid in self._ready or linkedid in self._over:
                continue
            gone = entry.gone_at is not None and now - max(entry.gone_at, entry.heard_at) >= GONE_MS
            if gone or now - max(entry.heard_at, entry.alive_us // 1000) >= SILENT_MS:
                reason = "channels-gone" if gone else "silent"
                self._cut(linkedid, entry, max(entry.last_us, entry.alive_us), reason)

    def take(self, most: int) -> list[CallState]:
        """Finished calls to be written, the earliest finished first; they stay until `written`."""
        taken: list[CallState] = []
        while self._ready and len(taken) < most:
            linkedid, _ = self._ready.popitem(last=False)
            entry = self._entries[linkedid]
            entry.taken = True
            taken.append(entry.state)
        self._taken += len(taken)
        return taken

    @property
    def ready(self) -> int:
        """How many calls wait to be taken."""
        return len(self._ready)

    @property
    def unwritten(self) -> int:
        """How many finished calls are not stored yet."""
        return len(self._ready) + self._taken

    def written(self, linkedids: Iterable[str]) -> None:
        """These calls are stored."""
        names = list(linkedids)
        for linkedid in names:
            if self._entries.pop(linkedid, None) is not None:
                self._taken -= 1
        self.remember(names)

    def reread_from(self, without: Iterable[str]) -> JournalMark | None:
        """Where re-reading must begin once the calls `without` are stored; None: nothing before the end."""
        passed = frozenset(without)
        needed = (
            entry
            for linkedid, entry in self._entries.items()
            if linkedid not in passed
            and entry.mark is not None
            and (entry.state.ours or self._last_us - started_us(entry.state) < DOUBT_US)
        )
        return min(needed, key=lambda entry: entry.line, default=_NO_ENTRY).mark

    def untold(self, now: int, every_ms: int) -> Iterator[Entry]:
        """Calls going on whose number's holder was not told for `every_ms`."""
        for entry in self._entries.values():
            if not entry.state.ours or entry.taken or entry.over_at is not None:
                continue
            if entry.told_at is None or now - entry.told_at >= every_ms:
                yield entry

    def linkedids(self) -> frozenset[str]:
        """The calls that are going on, by name."""
        return frozenset(
            name for name, entry in self._entries.items() if entry.state.ours and not entry.taken
        )

    def has_heard(self, linkedid: str) -> bool:
        """Whether anything was heard of a call, be it over since."""
        return linkedid in self._entries or linkedid in self._finished or linkedid in self._passed

    def live(self) -> list[LiveCall]:
        """The calls that are going on, the oldest first."""
        return [
            _live_call(entry.state)
            for entry in self._entries.values()
            if entry.state.ours and not entry.taken
        ]


_NO_ENTRY: Final = Entry(CallState(""), 0, 0)


def _live_call(state: CallState) -> LiveCall:
    known = heard(state)
    talk = Talk(known)
    called = dialed(state)
    up = [track for track in known.others if track.hung_up is None]
    hung_up = any(fact.kind == HANGUP and fact.uniqueid == state.linkedid for fact in state.facts)
    bridge = known.caller.bridge
    beside = [track for track in up if bridge is not None and track.bridge == bridge]
    calling = [track for track in up if track.started is not None and track.answered is None]
    stage: Stage = "routing"
    if hung_up or known.over is not None:
        stage = "ending"
    elif beside:
        stage, up = "talking", beside
    elif known.parked:
        stage, up = "parked", []
    elif calling:
        stage, up = "ringing", calling
    elif talk.answered_us is not None and (bridge is not None or not known.caller.bridging):
        stage = "talking"
    elif up and talk.answered_us is None:
        stage = "ringing"
    target = up[-1].channel.rpartition("-")[0] if up else None
    if stage == "talking" and target is None:
        # Whom an attended transfer brought began in a call of their own, of which nothing is heard here.
        target = next((one.to for one in transfers_of(known.facts)[::-1] if one.kind == "attended"), None)
    return LiveCall(
        linkedid=state.linkedid,
        site=known.told("site"),
        number=called.number,
        dialed=called.digits,
        caller=known.caller_told("caller"),
        stage=stage,
        started_at=known.caller.start_us // 1000,
        answered_at=None if talk.answered_us is None else talk.answered_us // 1000,
        target=target,
    )
