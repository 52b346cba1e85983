"""FastAGI, sans-I/O: bytes from Asterisk in, events out; one command at a time.

Rules of the conversation (res_agi.c, Asterisk 16 to 22; FACTS are from real calls):

* Asterisk sends ``agi_name: value`` lines and an empty line, then nothing until it has a command.
* Each command is answered by one line ``CODE …``, or by ``520-…``, usage lines and ``520 …``. Commands
  cannot be pipelined: of several written at once only the first is answered.
* ``HANGUP`` may come at any point, also between a command and its answer. It is not an answer.

| state   | may come                        | becomes                        |
|---------|---------------------------------|--------------------------------|
| HEADERS | header lines, the empty line    | IDLE, with a `Request`         |
| IDLE    | HANGUP; `send`                  | IDLE; PENDING                  |
| PENDING | HANGUP, junk; an answer         | PENDING; IDLE, with a `Reply`  |
| any     | anything else, or over a limit  | BROKEN, with a `Violation`     |

A line that nobody asked for, in IDLE, is how a header smuggled in by a line feed inside a dialed number
shows.
The events do not depend on how the bytes were cut into segments.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from agi.text import decode, decode_lines


class _ViolationError(Exception):
    """the peer does not speak FastAGI"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may send before it is taken for something other than Asterisk."""

    line_bytes: int = 4096
    headers: int = 128
    header_bytes: int = 32_768
    junk_lines: int = 64


@dataclass(frozen=True, slots=True)
class Request:
    """The header block. ``variables``: the ``agi_*`` names as sent, values as text."""

    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command: ``200 result=1 (value)`` has result "1" and value "value".

    ``value`` is None where there were no parentheses; a value "hangup" is a value, not a hang-up.
    """

    code: int
    result: str
    value: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """The caller's channel was hung up, or the AGI is over."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer does not speak FastAGI. The last event there is."""

    reason: str


Event: TypeAlias = Request | Reply | Hangup | Violation


class State(Enum):
    HEADERS = auto()
    IDLE = auto()
    PENDING = auto()
    BROKEN = auto()


_ANSWER: Final = re.compile(rb"([1-9]\d\d)(?:([ -])(.*))?\Z", re.DOTALL)
_RESULT: Final = re.compile(r"result=(\S*)(?: \((.*)\))?", re.DOTALL)
_HANGUP: Final = b"HANGUP"


class FastAgiCodec:
    """One connection's conversation. Feed `receive`, write what `send` gives back."""

    __slots__ = ("_buffer", "_junk", "_limits", "_scanned", "_usage", "state")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._buffer = bytearray()
        self._scanned = 0
        self._usage: list[bytes] | None = None
        self._junk = 0
        self.state = State.HEADERS

    def send(self, command: bytes) -> bytes:
        """Note that ``command`` (one whole line) goes out and give it back. One at a time."""
        if self.state is not State.IDLE:
            raise RuntimeError(f"a command may be sent when idle, not in {self.state.name}")
        if not command.endswith(b"\n") or b"\n" in command[:-1]:
            raise ValueError("a command is one line with its line feed")
        self.state = State.PENDING
        return command

    def receive(self, data: bytes | bytearray) -> list[Event]:
        """The events that ``data`` completes, in order."""
        events: list[Event] = []
        if self.state is State.BROKEN:
            return events
        self._buffer += data
        try:
            self._receive(events)
        except _ViolationError as violation:
            self.state = State.BROKEN
            self._buffer.clear()
            events.append(Violation(str(violation)))
        return events

    def _receive(self, events: list[Event]) -> None:
        if self.state is State.HEADERS:
            block = self._header_block()
            if block is None:
                return
            events += self._headers(block)
            self.state = State.IDLE
        while (end := self._buffer.find(b"\n", self._scanned)) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            self._check_line(len(line))
            event = self._line(line)
            if event is not None:
                events.append(event)
        self._scanned = len(self._buffer)
        self._check_line(self._scanned)

    def _header_block(self) -> bytes | None:
        """The header block once its empty line is there."""
        buffer, limit = self._buffer, self._limits.header_bytes
        # One byte back: the first line feed of the pair may have come with the segment before.
        end = buffer.find(b"\n\n", max(0, self._scanned - 1))
        if (end if end >= 0 else len(buffer)) > limit:
            raise _ViolationError(f"header block over {limit} bytes")
        if end < 0:
            self._scanned = len(buffer)
            self._check_line(len(buffer) - 1 - buffer.rfind(b"\n"))
            return None
        block = bytes(buffer[:end])
        del buffer[: end + 2]
        self._scanned = 0
        return block

    def _headers(self, block: bytes) -> list[Event]:
        """The request in ``block``.

        Of a name sent twice the first counts, except for the arguments, where the last does: Asterisk
        writes the script first, then caller data (``agi_dnid`` may hold a decoded line feed), then the
        dialplan's arguments.
        """
        lines = decode_lines(block)
        if len(lines) > self._limits.headers:
            raise _ViolationError(f"more than {self._limits.headers} headers")
        self._check_line(max(map(len, lines)))
        variables: dict[str, str] = {}
        events: list[Event] = []
        for line in lines:
            name, separator, value = line.partition(": ")
            if not separator and line.endswith(":"):
                name, separator = line[:-1], ":"
            if not separator:
                if line == "HANGUP":
                    events.append(Hangup())
                else:
                    self._count_junk()
            elif name not in variables or name.startswith("agi_arg_"):
                variables[name] = value
        if "agi_network_script" not in variables and "agi_request" not in variables:
            raise _ViolationError("header block without agi_request")
        return [Request(variables), *events]

    def _line(self, line: bytes) -> Event | None:
        if line == _HANGUP:
            return Hangup()
        if self.state is State.IDLE:
            raise _ViolationError("a line that no command asked for")
        if self._usage is not None:
            return self._usage_line(self._usage, line)
        answer = _ANSWER.match(line)
        # 1xx is provisional: the answer is still to come.
        if answer is None or answer[1].startswith(b"1"):
            self._count_junk()
            return None
        if answer[2] == b"-":
            self._usage = [line]
            return None
        return self._reply(answer, decode(line))

    def _usage_line(self, usage: list[bytes], line: bytes) -> Event | None:
        usage.append(line)
        code = usage[0][:3]
        answer = _ANSWER.match(line)
        if answer is None or answer[1] != code or answer[2] == b"-":
            self._count_junk()
            return None
        self._usage = None
        return self._reply(answer, decode(b"\n".join(usage)))

    def _reply(self, answer: re.Match[bytes], text: str) -> Reply:
        self.state = State.IDLE
        code = int(answer[1])
        result = _RESULT.match(decode(answer[3] or b"")) if code == 200 else None
        if result is None:
            return Reply(code, "", None, text)
        return Reply(code, result[1], result[2], text)

    def _count_junk(self) -> None:
        self._junk += 1
        if self._junk > self._limits.junk_lines:
            raise _ViolationError(f"more than {self._limits.junk_lines} lines that mean nothing")

    def _check_line(self, length: int) -> None:
        if length > self._limits.line_bytes:
            raise _ViolationError(f"line over {self._limits.line_bytes} bytes")
