"""What routing counts, as plain numbers."""

from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, Metric


@dataclass(slots=True)
class RouteCounts:
    """Since the start of the process.

    blocked: calls by what stopped them (`list`, `limit`). keyed: tries at an extension by what came of them
    (`right`, `wrong`, `none` for no digits). lookups: of holder and history by outcome (`found`, `failed`,
    `late`); the last two planned the call without.
    """

    blocked: dict[str, int] = field(default_factory=lambda: {"list": 0, "limit": 0})
    keyed: dict[str, int] = field(default_factory=lambda: {"right": 0, "wrong": 0, "none": 0})
    lookups: dict[str, int] = field(default_factory=lambda: {"found": 0, "failed": 0, "late": 0})

    def figures(self) -> list[Metric]:
        """The counts as counters with a label each."""
        return [
            _counter("calls_blocked", "Calls not put through", "by", self.blocked),
            _counter("extensions_keyed", "Tries of callers who were asked for digits", "outcome", self.keyed),
            _counter("plan_lookups", "Look-ups that plans asked for", "outcome", self.lookups),
        ]


def _counter(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"leaseline_{name}", text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
