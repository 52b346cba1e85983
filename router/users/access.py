"""Who sends a request to the admin listener: a program by its API key, or a browser by its login."""

import base64
import binascii
import contextlib
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from pool.database import Database, StoreUnavailable
from pool.instants import HOUR, now
from router.store.sessions import Session, SessionStore
from router.store.users import UserStore
from router.users import keys
from router.users.failures import Failures
from router.users.login import Passwords
from router.users.roles import Role
from router.users.sessions import SEEN_EVERY, digest_of, is_form_token
from router.web.addresses import TrustedProxies, counted_as
from router.web.origins import SAFE_METHODS, Origins
from router.web.problems import Problem
from router.web.session_cookie import token_of

log = structlog.get_logger(__name__)

FORM_HEADER = "X-Leaseline-Form"
FETCHED: Final = "/google-ads.csv"


class Caller(NamedTuple):
    """Who a request comes from, and by which key or which session (its digest); the other is empty."""

    name: str
    role: Role
    key_id: str = ""
    session: str = ""


class Access:
    """Finds out who a request comes from, and keeps those who guess waiting."""

    def __init__(self, database: Database, proxies: TrustedProxies, failures: Failures | None = None) -> None:
        self._store = UserStore(database)
        self.sessions = SessionStore(database)
        self.origins = Origins(proxies)
        self.failures = failures or Failures()
        self.passwords = Passwords(self.sessions, self.failures)

    async def caller(self, request: web.Request) -> Caller:
        """Who sends `request` to the API.

        Raises Problem 401 (not told, or not believed), 403 (a session, used by another site's page) and 429
        (guessed too often).
        """
        if "Authorization" not in request.headers:
            session = await self.session(request)
            if session is not None:
                self._check_sender(request)
                return Caller(session.name, session.role, session=session.digest)
        address = self.origins.address(request)
        counted = counted_as(address)
        wait = self.failures.wait_seconds(counted)
        if wait:
            headers = {"Retry-After": str(wait)}
            detail = f"too many wrong keys from this address; wait {wait} s"
            raise Problem(429, "too-many-requests", detail, headers=headers)
        sent = _bearer(request)
        key = keys.parsed(sent)
        caller = None if key is None else await self._caller_by(key)
        if caller is None:
            self.failures.failed(counted)
            log.warning("access.refused", address=address, key_id=key.key_id if key else None)
            raise _unauthorized("the key is not valid: `leaseline user list` shows those that are")
        return caller

    async def session(self, request: web.Request) -> Session | None:
        """The login that the request's cookie is; None: there is none, or it is over."""
        token = token_of(request, secure=self.origins.is_secure(request))
        if token is None:
            return None
        at = now()
        found = await self.sessions.session(digest_of(token), at)
        if found is not None and at - found.seen_at >= SEEN_EVERY:
            # Reading goes on while the store takes no writes.
            with contextlib.suppress(StoreUnavailable):
                await self.sessions.seen(found.digest, at)
        return found

    async def still(self, caller: Caller) -> bool:
        """Whether the key or login by which `caller` came is still good: for answers that last."""
        if caller.session:
            at = now()
            found = await self.sessions.session(caller.session, at)
            if found is not None and at - found.seen_at >= SEEN_EVERY:
                await self.sessions.seen(found.digest, at)
            return found is not None and found.role == caller.role
        key = await self._store.key(caller.key_id)
        return key is not None and key.role == caller.role

    def _check_sender(self, request: web.Request) -> None:
        """A session is of use to our own pages only: Problem 403."""
        told = request.headers.get(FORM_HEADER, "")
        token = token_of(request, secure=self.origins.is_secure(request)) or ""
        forged = request.method not in SAFE_METHODS and not is_form_token(token, told)
        if forged or not self.origins.is_ours(request):
            detail = "a login is for the dashboard's own pages; programs use an API key"
            raise Problem(403, "other-origin", detail)

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
    if scheme.lower() == "basic" and request.path.endswith(FETCHED):
        # Google Ads fetches its file with a name and a password: the password is the key.
        with contextlib.suppress(ValueError, binascii.Error):
            return base64.b64decode(sent, validate=True).decode().partition(":")[2].strip()
    if scheme.lower() != "bearer" or not sent:
        raise _unauthorized(
            "send an API key: `Authorization: Bearer ll_…` (`leaseline user key NAME` makes one)"
        )
    return sent.strip()


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="leaseline"'})
