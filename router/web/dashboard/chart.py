"""A chart as data: drawn by `static/chart.js`, and shown as a table to those who do not see it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from router.web.dashboard.wording import Wording


@dataclass(frozen=True, slots=True)
class Line:
    """One row of values; `colour` 1 to 6 of the style sheet; `kind` line, step, area or bars (stacked)."""

    label: str
    values: Sequence[float | None]
    colour: int = 1
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over instants (seconds), or over places (0, 1, 2 …) that have `labels`."""

    words: Wording
    x: Sequence[int]
    lines: Sequence[Line]
    labels: Sequence[str] = field(default_factory=list)
    """What the table says of each x; on an axis of places also what the axis says."""
    is_time: bool = True
    share: bool = False
    """Whether the values are shares of one."""

    @property
    def json(self) -> str:
        """For the script."""
        lines = [
            {"label": line.label, "values": list(line.values), "colour": line.colour, "kind": line.kind}
            for line in self.lines
        ]
        told = {
            "x": list(self.x),
            "lines": lines,
            "labels": list(self.labels),
            "time": self.is_time,
            "share": self.share,
            "zone": self.words.zone.key,
            "language": self.words.language,
        }
        return json.dumps(told, separators=(",", ":"))

    def value(self, value: float | None) -> str:
        """A value as people read it."""
        return self.words.percent(value, 1) if self.share else self.words.number(value)
