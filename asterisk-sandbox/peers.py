"""Callers and agents of the sandbox: SIPp runs beside Asterisk and is driven from here.

One shell in the peers' container starts every SIPp run of a process, because starting a process through
the container engine costs far more than a call. When this process ends, the shell's input ends and it
takes its runs with it. Standard library only. Instants are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import itertools
import os
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import scenarios
from midcall import PASSING_ON, Act
from ports import free_port, is_free
from wire import Outcome, read_log

CARRIER = "127.0.0.2"
AGENTS = {f"agent{index}": f"127.0.0.{10 + index}" for index in range(1, 13)}
"""Each phone has an address of its own; the demo needs three, tests that run cases beside each other more."""

SHELL = (
    'set -m; while IFS= read -r line; do eval "$line" & done; '
    "for job in $(jobs -p); do kill -KILL -- -$job; done"
)
"""Runs each line of its input in the background, and ends what is left when the input ends."""


class Run:
    """One SIPp process in the container: its files, its end and its outcomes."""

    def __init__(self, folder: Path, stop: Callable[[], None], address: str, port: int) -> None:
        self.folder = folder
        self.address = address
        self.port = port
        self._stop = stop

    @property
    def exit_code(self) -> int | None:
        """SIPp's exit code, None while it runs; 253 means that audio did not come back."""
        try:
            return int((self.folder / "rc").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def wait(self, seconds: float) -> int:
        """SIPp's exit code; TimeoutError when it has not ended after `seconds`."""
        deadline = time.monotonic() + seconds
        while (code := self.exit_code) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"SIPp in {self.folder} has not ended in {seconds} s: {self.errors()[-500:]}"
                )
            time.sleep(0.01)
        return code

    def outcomes(self) -> list[Outcome]:
        """What the wire saw until now, a call each."""
        try:
            text = (self.folder / "messages").read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return []
        calls = list(read_log(text).values())
        if (self.folder / "audio").exists() and (code := self.exit_code) is not None:
            for call in calls:
                call.audio = code == 0
        return calls

    def errors(self) -> str:
        """What SIPp complained about."""
        return "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in (self.folder / "errors", self.folder / "output")
            if path.exists()
        )

    def stop(self) -> list[Outcome]:
        """End it now and give its outcomes."""
        if self.exit_code is None:
            self._stop()
            self.wait(30)
        return self.outcomes()

    def wait_until_over(self, seconds: float) -> None:
        """Return once each call until now has ended for this side, too, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not all(call.over for call in self.outcomes()):
            if self.exit_code is not None or time.monotonic() > deadline:
                return
            time.sleep(0.01)

    def wait_until_listening(self, seconds: float = 60.0) -> None:
        """Return once it is bound to its SIP port (the container shares the host's network)."""
        wanted = f"{socket.inet_aton(self.address)[::-1].hex().upper()}:{self.port:04X}"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            table = Path("/proc/net/udp").read_text() if Path("/proc/net/udp").exists() else wanted
            if wanted in table:
                return
            if self.exit_code is not None:
                break
            time.sleep(0.01)
        raise OSError(f"SIPp does not listen on {self.address}:{self.port}: {self.errors()[-500:]}")


class Peers:
    """Starts callers and agents of one sandbox.

    `enter` is the command that runs a program in the peers' container with its input attached; `folder`
    is writable from both sides at the same path.
    """

    def __init__(self, enter: list[str], folder: Path, sip_port: int, agent_port: int) -> None:
        self.folder = folder
        self.sip_port = sip_port
        self.agent_port = agent_port
        self._numbers = itertools.count(1)
        self._line = threading.Lock()
        self._shell = subprocess.Popen(
            [*enter, "bash", "-c", SHELL], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every run that is left."""
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        try:
            self._shell.wait(10)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()

    def _send(self, line: str) -> None:
        if self._shell.stdin is None or self._shell.poll() is not None:
            raise OSError("the peers' container has ended")
        with self._line:
            self._shell.stdin.write(line + "\n")
            self._shell.stdin.flush()

    def _start(
        self, name: str, scenario: bytes, address: str, port: int, options: list[str], *, audio: bool = False
    ) -> Run:
        folder = self.folder / f"{name}-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        (folder / "scenario.xml").write_bytes(scenario)
        if audio:
            (folder / "audio").touch()
        media = free_port(address, count=4)
        arguments = [
            *(
                "sipp",
                f"127.0.0.1:{self.sip_port}",
                "-sf",
                "scenario.xml",
                "-i",
                address,
                "-bind_local",
                "-p",
                str(port),
            ),
            *("-mi", address, "-min_rtp_port", str(media), "-max_rtp_port", "65534"),
            *("-nostdin", "-skip_rlimit", "-trace_msg", "-message_file", "messages"),
            *(
                "-trace_err",
                "-error_file",
                "errors",
                "-audiotolerance",
                "0.5",
                "-deadcall_wait",
                "0",
                *options,
            ),
        ]
        where = shlex.quote(str(folder))
        self._send(
            f"cd {where} && {{ {shlex.join(arguments)} >output 2>&1 </dev/null & echo $! >pid; wait $!; "
            "echo $? >rc.new; mv rc.new rc; }"
        )
        # It may have been told to start a moment ago and have no process yet.
        begun = f"for n in {{1..200}}; do [ -s {where}/pid ] && break; sleep 0.05; done"
        kill = f"{{ {begun}; kill -KILL $(cat {where}/pid); }}"
        return Run(folder, lambda: self._send(kill), address, port)

    def call(
        self,
        number: str,
        *,
        caller: str = "+447700900123",
        name: str = "",
        seconds: float = 1.0,
        digits: str = "",
        digits_after: float = 1.0,
        audio: bool = False,
        cancel_after: float | None = None,
        give_up_seconds: float = 90.0,
        calls: int = 1,
        rate: float = 10.0,
        phone: str | None = None,
    ) -> Run:
        """Call `number` as the carrier, or as an agent's `phone`: talk `seconds` unless the other side ends
        it first. `cancel_after` counts from the last provisional answer. With `calls` that many are begun at
        `rate` a second."""
        address = AGENTS[phone] if phone else CARRIER
        scenario = scenarios.caller(
            number, caller=phone or caller, name=name, seconds=seconds, digits=digits,
            digits_after=digits_after, audio=audio, cancel_after=cancel_after,
            give_up_seconds=give_up_seconds,
        )  # fmt: skip
        options = ["-m", str(calls), "-l", str(calls), "-r", f"{rate:g}"]
        return self._start("call", scenario, address, free_port(address), options, audio=audio)

    def agent(
        self,
        name: str,
        *,
        answer_after: float | None = 0.2,
        reject: int | None = None,
        silent: bool = False,
        hangup_after: float | None = None,
        early_media: bool = False,
        then: Sequence[Act] = (),
    ) -> Run:
        """Play an agent until stopped: ring, answer after `answer_after` seconds (None: never), send back
        what it hears, do what `then` says. Returns once it listens. (SIPp's own end after N calls hangs while
        it echoes.)"""
        if not is_free(AGENTS[name], self.agent_port):
            raise OSError(f"{name} is being played already: {AGENTS[name]}:{self.agent_port} is taken")
        scenario = scenarios.agent(
            answer_after=answer_after, reject=reject, silent=silent, hangup_after=hangup_after,
            early_media=early_media, then=then,
        )  # fmt: skip
        options = ["-rtp_echo", *(PASSING_ON if then else [])]
        run = self._start(name, scenario, AGENTS[name], self.agent_port, options)
        run.wait_until_listening()
        return run
