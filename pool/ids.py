"""Identifiers of leases, visits, visitors and calls: ordered by time, not guessable."""

from __future__ import annotations

import secrets

from pool.instants import Instant

ID_LENGTH = 35


def new_id(at: Instant) -> str:
    """11 hexadecimal digits of `at` and 24 of randomness (96 bits), 35 characters.

    Ids made later sort later, so that tables grow at their end and stay quick at any size.
    """
    return f"{at:011x}{secrets.token_hex(12)}"
