"""The rules once more, in the fewest words: one site, one pool, no store. What a replay is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.router.replay.traffic import FREEZE, REST


@dataclass(eq=False)
class Stay:
    """A lease: visits of one visitor that went on within the freeze."""

    number: str | None
    end: float
    away: bool = False

    def sign(self, at: float) -> None:
        if at < self.end:
            self.end = max(self.end, at + FREEZE)
            self.away = False

    def leave(self, at: float) -> None:
        if at < self.end and not self.away:
            self.end, self.away = max(self.end, at + FREEZE), True

    def call(self, at: float) -> None:
        if at < self.end:
            self.end = max(self.end, at + FREEZE)


@dataclass
class Oracle:
    """Numbers in the order of the base, and who held each last."""

    numbers: list[str]
    holder: dict[str, Stay] = field(default_factory=dict)
    last: dict[str, Stay] = field(default_factory=dict)
    visits: dict[str, tuple[str, str | None, float, Stay]] = field(default_factory=dict)

    def play(self, events: Iterable[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        """Each visit's rung, number, from and until."""
        for event in events:
            at = event["at"]
            if event["event"] == "visit":
                self._visit(at, event["visit"], event["visitor"])
            elif event["event"] == "call":
                dialed = event.get("dialed") or self.visits[event["number_of"]][1]
                if dialed in self.holder:
                    self.holder[dialed].call(at)
            elif event["event"] == "left":
                self.visits[event["visit"]][3].leave(at)
            else:
                self.visits[event["visit"]][3].sign(at)
        return {name: (*found[:3], found[3].end) for name, found in self.visits.items()}

    def _visit(self, at: float, name: str, visitor: str) -> None:
        stay = self.last.get(visitor)
        old = stay.number if stay is not None else None
        again = stay is not None and at < stay.end
        if stay is None or not again:
            stay = self.last[visitor] = Stay(None, at + FREEZE)
        stay.sign(at)
        if again and old is not None:
            self.visits[name] = "own", old, at, stay
            return
        rung, stay.number = self._drawn(at, old)
        if stay.number is not None:
            self.holder[stay.number] = stay
        self.visits[name] = rung, stay.number, at, stay

    def _drawn(self, at: float, own: str | None) -> tuple[str, str | None]:
        free = sorted(
            (self.holder[number].end, number)
            for number in self.numbers
            if number in self.holder and self.holder[number].end + REST <= at
        )
        if own is not None and any(number == own for _, number in free):
            return "own", own
        if free:
            return "site", free[0][1]
        for number in self.numbers:
            if number not in self.holder:
                return "base", number
        return "main", None
