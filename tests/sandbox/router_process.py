"""A real router as its own process, for tests that call through it, stop it, and kill it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from instance import Instance
from ports import free_tcp_port

from tests.strictly import check_cdr

HOST = "127.0.0.1"
MAIN_NUMBER = "+442079460000"
NUMBERS = [f"+4420794602{digits:02d}" for digits in range(30)]
STATIC_NUMBER = "+441134960200"
ORIGIN = "https://shop.example"
Found = TypeVar("Found")


def wait_for(what: str, probe: Callable[[], Found | None], seconds: float = 30) -> Found:
    """The first thing `probe` finds that is not None; an AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


CONFIG = """\
[node]
switch = "sandbox"
log_format = "json"
log_level = "debug"
[storage]
url = "sqlite:///store/leaseline.db"
[fastagi]
port = {agi_port}
answer_seconds = {answer_seconds}
stall_seconds = 10
[ami]
port = {ami_port}
witness = "{witness}"
[http]
public_port = {public_port}
admin_port = {admin_port}
leases_per_minute = 10000
demo = true
[journal]
path = "{journal}"
[cdr]
path = "cdr.ndjson"
[recordings]
folder = "{recordings}"
[asterisk]
country = "GB"
agi_seconds = {agi_seconds}
fallback = ["PJSIP/agent3"]

[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
record = "mono"
[[site.channel]]
name = "Google Ads"
source = ["google"]
medium = ["cpc"]
[[site.step]]
targets = ["PJSIP/agent1"]
ring_seconds = 8
[[site.step]]
targets = ["PJSIP/agent2"]
ring_seconds = 3
"""


class RouterProcess:
    """`leaseline serve` in a folder of its own, on the ports that the sandbox was told."""

    def __init__(
        self,
        folder: Path,
        *,
        agi_port: int,
        ami_port: int,
        journal: Path,
        recordings: Path,
        environment: dict[str, str],
        witness: str = "auto",
        agi_seconds: float = 1.5,
    ) -> None:
        self.folder = folder
        (folder / "store").mkdir()
        self.agi_port = agi_port
        self.public_port = free_tcp_port()
        self.admin_port = free_tcp_port()
        self.config = folder / "config.toml"
        self.config.write_text(
            CONFIG.format(
                agi_port=agi_port,
                agi_seconds=agi_seconds,
                answer_seconds=agi_seconds - 1,
                ami_port=ami_port,
                public_port=self.public_port,
                admin_port=self.admin_port,
                journal=journal,
                recordings=recordings,
                witness=witness,
            ),
            encoding="utf-8",
        )
        self.environment = {**os.environ, **environment, "LEASELINE_CONFIG": str(self.config)}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "router.log"

    @classmethod
    def beside(
        cls, sandbox: Instance, folder: Path, *, witness: str = "auto", journal: Path | None = None
    ) -> "RouterProcess":
        """The router that a sandbox expects, with a journal that begins now (or another journal)."""
        for file in sandbox.journal_path.parent.glob(f"{sandbox.journal_path.name}*"):
            file.unlink()
        return cls(
            folder,
            agi_port=sandbox.agi_port,
            agi_seconds=sandbox.agi_seconds,
            ami_port=sandbox.ami_port,
            journal=journal or sandbox.journal_path,
            witness=witness,
            recordings=sandbox.recordings,
            environment={
                "LEASELINE_AMI_SECRET": sandbox.ami_secret,
                "LEASELINE_AMI_DB_SECRET": sandbox.astdb_secret,
            },
        )

    def command(self, *arguments: str, checked: bool = True) -> str:
        """The output of `leaseline ARGUMENTS`, which must succeed if that is `checked`."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("leaseline")), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not checked or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def import_numbers(self) -> None:
        rows = "".join(f"{number},dynamic,,,\n" for number in NUMBERS)
        path = self.folder / "numbers.csv"
        header = "number,kind,pool,site,channel\n"
        path.write_text(f"{header}{rows}{STATIC_NUMBER},static,,shop,Google Ads\n", encoding="utf-8")
        self.command("numbers", "import", str(path))

    def start(self, *, ready: bool = True) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).with_name("leaseline")), "serve"],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if ready:
            wait_for("the router", self._ready, 60)

    def _ready(self) -> bool | None:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            self.get("/readyz")
        except OSError:
            return None
        return True

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, closed or said."""
        self.signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """Stop the process, however it stands."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{HOST}:{self.admin_port}{path}", timeout=15) as answer:
            return answer.read()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"http://{HOST}:{self.public_port}{path}",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Origin": ORIGIN,
                "User-Agent": "Mozilla/5.0 Firefox/130.0",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def status(self, path: str) -> int | None:
        """The HTTP status of a visitor's request to the public listener; None while nobody listens."""
        try:
            self.post(path, {"site": "shop", "url": ORIGIN, "referrer": "", "title": ""})
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None
        return 200

    @property
    def log_text(self) -> str:
        """What the router has logged until now."""
        return self.log.read_text(encoding="utf-8")

    def visit(self, **wish: Any) -> dict[str, Any]:
        """A visitor from Google Ads is shown a number: the lease as the widget gets it."""
        url = f"{ORIGIN}/?utm_source=google&utm_medium=cpc&utm_campaign=spring"
        lease: dict[str, Any] = self.post(
            "/v1/leases", {"site": "shop", "url": url, "referrer": "", "title": "Shop", **wish}
        )
        assert lease["lease_id"], lease
        self.post(f"/v1/leases/{lease['lease_id']}/seen", {"shown": True})
        return lease

    @property
    def cdrs(self) -> list[dict[str, Any]]:
        """Every whole line of cdr.ndjson."""
        path = self.folder / "cdr.ndjson"
        if not path.exists():
            return []
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        for record in found:
            check_cdr(record)
        return found

    def wait_for_cdrs(self, count: int, seconds: float = 45) -> list[dict[str, Any]]:
        """All CDRs once there are `count`; more than that is a failure."""
        found = wait_for(f"CDR {count}", lambda: self.cdrs if len(self.cdrs) >= count else None, seconds)
        assert len(found) == count, found
        return found
