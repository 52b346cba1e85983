"""Access tokens of Google: by a user's refresh token, or by a service account's key."""

import base64
import importlib
import json
import re
from typing import Any, Final
from urllib.parse import urlencode

from pool.instants import SECOND, Instant
from router.config.delivery import GoogleAds
from router.deliveries.client import Client, NoAnswer, NotReached, Request
from router.deliveries.sending import NotUsable, secret_of, shortened

SCOPE: Final = "https://www.googleapis.com/auth/datamanager"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
EARLY_MS: Final = 60 * SECOND
TOKEN: Final = re.compile(r"[!-~]{1,4096}\Z")
LONGEST_SECONDS: Final = 3_600.0


class NoToken(Exception):
    """No access token could be had; the message says why. `after_ms`: how long Google asked to wait."""

    def __init__(self, reason: str, after_ms: int = 0) -> None:
        super().__init__(reason)
        self.after_ms = after_ms


class GoogleToken:
    """Keeps a token until shortly before its end."""

    def __init__(self, table: GoogleAds, client: Client) -> None:
        """Raises NotUsable when a secret is missing or the key cannot be used."""
        self._client = client
        self._url = table.token_url
        self._token = ""
        self._until = 0
        self._asked_at = 0
        self._refreshing: dict[str, str] | None = None
        self._service: _ServiceAccount | None = None
        if table.service_account is not None:
            self._service = _ServiceAccount(secret_of(table.service_account, "service_account"))
        else:
            self._refreshing = {
                "grant_type": "refresh_token",
                "client_id": table.client_id,
                "client_secret": secret_of(table.client_secret, "client_secret"),
                "refresh_token": secret_of(table.refresh_token, "refresh_token"),
            }

    def drop(self) -> None:
        """The token was refused."""
        self._token = ""

    async def get(self, now: Instant) -> str:
        """A token that is good now. Raises NoToken."""
        # A clock that was set back would make an old token look young.
        if self._token and self._asked_at <= now < self._until:
            return self._token
        form = self._refreshing or {"grant_type": GRANT, "assertion": self._assertion(now)}
        try:
            answer = await self._client.send(Request(self._url, urlencode(form).encode(), FORM), now)
        except (NotReached, NoAnswer) as error:
            raise NoToken(f"token: {error}") from error
        try:
            found: Any = json.loads(answer.text)
            token, seconds = found["access_token"], float(found.get("expires_in", 0))
            usable = answer.status == 200 and isinstance(token, str) and bool(TOKEN.match(token))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            usable = False
        if not usable:
            # An answer that was not understood could hold the token itself.
            told = shortened(answer.text) if answer.status != 200 else "without a token"
            raise NoToken(f"token: {answer.status} {told}", answer.after_ms)
        self._token, self._asked_at = token, now
        self._until = now + round(min(max(0.0, seconds), LONGEST_SECONDS) * SECOND) - EARLY_MS
        return str(token)

    def _assertion(self, now: Instant) -> str:
        assert self._service is not None  # noqa: S101 - one of the two ways is configured
        return self._service.assertion(self._url, now)


class _ServiceAccount:
    def __init__(self, text: str) -> None:
        try:
            serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
        except ImportError as error:
            raise NotUsable(
                "service_account needs the package cryptography: pip install leaseline[google]"
            ) from error
        try:
            found = json.loads(text)
            self._email, self._key_id = str(found["client_email"]), str(found.get("private_key_id", ""))
            self._key: Any = serialization.load_pem_private_key(found["private_key"].encode(), None)
            self._key.key_size  # noqa: B018 - only RSA keys can sign RS256
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotUsable("service_account: is not the JSON key file of a service account") from error

    def assertion(self, audience: str, now: Instant) -> str:
        """A signed JWT (RFC 7523) for the token endpoint."""
        padding = importlib.import_module("cryptography.hazmat.primitives.asymmetric.padding")
        hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
        at = now // 1000
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        claims = {"iss": self._email, "scope": SCOPE, "aud": audience, "iat": at, "exp": at + 3600}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
