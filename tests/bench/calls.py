"""Real calls through Asterisk: Leaseline against the same calls to a constant and other look-ups, in one run.

    python tests/bench/calls.py [--quick] [--media] [--rounds 2] [--seconds 3] [--rates 50:600:25]
                                [--variants constant,leaseline,…] [--json]

Each round takes every variant in turn, the next round in the opposite order: the delay until it rings at 30
calls/s, CPU a call at 100 calls/s, then the highest rate that passes (docs/benchmarks.md). SIPp, Asterisk
and the router share this machine's cores, so only figures of one run compare. Calls talk one second, without
media; with --media also fewer and longer calls with audio both ways, recorded. Everything runs on loopback,
in a sandbox of its own that is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "asterisk-sandbox"))

from _calls_report import Figures, as_json, budgets, machine, media_table, table
from _calls_search import highest
from _calls_servers import Panoramisk, Router
from _calls_sipp import Load, Sipp, end
from _calls_stage import AGENT, CONSTANT, LEASELINE, RECORDED, VARIANTS, Stage, Variant, cpu_seconds
from instance import Instance

DELAY_RATE = 30.0
CPU_RATE = 100.0
VISITORS = 100
"""Visitors of each site who are shown a number; the calls go round them."""
MEDIA_RATE, MEDIA_SECONDS, MEDIA_TALK_SECONDS = 5.0, 8.0, 8.0
ROUND_SECONDS = 60.0
"""No round is begun with less than this left of --limit."""
WAV_SECOND_BYTES = 16_000


class Bench:
    """One run: the stage, its servers, and what was measured until now."""

    def __init__(self, options: argparse.Namespace, resources: ExitStack) -> None:
        self._options = options
        self._variants: list[Variant] = [VARIANTS[name] for name in options.variants]
        self.figures = {variant.name: Figures(variant) for variant in self._variants}
        self.media = [Figures(variant) for variant in RECORDED] if options.media else []
        self.recorded: dict[str, float] = {}
        self.calls_made = self._records_due = 0
        instance = Instance.private("bench")
        # 1,000 ports carry 250 calls of two channels: too few for one second at 300 calls/s.
        instance.rtp = "10000-19999"
        resources.callback(instance.down)
        instance.up()
        self._instance = instance
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="leaseline-bench-")))
        self.router = Router(instance, folder / "router")
        resources.callback(self.router.stop)
        self._panoramisk = Panoramisk()
        resources.callback(self._panoramisk.stop)
        self.router.import_numbers([f"+44207946{number:04d}" for number in range(100, 1000)])
        self.router.start()
        plain, recorded = (self.router.lease(site, VISITORS) for site in ("plain", "recorded"))
        self.router.stop()
        self._listed = {False: _with_callers(plain), True: _with_callers(recorded)}
        others = [variant for variant in self._variants if variant is not CONSTANT]
        self.stage = Stage(instance, [CONSTANT, *others, *(RECORDED if options.media else ())], plain)
        self.stage.prepare(self._panoramisk.port)
        self._sipp = Sipp(self.stage.enter, instance.state / "sipp", instance.sip_port)
        self._variants = [variant for variant in self._variants if variant.name not in self.stage.missing]
        for name in self.stage.missing:
            del self.figures[name]

    def run(self) -> None:
        """All rounds, then the calls with audio."""
        limit = time.monotonic() + self._options.limit
        agent = self._sipp.agent(AGENT, self._instance.agent_port, audio=False)
        try:
            self._warm_up()
            for number in range(self._options.rounds):
                if number and time.monotonic() + ROUND_SECONDS > limit:
                    _tell(f"no time for round {number + 1}")
                    break
                self._round(number, limit)
        finally:
            end(agent)
        if self.media:
            agent = self._sipp.agent(AGENT, self._instance.agent_port, audio=True)
            try:
                # The first calls with audio after a start cost Asterisk less than all others.
                self._enter(RECORDED[0])
                self._calls(RECORDED[0], MEDIA_RATE, 2, talk_seconds=MEDIA_TALK_SECONDS)
                for number in range(self._options.media_rounds):
                    for figures in self.media if number % 2 == 0 else self.media[::-1]:
                        self._with_audio(figures)
            finally:
                end(agent)

    def _warm_up(self) -> None:
        """Asterisk's thread pools grow with the first calls."""
        self.stage.set_journal(False)
        self._calls(CONSTANT, 50, 2)

    def _round(self, number: int, limit: float) -> None:
        order = self._variants if number % 2 == 0 else self._variants[::-1]
        for variant in order:
            figures = self.figures[variant.name]
            if number and variant.most_rate is not None:
                continue
            self._enter(variant)
            self._delay(figures)
            self._cpu(figures)
        for variant in order:
            if variant.most_rate is None and self._options.rates:
                self._enter(variant)
                rate = self._search(variant, limit)
                if rate is None:
                    _tell(f"no time to find the highest rate of {variant.what}")
                else:
                    self.figures[variant.name].rates.append(rate)

    def _enter(self, variant: Variant) -> None:
        """Run what this variant needs, and nothing else."""
        self.stage.set_journal(variant.journal)
        if variant.name == LEASELINE.name:
            self.router.start()
        else:
            self.router.stop()

    def _calls(self, variant: Variant, rate: float, seconds: float, *, talk_seconds: float = 1.0) -> Load:
        address = variant.address
        listed = self._listed[variant.record]
        load = self._sipp.calls(
            address,
            self.stage.caller_port(address),
            listed,
            rate=rate,
            seconds=seconds,
            talk_seconds=talk_seconds,
            audio=variant.record,
        )
        if variant.name == LEASELINE.name:
            self.calls_made += load.made
            self._records_due += load.made
        if load.succeeded < load.asked:
            self.stage.hang_up()
        if variant.name == LEASELINE.name:
            # What the router does after the call belongs to the call.
            # A call of which Asterisk heard nothing has no CDR: it is not waited for again.
            self._records_due = self.router.wait_for_records(self._records_due)
        _tell(f"{variant.what}: {load}")
        return load

    def _delay(self, figures: Figures) -> None:
        figures.delay_rate = min(DELAY_RATE, figures.variant.most_rate or DELAY_RATE)
        load = self._calls(figures.variant, figures.delay_rate, self._options.seconds)
        figures.ringing_ms.extend(load.ringing_ms)
        figures.add(load)

    def _cpu(self, figures: Figures) -> None:
        rate = min(CPU_RATE, figures.variant.most_rate or CPU_RATE)
        self._measured(figures, lambda: self._calls(figures.variant, rate, self._options.seconds))

    def _with_audio(self, figures: Figures) -> None:
        self._enter(figures.variant)
        before = _bytes(self._instance.recordings)

        def calls() -> Load:
            return self._calls(figures.variant, MEDIA_RATE, MEDIA_SECONDS, talk_seconds=MEDIA_TALK_SECONDS)

        load = self._measured(figures, calls)
        grown = _bytes(self._instance.recordings) - before
        self.recorded[figures.variant.what] = grown / WAV_SECOND_BYTES / max(1, load.made)

    def _measured(self, figures: Figures, calls: Callable[[], Load]) -> Load:
        """Make calls and count the CPU that they cost, until their CDRs are written."""
        server = {LEASELINE.name: self.router.pid, "panoramisk": self._panoramisk.pid}.get(
            figures.variant.name
        )
        before = cpu_seconds(self.stage.pid), cpu_seconds(server) if server else 0.0
        load = calls()
        figures.asterisk_seconds += cpu_seconds(self.stage.pid) - before[0]
        figures.server_seconds += (cpu_seconds(server) if server else 0.0) - before[1]
        figures.cpu_calls += load.made
        figures.add(load)
        return load

    def _search(self, variant: Variant, limit: float) -> float | None:
        """The highest of the rates that passes, begun where one passed before; None: the time ran out."""
        rates: Sequence[float] = self._options.rates
        known = self.figures[variant.name].rates or self.figures[self._variants[0].name].rates
        start = rates.index(min(rates, key=lambda rate: abs(rate - known[-1]))) if known else len(rates) // 2

        def passes(index: int) -> bool:
            return self._calls(variant, rates[index], self._options.seconds).passed

        best = highest(len(rates), start, passes, lambda: time.monotonic() < limit)
        if best is None:
            return None
        # Something else on the machine may have failed the next one: once more before it counts.
        if best + 1 < len(rates) and passes(best + 1):
            best += 1
        return rates[best] if best >= 0 else 0.0


