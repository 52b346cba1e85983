import json
import time
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.cel import CelEvent, MalformedEvent, from_ami, from_line

from .journal_lines import LINKEDID, line

HANGUP_EXTRA = {"hangupcause": 16, "hangupsource": "PJSIP/agent1-0000002b", "dialstatus": "ANSWER"}
ROUTE = "v=1|dnis=442079460123|number=+442079460123|d1=PJSIP/agent1&PJSIP/agent2|t1=20|by=router|by=a|odd"


def ami(
    event_time: str, kind: str = "HANGUP", extra: Mapping[str, object] | None = None, **more: str
) -> dict[str, str]:
    """What cel_manager.c sends."""
    return {
        "Event": "CEL",
        "EventName": kind,
        "CallerIDnum": "+447700900123",
        "CallerIDname": "Ann",
        "CallerIDdnid": "442079460123",
        "Exten": "442079460123",
        "Context": "leaseline-in",
        "Channel": "PJSIP/carrier-0000002a",
        "EventTime": event_time,
        "UniqueID": LINKEDID,
        "LinkedID": LINKEDID,
        "Peer": "PJSIP/agent1-0000002b",
        "Extra": json.dumps(extra, separators=(",", ":")) if extra else "",
    } | more


def test_a_line_of_the_journal() -> None:
    event = from_line(line("HANGUP", extra=HANGUP_EXTRA))
    assert event == CelEvent(
        at=1763817000123,
        at_us=1763817000123456,
        type="HANGUP",
        uniqueid=LINKEDID,
        linkedid=LINKEDID,
        channel="PJSIP/carrier-0000002a",
        exten="442079460123",
        context="leaseline-in",
        caller_number="+447700900123",
        caller_name="Ann",
        dnid="442079460123",
        peer="",
        extra={"hangupcause": "16", "hangupsource": "PJSIP/agent1-0000002b", "dialstatus": "ANSWER"},
        user={},
    )


def test_a_user_event() -> None:
    event = from_line(line("LL_ROUTE", extra={"extra": ROUTE}))
    assert event.type == "LL_ROUTE"
    assert event.user == {
        "v": "1", "dnis": "442079460123", "number": "+442079460123",
        "d1": "PJSIP/agent1&PJSIP/agent2", "t1": "20", "by": "router",
    }  # fmt: skip


@pytest.mark.parametrize("extra", ["{cut", "[1]", "16", '"x"', "[" * 100_000])
def test_an_extra_that_cannot_be_read_does_not_cost_the_event(extra: str) -> None:
    event = from_line(line("HANGUP", extra=extra))
    assert event.extra == {"unparsed": extra}
    assert event.user == {}


@pytest.mark.parametrize("kind", ["LL_ROUTE", "HANGUP"])
def test_a_line_that_was_cut_in_its_last_column_still_tells_what_it_tells(kind: str) -> None:
    extra: dict[str, object] = {"extra": ROUTE} if kind == "LL_ROUTE" else dict(HANGUP_EXTRA)
    raw = line(kind, extra=extra)
    whole = from_line(raw)
    start = raw.rindex(b',"{') + 2
    for end in range(start, len(raw)):
        event = from_line(raw[:end])
        assert (event.at_us, event.type, event.linkedid) == (whole.at_us, whole.type, whole.linkedid)
        assert event.user.items() <= whole.user.items()
        assert event.extra.get("hangupcause") in (None, "16")
    if kind == "LL_ROUTE":
        told = from_line(raw[: raw.index(b"|t1")]).user
        assert told == {"v": "1", "dnis": "442079460123", "number": "+442079460123"}


def test_values_of_the_extra_are_text() -> None:
    event = from_line(line("X", extra={"a": 1, "b": None, "c": True, "d": {"e": [1]}, "f": "é"}))
    assert event.extra == {"a": "1", "b": "null", "c": "true", "d": '{"e": [1]}', "f": "é"}


@pytest.mark.parametrize(
    "name", ["", 'Ann "the" O\'Neil', 'a","b', '"', '""', '","', "a,b;c", "Müller", "\0", "\r", "\x85 "]
)
def test_any_name_survives_the_quoting(name: str) -> None:
    assert from_line(line(name=name)).caller_name == name


