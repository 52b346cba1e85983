"""SIPp scenarios as text: a caller behind the carrier, and an agent's phone.

SIPp substitutes no keyword in `timeout=`, so each scenario is written for its figures. A wait for the
other side's message with a time-out that jumps on stands for every pause, because a message that comes
during a SIPp pause counts as unexpected.
"""

from __future__ import annotations

from collections.abc import Sequence

import midcall
from midcall import OFFER, milliseconds, ok, send

_REFUSALS = (
    400,
    401,
    403,
    404,
    408,
    410,
    415,
    480,
    481,
    482,
    484,
    486,
    487,
    488,
    500,
    501,
    502,
    503,
    504,
    600,
    603,
    604,
    606,
)


def _xml(name: str, parts: list[str]) -> bytes:
    head = f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n'
    return (head + "".join(parts) + "</scenario>\n").encode("utf-8", "surrogateescape")


def caller(
    number: str,
    *,
    caller: str,
    name: str,
    seconds: float,
    digits: str,
    digits_after: float,
    audio: bool,
    cancel_after: float | None,
    give_up_seconds: float,
) -> bytes:
    """INVITE, wait, talk, BYE; or CANCEL. Refusals are answered with ACK and end the call."""
    identity = (
        f'"{name}" ' if name else ""
    ) + f"<sip:{caller}@[local_ip]:[local_port]>;tag=[pid]c[call_number]"
    target = f"sip:{number}@[remote_ip]:[remote_port]"

    def headers(sequence: str, branch: str, to_tag: str) -> str:
        # CANCEL and the ACK of a refusal belong to the INVITE's transaction: they carry its branch.
        return f"""Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-{branch}
From: {identity}
To: <{target}>{to_tag}
Call-ID: [call_id]
CSeq: {sequence}
Contact: <sip:carrier@[local_ip]:[local_port]>
Max-Forwards: 70
"""

    offer = OFFER.format(port="[rtpstream_audio_port]" if audio else "[media_port]")
    if digits:
        offer = offer.replace("101", "96")  # what play_dtmf sends
    patience = milliseconds(give_up_seconds if cancel_after is None else cancel_after)
    expires = f'timeout="{patience}" ontimeout="cancel"'
    # SIPp looks at the time-out of the first message it could take next: each needs it.
    refusals = [f'<recv response="{code}" optional="true" next="refused" {expires}/>\n' for code in _REFUSALS]
    parts = [
        send(
            f"INVITE {target} SIP/2.0\n" + headers("1 INVITE", "invite", ""),
            body=offer,
            retrans=True,
        ),
        *(f'<recv response="{code}" optional="true" {expires}/>\n' for code in (100, 180, 183)),
        *refusals,
        f'<recv response="200" rrs="true" {expires}/>\n',
        send("ACK [next_url] SIP/2.0\n" + headers("1 ACK", "ack", "[peer_tag_param]") + "[routes]"),
        *_media(audio, digits, digits_after),
        f'<recv request="BYE" timeout="{milliseconds(seconds)}" ontimeout="bye"/>\n',
        '<label id="ended"/>\n',
        ok("BYE"),
        '<nop next="end"/>\n',
        '<label id="bye"/>\n',
        send(
            "BYE [next_url] SIP/2.0\n" + headers("2 BYE", "bye", "[peer_tag_param]") + "[routes]",
            retrans=True,
        ),
        '<recv request="BYE" optional="true" next="crossed"/>\n',
        '<recv response="200" next="end"/>\n',
        '<label id="crossed"/>\n',
        ok("BYE"),
        '<recv response="200" timeout="2000" ontimeout="end" next="end"/>\n',
        '<label id="cancel"/>\n',
        send(f"CANCEL {target} SIP/2.0\n" + headers("1 CANCEL", "invite", ""), retrans=True),
        '<recv response="200"/>\n',
        '<recv response="487" timeout="20000" ontimeout="end"/>\n',
        '<label id="refused"/>\n',
        send(f"ACK {target} SIP/2.0\n" + headers("1 ACK", "invite", "[peer_tag_param]")),
        '<label id="end"/>\n',
        '<nop><action><exec rtp_stream="pauseapattern"/></action></nop>\n' if audio else "",
    ]
    return _xml("caller", parts)


