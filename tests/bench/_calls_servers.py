"""What answers the dialplan in tests/bench/calls.py: a real `leaseline serve`, a bare panoramisk server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from instance import Instance
from ports import free_tcp_port

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
ORIGIN = "https://{site}.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
CONFIG = """\
[node]
switch = "bench"
log_format = "json"
[storage]
url = "sqlite:///leaseline.db"
[fastagi]
port = {agi_port}
[ami]
port = {ami_port}
[http]
public_port = {public_port}
admin_port = {admin_port}
leases_per_minute = 100000
[journal]
path = "{journal}"
[cdr]
path = "cdr.ndjson"
[recordings]
folder = "{recordings}"
[asterisk]
country = "GB"
fallback = ["PJSIP/agent1"]
"""
SITE = """
[[site]]
key = "{key}"
name = "{key}"
main_number = "{main_number}"
origins = ["https://{key}.example"]
record = "{record}"
[[site.channel]]
name = "Google Ads"
source = ["google"]
medium = ["cpc"]
[[site.step]]
targets = ["PJSIP/agent1"]
ring_seconds = 20
"""
SITES = {"plain": ("off", "+442079460000"), "recorded": ("mono", "+442079460001")}
"""Recording and main number of the two sites; the second is for calls with audio."""


class Router:
    """`leaseline serve` with a store, numbers and visitors of its own; `stop` and `start` keep them."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._public_port, self._admin_port = free_tcp_port(), free_tcp_port()
        config = CONFIG.format(
            agi_port=instance.agi_port,
            ami_port=instance.ami_port,
            public_port=self._public_port,
            admin_port=self._admin_port,
            journal=instance.journal_path,
            recordings=instance.recordings,
        )
        for key, (record, main_number) in SITES.items():
            config += SITE.format(key=key, record=record, main_number=main_number)
        (folder / "config.toml").write_text(config, encoding="utf-8")
        self._environment = {
            **os.environ,
            "LEASELINE_CONFIG": str(folder / "config.toml"),
            "LEASELINE_AMI_SECRET": instance.ami_secret,
            "LEASELINE_AMI_DB_SECRET": instance.astdb_secret,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process else None

    def import_numbers(self, numbers: list[str]) -> None:
        """Put dynamic numbers into the pool."""
        path = self._folder / "numbers.csv"
        path.write_text("number\n" + "".join(f"{number}\n" for number in numbers), encoding="ascii")
        done = subprocess.run(
            [_program(), "numbers", "import", str(path)],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(f"numbers import: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it, if it does not run, and wait until it is ready."""
        if self._process is not None:
            return
        with (self._folder / "router.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program(), "serve"], env=self._environment, cwd=self._folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://{HOST}:{self._admin_port}/readyz", timeout=2):
                    return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise OSError(f"the router is not ready ({error}): {self.log[-1000:]}") from error
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, if it runs."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self._folder / "router.log").read_text(encoding="utf-8", errors="replace")

    @property
    def records(self) -> int:
        """CDRs written until now."""
        path = self._folder / "cdr.ndjson"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for_records(self, count: int, seconds: float = 15) -> int:
        """How many CDRs there are once there are `count` of them or the time is over."""
        deadline = time.monotonic() + seconds
        while (found := self.records) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def lease(self, site: str, count: int) -> list[str]:
        """Numbers shown to `count` visitors of a site who came from an advertisement."""
        origin = ORIGIN.format(site=site)
        return [self._visit(site, origin, visitor) for visitor in range(count)]

    def _visit(self, site: str, origin: str, visitor: int) -> str:
        url = f"{origin}/?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=bench{visitor}"
        wish = {"site": site, "url": url, "referrer": "", "title": "Bench"}
        lease = self._post("/v1/leases", origin, wish)
        if not lease["lease_id"]:
            raise OSError(f"a visitor of {site} was shown no number: {lease}")
        self._post(f"/v1/leases/{lease['lease_id']}/seen", origin, {"shown": True})
        return str(lease["numbers"][0]["number"])

    def _post(self, path: str, origin: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Origin": origin, "User-Agent": AGENT}
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{HOST}:{self._public_port}{path}", data=data, headers=headers
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or b"null")


class Panoramisk:
    """The bare server of tests/bench/fastagi.py: one constant answer, no store."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fastagi.py"), "--serve", "panoramisk uvloop"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or 0)
        self.pid = self._process.pid

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _program() -> str:
    return str(Path(sys.executable).with_name("leaseline"))
