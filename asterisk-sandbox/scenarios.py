"""SIPp scenarios as text: a caller behind the carrier, and an agent's phone.

SIPp substitutes no keyword in `timeout=`, so each scenario is written for its figures. A wait for the
other side's message with a time-out that jumps on stands for every pause, because a message that comes
during a SIPp pause counts as unexpected.
"""

from __future__ import annotations

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

_OFFER = """v=0
o=- 1 1 IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""


def _xml(name: str, parts: list[str]) -> bytes:
    head = f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n'
    return (head + "".join(parts) + "</scenario>\n").encode("utf-8", "surrogateescape")


def _send(message: str, *, body: str = "", retrans: bool = False) -> str:
    """A message to send; blank lines inside would end its header."""
    head = message.strip("\n")
    if body:
        head += "\nContent-Type: application/sdp"
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{head}\nContent-Length: [len]\n\n{body}]]></send>\n"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


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

    offer = _OFFER.format(port="[rtpstream_audio_port]" if audio else "[media_port]")
    patience = _milliseconds(give_up_seconds if cancel_after is None else cancel_after)
    expires = f'timeout="{patience}" ontimeout="cancel"'
    # SIPp looks at the time-out of the first message it could take next: each needs it.
    refusals = [f'<recv response="{code}" optional="true" next="refused" {expires}/>\n' for code in _REFUSALS]
    parts = [
        _send(
            f"INVITE {target} SIP/2.0\n" + headers("1 INVITE", "invite", ""),
            body=offer,
            retrans=True,
        ),
        *(f'<recv response="{code}" optional="true" {expires}/>\n' for code in (100, 180, 183)),
        *refusals,
        f'<recv response="200" rrs="true" {expires}/>\n',
        _send("ACK [next_url] SIP/2.0\n" + headers("1 ACK", "ack", "[peer_tag_param]") + "[routes]"),
        *_media(audio, digits, digits_after),
        f'<recv request="BYE" timeout="{_milliseconds(seconds)}" ontimeout="bye"/>\n',
        '<label id="ended"/>\n',
        _ok("BYE"),
        '<nop next="end"/>\n',
        '<label id="bye"/>\n',
        _send(
            "BYE [next_url] SIP/2.0\n" + headers("2 BYE", "bye", "[peer_tag_param]") + "[routes]",
            retrans=True,
        ),
        '<recv request="BYE" optional="true" next="crossed"/>\n',
        '<recv response="200" next="end"/>\n',
        '<label id="crossed"/>\n',
        _ok("BYE"),
        '<recv response="200" timeout="2000" ontimeout="end" next="end"/>\n',
        '<label id="cancel"/>\n',
        _send(f"CANCEL {target} SIP/2.0\n" + headers("1 CANCEL", "invite", ""), retrans=True),
        '<recv response="200"/>\n',
        '<recv response="487" timeout="20000" ontimeout="end"/>\n',
        '<label id="refused"/>\n',
        _send(f"ACK {target} SIP/2.0\n" + headers("1 ACK", "invite", "[peer_tag_param]")),
        '<label id="end"/>\n',
        '<nop><action><exec rtp_stream="pauseapattern"/></action></nop>\n' if audio else "",
    ]
    return _xml("caller", parts)


def _media(audio: bool, digits: str, digits_after: float) -> list[str]:
    """Sound that the agent sends back, and digits keyed one by one; a BYE ends it at any moment."""
    parts = []
    if audio:
        parts.append('<nop><action><exec rtp_stream="apattern,1,0,PCMU/8000"/></action></nop>\n')
    wait = _milliseconds(digits_after)
    for index, digit in enumerate(digits):
        name = {"*": "star", "#": "pound"}.get(digit, digit)
        path = f"/usr/share/sip-tester/dtmf_2833_{name}.pcap"
        parts += [
            f'<recv request="BYE" timeout="{wait}" ontimeout="digit{index}" next="ended"/>\n',
            f'<label id="digit{index}"/>\n<nop><action><exec play_pcap_audio="{path}"/></action></nop>\n',
        ]
        wait = 300
    return parts


def _ok(method: str) -> str:
    """200 to the request that came last."""
    headers = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]"
    return _send(f"SIP/2.0 200 OK\n{headers}\nCSeq: [last_cseq_number] {method}")


def agent(
    *, answer_after: float | None, reject: int | None, silent: bool, hangup_after: float | None
) -> bytes:
    """Ring, answer, send back what is heard; or refuse; or say nothing."""
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
                _send(f"SIP/2.0 {reject} Refused\n{reply}", retrans=True),
                '<recv request="ACK"/>\n',
                forget,
            ],
        )
    # The INVITE's own headers: by then CANCEL or ACK is the last message.
    dialog = f"Via:[$1]\nFrom:[$2]\nTo:[$3]{mine}\nCall-ID: [call_id]\nCSeq: [$4] INVITE\n"
    contact = "Contact: <sip:agent@[local_ip]:[local_port]>"
    patience = _milliseconds(3600 if answer_after is None else answer_after)
    talk = "" if hangup_after is None else f' timeout="{_milliseconds(hangup_after)}" ontimeout="bye"'
    bye = f"""BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$3]{mine}
To:[$2]
Call-ID: [call_id]
CSeq: 1 BYE
Max-Forwards: 70
"""
    parts += [
        _send(f"SIP/2.0 180 Ringing\n{reply}"),
        f'<recv request="CANCEL" timeout="{patience}" ontimeout="answer"/>\n',
        _ok("CANCEL"),
        _send(f"SIP/2.0 487 Request Terminated\n{dialog}", retrans=True),
        '<recv request="ACK" next="end"/>\n',
        '<label id="answer"/>\n',
        _send(f"SIP/2.0 200 OK\n{dialog}{contact}", body=_OFFER.format(port="[media_port]"), retrans=True),
        '<recv request="ACK"/>\n',
        f'<recv request="BYE"{talk}/>\n',
        _ok("BYE"),
        '<nop next="end"/>\n',
        '<label id="bye"/>\n',
        _send(bye, retrans=True),
        '<recv response="200"/>\n',
        '<label id="end"/>\n',
        forget,
    ]
    return _xml("agent", parts)
