from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.protocol import Event, FastAgiCodec, Hangup, Limits, Reply, Request, State, Violation

from .asterisk_bytes import header_block

USAGE = (
    b"520-Invalid command syntax.  Proper usage follows:\n Usage: EXEC ...\n200 result=1\n"
    b"520 End of proper usage.\n"
)
OK = Reply(200, "0", None, "200 result=0")


def conversation(replies: list[bytes], cuts: list[int] | None, limits: Limits | None = None) -> list[Event]:
    """Header block, then one command per reply; every part cut at ``cuts`` (None: byte by byte)."""
    codec = FastAgiCodec(limits)
    events: list[Event] = []
    for part in [header_block(), *replies]:
        if codec.state is State.IDLE:
            codec.send(b"NOOP\n")
        bounds = (
            range(len(part) + 1)
            if cuts is None
            else sorted({0, *(min(c, len(part)) for c in cuts), len(part)})
        )
        edges = list(bounds)
        for start, end in pairwise(edges):
            events += codec.receive(part[start:end])
    return events


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"200 result=0\n", [OK]),
        (b"200 result=1 (+44 (0)20)\n", [Reply(200, "1", "+44 (0)20", "200 result=1 (+44 (0)20)")]),
        (b"200 result=1 (hangup)\n", [Reply(200, "1", "hangup", "200 result=1 (hangup)")]),
        (b"200 result=-1 endpos=80\n", [Reply(200, "-1", None, "200 result=-1 endpos=80")]),
        (b"200 result= (timeout)\n", [Reply(200, "", "timeout", "200 result= (timeout)")]),
        (b"510 Invalid or unknown command\n", [Reply(510, "", None, "510 Invalid or unknown command")]),
        (
            b"511 Command Not Permitted on a dead channel\n",
            [Reply(511, "", None, "511 Command Not Permitted on a dead channel")],
        ),
        (USAGE, [Reply(520, "", None, USAGE.decode().rstrip("\n"))]),
        (
            b"520 Invalid command syntax.  Proper usage not available.\n",
            [Reply(520, "", None, "520 Invalid command syntax.  Proper usage not available.")],
        ),
        (b"HANGUP\n200 result=0\n", [Hangup(), OK]),
        (b"HANGUP\nHANGUP\n200 result=0\nHANGUP\n", [Hangup(), Hangup(), OK, Hangup()]),
        (b"100 result=0 Trying...\n200 result=0\n", [OK]),
        (b"\nnonsense\nagi_arg_1: 1\n200 result=0\n", [OK]),
        (b"200 result=1 (M\xfcller)\n", [Reply(200, "1", "Müller", "200 result=1 (Müller)")]),
    ],
)
def test_an_exchange_gives_the_same_events_however_it_is_cut(reply: bytes, expected: list[Event]) -> None:
    whole = conversation([reply], [])
    assert isinstance(whole[0], Request)
    assert whole[1:] == expected
    for cut in range(len(header_block())):
        assert conversation([reply], [cut]) == whole
    assert conversation([reply], None) == whole


def test_hangup_inside_a_usage_text_is_no_line_of_it() -> None:
    reply = USAGE.replace(b"200", b"HANGUP\n200")
    assert conversation([reply], None)[1:] == [Hangup(), Reply(520, "", None, USAGE.decode().rstrip("\n"))]


def test_headers_are_read_as_sent() -> None:
    request = FastAgiCodec().receive(header_block())[0]
    assert isinstance(request, Request)
    assert request.variables["agi_network_script"] == "route"
    assert request.variables["agi_arg_3"] == "+447700900123"
    assert request.variables["agi_accountcode"] == ""
    assert len(request.variables) == 25


@pytest.mark.parametrize(
    ("name", "text"), [(b"M\xfcller", "Müller"), ("Müller".encode(), "Müller"), (b"\xff\xfe\x80", "ÿþ\x80")]
)
def test_undecodable_bytes_survive(name: bytes, text: str) -> None:
    request = FastAgiCodec().receive(header_block(name=name))[0]
    assert isinstance(request, Request)
    assert request.variables["agi_calleridname"] == text
    assert request.variables["agi_arg_1"] == "442079460123"


