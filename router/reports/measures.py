"""The figures of a report's row, and what is worked out from them. docs/reports.md defines each."""

from dataclasses import dataclass, field, fields
from typing import Any

from router.reports.credits import WHOLE
from router.reports.intervals import Interval, credited_interval


@dataclass(frozen=True, slots=True)
class Measures:
    """Calls are fractional under the linear model; durations are seconds.

    Of visits, None: they are not known by what the row is about, or were purged. `callers` None: not asked.
    `callers_estimated`: from a sample. `costs`: by currency; empty where none were imported.
    """

    calls: float = 0.0
    answered: float = 0.0
    blocked: float = 0.0
    qualified: float = 0.0
    first_time: float = 0.0
    ring_answered_seconds: float = 0.0
    ring_missed_seconds: float = 0.0
    talk_seconds: float = 0.0
    expected: float = 0.0
    variance: float = 0.0
    callers: float | None = None
    callers_estimated: bool = False
    visits: int | None = None
    visitors: int | None = None
    unique_visitors: int | None = None
    new_visitors: int | None = None
    visits_with_number: int | None = None
    visits_shown: int | None = None
    costs: dict[str, float] = field(default_factory=dict)

    @property
    def missed(self) -> float:
        """Neither answered nor turned away by the blocklist."""
        return max(0.0, round(self.calls - self.answered - self.blocked, 6))

    @property
    def coverage(self) -> float | None:
        """The share of visits that had a number of their own."""
        return _share(self.visits_with_number, self.visits)

    @property
    def conversion(self) -> float | None:
        """Calls per visitor."""
        return _share(self.calls, self.visitors)

    @property
    def mean_ring_answered_seconds(self) -> float | None:
        return _share(self.ring_answered_seconds, self.answered)

    @property
    def mean_ring_missed_seconds(self) -> float | None:
        return _share(self.ring_missed_seconds, self.missed)

    @property
    def mean_talk_seconds(self) -> float | None:
        return _share(self.talk_seconds, self.answered)

    def interval(self, level: float = 0.95) -> Interval:
        """How many of `calls` are rightly credited to this row, with that probability."""
        return credited_interval(self.calls, self.expected, self.variance, level)

    @property
    def cost(self) -> float | None:
        """What it cost, when all of it is in one currency."""
        return next(iter(self.costs.values())) if len(self.costs) == 1 else None

    @property
    def currency(self) -> str | None:
        return next(iter(self.costs)) if len(self.costs) == 1 else None

    @property
    def cost_per_call(self) -> float | None:
        return _share(self.cost, self.calls)

    @property
    def cost_per_qualified(self) -> float | None:
        return _share(self.cost, self.qualified)

    def flat(self) -> dict[str, Any]:
        """Every figure by its name (COLUMNS), rounded for people."""
        low80, high80 = self.interval(0.8)
        low95, high95 = self.interval(0.95)
        worked_out = {
            "expected_low_80": low80,
            "expected_high_80": high80,
            "expected_low_95": low95,
            "expected_high_95": high95,
        }
        return {
            name: _rounded(worked_out[name] if name in worked_out else getattr(self, name))
            for name in COLUMNS
        }


COLUMNS = (
    "visits", "visitors", "unique_visitors", "new_visitors", "visits_with_number", "visits_shown", "coverage",
    "callers", "callers_estimated", "calls", "answered", "missed", "blocked", "qualified", "first_time",
    "conversion", "expected", "expected_low_80", "expected_high_80", "expected_low_95", "expected_high_95",
    "ring_answered_seconds", "mean_ring_answered_seconds", "ring_missed_seconds", "mean_ring_missed_seconds",
    "talk_seconds", "mean_talk_seconds", "cost", "currency", "cost_per_call", "cost_per_qualified",
)  # fmt: skip
"""The figures of a row, in the order in which they are exported."""


def of_calls(sums: Any) -> dict[str, float]:
    """The fields of Measures from stored sums (columns of call_by_source)."""
    found = {
        name: int(sums[name] or 0) / WHOLE
        for name in ("calls", "answered", "blocked", "qualified", "first_time", "expected", "variance")
    }
    for name in ("ring_answered", "ring_missed", "talk"):
        found[f"{name}_seconds"] = int(sums[name] or 0) / 1000
    return found


def total(rows: "list[Measures]") -> Measures:
    """All rows together."""
    summed: dict[str, Any] = {}
    for one in fields(Measures):
        values = [getattr(row, one.name) for row in rows]
        if one.name == "costs":
            summed["costs"] = _costs(values)
        elif one.name == "callers_estimated":
            summed[one.name] = any(values)
        else:
            told = [value for value in values if value is not None]
            summed[one.name] = sum(told) if told else getattr(Measures(), one.name)
    return Measures(**summed)


def _costs(values: "list[dict[str, float]]") -> dict[str, float]:
    found: dict[str, float] = {}
    for costs in values:
        for currency, amount in costs.items():
            found[currency] = found.get(currency, 0.0) + amount
    return found


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
