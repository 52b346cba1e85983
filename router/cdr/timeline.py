"""The call's channels in time: when each started, answered, was bridged and ended.

All instants here are microseconds since the epoch, as the journal writes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from router.cdr.facts import (
    ANSWER,
    BRIDGE_ENTER,
    BRIDGE_EXIT,
    CHAN_START,
    HANGUP,
    MICROSECONDS,
    Fact,
)


class Stay(NamedTuple):
    """A channel was in a bridge from `start_us` until `end_us`."""

    bridge: str
    start_us: int
    end_us: int


@dataclass(slots=True)
class Track:
    """One channel of the call."""

    uniqueid: str
    channel: str
    started: Fact | None = None
    answered: Fact | None = None
    hung_up: Fact | None = None
    first_us: int = 0
    bridging: list[Fact] = field(default_factory=list)

    @property
    def start_us(self) -> int:
        """When the channel came up: to the second, by its uniqueid, where its start was not heard."""
        if self.started:
            return self.started.at_us
        made = epoch(self.uniqueid) * MICROSECONDS
        return min(made, self.first_us) if made else self.first_us

    @property
    def coarse(self) -> bool:
        """Whether the start is known to the second only."""
        return self.started is None or self.started.coarse

    @property
    def bridge(self) -> str | None:
        """The bridge it is in, as far as was heard."""
        last = max(self.bridging, key=lambda fact: (fact.latest_us, fact.kind == BRIDGE_ENTER), default=None)
        return last.get("bridge_id") if last is not None and last.kind == BRIDGE_ENTER else None

    @property
    def end_us(self) -> int | None:
        """When the channel ended, if that was heard."""
        return max(self.hung_up.at_us, self.start_us) if self.hung_up else None


def believed(one: Fact | None, other: Fact) -> Fact:
    """Of two tellings of one thing: the precise one, else the earlier (then the lesser, to be sure)."""
    if one is None:
        return other
    return min(one, other, key=lambda fact: (fact.coarse, fact.at_us, fact.detail))


def tracks_of(facts: Iterable[Fact]) -> dict[str, Track]:
    """Each channel's track by uniqueid, in the order in which Asterisk made them: by its own counter."""
    tracks: dict[str, Track] = {}
    for fact in facts:
        track = tracks.get(fact.uniqueid)
        if track is None:
            track = tracks[fact.uniqueid] = Track(fact.uniqueid, fact.channel, first_us=fact.at_us)
        track.first_us = min(track.first_us, fact.at_us)
        if fact.kind == CHAN_START:
            track.started = believed(track.started, fact)
        elif fact.kind == ANSWER:
            track.answered = believed(track.answered, fact)
        elif fact.kind == HANGUP:
            track.hung_up = believed(track.hung_up, fact)
        elif fact.kind in {BRIDGE_ENTER, BRIDGE_EXIT}:
            track.bridging.append(fact)
        if fact.channel and (fact.kind == CHAN_START or not track.channel):
            track.channel = fact.channel
    return dict(sorted(tracks.items(), key=lambda item: (sequence(item[0]), item[1].start_us, item[0])))


def sequence(uniqueid: str) -> int:
    """A uniqueid's counter: Asterisk numbers its channels from 0 at each start (`1763817000.42` -> 42)."""
    digits = uniqueid.rpartition(".")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else -1


def epoch(uniqueid: str) -> int:
    """The second in which Asterisk made the channel (`pbx-1763817000.42` -> 1763817000); 0: unreadable."""
    digits = uniqueid.rpartition(".")[0].rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def stays_of(track: Track, opened: dict[str, int], end_us: int) -> list[Stay]:
    """When `track` was in which bridge.

    An exit without an entry (the stream started in mid-call) began when the bridge is known to have begun
    (`opened`), else when the channel was first heard of. An entry without an exit ended with the channel, at
    the latest with the call (`end_us`).
    """
    last = min(track.end_us or end_us, end_us)
    stays: list[Stay] = []
    entered: dict[str, int] = {}
    for fact in _in_order(_distinct(track.bridging)):
        bridge = fact.get("bridge_id")
        if fact.kind == BRIDGE_ENTER:
            entered.setdefault(bridge, fact.at_us)
        else:
            start = entered.pop(bridge, None)
            if start is None:
                start = opened.get(bridge, min(track.first_us, fact.at_us)) if not stays else fact.at_us
            stays.append(Stay(bridge, min(start, last), min(max(fact.at_us, start), max(last, start))))
    stays.extend(Stay(bridge, start, max(last, start)) for bridge, start in entered.items())
    return stays


def _distinct(bridging: list[Fact]) -> list[Fact]:
    """Without those coarse facts that a precise one of the same second tells as well."""
    precise = {
        (fact.kind, fact.get("bridge_id"), fact.at_us // MICROSECONDS) for fact in bridging if not fact.coarse
    }
    return [
        fact
        for fact in bridging
        if not fact.coarse or (fact.kind, fact.get("bridge_id"), fact.at_us // MICROSECONDS) not in precise
    ]


def _in_order(bridging: list[Fact]) -> list[Fact]:
    # A coarse exit may have been anywhere in its second: sorted behind a precise entry of that second.
    def key(fact: Fact) -> tuple[int, bool]:
        leaving = fact.kind == BRIDGE_EXIT
        return (fact.latest_us if leaving else fact.at_us), leaving

    return sorted(bridging, key=key)


def opened_bridges(tracks: Iterable[Track]) -> dict[str, int]:
    """When each bridge was first entered by anybody."""
    opened: dict[str, int] = {}
    for track in tracks:
        for fact in track.bridging:
            if fact.kind == BRIDGE_ENTER:
                bridge = fact.get("bridge_id")
                opened[bridge] = min(opened.get(bridge, fact.at_us), fact.at_us)
    return opened


def together(ones: Iterable[Stay], others: Iterable[Stay]) -> list[Stay]:
    """The times in which one of `ones` and one of `others` were in the same bridge, merged, in order."""
    theirs = list(others)
    shared = sorted(
        Stay(mine.bridge, max(mine.start_us, other.start_us), min(mine.end_us, other.end_us))
        for mine in ones
        for other in theirs
        if mine.bridge == other.bridge
        and max(mine.start_us, other.start_us) <= min(mine.end_us, other.end_us)
    )
    merged: list[Stay] = []
    for stay in sorted(shared, key=lambda stay: stay.start_us):
        if merged and stay.start_us <= merged[-1].end_us:
            merged[-1] = merged[-1]._replace(end_us=max(merged[-1].end_us, stay.end_us))
        else:
            merged.append(stay)
    return merged


def within(stays: Iterable[Stay], start_us: int, end_us: int) -> list[Stay]:
    """`stays` cut to the time from `start_us` to `end_us`: clocks of two witnesses may differ by a second."""
    return [
        Stay(stay.bridge, min(max(stay.start_us, start_us), end_us), max(min(stay.end_us, end_us), start_us))
        for stay in stays
    ]


def length(stays: Iterable[Stay]) -> int:
    """Microseconds in all; `stays` do not overlap."""
    return sum(stay.end_us - stay.start_us for stay in stays)
