"""What a replay comes to: counts, and the line `{"summary": …}` that they make."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from pool.leases import EXCLUSIVE_RUNGS, Lease, Rung
from router.attribution.call import Match
from router.replay.virtual import Answered, Held

MATCHES: Final[tuple[Match, ...]] = get_args(Match)
FALLS: Final = (Rung.EXTENSION, Rung.RESERVE, Rung.MAIN)
"""The rungs below a number of the pool."""
HELD_NUMBERS: Final = frozenset({Rung.OWN, Rung.SITE, Rung.BASE})


@dataclass(slots=True)
class Tally:
    """Counts of one replay."""

    rungs: Counter[Rung] = field(default_factory=Counter)
    wanting: Counter[Rung] = field(default_factory=Counter)
    """Rungs of the visits that wanted a number of their own."""
    holds: Counter[str] = field(default_factory=Counter)
    matches: Counter[Match] = field(default_factory=Counter)
    confidence: float = 0.0
    left_out: int = 0

    def add_visit(self, held: Held, lease: Lease) -> None:
        self.rungs[held.rung] += 1
        if held.dynamic:
            self.wanting[held.rung] += 1
        if not lease.revived:
            self.holds.update(
                slot.number for slot in lease.slots if slot.number and slot.rung in HELD_NUMBERS
            )

    def add_call(self, answered: Answered | None) -> None:
        if answered is None:
            self.left_out += 1
            return
        match: Any = answered.cdr["match"]
        self.matches[match] += 1
        self.confidence += answered.cdr["confidence"]

    def summary(
        self, *, numbers: int, in_all: int, freeze_minutes: float | None, hours: float
    ) -> dict[str, Any]:
        """`numbers` were asked for in each pool, `in_all` there are; `hours`: first event to last.

        Shares are of visits that wanted a number of their own. What has no value, having no visit or call, is
        null.
        """
        calls = self.matches.total()
        wanting = self.wanting.total()
        own = sum(self.wanting[rung] for rung in EXCLUSIVE_RUNGS)
        return {
            "numbers": numbers,
            "freeze_minutes": freeze_minutes,
            "virtual_hours": round(hours, 6),
            "visits": self.rungs.total(),
            "calls": calls,
            "calls_left_out": self.left_out,
            "coverage": _share(own, wanting),
            "rungs": {rung.value: self.rungs[rung] for rung in Rung},
            "blocking": {rung.value: _share(self.wanting[rung], wanting) for rung in FALLS},
            "holds_per_number": {
                "mean": _share(self.holds.total(), in_all),
                "max": max(self.holds.values(), default=0),
            },
            "matches": {match: self.matches[match] for match in MATCHES},
            "mean_confidence": _share(self.confidence, calls),
        }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
