"""Telling people: each receiver has its own short queue and task, so that one that hangs delays nobody."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Final, NamedTuple

import aiosmtplib
import structlog

from pool.ids import new_id
from pool.instants import Instant
from router.alerts.notice import Notice, hook_of, mail_of
from router.config.alert import Alerts, AnyReceiver, HookReceiver, MailReceiver
from router.deliveries.client import Client, NoAnswer, NotReached, Request
from router.deliveries.sending import NotUsable, secret_of, shortened
from router.deliveries.webhook import signer

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 100
MAIL_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = (5.0, 60.0, 600.0)


class NotTold(Exception):
    """The receiver could not be told; the message says why."""


class Waiting(NamedTuple):
    """A notice on its way, with the id that all its attempts have."""

    notice: Notice
    notice_id: str
    at: Instant


class Desk:
    """One receiver: `put` never waits, `run` tells."""

    def __init__(
        self, table: AnyReceiver, settings: Callable[[], Alerts], now: Callable[[], Instant]
    ) -> None:
        self.table = table
        self.told = 0
        self.failures = 0
        self.dropped = 0
        self.trouble: str | None = None
        self._settings = settings
        self._now = now
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(MOST_WAITING)

    def put(self, notice: Notice) -> None:
        """Takes a notice; with too many waiting it is dropped, and the log has it."""
        at = self._now()
        try:
            self._queue.put_nowait(Waiting(notice, new_id(at), at))
        except asyncio.QueueFull:
            self.dropped += 1
            log.error("alert.dropped", receiver=self.table.name, cause=notice.cause, subject=notice.subject)

    async def run(self) -> None:
        """Tells for ever."""
        while True:
            waiting = await self._queue.get()
            for pause in (*AGAIN_SECONDS, None):
                try:
                    await self._tell(waiting)
                    self.told += 1
                    self.trouble = None
                    break
                except (NotTold, NotUsable) as error:
                    self.failures += 1
                    self.trouble = str(error)
                    log.error(
                        "alert.not_told",
                        receiver=self.table.name,
                        cause=waiting.notice.cause,
                        subject=waiting.notice.subject,
                        reason=str(error),
                        again_in_seconds=pause,
                    )
                if pause is not None:
                    await asyncio.sleep(pause)

    async def _tell(self, waiting: Waiting) -> None:
        if isinstance(self.table, MailReceiver):
            settings = self._settings()
            message = mail_of(
                waiting.notice,
                notice_id=waiting.notice_id,
                at=waiting.at,
                sender=settings.sender,
                to=self.table.to,
            )
            await _mail(settings, message)
        else:
            await _hook(self.table, waiting, self._now())


async def _mail(settings: Alerts, message: EmailMessage) -> None:
    if not settings.smtp_host:
        raise NotTold("[alerts] smtp_host is not set")
    password = None if settings.smtp_password is None else secret_of(settings.smtp_password, "smtp_password")
    try:
        async with asyncio.timeout(MAIL_SECONDS):
            refused, _ = await aiosmtplib.send(
                message,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username or None,
                password=password,
                use_tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls",
                timeout=MAIL_SECONDS / 2,
            )
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        raise NotTold(f"{settings.smtp_host}: {_reason(error)}") from error
    if refused:
        # The others have it: told again it would come to them twice.
        log.error("alert.refused_for", recipients=sorted(refused), host=settings.smtp_host)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {MAIL_SECONDS:g} s"
    return shortened(f"{type(error).__name__}: {error}")


async def _hook(table: HookReceiver, waiting: Waiting, now: Instant) -> None:
    url = table.url or secret_of(table.url_secret, "url_secret")
    body = json.dumps(hook_of(waiting.notice, at=waiting.at))
    headers: dict[str, Any] = {
        "Content-Type": "application/json",
        "webhook-id": waiting.notice_id,
        "webhook-timestamp": str(now // 1000),
    }
    if table.secret is not None:
        sign = signer(secret_of(table.secret, "secret")).sign
        at = datetime.fromtimestamp(now // 1000, UTC)
        headers["webhook-signature"] = sign(waiting.notice_id, at, body)
    client = Client(timeout_seconds=table.timeout_seconds, connections=1, keeps=False)
    try:
        answer = await client.send(Request(url, body.encode(), headers), now)
    except (NotReached, NoAnswer) as error:
        raise NotTold(str(error)) from error
    finally:
        await client.close()
    if not 200 <= answer.status < 300:
        raise NotTold(f"{answer.status} {shortened(answer.text)}".rstrip())
