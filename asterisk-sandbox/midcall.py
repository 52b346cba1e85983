"""What an agent's phone does in mid-call, as SIPp commands: hold, blind transfer, attended transfer.

The agent's scenario keeps the INVITE's From in $2 and its To in $3; requests of the agent go the other way.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Protocol

OFFER = """v=0
o=- 1 1 IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""


def send(message: str, *, body: str = "", retrans: bool = False) -> str:
    """A message to send; blank lines inside would end its header."""
    head = message.strip("\n")
    if body:
        head += "\nContent-Type: application/sdp"
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{head}\nContent-Length: [len]\n\n{body}]]></send>\n"


def milliseconds(seconds: float) -> int:
    """As SIPp's time-outs want it."""
    return max(1, round(seconds * 1000))


def ok(method: str) -> str:
    """200 to the request that came last."""
    headers = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]"
    return send(f"SIP/2.0 200 OK\n{headers}\nCSeq: [last_cseq_number] {method}")


@dataclass
class Dialog:
    """The agent's side of its call: its own requests are numbered, labels are used once."""

    tag: str
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def request(self, method: str, more: str = "", *, sequence: int | None = None) -> str:
        """A request in the dialog; an ACK carries its INVITE's `sequence`."""
        number = next(self.numbers) if sequence is None else sequence
        return f"""{method} [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$3]{self.tag}
To:[$2]
Call-ID: [call_id]
CSeq: {number} {method}
Contact: <sip:agent@[local_ip]:[local_port]>
Max-Forwards: 70
{more}"""

    def wait(self, seconds: float) -> str:
        """A pause that a BYE ends."""
        label = f"waited{next(self.numbers)}"
        return (
            f'<recv request="BYE" timeout="{milliseconds(seconds)}" ontimeout="{label}" next="ended"/>\n'
            f'<label id="{label}"/>\n'
        )


class Act(Protocol):
    """Something done in mid-call."""

    def parts(self, dialog: Dialog) -> list[str]: ...


@dataclass(frozen=True)
class Hold:
    """After `after` seconds hold the caller for `seconds`, by re-INVITE."""

    after: float
    seconds: float

    def parts(self, dialog: Dialog) -> list[str]:
        """Hold, wait, resume."""
        parts = [dialog.wait(self.after)]
        for direction, then in (("sendonly", self.seconds), ("sendrecv", 0.05)):
            number = next(dialog.numbers)
            offer = f"{OFFER.format(port='[media_port]')}a={direction}\n"
            parts += [
                send(dialog.request("INVITE", sequence=number), body=offer, retrans=True),
                '<recv response="100" optional="true"/>\n',
                '<recv response="200"/>\n',
                send(dialog.request("ACK", sequence=number)),
                dialog.wait(then),
            ]
        return parts


PASSING_ON = ["-aa", "-default_behaviors", "all,-abortunexp"]
"""SIPp's options for a phone that transfers: NOTIFYs come in quick succession, and a message that finds SIPp
about to send would end the call. With these it answers NOTIFY by itself and lets Asterisk repeat the rest."""

_LEFT = [
    '<label id="left"/>\n',
    '<recv request="BYE" timeout="800" ontimeout="bye"/>\n',
    ok("BYE"),
    '<nop next="left"/>\n',
]
"""After a REFER the phone takes the BYE of each of its calls, and then hangs up itself."""


@dataclass(frozen=True)
class BlindTransfer:
    """After `after` seconds pass the caller on to the extension `to` (REFER)."""

    to: str
    after: float

    def parts(self, dialog: Dialog) -> list[str]:
        """REFER, then whatever Asterisk wants."""
        target = f"<sip:{self.to}@[remote_ip]:[remote_port]>"
        refer = dialog.request("REFER", f"Refer-To: {target}\nReferred-By: <sip:agent@[local_ip]>\n")
        return [dialog.wait(self.after), send(refer, retrans=True), '<recv response="202"/>\n', *_LEFT]


@dataclass(frozen=True)
class AttendedTransfer:
    """After `after` seconds hold the caller, call the extension `to` as `name`, talk `talk` seconds with who
    answers, and connect the two (REFER with Replaces)."""

    name: str
    to: str
    after: float
    talk: float

    def parts(self, dialog: Dialog) -> list[str]:
        """A second dialog in the same SIPp call: SIPp looks only at what follows `///` in a Call-ID."""
        target = f"sip:{self.to}@[remote_ip]:[remote_port]"
        mine = "[pid]b[call_number]"

        def second(method: str, to_tag: str = "") -> str:
            return f"""{method} {target} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:{self.name}@[local_ip]:[local_port]>;tag={mine}
To: <{target}>{to_tag}
Call-ID: second///[call_id]
CSeq: 1 {method}
Contact: <sip:{self.name}@[local_ip]:[local_port]>
Max-Forwards: 70
"""

        number = next(dialog.numbers)
        offer = OFFER.format(port="[media_port]")
        replaces = f"second%2F%2F%2F[call_id]%3Bto-tag%3D[$6]%3Bfrom-tag%3D{mine}"
        refer = dialog.request("REFER", f"Refer-To: <{target}?Replaces={replaces}>\n")
        tag = '<action><ereg regexp="tag=([^;>]+)" search_in="hdr" header="To:" assign_to="5,6"/></action>'
        return [
            dialog.wait(self.after),
            send(dialog.request("INVITE", sequence=number), body=f"{offer}a=sendonly\n", retrans=True),
            '<recv response="100" optional="true"/>\n<recv response="200"/>\n',
            send(dialog.request("ACK", sequence=number)),
            send(second("INVITE"), body=offer, retrans=True),
            *(f'<recv response="{code}" optional="true"/>\n' for code in (100, 180, 183)),
            f'<recv response="200">{tag}</recv>\n',
            send(second("ACK", ";tag=[$6]")),
            dialog.wait(self.talk),
            send(refer, retrans=True),
            '<recv response="202"/>\n',
            *_LEFT,
            '<Reference variables="5"/>\n',
        ]
