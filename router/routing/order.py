"""In which order a step's targets ring: pure, one function for each strategy."""

import math
from collections.abc import Sequence
from hashlib import blake2b

Order = list[list[str]]
"""Groups of dial strings: the groups ring one after another, who is in one rings together."""


def taking_turns(targets: Sequence[str], turn: int) -> Order:
    """One after another, beginning with another one at each turn."""
    start = turn % len(targets)
    return [[target] for target in (*targets[start:], *targets[:start])]


def weighted(targets: Sequence[str], weights: Sequence[int], draw: str) -> Order:
    """One after another in an order drawn by weight: the first is each target in proportion to its weight.

    The same `draw` (the call's linkedid with the step) gives the same order: nothing is remembered. Weighted
    sampling without replacement after Efraimidis and Spirakis (2006), with a hash as the random number.
    """
    keyed = [
        (-math.log(_uniform(f"{draw} {place}")) / weight, place, target)
        for place, (target, weight) in enumerate(zip(targets, weights, strict=True))
    ]
    return [[target] for _, _, target in sorted(keyed)]


def sticky(targets: Sequence[str], last: str | None) -> Order:
    """The agent this caller last talked to, then the others together; all together where there is none."""
    if last is None or last not in targets:
        return [list(targets)]
    others = [target for target in targets if target != last]
    return [[last], others] if others else [[last]]


def _uniform(text: str) -> float:
    """A number in (0, 1) that looks random but follows from `text`."""
    digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64