def _with_callers(numbers: Sequence[str]) -> list[tuple[str, str]]:
    """Each number many times, each time from another caller: fictional ones of each North American area."""
    dice = random.Random(7)
    callers = [f"+1{area}555{line:04d}" for area in range(201, 299) for line in range(100, 200)]
    dice.shuffle(callers)
    return [(numbers[index % len(numbers)], who) for index, who in enumerate(callers)]


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.wav"))


def _tell(line: str) -> None:
    sys.stderr.write(f"  {line}\n")


def _rates(text: str) -> list[float]:
    if ":" in text:
        first, last, step = (int(part) for part in text.split(":"))
        return [float(rate) for rate in range(first, last + 1, step)]
    return sorted(float(rate) for rate in text.split(",") if rate)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run of calls")
    parser.add_argument(
        "--rates", type=_rates, default="50:600:25", help="to search among: LOW:HIGH:STEP or a,b,c"
    )
    default = ",".join(name for name in VARIANTS if name != "journal")
    parser.add_argument("--variants", default=default, help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--media", action="store_true", help="also calls with audio, recorded")
    parser.add_argument("--media-rounds", type=int, default=4, help="of calls with audio, 35 s each")
    parser.add_argument("--quick", action="store_true", help="constant and leaseline, one round, few rates")
    parser.add_argument(
        "--limit", type=float, default=320.0, help="seconds after which no rate is tried any more"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    options.variants = [name for name in options.variants.split(",") if name]
    if unknown := set(options.variants) - set(VARIANTS):
        parser.error(f"there is no variant {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}")
    if options.quick:
        options.variants, options.rounds, options.seconds = [CONSTANT.name, LEASELINE.name], 1, 2.0
        options.rates, options.limit = [50.0, 100.0, 150.0, 200.0], 60.0
    return options


def main() -> int:
    """Run it and print the tables."""
    options = _options()
    began, where = datetime.now(UTC), machine()
    with ExitStack() as resources:
        bench = Bench(options, resources)
        bench.run()
        written = bench.router.records
    measured = list(bench.figures.values())
    if options.json:
        result = {
            "at": began.isoformat(timespec="seconds"),
            "machine": where,
            "variants": as_json(measured),
            "media": as_json(bench.media),
            "missing": bench.stage.missing,
            "cdrs": {"calls": bench.calls_made, "written": written},
        }
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return 0
    command = shlex.join(["python", "tests/bench/calls.py", *sys.argv[1:]])
    parts = [
        f"{began:%Y-%m-%d %H:%M} UTC, {where}; `{command}`",
        table(measured, max(options.rates, default=0.0)),
    ]
    if bench.media:
        parts.append(media_table(bench.media, bench.recorded))
    parts += [
        budgets(measured, bench.media),
        f"CDRs written: {written} of the {bench.calls_made} calls through Leaseline.",
    ]
    parts += [f"Left out: {name}: {reason}" for name, reason in bench.stage.missing.items()]
    sys.stdout.write("\n\n".join(part for part in parts if part) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
