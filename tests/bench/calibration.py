"""How honest the confidence is: traffic with known truth through the real pool and attribution.

    PYTHONPATH=. python tests/bench/calibration.py [--seed 1 …] [--regime NAME] [--blind] [--picture FILE.svg]

Each regime (`_calibration_traffic`) is replayed in virtual time; the attribution never sees the truth. Told
are the expected calibration error over ten bins of the best candidate's probability, what it would be by
chance alone (had every claim been honest), the Brier score over all candidates, accuracy, credits, silent
mistakes (credits that are wrong), and the wrong credits of the rule "whoever holds it now" against ours at
the same coverage.
"""

import argparse
import asyncio
import itertools
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from router.config import Config, load_config
from router.replay.numbers import invented
from router.replay.run import Scenario, replay
from router.replay.trace import measured
from tests.bench._calibration_picture import drawn
from tests.bench._calibration_traffic import REGIMES, SITE, Regime, Traffic, traffic

CONFIG = """\
[asterisk]
country = "GB"
[[site]]
key = "shop"
name = "Example Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
"""
BINS = 10


class Judged(NamedTuple):
    """One call's answer against the truth. `best` is the likeliest candidate, `visit` the likeliest visit."""

    probability: float
    right: bool
    credited: bool
    credit_right: bool
    visit_probability: float
    visit_right: bool
    held: bool
    holder_right: bool
    brier: float


class Score(NamedTuple):
    """One regime's result. `chance`: the error that so many calls would show if all claims were honest.
    `bins`: (calls, mean probability, share right) by tenth of the probability.
    """

    regime: str
    calls: int
    accuracy: float
    error: float
    chance: float
    brier: float
    credits: int
    silent: int
    covered: int
    rule_wrong: int
    ours_wrong: int
    bins: dict[int, tuple[int, float, float]]


def outcome(regime: Regime, seed: int, *, blind: bool = False) -> list[Judged]:
    """Each call of the regime's traffic, judged. `blind`: as if nobody knew how long calls last and where
    visitors are.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "config.toml"
        path.write_text(CONFIG, encoding="utf-8")
        config = load_config(path)
        numbers = invented(config, list(config.site), regime.numbers)["default"]
        made = traffic(regime, seed, numbers)
        if blind:
            for event in made.events:
                event.pop("talk", None)
                event.pop("region", None)
        return judged(made, _replayed(made, regime, config, Path(name)))


def _replayed(made: Traffic, regime: Regime, config: Config, folder: Path) -> list[dict[str, Any]]:
    trace = folder / "trace.ndjson"
    trace.write_text("".join(json.dumps(event) + "\n" for event in made.events), encoding="utf-8")
    lines: list[dict[str, Any]] = []
    scenario = Scenario(trace, config, regime.numbers, regime.freeze_minutes)
    asyncio.run(replay(scenario, measured(trace, {SITE}), lines.append, lambda _: None))
    return lines


def judged(made: Traffic, lines: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """The calls among the output's lines against the truth."""
    at = {event["call"]: event["at"] for event in made.events if event["event"] == "call"}
    visits = [line for line in lines if "rung" in line]
    # A return within the freeze goes on with the same hold: either visit is right.
    hold_of = {line["visit"]: (line["number"], line["until"]) for line in visits}
    holds: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in visits:
        if line["number"] is not None:
            holds[line["number"]].append(line)
    return [
        _judged(line, made.truth[line["call"]], hold_of, _holder(holds[line["number"]], at[line["call"]]))
        for line in lines
        if "call" in line
    ]


def _holder(holds: Sequence[Mapping[str, Any]], at: float) -> str | None:
    """Who holds the number now, by the rule that others go by."""
    return next((line["visit"] for line in reversed(holds) if line["from"] <= at < line["until"]), None)


