"""Logging in with a name and a password: slow on purpose, and no quicker for a name that nobody has."""

import asyncio
from typing import Final

import structlog

from pool.instants import Instant
from router.store.sessions import Account, SessionStore
from router.users import passwords
from router.users.failures import Failures
from router.users.sessions import digest_of, new_token
from router.web.addresses import counted_as

log = structlog.get_logger(__name__)

BURST_OF_NAME: Final = 50
"""More than an address has, so that one address cannot lock a user out; fewer than a botnet would need."""
MOST_WAITING: Final = 20
"""One check at a time: a flood of logins costs the calls beside it one thread, not all processors."""


class Wait(Exception):
    """Too many wrong passwords, or too many at once: `seconds` until the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


class Passwords:
    """Checks passwords. `failures` are counted together with those of API keys."""

    def __init__(self, store: SessionStore, failures: Failures) -> None:
        self._store = store
        self._failures = failures
        self._failures_of_name = Failures(BURST_OF_NAME)
        self._one = asyncio.Lock()
        self._waiting = 0
        self._nobodys: str | None = None

    async def account(self, name: str, password: str, address: str) -> Account | None:
        """The user whose password this is; None: it is wrong, or there is no such user. Raises Wait."""
        if self._waiting >= MOST_WAITING:
            raise Wait(5)
        self._waiting += 1
        try:
            # In turn, so that many at once are not all let in before the first has failed.
            async with self._one:
                return await self._checked(name[:65], password, counted_as(address))
        finally:
            self._waiting -= 1

    async def _checked(self, name: str, password: str, counted: str) -> Account | None:
        wait = max(self._failures.wait_seconds(counted), self._failures_of_name.wait_seconds(name))
        if wait:
            raise Wait(wait)
        found = await self._store.account(name)
        stored = found.password if found is not None else await self._nobodys_hash()
        # What is longer than any password is not hashed either: it would be work for nothing.
        sent = password[: passwords.MOST_CHARACTERS + 1]
        if await asyncio.to_thread(passwords.matches, stored, sent) and found is not None:
            return found
        self._failures.failed(counted)
        self._failures_of_name.failed(name)
        log.warning("login.refused", address=counted, name=name)
        return None

    async def _nobodys_hash(self) -> str:
        if self._nobodys is None:
            self._nobodys = await asyncio.to_thread(passwords.hashed, new_token())
        return self._nobodys


async def log_in(
    store: SessionStore, account: Account, at: Instant, *, address: str, browser: str
) -> str | None:
    """A new session's token; None when the password was changed just now."""
    token = new_token()
    if not await store.begin(account, digest_of(token), at, address=address, browser=browser):
        return None
    log.info("login.done", name=account.name, address=address)
    return token