def test_a_line_feed_in_the_dialed_number_cannot_choose_the_arguments() -> None:
    block = header_block(dnid=b"1\nagi_arg_1: 999\nagi_network_script: evil\nagi_arg_2: x")
    request = FastAgiCodec().receive(block)[0]
    assert isinstance(request, Request)
    assert request.variables["agi_arg_1"] == "442079460123"
    assert request.variables["agi_arg_2"] == "1763817000.42"
    assert request.variables["agi_network_script"] == "route"


def test_an_empty_line_in_the_dialed_number_is_found_out() -> None:
    block = header_block(dnid=b"1\nagi_arg_1: 999\nagi_arg_2: x\n\n")
    events = FastAgiCodec().receive(block)
    assert isinstance(events[-1], Violation)


@pytest.mark.parametrize(
    "data",
    [
        b"agi_x: " + b"a" * 5000,
        b"agi_x: " + b"a" * 5000 + b"\n\n",
        b"agi_x: 1\n" * 129 + b"\n",
        b"agi_x: 1\n" * 5000,
        b"junk\n" * 65 + b"\n",
        b"GET / HTTP/1.1\nHost: pbx.example\n\n",
        b"\n\n",
        header_block() + b"200 result=0\n",
        header_block() + b"x" * 5000,
    ],
)
def test_a_peer_that_does_not_speak_fastagi_is_found_out(data: bytes) -> None:
    at_once = FastAgiCodec().receive(data)
    assert isinstance(at_once[-1], Violation)
    codec = FastAgiCodec()
    bytewise = [event for byte in data for event in codec.receive(bytes([byte]))]
    assert [type(event) for event in bytewise] == [type(event) for event in at_once]
    assert codec.receive(header_block()) == []


def test_junk_instead_of_a_reply_is_bounded() -> None:
    assert conversation([b"junk\n" * 64 + b"200 result=0\n"], [])[-1] == OK
    assert isinstance(conversation([b"junk\n" * 65], [])[-1], Violation)
    assert isinstance(conversation([b"520-usage\n" + b"more\n" * 65], [])[-1], Violation)


def test_hangup_among_the_headers() -> None:
    block = header_block().replace(b"agi_rdnis", b"HANGUP\nagi_rdnis")
    assert [type(event) for event in FastAgiCodec().receive(block)] == [Request, Hangup]


def test_one_command_at_a_time() -> None:
    codec = FastAgiCodec()
    with pytest.raises(RuntimeError):
        codec.send(b"NOOP\n")
    codec.receive(header_block())
    with pytest.raises(ValueError, match="line feed"):
        codec.send(b"NOOP")
    with pytest.raises(ValueError, match="line feed"):
        codec.send(b"NOOP\nNOOP\n")
    assert codec.send(b"NOOP\n") == b"NOOP\n"
    with pytest.raises(RuntimeError):
        codec.send(b"NOOP\n")


lines = st.lists(
    st.sampled_from(
        [b"HANGUP\n", b"200 result=1 (x)\n", b"100 x\n", b"junk\n", b"\xff\n", b"510 no\n", USAGE, b"520-\n"]
    ),
    max_size=6,
)


@given(replies=lines, cuts=st.lists(st.integers(0, 900), max_size=6))
def test_any_cut_of_any_conversation(replies: list[bytes], cuts: list[int]) -> None:
    assert conversation(replies, cuts) == conversation(replies, [])


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    limits = Limits(line_bytes=40, headers=5, header_bytes=120, junk_lines=3)
    edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    codec, other = FastAgiCodec(limits), FastAgiCodec(limits)
    pieces = [event for a, b in pairwise(edges) for event in codec.receive(data[a:b])]
    assert [type(event) for event in pieces] == [type(event) for event in other.receive(data)]