def _media(audio: bool, digits: str, digits_after: float) -> list[str]:
    """Sound that the agent sends back, and digits keyed after a while; a BYE ends it at any moment."""
    parts = []
    if audio:
        parts.append('<nop><action><exec rtp_stream="apattern,1,0,PCMU/8000"/></action></nop>\n')
    if digits:
        wait = milliseconds(digits_after)
        parts += [
            f'<recv request="BYE" timeout="{wait}" ontimeout="digits" next="ended"/>\n',
            f'<label id="digits"/>\n<nop><action><exec play_dtmf="{digits}"/></action></nop>\n',
        ]
    return parts


def agent(
    *,
    answer_after: float | None,
    reject: int | None,
    silent: bool,
    hangup_after: float | None,
    early_media: bool = False,
    then: Sequence[midcall.Act] = (),
) -> bytes:
    """Ring, answer, send back what is heard; or refuse; or say nothing. `then`: what it does in mid-call."""
    mine = ";tag=[pid]a[call_number]"
    reply = f"""[last_Via:]
[last_From:]
[last_To:]{mine}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:agent@[local_ip]:[local_port]>
"""
    remember = (
        '<action><ereg regexp="(.*)" search_in="hdr" header="Via:" assign_to="1" />'
        '<ereg regexp="(.*)" search_in="hdr" header="From:" assign_to="2" />'
        '<ereg regexp="(.*)" search_in="hdr" header="To:" assign_to="3" />'
        '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="4" /></action>'
    )
    parts = [f'<recv request="INVITE" rrs="true">{remember}</recv>\n']
    forget = '<Reference variables="1,2,3,4"/>\n'
    if silent:
        return _xml(
            "agent",
            [*parts, '<recv request="CANCEL" timeout="60000" ontimeout="end"/>\n<label id="end"/>\n', forget],
        )
    if reject is not None:
        return _xml(
            "agent",
            [
                *parts,
                send(f"SIP/2.0 {reject} Refused\n{reply}", retrans=True),
                '<recv request="ACK"/>\n',
                forget,
            ],
        )
    # The INVITE's own headers: by then CANCEL or ACK is the last message.
    dialog = f"Via:[$1]\nFrom:[$2]\nTo:[$3]{mine}\nCall-ID: [call_id]\nCSeq: [$4] INVITE\n"
    contact = "Contact: <sip:agent@[local_ip]:[local_port]>"
    patience = milliseconds(3600 if answer_after is None else answer_after)
    talk = "" if hangup_after is None else f' timeout="{milliseconds(hangup_after)}" ontimeout="bye"'
    offer = OFFER.format(port="[media_port]")
    ringing = (
        send(f"SIP/2.0 183 Session Progress\n{reply}", body=offer)
        if early_media
        else send(f"SIP/2.0 180 Ringing\n{reply}")
    )
    own = midcall.Dialog(mine)
    parts += [
        ringing,
        f'<recv request="CANCEL" timeout="{patience}" ontimeout="answer"/>\n',
        ok("CANCEL"),
        send(f"SIP/2.0 487 Request Terminated\n{dialog}", retrans=True),
        '<recv request="ACK" next="end"/>\n',
        '<label id="answer"/>\n',
        send(f"SIP/2.0 200 OK\n{dialog}{contact}", body=offer, retrans=True),
        '<recv request="ACK"/>\n',
        *(part for act in then for part in act.parts(own)),
        f'<recv request="BYE"{talk}/>\n',
        '<label id="ended"/>\n',
        ok("BYE"),
        '<nop next="end"/>\n',
        '<label id="bye"/>\n',
        send(own.request("BYE"), retrans=True),
        '<recv response="200"/>\n',
        '<label id="end"/>\n',
        forget,
    ]
    return _xml("agent", parts)
