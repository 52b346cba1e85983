"""Alerts on a store of each kind, a mail server and a far side for webhooks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from pool.database import Database
from router.alerts import receivers, service
from router.alerts.service import Alerts
from router.config.live import LiveConfig
from router.config.model import Config
from tests.ports import free_ports
from tests.router.deliveries.conftest import Clock, far
from tests.router.store.conftest import database, postgresql_server, store_url

__all__ = ["database", "far", "postgresql_server", "store_url"]


class Post:
    """A mail server's handler: keeps what it takes, or answers as told."""

    def __init__(self) -> None:
        self.mails: list[tuple[Envelope, Message]] = []
        self.answer = "250 taken"
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append((envelope, message_from_bytes(envelope.content, policy=default)))
        return self.answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> Any:
        self.logins.append((data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"leaseline", b"hush"))

    async def until(self, count: int) -> list[tuple[Envelope, Message]]:
        async with asyncio.timeout(60):
            while len(self.mails) < count:
                await asyncio.sleep(0.01)
        return self.mails


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    handler = Post()
    [port] = free_ports(1)
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=handler.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield handler, port
    controller.stop()


class Bell:
    """Alerts as a process has them; several share the store."""

    def __init__(self, folder: Any, database: Database) -> None:
        self.live = LiveConfig(folder / "config.toml", Config())
        self.database = database
        self.clock = Clock()
        self.paths = {
            "journal": {"path": str(folder / "journal.csv")},
            "cdr": {"path": str(folder / "cdr.ndjson")},
            "recordings": {"folder": str(folder)},
            "storage": {"url": f"sqlite:///{folder}/leaseline.db"},
        }

    def configure(self, *receivers: dict[str, Any], **settings: Any) -> None:
        sites = [
            {"key": key, "name": key, "main_number": "+442079460000", "origins": ["https://a.example"]}
            for key in ("shop", "other")
        ]
        config = {"alerts": settings, "alert": list(receivers), "site": sites}
        self.live.current = Config.model_validate(config | self.paths)

    @asynccontextmanager
    async def ringing(self) -> AsyncIterator[Alerts]:
        alerts = Alerts(self.live, self.database, now=self.clock)
        running = asyncio.create_task(alerts.run())
        try:
            yield alerts
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@pytest.fixture
def bell(tmp_path: Any, database: Database, monkeypatch: pytest.MonkeyPatch) -> Bell:
    monkeypatch.setattr(receivers, "AGAIN_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(service, "DIGEST_SECONDS", 0.1)
    return Bell(tmp_path, database)


async def settled(wanted: Callable[[], bool]) -> None:
    """Returns once it is as wanted."""
    async with asyncio.timeout(60):
        while not wanted():
            await asyncio.sleep(0.01)
