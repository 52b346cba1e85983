"""Who sends a request to the admin listener. API keys now; a dashboard's session would be read here too."""

import contextlib
from typing import NamedTuple

import structlog
from aiohttp import web

from pool.database import StoreUnavailable
from pool.instants import HOUR, now
from router.store.users import UserStore
from router.users import keys
from router.users.failures import Failures
from router.users.roles import Role
from router.web.addresses import TrustedProxies, counted_as
from router.web.problems import Problem

log = structlog.get_logger(__name__)


class Caller(NamedTuple):
    """Who a request comes from, and by which key."""

    name: str
    role: Role
    key_id: str


class Access:
    """Finds out who a request comes from, and keeps those who guess waiting."""

    def __init__(self, store: UserStore, proxies: TrustedProxies, failures: Failures | None = None) -> None:
        self._store = store
        self._proxies = proxies
        self._failures = failures or Failures()

    async def caller(self, request: web.Request) -> Caller:
        """Who sends `request`. Raises Problem 401 (not told, or not believed) and 429 (guessed too often)."""
        address = self._proxies.client(request.remote or "", request.headers.get("X-Forwarded-For"))
        counted = counted_as(address)
        wait = self._failures.wait_seconds(counted)
        if wait:
            headers = {"Retry-After": str(wait)}
            detail = f"too many wrong keys from this address; wait {wait} s"
            raise Problem(429, "too-many-requests", detail, headers=headers)
        sent = _bearer(request)
        key = keys.parsed(sent)
        caller = None if key is None else await self._caller_by(key)
        if caller is None:
            self._failures.failed(counted)
            log.warning("access.refused", address=address, key_id=key.key_id if key else None)
            raise _unauthorized("the key is not valid: `leaseline user list` shows those that are")
        return caller

    async def still(self, caller: Caller) -> bool:
        """Whether the key by which `caller` came is still there: for answers that last."""
        found = await self._store.key(caller.key_id)
        return found is not None and found.role == caller.role

    async def _caller_by(self, key: keys.ApiKey) -> Caller | None:
        found = await self._store.key(key.key_id)
        if not keys.matches(key, found.digest if found else None) or found is None:
            return None
        at = now()
        if found.last_used_at is None or at - found.last_used_at >= HOUR:
            # To know when a key was used is no reason to refuse it while the store takes no writes.
            with contextlib.suppress(StoreUnavailable):
                await self._store.key_used(key.key_id, at)
        return Caller(found.account, found.role, key.key_id)


def _bearer(request: web.Request) -> str:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not sent:
        raise _unauthorized(
            "send an API key: `Authorization: Bearer ll_…` (`leaseline user key NAME` makes one)"
        )
    return sent.strip()


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="leaseline"'})