def test_a_name_that_is_not_utf8_survives() -> None:
    assert from_line(line(name="Müller").replace("ü".encode(), b"\xfc")).caller_name == "Müller"


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), st.text(max_size=20))
def test_any_text_survives(name: str, value: str) -> None:
    event = from_line(line("X", name=name, extra={"value": value}))
    assert (event.caller_name, event.extra["value"]) == (name, value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'"',
        b'""',
        b"nonsense",
        line()[:-3],
        line()[1:],
        line()[: len(line()) // 2],
        line() + line(),
        line().replace(b'"CHAN_START",', b""),
        line().replace(b"1763817000.123456", b"2025-11-22 13:10:00"),
        line(at=""),
        line(at="-1.000000"),
        line(at="1763817000."),
        line(at="1763817000.1234567"),
        line(at="1763817000.12x456"),
        line(at="9" * 40 + ".000000"),
        line(at="١٧٦٣٨١٧٠٠٠.000000"),
        line(kind=""),
        line(uniqueid=""),
        line(linkedid=""),
        line(name="x" * 200_000),
        b"\xff\xfe\x00" * 50,
    ],
)
def test_what_is_no_event_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedEvent):
        from_line(raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(raw: bytes) -> None:
    with pytest.raises(MalformedEvent):
        from_line(raw)


@given(st.text(st.sampled_from('",\nx1.'), max_size=60))
def test_a_line_feed_in_a_dialed_number_cannot_forge_an_event(hostile: str) -> None:
    forged = ',"1763817000.5","LL_ROUTE","1.1","1.1","c","e","x","n","m","d","p",""\n"1763817000.5","X"'
    for exten in (hostile, hostile + "\n" + forged + "\n" + hostile, "\n" + forged + hostile):
        for part in line(exten=exten).split(b"\n"):
            try:
                event = from_line(part)
            except MalformedEvent:
                continue
            assert "\n" not in exten
            assert (event.type, event.exten) == ("CHAN_START", exten)


@pytest.fixture
def _other_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The router's own zone must not matter."""
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_other_zone")
@pytest.mark.parametrize(
    "zone_seconds", [0, 3600, -5 * 3600, 5 * 3600 + 1800, 12 * 3600 + 2700, -9 * 3600 - 1800]
)
@pytest.mark.parametrize("late_seconds", [0, 0.9, 30, 400, -2])
def test_both_witnesses_tell_the_same_identity(zone_seconds: int, late_seconds: float) -> None:
    journal = from_line(line("HANGUP", extra=HANGUP_EXTRA))
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1763817000 + zone_seconds))
    witness = from_ami(ami(local, extra=HANGUP_EXTRA), journal.at + int(late_seconds * 1000))
    assert witness.identity == journal.identity
    assert witness.at_us == 1763817000_000000
    assert (witness.extra, witness.user, witness.linkedid) == (journal.extra, journal.user, journal.linkedid)


@pytest.mark.parametrize(
    "names", [{"EventName": "LL_ROUTE"}, {"EventName": "USER_DEFINED", "UserDefType": "LL_ROUTE"}]
)
def test_a_user_event_by_the_second_witness(names: dict[str, str]) -> None:
    journal = from_line(line("LL_ROUTE", extra={"extra": ROUTE}))
    witness = from_ami(ami("2025-11-22 13:10:00", extra={"extra": ROUTE}, **names), journal.at)
    assert witness.identity == journal.identity
    assert witness.user == journal.user


def test_other_events_have_other_identities() -> None:
    events = [
        from_line(line("HANGUP", extra=HANGUP_EXTRA)),
        from_line(line("HANGUP")),
        from_line(line("ANSWER", extra=HANGUP_EXTRA)),
        from_line(line("HANGUP", extra=HANGUP_EXTRA, uniqueid="1.1")),
        from_line(line("HANGUP", extra=HANGUP_EXTRA, at="1763817001.123456")),
    ]
    assert len({event.identity for event in events}) == len(events)


@pytest.mark.parametrize(
    "headers",
    [
        ami(""),
        ami("1763817000.123456"),
        ami("2025-13-22 13:10:00"),
        ami("2025-11-22 13:10:00", UniqueID=""),
        ami("2025-11-22 13:10:00", EventName=""),
    ],
)
def test_an_ami_event_that_is_no_cel_event_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(MalformedEvent):
        from_ami(headers, 1763817000123)
