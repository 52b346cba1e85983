"""One bounded HTTP request: a deadline, no redirects, no cookies, and an answer of which little is read."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

import aiohttp

from pool.instants import Instant

ANSWER_CAP: Final = 64 * 1024
"""Bytes of an answer that are read; the connection is closed on the rest."""
BODY_CAP: Final = 16 * 1024 * 1024


class Answer(NamedTuple):
    """What the far side said. `after_ms`: how long it asked to be left alone (Retry-After)."""

    status: int
    text: str
    after_ms: int


class NotReached(Exception):
    """No request was sent: no address, no connection, no TLS."""


class NoAnswer(Exception):
    """The request was sent, or part of it, and no answer came: it may have been taken."""


@dataclass(frozen=True, slots=True)
class Request:
    """A POST, unless `method` says otherwise."""

    url: str
    body: bytes | aiohttp.FormData | None
    headers: Mapping[str, str]
    method: str = "POST"


class Client:
    """One destination's connections: what floods or hangs takes none of another's."""

    def __init__(self, *, timeout_seconds: float, connections: int, keeps: bool) -> None:
        """`keeps`: connections are used again. One that the far side closes at the moment of its use leaves
        open whether the request arrived: where doubles cannot be told, each request has its own.
        """
        self._timeout = timeout_seconds
        self._connections = connections
        self._keeps = keeps
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, now: Instant) -> Answer:
        """The answer. Raises NotReached and NoAnswer."""
        session = self._opened()
        sent = _Sent()
        try:
            async with (
                asyncio.timeout(self._timeout),
                session.request(
                    request.method,
                    request.url,
                    data=request.body,
                    headers=request.headers,
                    allow_redirects=False,
                    trace_request_ctx=sent,
                ) as response,
            ):
                text = await _beginning(response)
                if not response.content.at_eof():
                    response.close()
                return Answer(response.status, text, _asked_ms(response.headers.get("Retry-After"), now))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = _reason(error, self._timeout)
            raise NoAnswer(reason) if sent.begun else NotReached(reason) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_begun)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, force_close=not self._keeps),
                cookie_jar=aiohttp.DummyCookieJar(),
                # What is decompressed could be of any size.
                auto_decompress=False,
                headers={"User-Agent": "leaseline", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trace_configs=[trace],
            )
        return self._session

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


class _Sent:
    """Whether anything of a request left for the far side."""

    begun = False


async def _begun(_session: object, context: Any, _parameters: object) -> None:
    context.trace_request_ctx.begun = True


async def _beginning(response: aiohttp.ClientResponse) -> str:
    chunks, left = [], ANSWER_CAP
    while left > 0:
        chunk = await response.content.read(min(left, 16_384))
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks).decode("utf-8", "replace")


def _asked_ms(retry_after: str | None, now: Instant) -> int:
    """Milliseconds of a Retry-After header: seconds or a date (RFC 9110, 10.2.3); 0 for none or nonsense."""
    if not retry_after:
        return 0
    if retry_after.isascii() and retry_after.isdigit():
        return int(retry_after[:9]) * 1000
    try:
        return max(0, round(parsedate_to_datetime(retry_after).timestamp() * 1000) - now)
    except (ValueError, TypeError, OverflowError):
        return 0


def _reason(error: BaseException, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {timeout:g} s"
    return f"{type(error).__name__}: {error}"[:200]
