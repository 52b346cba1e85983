"""Passwords as argon2id hashes, with the library's parameters (RFC 9106's low-memory choice)."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_CHARACTERS: Final = 10
MOST_CHARACTERS: Final = 256
_HASHER: Final = PasswordHasher()


class WeakPassword(ValueError):
    """The password is too short or too long."""


def hashed(password: str) -> str:
    """What is stored for `password`: takes some 50 ms of processor time. Raises WeakPassword."""
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise WeakPassword(f"a password has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    return _HASHER.hash(password)


def matches(stored: str, password: str) -> bool:
    """Whether `password` is the one that is stored; as slow as `hashed`, so that guessing is."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
