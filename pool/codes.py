"""Extension codes: every code of a host once, in an order that cannot be guessed. Pure."""

from __future__ import annotations

import hashlib

FEWEST_DIGITS = 3
MOST_DIGITS = 6
ROUNDS = 6


def code_at(place: int, digits: int, secret: str) -> str:
    """The code at `place` (0 ≤ place < 10**digits) of the host's secret order, with leading zeros.

    A keyed permutation of the numbers below 10**digits: a Feistel network over an even number of bits (Luby
    and Rackoff 1988), walked until it lands below the limit (cycle walking: Black and Rogaway 2002, "Ciphers
    with arbitrary finite domains"). No table is needed, and no code comes twice.
    """
    limit = 10**digits
    if not FEWEST_DIGITS <= digits <= MOST_DIGITS:
        raise ValueError(f"codes have {FEWEST_DIGITS} to {MOST_DIGITS} digits, not {digits}")
    if not 0 <= place < limit:
        raise ValueError(f"there is no place {place} among codes of {digits} digits")
    half_bits = ((limit - 1).bit_length() + 1) // 2
    key = bytes.fromhex(secret)
    value = place
    while True:
        value = _feistel(value, half_bits, key)
        if value < limit:
            return f"{value:0{digits}}"


def _feistel(value: int, half_bits: int, key: bytes) -> int:
    mask = (1 << half_bits) - 1
    left, right = value >> half_bits, value & mask
    for turn in range(ROUNDS):
        digest = hashlib.blake2b(bytes((turn,)) + right.to_bytes(4, "big"), key=key, digest_size=4).digest()
        left, right = right, left ^ (int.from_bytes(digest, "big") & mask)
    return (left << half_bits) | right
