"""Callers and agents of the sandbox: SIPp runs beside Asterisk, and what it saw on the wire is read here.

One shell in the peers' container starts every SIPp run of a process, because starting a process through
the container engine costs far more than a call. When this process ends, the shell's input ends and it
takes its runs with it. Standard library only. Instants are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import scenarios

CARRIER = "127.0.0.2"
AGENTS = {"agent1": "127.0.0.11", "agent2": "127.0.0.12", "agent3": "127.0.0.13"}

SHELL = (
    'set -m; while IFS= read -r line; do eval "$line" & done; '
    "for job in $(jobs -p); do kill -KILL -- -$job; done"
)
"""Runs each line of its input in the background, and ends what is left when the input ends."""


@dataclass(slots=True)
class Outcome:
    """What the wire saw of one call, from the side of one peer.

    `status` is the final answer to the INVITE (0: none), `hung_up_by` who sent the BYE (`self` or
    `other`), `audio` whether the peer heard its own sound come back (None: not asked).
    """

    call_id: str
    number: str = ""
    caller: str = ""
    caller_name: str = ""
    invited_at: int | None = None
    ringing_at: int | None = None
    early_media_at: int | None = None
    answered_at: int | None = None
    cancelled_at: int | None = None
    ended_at: int | None = None
    status: int = 0
    reason: str = ""
    hung_up_by: str | None = None
    audio: bool | None = None
    messages: list[str] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether the INVITE was answered with 200."""
        return self.status == 200

    @property
    def ended_well(self) -> bool:
        """Answered, ended by a BYE and, where audio was asked for, heard."""
        return self.answered and self.ended_at is not None and self.audio is not False


_HEAD = re.compile(r"^-{20,} (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z$", re.MULTILINE)
_WAY = re.compile(r"message (sent|received)")
_ADDRESS = re.compile(r'^(?:From|f):\s*(?:"?(.*?)"?\s*)?<sip:([^@>]*)@', re.MULTILINE | re.IGNORECASE)


def _messages(text: str) -> Iterator[tuple[int, bool, str]]:
    """(instant, sent by us, SIP message) of a SIPp message log; an unfinished last one is given too."""
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)][: len(heads)]
    for head, end in zip(heads, ends, strict=True):
        at = datetime.fromisoformat(f"{head[1]}+00:00")
        body = text[head.end() : end]
        way = _WAY.search(body)
        if way is None:
            continue
        sip = body[way.end() :].split("\n\n", 1)[-1]
        yield round(at.timestamp() * 1000), way[1] == "sent", sip.replace("\r", "")


def read_log(text: str) -> dict[str, Outcome]:
    """Outcomes by Call-ID, in the order in which the calls began."""
    calls: dict[str, Outcome] = {}
    for at, sent, sip in _messages(text):
        call_id = re.search(r"^(?:Call-ID|i):\s*(\S+)", sip, re.MULTILINE | re.IGNORECASE)
        if call_id is not None:
            _note(calls.setdefault(call_id[1], Outcome(call_id[1])), at, sent, sip)
    return {key: call for key, call in calls.items() if call.invited_at is not None}  # not of an earlier run


def _note(call: Outcome, at: int, sent: bool, sip: str) -> None:
    """Take one message into its call's outcome."""
    first = sip.split("\n", 1)[0]
    call.messages.append(f"{'>' if sent else '<'} {first}")
    if not first.startswith("SIP/2.0"):
        _note_request(call, at, sent, first, sip)
        return
    status = int(first.split(" ")[1])
    sequence = re.search(r"^CSeq:\s*\d+\s+(\w+)", sip, re.MULTILINE | re.IGNORECASE)
    if sequence is None or sequence[1] != "INVITE":
        return
    if status >= 200 and call.status == 0:
        call.status, call.reason = status, first.split(" ", 2)[2]
        if status == 200:
            call.answered_at = at
        else:
            call.ended_at = at
    elif status == 180 and call.ringing_at is None:
        call.ringing_at = at
    elif status == 183 and call.early_media_at is None:
        call.early_media_at = at


def _note_request(call: Outcome, at: int, sent: bool, first: str, sip: str) -> None:
    method = first.split(" ", 1)[0]
    if method == "INVITE" and call.invited_at is None:
        call.invited_at = at
        number = re.match(r"INVITE sip:([^@]*)@", first)
        call.number = number[1] if number else ""
        address = _ADDRESS.search(sip)
        if address is not None:
            call.caller_name, call.caller = address[1] or "", address[2]
    elif method == "CANCEL":
        call.cancelled_at = at
    elif method == "BYE" and call.ended_at is None:
        call.ended_at, call.hung_up_by = at, "self" if sent else "other"


