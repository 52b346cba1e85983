"""The tables of tests/bench/calls.py: what was measured, and the budgets it is held against."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from _calls_sipp import Load, percentile
from _calls_stage import CONSTANT, LEASELINE, SAME, Variant


@dataclass(slots=True)
class Figures:
    """All rounds of one variant."""

    variant: Variant
    ringing_ms: list[float] = field(default_factory=list)
    delay_rate: float = 0.0
    cpu_calls: int = 0
    asterisk_seconds: float = 0.0
    server_seconds: float = 0.0
    rates: list[float] = field(default_factory=list)
    calls: int = 0
    failed: int = 0

    def add(self, load: Load) -> None:
        """Count the calls of a run at a rate that everything should carry."""
        self.calls += load.asked
        self.failed += load.asked - load.succeeded

    @property
    def asterisk_ms(self) -> float:
        """Asterisk's CPU a call, with its children's."""
        return 1000 * self.asterisk_seconds / self.cpu_calls if self.cpu_calls else float("nan")

    @property
    def server_ms(self) -> float:
        """CPU a call of what answers the dialplan."""
        return 1000 * self.server_seconds / self.cpu_calls if self.cpu_calls else float("nan")

    @property
    def rate(self) -> float | None:
        """The highest rate passed: the median of the rounds."""
        return statistics.median(self.rates) if self.rates else None


def machine() -> str:
    """Cores, processor and how busy it is."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(": ")[2]
            break
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({cpu}), load average before the run {load}"


def _added(figures: Figures, constant: Figures | None, share: float) -> str:
    if constant is None or not figures.ringing_ms or not constant.ringing_ms:
        return "–"
    return f"{percentile(figures.ringing_ms, share) - percentile(constant.ringing_ms, share):+.2f}"


def table(measured: Iterable[Figures], top: float) -> str:
    """The main table. `top`: the highest rate that was tried."""
    rows = list(measured)
    constant = next((row for row in rows if row.variant.name == CONSTANT.name), None)
    lines = [
        "| how the number is looked up | calls/s passed, median (rounds) | to constant "
        "| Asterisk CPU ms/call | server CPU ms/call | ringing p50 / p99 ms | added p50 / p99 ms | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rate = ratio = "–"
        if row.rate is not None:
            more = "≥ " if top in row.rates else ""
            rate = f"{more}{row.rate:g} ({', '.join(f'{value:g}' for value in row.rates)})"
            if constant is not None and constant.rate:
                ratio = f"{row.rate / constant.rate:.2f}"
        elif row.variant.most_rate is not None:
            rate = f"only {row.variant.most_rate:g} tried"
        delay = f"{percentile(row.ringing_ms, 0.5):.2f} / {percentile(row.ringing_ms, 0.99):.2f}"
        server = f"{row.server_ms:.2f}" if row.server_seconds else "–"
        lines.append(
            f"| {row.variant.what} | {rate} | {ratio} | {row.asterisk_ms:.2f} | {server} | {delay} "
            f"| {_added(row, constant, 0.5)} / {_added(row, constant, 0.99)} | {row.failed} of {row.calls} |"
        )
    return "\n".join(lines)


def media_table(measured: Sequence[Figures], seconds_recorded: dict[str, float]) -> str:
    """With audio and recording: CPU a call, and the ratio that says how many calls the same cores carry."""
    whole = [row.asterisk_ms + row.server_ms for row in measured]
    lines = [
        "| with audio and recording | Asterisk CPU ms/call | server CPU ms/call | capacity to constant "
        "| recorded s/call | failed |",
        "|---|---|---|---|---|---|",
    ]
    for row, cpu in zip(measured, whole, strict=True):
        recorded = seconds_recorded[row.variant.what]
        lines.append(
            f"| {row.variant.what} | {row.asterisk_ms:.2f} | {row.server_ms:.2f} | {whole[0] / cpu:.2f} "
            f"| {recorded:.1f} | {row.failed} of {row.calls} |"
        )
    return "\n".join(lines)


def budgets(measured: Iterable[Figures], media: Sequence[Figures]) -> str:
    """The budgets of the design, and whether this run keeps them."""
    rows = {row.variant.name: row for row in measured}
    ours, constant = rows.get(LEASELINE.name), rows.get(CONSTANT.name)
    if ours is None or constant is None:
        return ""
    lines = ["| budget | at least | aim | this run | |", "|---|---|---|---|---|"]

    def add(name: str, least: float, aim: float, value: float, unit: str, *, more: bool) -> None:
        kept, aimed = (value >= least, value >= aim) if more else (value <= least, value <= aim)
        verdict = "aim met" if aimed else "met" if kept else "**not met**"
        lines.append(f"| {name} | {least:g}{unit} | {aim:g}{unit} | {value:.2f}{unit} | {verdict} |")

    against = [("constant", constant)]
    if (same := rows.get(SAME.name)) is not None:
        against.append(("the same dialplan with a constant answer", same))
    for name, other in against:
        if ours.rate and other.rate:
            add(f"calls/s against {name}, no media", 0.75, 0.85, ours.rate / other.rate, "", more=True)
    if media:
        whole = [row.asterisk_ms + row.server_ms for row in media]
        add("capacity with audio and recording", 0.95, 0.98, whole[0] / whole[1], "", more=True)
    for name, other in against:
        if ours.ringing_ms and other.ringing_ms:
            for what, share, least, aim in (("median", 0.5, 1.5, 1.0), ("p99", 0.99, 10.0, 5.0)):
                added = percentile(ours.ringing_ms, share) - percentile(other.ringing_ms, share)
                delay = f"post-dial delay at {ours.delay_rate:g} calls/s, added to {name}, {what}"
                add(delay, least, aim, added, " ms", more=False)
    share = 100 * ours.server_ms / ours.asterisk_ms
    add("router CPU per call against Asterisk's own", 25, 10, share, " %", more=False)
    return "\n".join(lines)


def as_json(measured: Iterable[Figures]) -> list[dict[str, Any]]:
    """The figures for a machine."""
    return [
        {
            **{name: value for name, value in asdict(row).items() if name not in {"variant", "ringing_ms"}},
            "variant": row.variant.name,
            "what": row.variant.what,
            "rate": row.rate,
            "asterisk_ms": row.asterisk_ms,
            "server_ms": row.server_ms,
            "ringing_p50_ms": percentile(row.ringing_ms, 0.5),
            "ringing_p99_ms": percentile(row.ringing_ms, 0.99),
        }
        for row in measured
    ]
