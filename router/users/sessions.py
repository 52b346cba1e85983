"""A login's rules: what the browser keeps, what the store keeps of it, and how long it lasts. Pure.

The browser has 256 random bits; the store has their SHA-256, from which nobody gets the bits back. What a
form must send (against requests forged by other sites) is derived from the same bits and stored nowhere.
"""

import hashlib
import hmac
import secrets
from typing import Final

from pool.instants import DAY, HOUR, SECOND, Instant

IDLE: Final = 12 * HOUR
"""A session that was not used for so long is over."""
LONGEST: Final = 7 * DAY
"""So long after the login it is over, used or not."""
SEEN_EVERY: Final = 300 * SECOND
"""The instant of the last use is written at most so often."""


def new_token() -> str:
    """A session's secret as the browser's cookie holds it."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_token(token: str) -> str:
    """What each form of this session sends along."""
    return hmac.new(token.encode("utf-8", "replace"), b"leaseline form", hashlib.sha256).hexdigest()


def is_form_token(token: str, sent: str) -> bool:
    """Whether `sent` is this session's, in the same time for any answer."""
    return hmac.compare_digest(form_token(token).encode(), sent.encode("utf-8", "replace"))


def is_over(created_at: Instant, seen_at: Instant, at: Instant) -> bool:
    """Whether a session that began and was last used at these instants is over at `at`."""
    return at - created_at >= LONGEST or at - seen_at >= IDLE
