"""The search for the highest rate in tests/bench/calls.py."""

from __future__ import annotations

from collections.abc import Callable


def highest(
    count: int, start: int, passes: Callable[[int], bool], may_go_on: Callable[[], bool]
) -> int | None:
    """The highest index of 0 … `count` - 1 that `passes` (-1: none), if all below a passing one pass.

    Steps away from `start` twice as far each time until one side and the other are known, then halves. None
    when it may not go on.
    """
    low, high, at, step = -1, count, start, 1
    while high - low > 1:
        if not may_go_on():
            return None
        if passes(at):
            low = at
        else:
            high = at
        if high == count:
            at = min(count - 1, low + step)
        elif low == -1:
            at = max(0, high - step)
        else:
            at = (low + high) // 2
        step *= 2
    return low
