"""Secrets are stored so that the store does not give them away."""

import pytest

from router.users import keys, passwords
from router.users.failures import BURST, SECONDS_EACH, Failures
from router.users.passwords import WeakPassword
from router.users.roles import Role


def test_a_key_is_found_by_its_id_and_proved_by_its_secret() -> None:
    key = keys.new_key()
    assert keys.parsed(key.text) == key
    assert key.secret not in key.digest
    assert keys.matches(key, key.digest)
    assert not keys.matches(key._replace(secret=keys.new_key().secret), key.digest)
    assert not keys.matches(key, None)
    assert keys.new_key() != key


@pytest.mark.parametrize("text", ["", "ll_", "ll_abc_def", "ll_" + "a" * 12 + "_" + "b" * 31, "é" * 48])
def test_what_cannot_be_a_key_is_none(text: str) -> None:
    assert keys.parsed(text) is None


def test_a_password_is_stored_as_argon2id() -> None:
    stored = passwords.hashed("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert stored != passwords.hashed("correct horse battery")
    assert passwords.matches(stored, "correct horse battery")
    assert not passwords.matches(stored, "correct horse batterx")
    assert not passwords.matches("not a hash", "correct horse battery")


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(WeakPassword, match="10 to 256"):
        passwords.hashed(password)


def test_only_who_may_hear_hears() -> None:
    assert [role for role in Role if role.hears] == [Role.LISTENER, Role.ADMIN]


def test_an_address_that_guesses_waits_and_others_do_not() -> None:
    at = 1000.0
    failures = Failures(clock=lambda: at)
    for _ in range(BURST):
        assert failures.wait_seconds("one") == 0
        failures.failed("one")
    assert failures.wait_seconds("one") == SECONDS_EACH
    assert failures.wait_seconds("other") == 0
    at += SECONDS_EACH
    assert failures.wait_seconds("one") == 0
    failures.failed("one")
    assert failures.wait_seconds("one") == SECONDS_EACH
    at += BURST * SECONDS_EACH
    assert failures.wait_seconds("one") == 0
