"""The admin listener with a real store, real files, and a table of live calls to be told what to say."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from pool.database import Database, open_database
from pool.instants import now, to_iso
from pool.service import Pool
from router.cdr.live import LiveCall
from router.config.live import LiveConfig
from router.config.model import Config
from router.live import LiveView
from router.store.calls import CallBatch, CallStore, JournalMark, NewDelivery
from router.store.recordings import Recording, RecordingStore
from router.store.users import UserStore
from router.store.visits import MIGRATIONS
from router.users.keys import ApiKey, new_key
from router.users.roles import Role
from router.web.admin import LISTENER, Parts, Readiness, admin_app
from tests.router.cdr.stored import row
from tests.router.web.conforming import conforming

ATTRIBUTION = {
    "channel": "Google Ads", "source": "google", "medium": "cpc", "campaign": "=spring", "term": None,
    "content": None, "referrer": None, "landing_page": None, "page_called_from": None, "visit_id": None,
    "visitor_id": None, "click_ids": {}, "ga": {"client_id": None, "session_id": None},
    "metrica_client_id": None, "region": None, "city": None, "ip": None, "browser": None, "os": None,
    "device": None, "visit_count": None,
    "first": {"source": None, "medium": None, "campaign": None, "at": None},
}  # fmt: skip
RECORD = {
    "answered_at": None, "switch": "pbx", "extension": None, "answered_by": None, "hung_up_by": "caller",
    "ring_seconds": 20.0, "talk_seconds": 0.0, "legs": [], "transfers": [], "qualified": False,
    "first_call": True, "confidence": 1.0, "candidates": [], "attribution": ATTRIBUTION,
    "route": {"decided_in_ms": 0.4, "by": "router", "late": False}, "repaired": None,
}  # fmt: skip


@dataclass
class Admin:
    """A listener under test."""

    client: TestClient[Any, Any]
    database: Database
    folder: Path
    keys: dict[Role, ApiKey]
    view: LiveView | None
    live_calls: list[LiveCall]
    live: LiveConfig
    caught_up: list[bool] = field(default_factory=lambda: [True])
    _numbers: int = 0

    async def get(self, path: str, role: Role | None = Role.VIEWER, **options: Any) -> ClientResponse:
        headers = options.pop("headers", {})
        if role is not None:
            headers = {"Authorization": f"Bearer {self.keys[role].text}", **headers}
        return await self.client.request(options.pop("method", "GET"), path, headers=headers, **options)

    async def json(self, path: str, role: Role = Role.VIEWER) -> Any:
        answer = await self.get(path, role)
        assert answer.status == 200, await answer.text()
        return await answer.json()

    async def call(self, path: str | None = None, *, told: tuple[str, ...] = (), **columns: Any) -> str:
        """Stores a call, with the recording at `path` of the PBX and due to be `told`; gives its id."""
        self._numbers += 1
        stored = row(self._numbers) | columns
        recording = {"path": path, "seconds": 3.0, "channels": 1, "bytes": 48_044} if path else None
        record = RECORD | {
            "id": stored["call_id"],
            "linkedid": stored["linkedid"],
            "site": stored["site"],
            "number": stored["number"],
            "caller": {"number": stored["caller"], "name": None, "region": None},
            "started_at": to_iso(stored["started_at"]),
            "ended_at": to_iso(stored["ended_at"]),
            "result": stored["result"],
            "match": stored["match"],
            "recording": recording,
        }
        stored["record"] = json.dumps(record)
        deliveries = [NewDelivery(stored["call_id"], name) for name in told]
        await CallStore(self.database).write(
            CallBatch("pbx", [stored], deliveries, JournalMark("f", "p", 1, now()), now())
        )
        return str(stored["call_id"])

    async def recorded(self, call_id: str, **columns: Any) -> None:
        """Lays down the row of a call's recording."""
        found = Recording(call_id, "x", "a.wav", "due", "wav", 3.0, 1, 48_044, 0)
        recordings = RecordingStore(self.database)
        place = await recordings.place("pbx")
        await recordings.add("pbx", [found], place, 0)
        await recordings.change(found._replace(**columns))


async def _admin(tmp_path: Path, *, with_view: bool) -> tuple[Admin, Database]:
    folder = tmp_path / "recordings"
    folder.mkdir()
    config = Config.model_validate({"recordings": {"folder": str(folder)}})
    database = await open_database(f"sqlite:///{tmp_path}/leaseline.db")
    pool = Pool(database)
    await pool.open()
    await database.migrate("router", MIGRATIONS)
    keys = {}
    for role in Role:
        await UserStore(database).add(role.value, role, "no password", now())
        keys[role] = new_key()
        await UserStore(database).add_key(role.value, keys[role], "", now())
    live_calls: list[LiveCall] = []
    caught_up = [True]

    async def channel_of(call: LiveCall) -> str | None:
        return "Google Ads" if call.number else None

    view = LiveView(
        "pbx",
        lambda: list(live_calls),
        caught_up=lambda: caught_up[0],
        channel_of=channel_of,
        hold_of=lambda call: None,
        now=now,
    )
    parts = Parts(LiveConfig(tmp_path / "config.toml", config), database, pool, view if with_view else None)
    application = admin_app({"store": lambda: Readiness(True, "sqlite")}, [list], parts)
    client = TestClient(TestServer(conforming(application, LISTENER)))
    await client.start_server()
    made = Admin(client, database, folder, keys, parts.view, live_calls, parts.live, caught_up)
    return made, database


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    made, database = await _admin(tmp_path, with_view=True)
    yield made
    await made.client.close()
    await database.close()


@pytest.fixture
async def web_only(tmp_path: Path) -> AsyncIterator[Admin]:
    """A process with the web role alone."""
    made, database = await _admin(tmp_path, with_view=False)
    yield made
    await made.client.close()
    await database.close()
