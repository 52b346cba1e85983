"""A sandbox as an object, for tests, benchmarks and the demo: private instances beside each other.

    with Instance.private("tests") as sandbox:
        with sandbox.agent("agent1"):
            outcome = sandbox.call("+442079460000", audio=True)

Standard library only; every wait is bounded.
"""

from __future__ import annotations

import csv
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from peers import AGENTS, CARRIER, Peers, Run
from ports import free_port, free_tcp_port, is_free, rtp_ports
from wire import Outcome

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "sandbox"
ON_LOOPBACK_ONLY = "sandbox-only"
NO_ENGINE = 3
"""Exit code of the script where no container engine can be had."""

JOURNAL_COLUMNS = (
    "eventtime",
    "eventtype",
    "uniqueid",
    "linkedid",
    "channel",
    "exten",
    "context",
    "caller_number",
    "caller_name",
    "dnid",
    "peer",
    "extra",
)


class SandboxError(Exception):
    """The sandbox's script failed; `missing` when no container engine can be had here."""

    def __init__(self, command: str, code: int, errors: str) -> None:
        super().__init__(f"sandbox {command} exited {code}: {errors.strip()}")
        self.missing = code == NO_ENGINE


def free_agent_port() -> int:
    """A UDP port that is free on the agents' and the carrier's addresses alike."""
    while True:
        port = free_port("127.0.0.11")
        if all(is_free(address, port) for address in (*AGENTS.values(), CARRIER)):
            return port


@dataclass
class Instance:
    """One named sandbox; `state` is where its journal and recordings are, the same path inside."""

    name: str
    sip_port: int
    ami_port: int
    agent_port: int
    agi_port: int
    rtp: str
    state: Path
    asterisk: int = 22
    agi_seconds: float = 1.5
    fallback: str = "PJSIP/agent1"
    ami_secret: str = ON_LOOPBACK_ONLY
    astdb_secret: str = ON_LOOPBACK_ONLY

    @classmethod
    def private(cls, name: str, *, asterisk: int = 22, **settings: Any) -> Instance:
        """One on free ports, named after this process so that runs beside each other do not meet."""
        unique = f"{name}-{asterisk}-{os.getpid()}"
        return cls(
            unique, free_port("127.0.0.1"), free_tcp_port(), free_agent_port(), free_tcp_port(),
            rtp_ports(os.getpid() * 7 + asterisk), HERE / "var" / unique, asterisk, **settings,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """The script's settings of this instance."""
        return {
            **os.environ,
            "SANDBOX_NAME": self.name,
            "ASTERISK": str(self.asterisk),
            "SANDBOX_SIP_PORT": str(self.sip_port),
            "SANDBOX_AMI_PORT": str(self.ami_port),
            "SANDBOX_AGENT_PORT": str(self.agent_port),
            "SANDBOX_AGI": f"127.0.0.1:{self.agi_port}",
            "SANDBOX_AGI_SECONDS": f"{self.agi_seconds:g}",
            "SANDBOX_RTP": self.rtp,
            "SANDBOX_STATE": str(self.state),
            "SANDBOX_FALLBACK": self.fallback,
            "SANDBOX_AMI_SECRET": self.ami_secret,
            "SANDBOX_ASTDB_SECRET": self.astdb_secret,
        }

    @property
    def agi(self) -> tuple[str, int]:
        """Where the dialplan expects the router."""
        return "127.0.0.1", self.agi_port

    @property
    def journal_path(self) -> Path:
        """The CEL file."""
        return self.state / "log" / "cel-custom" / "leaseline.csv"

    @property
    def recordings(self) -> Path:
        """The folder of recordings."""
        return self.state / "spool" / "monitor" / "leaseline"

    @property
    def log(self) -> str:
        """Asterisk's own log since it was started."""
        path = self.state / "log" / "messages.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _script(self, *arguments: str, seconds: float = 180) -> str:
        done = subprocess.run(
            [str(SCRIPT), *arguments],
            env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=seconds, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise SandboxError(" ".join(arguments), done.returncode, done.stderr)
        return done.stdout

    def up(self) -> None:
        """Start it, building what is missing (minutes on a new machine); nothing when it is up."""
        self._script("up", seconds=900)

    def down(self) -> None:
        """End its peers, stop it and delete its state."""
        if "peers" in self.__dict__:
            self.peers.close()
            del self.__dict__["peers"]
        self._script("down", "--clean")

    def kill_asterisk(self) -> None:
        """SIGKILL, as a crash would."""
        self._script("kill")

    def restart(self) -> None:
        """Start it again after a crash; journal, recordings and AstDB are kept."""
        self.up()

    def cli(self, command: str) -> str:
        """What Asterisk's console prints for `command`."""
        return self._script("cli", command)

    def set_redirect(self, number: str, target: str | None) -> None:
        """AstDB's redirect of a number (E.164 digits without +), as the router keeps it; None removes it."""
        if target is None:
            self.cli(f"database del leaseline {number}")
        else:
            self.cli(f"database put leaseline {number} {target}")

    @cached_property
    def peers(self) -> Peers:
        """Callers and agents: `peers.call` and `peers.agent` start runs that go on by themselves."""
        enter = self._script("peers", seconds=300).split()
        return Peers(enter, self.state / "sipp", self.sip_port, self.agent_port)

    def call(self, number: str, **how: Any) -> Outcome:
        """Place one call as the carrier (Peers.call's arguments) and wait for its end."""
        run = self.peers.call(number, **how)
        try:
            run.wait(float(how.get("seconds", 1.0)) + 60)
        finally:
            run.stop()
        outcomes = run.outcomes()
        if not outcomes:
            raise SandboxError(f"call {number}", 2, run.errors())
        return outcomes[0]

    @contextmanager
    def agent(self, name: str, **how: Any) -> Iterator[Run]:
        """Play an agent (Peers.agent's arguments) while the block runs."""
        run = self.peers.agent(name, **how)
        try:
            yield run
            # The other side's end is known a moment before the agent's own last words.
            run.wait_until_over(3)
        finally:
            run.stop()

    def journal(self) -> list[dict[str, str]]:
        """The journal's whole lines until now, by column name."""
        if not self.journal_path.exists():
            return []
        text = self.journal_path.read_text(encoding="utf-8", errors="surrogateescape")
        whole = text[: text.rfind("\n") + 1]
        return [dict(zip(JOURNAL_COLUMNS, row, strict=True)) for row in csv.reader(whole.splitlines())]

    def wait_for_journal(
        self, wanted: Callable[[list[dict[str, str]]], bool], seconds: float = 30
    ) -> list[dict[str, str]]:
        """The journal once `wanted` holds; TimeoutError with its last lines otherwise."""
        deadline = time.monotonic() + seconds
        while not wanted(lines := self.journal()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the journal lacks what was waited for; its end is {lines[-5:]}")
            time.sleep(0.01)
        return lines

    def __enter__(self) -> Instance:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
