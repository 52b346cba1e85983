"""The private Asterisk of tests/bench/calls.py: a context and an endpoint for each way to look a number up.

What is installed on a PBX stays as it is: the contexts come in a file beside it, and each way has a trunk of
its own address, so that nothing but the dialplan it enters differs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from instance import SCRIPT, Instance, SandboxError
from peers import AGENTS, CARRIER
from ports import free_port

TARGET = "PJSIP/agent1"
AGENT = AGENTS["agent1"]
ODBC_CACHE = SCRIPT.parent / "var" / "bench-odbc"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of looking a number up. `lines`: its context's priorities after the first is numbered."""

    name: str
    what: str
    address: str
    lines: tuple[str, ...] = ()
    journal: bool = False
    record: bool = False
    most_rate: float | None = None
    """A rate that is not to be passed: no search is done then."""


CONSTANT = Variant("constant", "Dial of a constant", "127.0.0.101", (f"Dial({TARGET},20)",))
LEASELINE = Variant("leaseline", "Leaseline: route, journal, live view, CDR", CARRIER, journal=True)
SAME = Variant("dialplan", "the same dialplan, its answer a constant", "127.0.0.108")
VARIANTS = {
    variant.name: variant
    for variant in (
        CONSTANT,
        SAME,
        LEASELINE,
        Variant("journal", "constant, with the journal on", "127.0.0.102", CONSTANT.lines, journal=True),
        Variant(
            "astdb",
            "AstDB look-up",
            "127.0.0.103",
            ("Set(TO=${DB(bench/${FILTER(0-9,${EXTEN})})})", "Dial(${TO},20)"),
        ),
        Variant(
            "func_odbc",
            "func_odbc on SQLite",
            "127.0.0.104",
            ("Set(TO=${ODBC_BENCH(${FILTER(0-9,${EXTEN})})})", "Dial(${TO},20)"),
        ),
        Variant(
            "panoramisk",
            "bare panoramisk FastAGI on uvloop",
            "127.0.0.105",
            ("AGI(agi://127.0.0.1:@PANORAMISK@/route,${FILTER(0-9,${EXTEN})})", "Dial(${LL_D1},20)"),
        ),
        Variant(
            "pyst2",
            "pyst2 process AGI",
            "127.0.0.106",
            ("AGI(@STATE@/agi/route.py,${FILTER(0-9,${EXTEN})})", "Dial(${TO},20)"),
            most_rate=5.0,
        ),
    )
}
RECORDED = (
    Variant(
        "constant",
        "constant, recorded",
        "127.0.0.107",
        ("MixMonitor(${LL_REC_DIR}/${UNIQUEID}.wav,b)", f"Dial({TARGET},20)"),
        record=True,
    ),
    Variant(LEASELINE.name, "Leaseline, recorded", CARRIER, journal=True, record=True),
)

ANSWER = f"LL_SITE=plain,LL_OVERFLOW=busy,LL_D1={TARGET},LL_T1=20,LL_MS=0.1,LL_OK=1"
"""What `leaseline serve` answers for the site without recording, but for the number."""

PYST2_SCRIPT = """#!/usr/bin/python3
import sys
sys.path.insert(0, {folder!r})
from asterisk.agi import AGI
agi = AGI()
agi.set_variable("TO", {targets!r}.get(agi.env["agi_arg_1"], ""))
"""


