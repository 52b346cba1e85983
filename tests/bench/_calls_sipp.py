"""SIPp under load for tests/bench/calls.py: lean scenarios, no message log, figures out of SIPp's own files.

The callers' and the agent's SIPp run in the peers' container of a private sandbox, so all of it stays on
loopback and ends with that container.
"""

from __future__ import annotations

import csv
import itertools
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midcall import OFFER, send

SETUP_LIMIT_MS = 500.0
LEAST_SUCCESS = 0.999
PATIENCE_SECONDS = 4.0
LEAST_PACE = 0.95
"""A rate that SIPp itself could not keep up proves nothing."""

_KILLABLE = (
    "exec 3<&0; {command} >output 2>&1 </dev/null & run=$!; "
    "( read -r _ <&3; kill -KILL $run ) & watch=$!; "
    "wait $run; code=$?; kill $watch 2>/dev/null; exit $code"
)
"""SIPp ends when this shell's input does: the engine does not pass a signal on."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of calls saw. Times are milliseconds, in no order."""

    asked: int
    rate: float
    made: int
    succeeded: int
    invites_again: int
    pace: float
    ringing_ms: tuple[float, ...]
    setup_ms: tuple[float, ...]

    @property
    def success(self) -> float:
        """Share of the calls asked for that were answered and ended as they should."""
        return self.succeeded / self.asked

    def __str__(self) -> str:
        return (
            f"{self.rate:g} calls/s, {self.succeeded} of {self.asked} succeeded, "
            f"p99 {percentile(self.setup_ms, 0.99):.0f} ms, INVITEs again {self.invites_again}, "
            f"pace {self.pace:.2f}: {'passed' if self.passed else 'FAILED'}"
        )

    @property
    def passed(self) -> bool:
        """Whether this rate was carried: see docs/benchmarks.md."""
        return (
            self.success >= LEAST_SUCCESS
            and self.pace >= LEAST_PACE
            and self.invites_again == 0
            and percentile(self.setup_ms, 0.99) < SETUP_LIMIT_MS
        )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie; infinite when there are none."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _scenario(name: str, parts: list[str]) -> str:
    body = "".join(parts)
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n{body}</scenario>\n'


def caller(talk_seconds: float, *, audio: bool) -> str:
    """INVITE the number of the list's line, talk, BYE. Timers: 1 until it rings, 2 until it is answered."""
    target = "sip:[field0]@[remote_ip]:[remote_port]"

    def headers(method: str, sequence: int, to_tag: str) -> str:
        return f"""Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:[field1]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <{target}>{to_tag}
Call-ID: [call_id]
CSeq: {sequence} {method}
Contact: <sip:carrier@[local_ip]:[local_port]>
Max-Forwards: 70
"""

    offer = OFFER.format(port="[rtpstream_audio_port]" if audio else "[media_port]")
    invite = send(f"INVITE {target} SIP/2.0\n" + headers("INVITE", 1, ""), body=offer, retrans=True)
    ack = send("ACK [next_url] SIP/2.0\n" + headers("ACK", 1, "[peer_tag_param]") + "[routes]")
    bye = send("BYE [next_url] SIP/2.0\n" + headers("BYE", 2, "[peer_tag_param]") + "[routes]", retrans=True)
    speak = '<nop><action><exec rtp_stream="apattern,1,0,PCMU/8000"/></action></nop>\n'
    hush = '<nop><action><exec rtp_stream="pauseapattern"/></action></nop>\n'
    return _scenario(
        "caller",
        [
            '<nop start_rtd="2"/>\n',
            invite.replace("<send", '<send start_rtd="1"', 1),
            '<recv response="100" optional="true"/>\n',
            '<recv response="180" optional="true" rtd="1"/>\n',
            '<recv response="183" optional="true"/>\n',
            '<recv response="200" rrs="true" rtd="2"/>\n',
            ack,
            speak if audio else "",
            f'<pause milliseconds="{round(talk_seconds * 1000)}"/>\n',
            hush if audio else "",
            bye,
            '<recv response="200"/>\n',
        ],
    )


def agent() -> str:
    """Ring and answer at once; the caller hangs up."""
    reply = """[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:agent@[local_ip]:[local_port]>
"""
    bye = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]"
    return _scenario(
        "agent",
        [
            '<recv request="INVITE"/>\n',
            send(f"SIP/2.0 180 Ringing\n{reply}"),
            send(f"SIP/2.0 200 OK\n{reply}", body=OFFER.format(port="[media_port]"), retrans=True),
            '<recv request="ACK"/>\n<recv request="BYE"/>\n',
            send(f"SIP/2.0 200 OK\n{bye}"),
        ],
    )


