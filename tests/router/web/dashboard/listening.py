"""A real admin listener on a port, with a store full of invented traffic and a user of each role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp.test_utils import TestServer

from pool.database import Database, open_database
from pool.instants import now
from pool.service import Pool
from router.cdr.live import LiveCall
from router.cdr.outcome import Recording
from router.config.live import LiveConfig
from router.live import LiveView
from router.store.users import UserStore
from router.store.visits import MIGRATIONS
from router.users.passwords import hashed
from router.users.roles import Role
from router.web.admin import Parts, Readiness, admin_app
from tests.router.recordings.sounds import tone
from tests.router.web.dashboard.traffic import DAY, Traffic, configuration

PASSWORD = "correct horse battery"
_HASHED = hashed(PASSWORD)
RECORDING = Recording("/var/spool/asterisk/monitor/a.wav", 12.0, 1, 192_044)


@dataclass
class Listening:
    """The listener and what stands behind it."""

    server: TestServer
    database: Database
    pool: Pool
    traffic: Traffic
    folder: Path
    view: LiveView
    live_calls: list[LiveCall] = field(default_factory=list)
    recorded: str = ""
    """The id of a call with a recording."""

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))


@asynccontextmanager
async def listening(
    folder: Path,
    *,
    days: int = 0,
    visits_per_day: int = 60,
    port: int | None = None,
    ami_ready: bool = False,
    **http: object,
) -> AsyncIterator[Listening]:
    """Serves while entered; `days` of traffic come first, up to the present minute."""
    recordings = folder / "recordings"
    recordings.mkdir()
    database = await open_database(f"sqlite:///{folder}/leaseline.db")
    pool = Pool(database)
    await pool.open()
    await database.migrate("router", MIGRATIONS)
    for role in Role:
        await UserStore(database).add(role.value, role, _HASHED, now())
    live_calls: list[LiveCall] = []

    async def channel_of(call: LiveCall) -> str | None:
        return "Google Ads" if call.number else None

    view = LiveView(
        "pbx",
        lambda: list(live_calls),
        caught_up=lambda: True,
        channel_of=channel_of,
        hold_of=lambda _: None,
        now=now,
    )
    traffic = Traffic(database, pool)
    at = now() // 60_000 * 60_000
    await traffic.numbers(folder, at - (days + 1) * DAY)
    await traffic.days(at, days, visits_per_day)
    tone(recordings / "a.wav", 12.0)
    recorded = await traffic.recorded(at - 600_000, RECORDING)
    live = LiveConfig(folder / "config.toml", configuration(recordings, **http))
    checks = {
        "store": lambda: Readiness(True, "sqlite"),
        "journal": lambda: Readiness(True, "following, 0.0 s late"),
        "ami": lambda: Readiness(ami_ready, "connected" if ami_ready else "connection refused"),
    }
    application = admin_app(checks, [list], Parts(live, database, pool, view))
    server = TestServer(application, port=port)
    await server.start_server()
    try:
        yield Listening(server, database, pool, traffic, recordings, view, live_calls, recorded)
    finally:
        await server.close()
        await database.close()
