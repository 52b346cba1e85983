"""API keys: `ll_ID_SECRET`. The id finds the key, the secret is 192 random bits and stored as its SHA-256.

A slow hash is for what people choose; nobody guesses 192 bits.
"""

import hashlib
import hmac
import re
import secrets
from typing import Final, NamedTuple

_KEY: Final = re.compile(r"ll_([a-z0-9]{12})_([A-Za-z0-9_-]{32})\Z")
_ID_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_NO_DIGEST: Final = "0" * 64


class ApiKey(NamedTuple):
    """A key in its two parts."""

    key_id: str
    secret: str

    @property
    def text(self) -> str:
        """The key as its owner is shown it, once."""
        return f"ll_{self.key_id}_{self.secret}"

    @property
    def digest(self) -> str:
        """What is stored of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def new_key() -> ApiKey:
    """A fresh key."""
    return ApiKey("".join(secrets.choice(_ID_CHARACTERS) for _ in range(12)), secrets.token_urlsafe(24))


def parsed(text: str) -> ApiKey | None:
    """A key from what was sent; None when it cannot be one."""
    found = _KEY.match(text)
    return ApiKey(found[1], found[2]) if found else None


def matches(key: ApiKey, digest: str | None) -> bool:
    """Whether the key's secret is the stored one, in the same time for any answer; None: no such key."""
    same = hmac.compare_digest(key.digest, digest or _NO_DIGEST)
    return same and digest is not None