def free_port(address: str, *, count: int = 1) -> int:
    """A UDP port of `address` that is free together with the `count - 1` next ones, even as RTP likes it."""
    for _ in range(200):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
            port = probe.getsockname()[1] & ~1
        if port + count < 65536 and all(_is_free(address, port + extra) for extra in range(count)):
            return int(port)
    raise OSError(f"no free UDP port on {address}")


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


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
            self.wait(5)
        return self.outcomes()

    def wait_until_listening(self, seconds: float = 5.0) -> None:
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
        return Run(folder, lambda: self._send(f"kill -KILL $(cat {where}/pid)"), address, port)

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
    ) -> Run:
        """Call `number` as the carrier: talk `seconds` unless the other side ends it first. `cancel_after`
        counts from the last provisional answer. With `calls` that many are begun at `rate` a second."""
        scenario = scenarios.caller(
            number, caller=caller, name=name, seconds=seconds, digits=digits, digits_after=digits_after,
            audio=audio, cancel_after=cancel_after, give_up_seconds=give_up_seconds,
        )  # fmt: skip
        options = ["-m", str(calls), "-l", str(calls), "-r", f"{rate:g}"]
        return self._start("call", scenario, CARRIER, free_port(CARRIER), options, audio=audio)

    def agent(
        self,
        name: str,
        *,
        answer_after: float | None = 0.2,
        reject: int | None = None,
        silent: bool = False,
        hangup_after: float | None = None,
    ) -> Run:
        """Play an agent until stopped: ring, answer after `answer_after` seconds (None: never), send back
        what it hears. Returns once it listens. (SIPp's own end after N calls hangs while it echoes.)"""
        if not _is_free(AGENTS[name], self.agent_port):
            raise OSError(f"{name} is being played already: {AGENTS[name]}:{self.agent_port} is taken")
        scenario = scenarios.agent(
            answer_after=answer_after, reject=reject, silent=silent, hangup_after=hangup_after
        )
        run = self._start(name, scenario, AGENTS[name], self.agent_port, ["-rtp_echo"])
        run.wait_until_listening()
        return run


def _printable(outcome: Outcome) -> str:
    facts = {key: value for key, value in asdict(outcome).items() if key != "messages"}
    return json.dumps(facts, ensure_ascii=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox")
    commands = parser.add_subparsers(dest="command", required=True)
    call = commands.add_parser("call", help="call a number as the carrier")
    call.add_argument("number")
    call.add_argument("--from", dest="caller", default="+447700900123", help="caller's number")
    call.add_argument("--name", default="", help="caller's name")
    call.add_argument("--seconds", type=float, default=3.0, help="talk that long (3)")
    call.add_argument("--digits", default="", help="key these after the answer")
    call.add_argument("--audio", action="store_true", help="send sound and check that it comes back")
    call.add_argument("--cancel-after", type=float, help="give up so many seconds after the last ringing")
    agent = commands.add_parser("agent", help="play an agent")
    agent.add_argument("name", choices=sorted(AGENTS))
    how = agent.add_mutually_exclusive_group()
    how.add_argument("--answer-after", type=float, default=0.5, help="ring that long (0.5)")
    how.add_argument("--no-answer", action="store_true", help="ring for ever")
    how.add_argument("--busy", action="store_true", help="refuse with 486")
    how.add_argument("--reject", type=int, metavar="CODE", help="refuse with this code")
    how.add_argument("--silent", action="store_true", help="answer nothing at all")
    agent.add_argument("--hangup-after", type=float, help="hang up first, so many seconds after answering")
    agent.add_argument("--calls", type=int, help="end after so many calls")
    return parser.parse_args(arguments)


def _call(peers: Peers, options: argparse.Namespace) -> int:
    run = peers.call(
        options.number, caller=options.caller, name=options.name, seconds=options.seconds,
        digits=options.digits, audio=options.audio, cancel_after=options.cancel_after,
    )  # fmt: skip
    run.wait(180 + options.seconds)
    outcomes = run.outcomes()
    if not outcomes:
        sys.stderr.write(f"sandbox: SIPp placed no call: {run.errors().strip()[-500:]}\n")
        return 2
    print(_printable(outcomes[0]))
    return 0 if outcomes[0].ended_well else 1


def _agent(peers: Peers, options: argparse.Namespace) -> int:
    run = peers.agent(
        options.name, answer_after=None if options.no_answer else options.answer_after,
        reject=486 if options.busy else options.reject, silent=options.silent,
        hangup_after=options.hangup_after,
    )  # fmt: skip
    sys.stderr.write(f"sandbox: {options.name} listens on {run.address}:{run.port}\n")
    told: set[str] = set()
    while options.calls is None or len(told) < options.calls:
        if run.exit_code is not None:
            sys.stderr.write(f"sandbox: SIPp ended: {run.errors().strip()[-500:]}\n")
            return 2
        for outcome in run.outcomes():
            if outcome.call_id not in told and (outcome.ended_at or outcome.cancelled_at):
                told.add(outcome.call_id)
                print(_printable(outcome), flush=True)
        time.sleep(0.2)
    time.sleep(0.5)  # the last answers (200 to BYE, 487 after CANCEL) are still to be sent
    run.stop()
    return 0


def main() -> int:
    """Entry of `sandbox call` and `sandbox agent`."""
    options = _parse(sys.argv[1:])
    folder = Path(os.environ["SANDBOX_STATE"]) / "sipp"
    enter = shlex.split(os.environ["SANDBOX_EXEC"])
    ports = int(os.environ["SANDBOX_SIP_PORT"]), int(os.environ["SANDBOX_AGENT_PORT"])
    try:
        with Peers(enter, folder, *ports) as peers:
            return _call(peers, options) if options.command == "call" else _agent(peers, options)
    except (OSError, TimeoutError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
