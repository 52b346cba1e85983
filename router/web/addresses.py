"""Who is asking: the client's address behind trusted proxies, and how often it may ask."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import monotonic
from typing import Final, TypeAlias

_FORWARDED_CAP: Final = 1024
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """Finds the client's address: the peer's, or what the last proxy that is not trusted was told by."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._trusted = lru_cache(maxsize=4096)(self._is_trusted)
        # The limit and the handler both ask; the cache is small because a hostile header may be long.
        self._found = lru_cache(maxsize=256)(self._find)

    def trusts(self, peer: str) -> bool:
        """Whether what this peer says of the client is believed."""
        return bool(self._networks) and self._trusted(peer)

    def client(self, peer: str, forwarded_for: str | None) -> str:
        """The address to count and store for a request from `peer` that carried `X-Forwarded-For`.

        The header is read from its right end, as long as each hop is trusted. A header from an untrusted
        peer is ignored, and a hop that is not an address ends the search.
        """
        if not forwarded_for or not self.trusts(peer):
            return peer
        return self._found(peer, forwarded_for)

    def _find(self, peer: str, forwarded_for: str) -> str:
        address = peer
        for hop in reversed(forwarded_for[-_FORWARDED_CAP:].split(",")):
            parsed = _address(hop)
            if parsed is None:
                break
            address = str(parsed)
            if not any(parsed in network for network in self._networks):
                break
        return address

    def _is_trusted(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def truncated(address: str) -> str:
    """`address` without what tells one household from the next: the last octet, or all after an IPv6 /48."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False).network_address)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """What a limit counts: an IPv4 address, or the /64 of an IPv6 one, since a household has a whole /64."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    except ValueError:
        return address


class RateLimit:
    """A token bucket per key: `burst` at once, then `per_second`; the fewest-used keys are forgotten first.

    A forgotten key starts full again, so `keys` bounds memory, not the limit of a busy address.
    """

    def __init__(
        self, per_second: float, burst: float, *, keys: int = 50_000, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._keys = keys
        self._clock = clock
        self._buckets: OrderedDict[str, list[float]] = OrderedDict()
        self.refused = 0

    def allows(self, key: str) -> bool:
        """Take one token of `key`; False when it has none left."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._keys:
                self._buckets.popitem(last=False)
            self._buckets[key] = [self._burst - 1, now]
            return True
        self._buckets.move_to_end(key)
        tokens = min(self._burst, bucket[0] + max(0.0, now - bucket[1]) * self._per_second)
        bucket[1] = now
        if tokens < 1:
            bucket[0] = tokens
            self.refused += 1
            return False
        bucket[0] = tokens - 1
        return True

    def wait_seconds(self, key: str) -> int:
        """How long until `key` may ask again, in whole seconds, at least 1."""
        bucket = self._buckets.get(key)
        missing = 1 - bucket[0] if bucket else 0
        return max(1, int(missing / self._per_second + 0.999))
