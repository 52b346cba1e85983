"""The demo: a visitor from a Google Ads link leases a number, a real call to it becomes an attributed CDR.

Run by `make demo`; needs the standard library, `.venv/bin/leaseline` and the sandbox beside this file.
Progress goes to standard error, the CDR to standard output as one JSON line. `--once` ends after it (exit
code 0, or 1 on any failure); without it everything stays up until Ctrl-C.
"""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SANDBOX = HERE / "sandbox"
LEASELINE = ROOT / ".venv" / "bin" / "leaseline"
HOST = "127.0.0.1"
CALLER = "+447700900123"
USER = "demo"
# A range that Ofcom reserves for drama: no call in the demo can ever reach a real person.
NUMBERS = [f"+4420794601{digits:02d}" for digits in range(20)]
CAMPAIGN = "utm_source=google&utm_medium=cpc&utm_campaign=boilers"
MAIN_NUMBER = "+442079460000"
Found = TypeVar("Found")


class DemoError(Exception):
    """A step of the demo failed; the message says which and where to look."""


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


def free_port(wanted: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """`wanted` where it is free on the loopback, else any free port."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise DemoError(f"no free port on {HOST}")


def wait_for(what: str, probe: Callable[[], Found | None], seconds: float) -> Found:
    """The first thing `probe` finds; raises DemoError when it finds nothing in `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = probe()
        if found is not None:
            return found
        time.sleep(0.05)
    raise DemoError(f"{what} did not come within {seconds:.0f} s")


class Demo:
    """One run: its folder, its ports, and the processes it has to end."""

    def __init__(self) -> None:
        self.folder = HERE / "var" / "demo"
        self.state = HERE / "var" / os.environ.get("SANDBOX_NAME", "leaseline")
        self.recordings = self.state / "spool" / "monitor" / "leaseline"
        self.public = free_port(8080)
        self.admin = free_port(8081)
        agi = os.environ.get("SANDBOX_AGI") or f"{HOST}:{free_port(4573)}"
        self.agi_port = int(agi.rpartition(":")[2])
        self.ami_port = int(os.environ.get("SANDBOX_AMI_PORT") or free_port(5038))
        self.environment = {
            **os.environ,
            "SANDBOX_AGI": agi,
            "SANDBOX_AMI_PORT": str(self.ami_port),
            "SANDBOX_SIP_PORT": os.environ.get("SANDBOX_SIP_PORT") or str(free_port(5060, socket.SOCK_DGRAM)),
            "SANDBOX_AMI_SECRET": (ami_secret := secrets.token_hex(16)),
            "SANDBOX_ASTDB_SECRET": (astdb_secret := secrets.token_hex(16)),
            "LEASELINE_AMI_SECRET": ami_secret,
            "LEASELINE_AMI_DB_SECRET": astdb_secret,
            "LEASELINE_CONFIG": str(self.folder / "config.toml"),
        }
        self.origin = f"http://{HOST}:{self.public}"
        self.password = secrets.token_urlsafe(9)

    @property
    def settings(self) -> str:
        """What must stand before a `sandbox` command to reach this sandbox, where a usual port was taken."""
        usual = {"SANDBOX_SIP_PORT": "5060", "SANDBOX_AMI_PORT": "5038", "SANDBOX_AGI": f"{HOST}:4573"}
        return "".join(
            f"{name}={self.environment[name]} "
            for name, value in usual.items()
            if self.environment[name] != value
        )

    def prepare(self) -> None:
        """A fresh folder with configuration, numbers and empty store; a sandbox with an empty journal."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._run([str(SANDBOX), "down", "--clean"], "stop an earlier sandbox")
        self._run([str(SANDBOX), "up"], "start the sandbox")
        (self.folder / "config.toml").write_text(self._config(), encoding="utf-8")
        (self.folder / "numbers.csv").write_text("\n".join(["number", *NUMBERS, ""]), encoding="utf-8")
        self._run([str(LEASELINE), "check"], "check the configuration")
        self._run(
            [str(LEASELINE), "numbers", "import", str(self.folder / "numbers.csv")], "import the numbers"
        )
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(f"{self.password}\n", encoding="utf-8")
        adding = ["user", "add", USER, "--role", "admin", "--password-file", str(password)]
        self._run([str(LEASELINE), *adding], "add a user")

    def _config(self) -> str:
        return f"""\
[node]
switch = "sandbox"
[storage]
url = "sqlite:///leaseline.db"
[fastagi]
port = {self.agi_port}
[ami]
port = {self.ami_port}
[http]
public_port = {self.public}
admin_port = {self.admin}
demo = true
[journal]
path = "{self.state}/log/cel-custom/leaseline.csv"
[cdr]
path = "cdr.ndjson"
[recordings]
folder = "{self.recordings}"
[asterisk]
country = "GB"
fallback = ["PJSIP/agent1"]

[[site]]
key = "demo"
name = "Harbour Plumbing"
main_number = "{MAIN_NUMBER}"
origins = ["{self.origin}", "http://localhost:{self.public}"]
time_zone = "Europe/London"
record = "mono"
announcement = "notice"
whisper = "whisper"
[[site.channel]]
name = "Google Ads"
source = ["google"]
medium = ["cpc"]
[[site.step]]
targets = ["PJSIP/agent1"]
ring_seconds = 20
[[site.step]]
targets = ["PJSIP/agent2", "PJSIP/agent3"]
ring_seconds = 20
"""

    def _run(self, command: list[str], purpose: str) -> str:
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise DemoError(
                f"could not {purpose}: `{' '.join(command)}` ended with {done.returncode}\n{done.stdout}"
            )
        return done.stdout

    @contextlib.contextmanager
    def process(self, command: list[str], log: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the demo's own group, its output in `log`, ended on the way out."""
        with (self.folder / log).open("wb") as output:
            process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, port: int | None = None
    ) -> Any:
        """The JSON answer of the router; raises OSError when it does not answer 2xx."""
        request = urllib.request.Request(
            f"http://{HOST}:{port or self.public}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", "Origin": self.origin, "User-Agent": BROWSER},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def visit(self) -> tuple[str, str]:
        """Play a visitor who clicked a Google Ads link: the lease's id and the number shown (E.164)."""
        click = f"gclid=demo-{secrets.token_hex(6)}"
        page = f"{self.origin}/demo?{CAMPAIGN}&utm_term=boiler+repair&{click}"
        wish = {
            "site": "demo",
            "url": page,
            "referrer": "https://www.google.com/",
            "title": "Harbour Plumbing",
            "screen": "1280x800",
            "language": "en-GB",
        }
        lease = self.request("POST", "/v1/leases", wish)
        if not lease["lease_id"] or not lease["numbers"]:
            raise DemoError(f"the visitor was given no number: {lease}")
        self.request("POST", f"/v1/leases/{lease['lease_id']}/seen", {"shown": True})
        return lease["lease_id"], lease["numbers"][0]["number"]

    def call(self, number: str) -> None:
        """Place a real call to `number` through the sandbox's carrier, with sound both ways."""
        command = [str(SANDBOX), "call", number, "--from", CALLER, "--seconds", "4", "--audio"]
        outcome = self._run(command, "place the call")
        say(f"on the wire: {outcome.strip().splitlines()[-1]}")

    def cdr(self) -> str:
        """The first line of cdr.ndjson, once it is there."""
        path = self.folder / "cdr.ndjson"

        def first_line() -> str | None:
            line = path.read_text(encoding="utf-8").partition("\n") if path.exists() else ("", "", "")
            return line[0] if line[1] else None

        return wait_for("the CDR", first_line, 15)

    def listening(self, agent: subprocess.Popen[bytes]) -> bool | None:
        """True once the agent waits for calls; raises DemoError when it has ended instead."""
        log = self.folder / "agent1.log"
        if agent.poll() is not None:
            raise DemoError(f"the agent ended with {agent.returncode}: see {log}")
        return True if "listens" in log.read_text(encoding="utf-8") else None

    def ready(self) -> bool | None:
        try:
            self.request("GET", "/readyz", port=self.admin)
        except (OSError, urllib.error.URLError):
            return None
        return True


BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)


def check(line: str, recordings: Path) -> None:
    """Raise DemoError unless the CDR tells what has just happened."""
    record = json.loads(line)
    facts = {
        "result": (record["result"], "answered"),
        "match": (record["match"], "live"),
        "attribution.source": (record["attribution"]["source"], "google"),
    }
    for name, (found, wanted) in facts.items():
        if found != wanted:
            raise DemoError(f"the CDR's {name} is {found!r}, not {wanted!r}: {line}")
    recording = record["recording"]
    if not recording or recording["bytes"] < 16_000:
        raise DemoError(f"the call was not recorded: {line}")
    sound = (recordings / Path(recording["path"]).name).read_bytes()[44:]
    if max(sound, default=0) == min(sound, default=0):
        raise DemoError(f"the recording {recording['path']} is silent")


def run(demo: Demo, once: bool) -> None:
    demo.prepare()
    with contextlib.ExitStack() as running:
        router = running.enter_context(demo.process([str(LEASELINE), "serve"], "router.log"))

        def started() -> bool | None:
            if router.poll() is not None:
                raise DemoError(
                    f"the router ended with {router.returncode}: see {demo.folder / 'router.log'}"
                )
            return demo.ready()

        wait_for("the router", started, 20)
        say(f"the router is up; its log is {demo.folder / 'router.log'}")
        agent = running.enter_context(
            demo.process([str(SANDBOX), "agent", "agent1", "--answer-after", "1"], "agent1.log")
        )
        wait_for("the agent", lambda: demo.listening(agent), 60)
        lease_id, number = demo.visit()
        say(f"a visitor from Google Ads is shown {number} (lease {lease_id})")
        demo.call(number)
        line = demo.cdr()
        check(line, demo.recordings)
        print(line, flush=True)
        if once:
            return
        say(f"demo page:  {demo.origin}/demo?{CAMPAIGN}")
        say(f"dashboard:  http://{HOST}:{demo.admin}/ (user {USER}, password {demo.password})")
        say(f"CDRs:       tail -F {demo.folder / 'cdr.ndjson'}")
        say(f"call it:    {demo.settings}asterisk-sandbox/sandbox call {number} --from {CALLER}")
        say("Ctrl-C ends everything")
        router.wait()
        raise DemoError(f"the router ended with {router.returncode}: see {demo.folder / 'router.log'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the CDR")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Also where a shell started this in the background, with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    demo = Demo()
    try:
        run(demo, arguments.once)
    except DemoError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopping")
    finally:
        subprocess.run([str(SANDBOX), "down"], env=demo.environment, check=False, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
