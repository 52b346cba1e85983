"""All that was heard of one call, sorted by what it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from router.cdr.facts import MICROSECONDS, PARK_END, PARK_START, Fact
from router.cdr.timeline import Track, epoch


@dataclass(frozen=True)
class Heard:
    """All that was heard of a call, sorted by what it is about."""

    linkedid: str
    tracks: Mapping[str, Track]
    facts: Sequence[Fact]
    route: Fact | None
    end: Fact | None
    extension: Fact | None
    over: Fact | None
    cut: Fact | None
    recording: Fact | None

    def told(self, name: str) -> str:
        """A value of the call's end, else of its routing, else the empty string."""
        return self._told.get(name, "")

    @cached_property
    def _told(self) -> dict[str, str]:
        # No detail is empty: what the end tells counts, the routing tells the rest.
        return dict((*(self.route.detail if self.route else ()), *(self.end.detail if self.end else ())))

    @cached_property
    def caller(self) -> Track:
        """The caller's channel, also when nothing was heard of it."""
        known = self.tracks.get(self.linkedid)
        made = epoch(self.linkedid) * MICROSECONDS
        first = min((track.start_us for track in self.tracks.values()), default=made)
        return known or Track(self.linkedid, "", first_us=first)

    @cached_property
    def lived_us(self) -> int:
        """The last instant of which anything was heard."""
        return max((fact.at_us for fact in self.facts), default=self.caller.start_us)

    @cached_property
    def was_cut(self) -> bool:
        """Whether the call ended unheard; an end that was heard after all counts more."""
        return self.cut is not None and self.caller.hung_up is None and self.end is None

    @cached_property
    def ended_us(self) -> int:
        """When the caller's channel ended."""
        if self.caller.end_us is not None:
            return self.caller.end_us
        if self.cut is not None and self.end is None:
            return max(self.cut.at_us, self.lived_us)
        known = self.end or self.over
        return max(known.at_us if known else self.lived_us, self.caller.start_us)

    @cached_property
    def others(self) -> list[Track]:
        """Every channel but the caller's, in the order of their starts."""
        return [track for track in self.tracks.values() if track.uniqueid != self.linkedid]

    @cached_property
    def parked(self) -> bool:
        """Whether the caller was parked last, and not fetched since."""
        told = [fact for fact in self.facts if fact.kind in {PARK_START, PARK_END}]
        last = max(told, key=lambda fact: (fact.latest_us, fact.kind == PARK_END), default=None)
        return last is not None and last.kind == PARK_START

    def caller_told(self, name: str) -> str:
        """What the events of the caller's channel told first: `caller`, `name` or `dnis`."""
        return next((value for fact in self._callers if (value := fact.get(name))), "")

    @cached_property
    def _callers(self) -> list[Fact]:
        """The facts of the caller's channel in the order of their instants."""
        known = [fact for fact in self.facts if fact.uniqueid == self.linkedid]
        return sorted(known, key=lambda fact: (fact.at_us, fact))