class Sipp:
    """Starts SIPp in the container that `enter` enters; `folder` is the same path on both sides."""

    def __init__(self, enter: Sequence[str], folder: Path, sip_port: int) -> None:
        self._enter = list(enter)
        self._folder = folder
        self._sip_port = sip_port
        self._numbers = itertools.count(1)

    def _start(
        self, name: str, scenario: str, address: str, options: Sequence[str]
    ) -> tuple[Path, subprocess.Popen[bytes]]:
        folder = self._folder / f"bench-{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        (folder / "scenario.xml").write_text(scenario, encoding="ascii")
        command = shlex.join(
            [
                *("sipp", f"127.0.0.1:{self._sip_port}", "-sf", "scenario.xml", "-i", address, "-bind_local"),
                *("-mi", address, "-nostdin", "-skip_rlimit", "-deadcall_wait", "0", *options),
            ]
        )
        shell = f"cd {shlex.quote(str(folder))} && {_KILLABLE.format(command=command)}"
        process = subprocess.Popen(
            [*self._enter, "bash", "-c", shell],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return folder, process

    def agent(self, address: str, port: int, *, audio: bool) -> subprocess.Popen[bytes]:
        """An agent that answers every call until `end`; with `audio` it sends back what it hears."""
        options = ["-p", str(port), *(["-rtp_echo"] if audio else [])]
        _, process = self._start("agent", agent(), address, options)
        return process

    def calls(
        self,
        address: str,
        port: int,
        listed: Sequence[tuple[str, str]],
        *,
        rate: float,
        seconds: float,
        talk_seconds: float,
        audio: bool = False,
    ) -> Load:
        """Call from `address`, `rate` a second for `seconds`; `listed` gives numbers and callers in turn.

        Bounded: `seconds`, the talk, and what the last call may still wait for an answer.
        """
        asked = max(1, round(rate * seconds))
        bound = seconds + talk_seconds + PATIENCE_SECONDS
        lines = "".join(f"{number};{who}\n" for number, who in listed)
        numbers = self._folder / f"numbers-{address}.csv"
        numbers.write_text(f"SEQUENTIAL\n{lines}", encoding="ascii")
        options = [
            *("-p", str(port), "-inf", str(numbers), "-m", str(asked), "-l", str(asked), "-r", f"{rate:g}"),
            *("-timeout", f"{round(bound)}s", "-recv_timeout", "3000", "-max_retrans", "3"),
            *("-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_counts", "-trace_rtt", "-rtt_freq", "1"),
        ]
        if audio:
            options += ["-min_rtp_port", "40000", "-max_rtp_port", "60000"]
        folder, process = self._start("calls", caller(talk_seconds, audio=audio), address, options)
        try:
            process.wait(bound + 10)
        finally:
            end(process)
        return _load(folder, asked, rate, seconds)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a SIPp run, however it stands."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    """The whole rows of one of SIPp's files: the last one is cut when SIPp was."""
    for path in folder.glob(pattern):
        with path.open(encoding="ascii", errors="replace") as file:
            return [row for row in csv.DictReader(file, delimiter=";") if None not in row.values()]
    return []


def _load(folder: Path, asked: int, rate: float, seconds: float) -> Load:
    stat = (_rows(folder, "stat.csv") or [{}])[-1]
    counts = (_rows(folder, "*_counts.csv") or [{}])[-1]
    times: dict[str, list[float]] = {"1": [], "2": []}
    began: list[float] = []
    for row in _rows(folder, "*_rtt.csv"):
        at, took, timer = row.values()
        times[timer].append(float(took))
        began.append(float(at) - float(took))
    spread = (max(began) - min(began)) / 1000 if len(began) > 1 else float("inf")
    return Load(
        asked=asked,
        rate=rate,
        made=int(stat.get("TotalCallCreated", 0)),
        succeeded=int(stat.get("SuccessfulCall(C)", 0)),
        invites_again=sum(
            int(value) for name, value in counts.items() if name and name.endswith("INVITE_Retrans") and value
        ),
        pace=min(1.0, seconds / spread) if asked > 1 else 1.0,
        ringing_ms=tuple(times["1"]),
        setup_ms=tuple(times["2"]),
    )