def _judged(
    line: Mapping[str, Any], truth: str | None, hold_of: Mapping[str, Any], holder: str | None
) -> Judged:
    def is_right(visit: str | None) -> bool:
        if visit is None or truth is None:
            return visit is truth
        return visit == truth or hold_of[visit] == hold_of[truth]

    candidates = line["candidates"]
    best = max(candidates, key=lambda one: one["probability"])
    visits = [one for one in candidates if one["visit"] is not None]
    likeliest = max(visits, key=lambda one: one["probability"], default=None)
    return Judged(
        best["probability"],
        is_right(best["visit"]),
        line["visit"] is not None,
        line["visit"] is not None and is_right(line["visit"]),
        likeliest["probability"] if likeliest else 0.0,
        likeliest is not None and is_right(likeliest["visit"]),
        holder is not None,
        holder is not None and is_right(holder),
        sum((one["probability"] - is_right(one["visit"])) ** 2 for one in candidates),
    )


def score(regime: str, calls: Sequence[Judged]) -> Score:
    """What the judged calls come to."""
    bins = _bins([(call.probability, call.right) for call in calls])
    covered = sum(call.held for call in calls)
    surest = sorted(calls, key=lambda call: -call.visit_probability)[:covered]
    return Score(
        regime,
        len(calls),
        _mean([call.right for call in calls]),
        _error(bins),
        by_chance([call.probability for call in calls]),
        _mean([call.brier for call in calls]),
        sum(call.credited for call in calls),
        sum(call.credited and not call.credit_right for call in calls),
        covered,
        sum(call.held and not call.holder_right for call in calls),
        sum(not call.visit_right for call in surest),
        bins,
    )


def by_chance(claims: Sequence[float], times: int = 200) -> float:
    """The mean calibration error of calls that are right exactly as often as claimed."""
    chance = random.Random(1)
    return _mean([_error(_bins([(one, chance.random() < one) for one in claims])) for _ in range(times)])


def _bins(calls: Sequence[tuple[float, bool]]) -> dict[int, tuple[int, float, float]]:
    sorted_in: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for claimed, right in calls:
        sorted_in[min(BINS - 1, int(claimed * BINS))].append((claimed, right))
    return {
        place: (len(some), _mean([claimed for claimed, _ in some]), _mean([right for _, right in some]))
        for place, some in sorted(sorted_in.items())
    }


def _error(bins: Mapping[int, tuple[int, float, float]]) -> float:
    whole = sum(count for count, _, _ in bins.values())
    return sum(count * abs(claimed - right) for count, claimed, right in bins.values()) / (whole or 1)


def _mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures) if figures else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--regime", action="append", help="only these (by default all)")
    parser.add_argument("--picture", type=Path, help="draw the first seed's curves into this SVG")
    parser.add_argument("--blind", action="store_true", help="withhold talk times and visitors' countries")
    asked = parser.parse_args()
    wanted = [regime for regime in REGIMES if not asked.regime or regime.name in asked.regime]
    print(
        "| regime | seed | calls | right | ECE | by chance | Brier | credits | silent | covered "
        "| wrong: rule | wrong: ours |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    scores = []
    for regime, seed in itertools.product(wanted, asked.seed):
        found = score(regime.name, outcome(regime, seed, blind=asked.blind))
        scores.append((seed, found))
        silent = found.silent / found.credits if found.credits else 0.0
        print(
            f"| {found.regime} | {seed} | {found.calls} | {found.accuracy:.1%} | {found.error:.3f} "
            f"| {found.chance:.3f} | {found.brier:.3f} "
            f"| {found.credits} | {silent:.1%} | {found.covered} | {found.rule_wrong} | {found.ours_wrong} |",
            flush=True,
        )
    for seed, found in scores:
        row = " · ".join(
            f"{place / BINS:.1f}: {count} {claimed:.2f}/{right:.2f}"
            for place, (count, claimed, right) in found.bins.items()
        )
        print(f"\n{found.regime}, seed {seed} (bin: calls claimed/right): {row}")
    if asked.picture:
        asked.picture.write_text(
            drawn({found.regime: found.bins for seed, found in scores if seed == asked.seed[0]}),
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
