"""How often one address, or one name, may fail to prove who it is."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final

BURST: Final = 10
SECONDS_EACH: Final = 6.0
ADDRESSES: Final = 10_000


class Failures:
    """Counts failures by address: `burst` at once, then one in SECONDS_EACH. Success costs nothing."""

    def __init__(self, burst: int = BURST, *, clock: Callable[[], float] = monotonic) -> None:
        self._burst = burst
        self._clock = clock
        # Until when each address' failures count: each adds SECONDS_EACH.
        self._until: OrderedDict[str, float] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """How long the address is not listened to; 0: it may try."""
        until = self._until.get(address, 0.0)
        too_many = until - self._clock() - (self._burst - 1) * SECONDS_EACH
        return max(0, int(too_many + 0.999))

    def failed(self, address: str) -> None:
        """The address has failed once more."""
        now = self._clock()
        self._until[address] = max(self._until.get(address, 0.0), now) + SECONDS_EACH
        self._until.move_to_end(address)
        if len(self._until) > ADDRESSES:
            # An address that is forgotten may try again; what is bounded is memory.
            self._until.popitem(last=False)
