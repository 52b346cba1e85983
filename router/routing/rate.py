"""How many calls of one caller are put through: a sliding window in this process's memory.

Processes do not share it: with N of them beside one PBX a caller can have up to N times the limit. A start
forgets it. Both only ever let a call through.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

MOST_CALLERS: Final = 20_000
"""Who has not called for longest is forgotten first."""


class CallRate:
    """Counts the calls that were let through, by caller."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, caller: str, most: int, within_seconds: float) -> bool:
        """Whether one more call is within `most` in `within_seconds`; if so it is counted."""
        now = self._monotonic()
        calls = self._calls.setdefault(caller, deque())
        self._calls.move_to_end(caller)
        while calls and calls[0] <= now - within_seconds:
            calls.popleft()
        if len(calls) >= most:
            return False
        calls.append(now)
        if len(self._calls) > MOST_CALLERS:
            self._calls.popitem(last=False)
        return True
