"""A router in a process of its own, with a store that has something of everything."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pool.database import open_database
from pool.instants import now, to_iso
from pool.service import Pool
from router.store.calls import CallBatch, CallStore, JournalMark, NewDelivery
from router.store.deliveries import DeliveryStore
from router.store.users import UserStore
from router.store.visits import MIGRATIONS
from router.users.keys import new_key
from router.users.roles import Role
from tests.ports import free_ports
from tests.router.cdr.stored import row
from tests.router.recordings.sounds import tone
from tests.router.web.admin.conftest import RECORD

HOST = "127.0.0.1"
HERE = Path(__file__).resolve().parent
CALLS = 12
NUMBERS = [f"+44207946{digits:04d}" for digits in range(100, 140)]
CONFIG = """\
[node]
switch = "pbx"
log_format = "json"
[storage]
url = "sqlite:///leaseline.db"
[fastagi]
port = {agi}
[ami]
enabled = false
[http]
public_port = {public}
admin_port = {admin}
trusted_proxies = ["127.0.0.1/32"]
leases_per_minute = 100000
demo = true
[journal]
path = "journal.csv"
[cdr]
path = "cdr.ndjson"
[recordings]
folder = "recordings"
[asterisk]
country = "GB"
[[site]]
key = "plumber"
name = "Kestrel Plumbing"
main_number = "+442079460000"
origins = ["https://plumber.example"]
[[site.channel]]
name = "Google Ads"
source = ["google"]
medium = ["cpc"]
[[site]]
key = "florist"
name = "Florist"
main_number = "+441134960000"
origins = ["https://florist.example"]
consent_required = true
[[delivery]]
name = "crm"
kind = "webhook"
url = "http://127.0.0.1:{nobody}/"
[[delivery]]
name = "ads-file"
kind = "google_ads_csv"
conversion_name = "Phone call"
[[delivery]]
name = "old"
kind = "webhook"
url = "http://127.0.0.1:{nobody}/"
"""


@dataclass
class Known:
    """What the store has: schemathesis is told, so that it does not only meet 404."""

    key: str
    calls: list[str]
    leases: list[str]
    visitors: list[str]


class Stage:
    """The router in `folder`; a context manager."""

    def __init__(self, folder: Path, *, program: Path | None = None) -> None:
        """`program`: the `leaseline` to run, by default that of this environment."""
        self.folder = folder
        self._program = program or Path(sys.executable).with_name("leaseline")
        self.ports = dict(zip(("agi", "public", "admin", "nobody"), free_ports(4), strict=True))
        (folder / "recordings").mkdir()
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(**self.ports), encoding="utf-8")
        self.log = folder / "router.log"
        self.known = Known("", [], [], [])

    def __enter__(self) -> "Stage":
        self.known.key, self.known.calls = asyncio.run(self._filled())
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._program), "--config", str(self.config), "serve"],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
            for number in range(5):
                leased = self._post(
                    "/v1/leases", {"site": "plumber", "url": f"https://plumber.example/{number}"}
                )
                self.known.leases.append(leased["lease_id"])
                self.known.visitors.append(leased["visitor_id"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What the router has logged as its own mistakes."""
        lines = [
            json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line[:1] == "{"
        ]
        return [line for line in lines if line.get("level") in {"error", "critical"}]

    def url(self, listener: str) -> str:
        return f"http://{HOST}:{self.ports[listener]}"

    async def _filled(self) -> tuple[str, list[str]]:
        """Numbers, an administrator's key, and calls; gives the key and the calls' ids."""
        database = await open_database(f"sqlite:///{self.folder / 'leaseline.db'}")
        try:
            pool = Pool(database)
            await pool.open()
            await database.migrate("router", MIGRATIONS)
            numbers = self.folder / "numbers.csv"
            numbers.write_text("number\n" + "\n".join(NUMBERS) + "\n", encoding="utf-8")
            await pool.import_csv(numbers, now(), default_country=None)
            users, key = UserStore(database), new_key()
            await users.add("fuzzer", Role.ADMIN, "no password", now())
            await users.add_key("fuzzer", key, "", now())
            rows = [self._call(number) for number in range(CALLS)]
            told = [NewDelivery(stored["call_id"], "crm") for stored in rows[::3]]
            await DeliveryStore(database).disable("old", "410 Gone", now())
            mark = JournalMark("f", "p", 1, now())
            await CallStore(database).write(CallBatch("pbx", rows, told, mark, now()))
        finally:
            await database.close()
        return key.text, [stored["call_id"] for stored in rows]

    def _call(self, number: int) -> dict[str, Any]:
        stored = row(number, site="plumber", channel="Google Ads", source="google")
        recording = None
        if number % 2:
            name = f"{stored['linkedid']}.wav"
            tone(self.folder / "recordings" / name, 1)
            recording = {
                "path": f"/var/spool/asterisk/{name}",
                "seconds": 1.0,
                "channels": 1,
                "bytes": 16_044,
            }
        record = RECORD | {
            "id": stored["call_id"],
            "linkedid": stored["linkedid"],
            "site": stored["site"],
            "number": stored["number"],
            "caller": {"number": stored["caller"], "name": "=cmd|' /C calc'!A0", "region": None},
            "started_at": to_iso(stored["started_at"]),
            "ended_at": to_iso(stored["ended_at"]),
            "result": stored["result"],
            "match": stored["match"],
            "recording": recording,
        }
        return stored | {"record": json.dumps(record)}

    def _wait(self) -> None:
        deadline = time.monotonic() + 90
        while True:
            assert self._process.poll() is None, self.log.read_text(encoding="utf-8")
            try:
                for listener, path in (("admin", "/readyz"), ("public", "/healthz")):
                    urllib.request.urlopen(self.url(listener) + path, timeout=15).close()
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text(encoding="utf-8")
                time.sleep(0.05)
            else:
                return

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"}
        request = urllib.request.Request(self.url("public") + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
