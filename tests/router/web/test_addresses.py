"""Client addresses behind proxies, and the limits that count them."""

import pytest

from router.web.addresses import RateLimit, TrustedProxies, counted_as, truncated

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", None, "198.51.100.1"),
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8:1::5", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "x" * 100_000, "10.0.0.1"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_last_untrusted_hop_is_the_client(peer: str, forwarded: str | None, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_truncation() -> None:
    assert truncated("198.51.100.77") == "198.51.100.0"
    assert truncated("2001:db8:1:2:3::4") == "2001:db8:1::"
    assert truncated("nonsense") == ""


def test_an_ipv6_household_counts_as_one() -> None:
    assert counted_as("2001:db8:1:2:3::4") == counted_as("2001:db8:1:2:ffff::")
    assert counted_as("2001:db8:1:3::") != counted_as("2001:db8:1:2::")
    assert counted_as("198.51.100.7") == "198.51.100.7"
    assert counted_as("odd:thing") == "odd:thing"


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    time = [0.0]
    limit = RateLimit(2, 3, clock=lambda: time[0])
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("b")
    assert limit.wait_seconds("a") == 1
    time[0] = 0.5
    assert [limit.allows("a") for _ in range(2)] == [True, False]
    time[0] = -100.0
    assert not limit.allows("a")
    time[0] = 1_000.0
    assert [limit.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limit.refused == 4


def test_memory_is_bounded() -> None:
    limit = RateLimit(1, 1, keys=100, clock=lambda: 0.0)
    for number in range(1_000):
        limit.allows(str(number))
    assert len(limit._buckets) == 100
