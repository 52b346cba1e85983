"""The public listener with a real store and a real pool, without sockets of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from pool.database import Database, open_database
from pool.instants import now
from pool.service import Pool
from router.config.live import LiveConfig
from router.config.model import Config, Privacy
from router.geoip import NOWHERE, Place
from router.store.visits import MIGRATIONS, VisitStore
from router.web.addresses import RateLimit
from router.web.public import LISTENER, public_app
from tests.router.web.conforming import FOUND, conforming

ORIGIN = "https://plumber.example"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
MAIN = "+442079460000"
FIRST, SECOND, THIRD = "+442079460001", "+442079460002", "+442079460003"


def configuration(http: dict[str, Any] | None = None, **site: Any) -> Config:
    return Config.model_validate(
        {
            "http": {"demo": True, **(http or {})},
            "site": [
                {
                    "key": "plumber",
                    "name": "Kestrel Plumbing",
                    "main_number": MAIN,
                    "pool": "london",
                    "origins": [ORIGIN, "https://www.plumber.example"],
                    "channel": [{"name": "Google Ads", "source": ["google"], "medium": ["cpc"]}],
                    **site,
                },
                {
                    "key": "florist",
                    "name": "Florist",
                    "main_number": "+441134960000",
                    "origins": ["https://florist.example"],
                    "consent_required": True,
                },
            ],
        }
    )


@dataclass
class Web:
    """A listener under test."""

    client: TestClient[Any, Any]
    live: LiveConfig
    database: Database
    pool: Pool
    visits: VisitStore

    async def post(self, path: str, **options: Any) -> ClientResponse:
        headers = {"Origin": ORIGIN, "User-Agent": BROWSER} | options.pop("headers", {})
        kept = {name: value for name, value in headers.items() if value is not None}
        return await self.client.post(path, headers=kept, skip_auto_headers=["User-Agent"], **options)

    async def lease(self, headers: dict[str, Any] | None = None, **body: Any) -> Any:
        body = {"site": "plumber", "url": f"{ORIGIN}/", "referrer": "", "title": "Plumber"} | body
        answer = await self.post("/v1/leases", json=body, headers=headers or {})
        assert answer.status == 200, await answer.text()
        return await answer.json()


WebMaker = Callable[..., Awaitable[Web]]


@pytest.fixture(autouse=True)
def nothing_differs() -> Iterator[None]:
    """Whatever a listener under test takes and answers is as its own description tells."""
    FOUND.clear()
    yield
    assert FOUND == []


@pytest.fixture
async def make_web(tmp_path: Path) -> AsyncIterator[WebMaker]:
    """Makes a listener of a configuration; the pool has three numbers."""
    clients: list[TestClient[Any, Any]] = []
    databases: list[Database] = []

    async def make(
        http: dict[str, Any] | None = None,
        *,
        place_of: Callable[[str], Place] = lambda _: NOWHERE,
        privacy: dict[str, Any] | None = None,
        **site: Any,
    ) -> Web:
        config = configuration(http, **site)
        config = config.model_copy(update={"privacy": Privacy.model_validate(privacy or {})})
        live = LiveConfig(tmp_path / "config.toml", config)
        database = await open_database(f"sqlite:///{tmp_path / 'leaseline.db'}")
        databases.append(database)
        pool = Pool(database)
        await pool.open()
        await database.migrate("router", MIGRATIONS)
        rows = "".join(f"{number},london\n" for number in (FIRST, SECOND, THIRD))
        numbers = tmp_path / "numbers.csv"
        numbers.write_text(f"number,pool\n{rows}", encoding="utf-8")
        await pool.import_csv(numbers, now(), default_country=None)
        application = conforming(public_app(live, pool, database, place_of), LISTENER)
        client = TestClient(TestServer(application))
        clients.append(client)
        await client.start_server()
        return Web(client, live, database, pool, VisitStore(database))

    yield make
    for client in clients:
        await client.close()
    for database in databases:
        await database.close()


@pytest.fixture
async def web(make_web: WebMaker) -> Web:
    return await make_web()


@pytest.fixture
def standing_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing flows back into the limits, however long the test takes."""
    defaults = RateLimit.__init__.__kwdefaults__
    assert "clock" in defaults
    monkeypatch.setitem(defaults, "clock", lambda: 0.0)
