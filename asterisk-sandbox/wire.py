"""What SIPp saw on the wire: its message log read into one outcome a call. Instants are epoch ms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime


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
    def over(self) -> bool:
        """Whether nothing more comes: a BYE, or another final answer than 200."""
        return self.ended_at is not None

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