class Stage:
    """A private Asterisk made ready for the variants; `missing` tells which cannot be had, and why."""

    def __init__(self, instance: Instance, variants: Iterable[Variant], numbers: Sequence[str]) -> None:
        self.instance = instance
        self.missing: dict[str, str] = {}
        self._etc = instance.state / "etc"
        self._variants = list(variants)
        self._numbers = numbers
        self._journal = True
        self._enter = subprocess.run(
            [str(SCRIPT), "peers"],
            env=instance.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout.split()
        self._engine = self._enter[0]
        self._container = self._enter[-1].removesuffix("-peers")
        self.pid = int(self._ask("inspect", "--format", "{{.State.Pid}}", self._container))

    @property
    def enter(self) -> list[str]:
        """The command that runs a program in the peers' container."""
        return self._enter

    def _ask(self, *arguments: str, seconds: float = 120) -> str:
        settings = SCRIPT.parent / "var" / "containers.conf"
        environment = {**os.environ, **({"CONTAINERS_CONF": str(settings)} if settings.exists() else {})}
        done = subprocess.run(
            [self._engine, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(f"{self._engine} {arguments[0]}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout.strip()

    def prepare(self, panoramisk_port: int) -> None:
        """Write the contexts and endpoints, load what they need."""
        wanted = {variant.name for variant in self._variants}
        for name, make in (("func_odbc", self._odbc), ("pyst2", self._pyst2)):
            if name in wanted:
                try:
                    make()
                except (OSError, subprocess.SubprocessError) as error:
                    self.missing[name] = str(error)
        self._write_variants(panoramisk_port)
        # Without it Asterisk logs a warning for each call, which no PBX does.
        with (self._etc / "modules.conf").open("a") as file:
            file.write("load=res_pjsip_authenticator_digest.so\n")
        # Modules that need one another are only found together at the start.
        self.instance.cli("core restart now")
        self._wait_for_asterisk()
        if "astdb" in wanted:
            self._astdb()
        if "func_odbc" in wanted - set(self.missing) and "ODBC_BENCH" not in self.instance.cli(
            "core show function ODBC_BENCH"
        ):
            self.missing["func_odbc"] = "Asterisk does not load it"

    def _wait_for_asterisk(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            time.sleep(0.3)
            try:
                # The contexts tell the new start from the old one that has not ended yet.
                if "fully booted" in self.instance.cli("core waitfullybooted") and (
                    "bench.conf" in self.instance.cli("dialplan show")
                ):
                    return
            except SandboxError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"Asterisk does not come back: {self.instance.log[-500:]}")

    def _write_variants(self, panoramisk_port: int) -> None:
        contexts, endpoints = [], []
        for variant in self._variants:
            if variant.address == CARRIER:
                continue
            if variant is SAME:
                context = "same-in"
                contexts.append(self._same_dialplan())
            else:
                context = f"bench-{variant.address.replace('.', '-')}"
                first, *others = (*variant.lines, "Hangup()")
                same = "".join(f" same => n,{line}\n" for line in others)
                contexts.append(f"[{context}]\nexten => _[0-9+]!,1,{first}\n{same}")
            endpoints.append(
                f"[{context}](leaseline-trunk)\ncontext={context}\n"
                f"[{context}]\ntype=identify\nendpoint={context}\nmatch={variant.address}\n"
            )
        text = "\n".join(contexts).replace("@PANORAMISK@", str(panoramisk_port))
        (self._etc / "bench.conf").write_text(text.replace("@STATE@", str(self.instance.state)))
        with (self._etc / "extensions.conf").open("a") as file:
            file.write('\n#include "bench.conf"\n')
        with (self._etc / "pjsip.conf").open("a") as file:
            file.write("\n" + "\n".join(endpoints))

    def _same_dialplan(self) -> str:
        """What is installed, its contexts under other names, with a constant where it asks the router."""
        _, begin, rest = (self._etc / "leaseline.conf").read_text().partition("[leaseline-in]")
        names = "in|refuse|call|fallback|e164|steps|forget|ask|whisper|hangup"
        text = re.sub(rf"\bleaseline-({names})\b", r"same-\1", begin + rest)
        asked = "AGI(${LL_AGI}/route/${LL_DNIS}/${CALLERID(num)}/${CHANNEL(linkedid)})"
        if text.count(asked) != 1:
            raise ValueError("the dialplan asks the router in another way than this bench knows")
        return text.replace(asked, f"MSet(LL_NUMBER=${{LL_DNIS}},{ANSWER})")

    def _astdb(self) -> None:
        """The numbers into AstDB, all in one connection: through the console each would take 0.2 s."""
        login = {"Username": "leaseline-astdb", "Secret": self.instance.astdb_secret, "Events": "off"}
        puts = [
            {"Family": "bench", "Key": number.lstrip("+"), "Val": TARGET, "ActionID": f"put-{index}"}
            for index, number in enumerate(self._numbers)
        ]
        actions = [("Login", login), *(("DBPut", put) for put in puts), ("Logoff", {})]
        text = "".join(
            f"Action: {action}\r\n" + "".join(f"{key}: {value}\r\n" for key, value in fields.items()) + "\r\n"
            for action, fields in actions
        )
        with socket.create_connection(("127.0.0.1", self.instance.ami_port), timeout=10) as ami:
            ami.sendall(text.encode("ascii"))
            said = b"".join(iter(lambda: ami.recv(65536), b"")).decode("ascii", "replace")
        if said.count("Updated database successfully") != len(puts):
            raise OSError(f"AstDB was not filled: {said[-300:]}")

    def _odbc(self) -> None:
        folder = self.instance.state / "odbc"
        folder.mkdir()
        shutil.copy(self._odbc_driver(), folder / "driver.so")
        with sqlite3.connect(folder / "bench.db") as database:
            database.execute("CREATE TABLE redirect (number TEXT PRIMARY KEY, target TEXT NOT NULL)")
            rows = [(number.lstrip("+"), TARGET) for number in self._numbers]
            database.executemany("INSERT INTO redirect VALUES (?, ?)", rows)
        database.close()
        (folder / "odbc.ini").write_text(
            f"[bench]\nDriver={folder}/driver.so\nDatabase={folder}/bench.db\nTimeout=1000\n"
        )
        self._ask("cp", str(folder / "odbc.ini"), f"{self._container}:/etc/odbc.ini")
        # The driver reads odbc.ini by this library, which Asterisk's package does not bring along.
        self._ask("cp", str(ODBC_CACHE / "libodbcinst.so.2"), f"{self._container}:/usr/lib/libodbcinst.so.2")
        (self._etc / "res_odbc.conf").write_text(
            "[bench]\nenabled=yes\ndsn=bench\npre-connect=yes\nmax_connections=20\n"
        )
        (self._etc / "func_odbc.conf").write_text(
            "[BENCH]\ndsn=bench\nreadsql=SELECT target FROM redirect WHERE number='${SQL_ESC(${ARG1})}'\n"
        )
        with (self._etc / "modules.conf").open("a") as file:
            file.write("load=res_odbc.so\nload=res_odbc_transaction.so\nload=func_odbc.so\n")

    def _odbc_driver(self) -> Path:
        """Debian's SQLite ODBC driver of the image's own suite, kept for the next run."""
        driver = ODBC_CACHE / "libsqlite3odbc.so"
        if not driver.exists():
            ODBC_CACHE.mkdir(parents=True, exist_ok=True)
            image = self._ask("inspect", "--format", "{{.Image}}", self._container)
            self._ask(
                *("run", "--rm", "--network", "host", "--security-opt", "label=disable"),
                *("--mount", f"type=bind,source={ODBC_CACHE},target=/out", image, "bash", "-ec"),
                "cd /tmp; apt-get -qq -o Acquire::Check-Valid-Until=false update; "
                "apt-get -qq download libsqliteodbc libodbcinst2; "
                "for each in *.deb; do dpkg -x $each x; done; "
                "cp x/usr/lib/*/libodbcinst.so.2 /out/; cp x/usr/lib/*/odbc/libsqlite3odbc.so /out/",
            )
        return driver

    def _pyst2(self) -> None:
        import asterisk.agi

        folder = self.instance.state / "agi"
        package = Path(asterisk.agi.__file__).parent
        six = importlib.util.find_spec("six")
        if six is None or six.origin is None:
            raise OSError("pyst2 needs six")
        folder.mkdir()
        shutil.copy(six.origin, folder)
        shutil.copytree(package, folder / "asterisk", ignore=shutil.ignore_patterns("__pycache__"))
        targets = {number.lstrip("+"): TARGET for number in self._numbers}
        script = folder / "route.py"
        script.write_text(PYST2_SCRIPT.format(folder=str(folder), targets=targets))
        script.chmod(0o755)
        self._ask("exec", self._container, "python3", "-c", "pass")

    def set_journal(self, on: bool) -> None:
        """Switch CEL on or off: what a variant does not need, it does not pay for."""
        if on != self._journal:
            path = self._etc / "cel.conf"
            former, wanted = ("enable=no", "enable=yes") if on else ("enable=yes", "enable=no")
            path.write_text(path.read_text().replace(former, wanted, 1))
            self.instance.cli("module reload cel")
            said = self.instance.cli("cel show status")
            if ("CEL Logging: Enabled" in said) != on:
                raise OSError(f"CEL cannot be switched: {said}")
            self._journal = on

    def caller_port(self, address: str) -> int:
        """A free UDP port of a caller's address."""
        return free_port(address)

    def hang_up(self, seconds: float = 15) -> None:
        """Return once no channel is left; after two seconds those that are left are hung up."""
        deadline = time.monotonic() + seconds
        patient = time.monotonic() + 2
        while not self.instance.cli("core show channels count").startswith("0 active channels"):
            if time.monotonic() > deadline:
                raise TimeoutError("Asterisk keeps channels that were hung up")
            if time.monotonic() > patient:
                self.instance.cli("channel request hangup all")
            time.sleep(0.3)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, those that ended too, and the children it has reaped."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / TICKS
