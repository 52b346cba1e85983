"""From facts to the CDR: caller, site, attribution, and what is said when something is not known."""

import json

import pytest

from pool.leases import Holding, Rung
from pool.numbers import NumberKind, NumberRecord
from router.cdr.enrich import Enricher, SiteRules, caller_number
from router.cdr.record import json_of
from router.cdr.reducer import finish
from router.routing.numbering import NotANumber, to_e164
from router.store.calls import VisitsAtCall
from tests.router.cdr.calls import EPOCH, NUMBER, Script, answered
from tests.router.cdr.test_reducer_laws import state_of

VISIT = {
    "visit_id": "visit-1", "visitor_id": "visitor-1", "channel": "Google Ads", "source": "google",
    "medium": "cpc", "campaign": "boilers", "term": "boiler repair", "content": "", "referrer": "https://www.google.com/",
    "landing_page": "https://shop.example/?gclid=x", "click_ids": '{"gclid":"x"}', "ga_client_id": "1.2",
    "ga_session_id": "3", "metrica_client_id": "", "region": "GB-LND", "city": "London", "ip": "192.0.2.7",
    "browser": "Firefox", "os": "Linux", "device": "desktop", "visit_count": 2, "first_source": "bing",
    "first_medium": "organic", "first_campaign": "", "first_at": EPOCH * 1000 - 86_400_000,
    "page_called_from": "https://shop.example/contact",
}  # fmt: skip


CDR_KEYS = [
    "id", "switch", "linkedid", "site", "number", "extension", "caller", "started_at",
    "answered_at", "ended_at", "ring_seconds", "talk_seconds", "result", "answered_by",
    "hung_up_by", "legs", "transfers", "recording", "qualified", "first_call", "match",
    "confidence", "candidates", "attribution", "route", "repaired",
]  # fmt: skip
VISIT_KEYS = [
    "visit_id", "visitor_id", "channel", "source", "medium", "campaign", "term", "content",
    "referrer", "landing_page", "page_called_from", "click_ids", "ga", "metrica_client_id",
    "region", "city", "ip", "browser", "os", "device", "visit_count", "first",
]  # fmt: skip


class Pool:
    """One number and who holds it."""

    def __init__(self, kind: str | None = "dynamic", channel: str = "", held: bool = True) -> None:
        self.kind, self.channel, self.held = kind, channel, held
        self.asked: list[tuple] = []

    async def number(self, number):
        if self.kind is None:
            return None
        return NumberRecord(number, NumberKind(self.kind), "main", "", self.channel, "", 0, None)

    async def holders(self, number, extension, at, *, lookback_seconds, present_at=None):
        self.asked.append((number, extension, at))
        if not self.held:
            return []
        seen = EPOCH * 1000
        return [Holding("l1", "visit-1", "visitor-1", "shop", number, extension, Rung.BASE, None,
                        seen - 60_000, seen + 900_000, seen, None, seen - 60_000, None, "live")]  # fmt: skip


class History:
    """A store with one visit and some earlier calls."""

    def __init__(self, *earlier: dict, **renamed: str) -> None:
        self.earlier = list(earlier)
        self.renamed = {first.replace("_", "-"): visit for first, visit in renamed.items()}

    async def calls_of_caller(self, site, caller, before, most=10):
        return self.earlier

    async def visits_at_call(self, chosen, held, at):
        return VisitsAtCall(VISIT if chosen == "visit-1" else None, self.renamed)


def e164(digits: str) -> str | None:
    try:
        return to_e164(digits, "GB")
    except NotANumber:
        return None


async def record(events, pool=None, history=None, **rules):
    enricher = Enricher(
        "pbx",
        pool or Pool(),
        history or History(),
        rules=lambda site: SiteRules(**rules),
        e164=e164,
        site_of=lambda number, record: "by-number",
        now=lambda: EPOCH * 1000 + 60_000,
    )
    finished = await enricher.finished(finish(state_of(events)))
    assert json.loads(json_of(finished.cdr)) == finished.cdr
    assert finished.row["record"] == json_of(finished.cdr)
    return finished.cdr


async def test_the_whole_record():
    cdr = await record(answered(30.0, record="mono").in_order(), qualified_seconds=20)
    assert list(cdr) == CDR_KEYS
    attribution = cdr["attribution"]
    assert list(attribution) == VISIT_KEYS
    assert (attribution["source"], attribution["content"]) == ("google", None)
    assert attribution["click_ids"] == {"gclid": "x"}
    assert attribution["ga"] == {"client_id": "1.2", "session_id": "3"}
    assert attribution["first"] == {
        "source": "bing", "medium": "organic", "campaign": None, "at": "2025-11-21T13:10:00.000Z",
    }  # fmt: skip
    assert (cdr["match"], cdr["qualified"], cdr["first_call"]) == ("live", True, True)
    assert cdr["candidates"][0]["held_from"] == "2025-11-22T13:09:00.000Z"
    assert cdr["recording"] == {
        "path": f"/var/spool/asterisk/monitor/leaseline/{EPOCH}.10.wav", "seconds": 30.0, "channels": 1,
        "bytes": 480_044,
    }  # fmt: skip
    assert len(cdr["id"]) == 35


async def test_an_unknown_has_all_keys_and_a_reason():
    cdr = await record(answered().in_order(), Pool(held=False))
    assert (cdr["match"], cdr["confidence"]) == ("none", 1.0)
    assert cdr["attribution"]["unknown"] == "nobody held the number lately"
    assert set(cdr["attribution"]) == {*VISIT_KEYS, "unknown"}
    assert [(found["visit_id"], found["match"]) for found in cdr["candidates"]] == [(None, "none")]


async def test_a_static_number_tells_its_channel():
    cdr = await record(answered().in_order(), Pool("static", "Newspaper"))
    assert (cdr["match"], cdr["attribution"]["channel"]) == ("static", "Newspaper")
    assert cdr["attribution"]["visit_id"] is None


async def test_fallback_is_attributed_late_with_the_site_of_the_holder():
    script = Script(by="fallback-astdb").arrive(number="", site="")
    cdr = await record(script.end(1.0, source=script.caller, number="", site="").in_order())
    assert (cdr["number"], cdr["site"], cdr["match"]) == (NUMBER, "shop", "live")
    assert cdr["route"] == {"decided_in_ms": None, "by": "fallback", "late": True}


async def test_the_site_of_a_number_that_nobody_held():
    script = Script(by="fallback-astdb").arrive(number="", site="")
    events = script.end(1.0, source=script.caller, number="", site="").in_order()
    assert (await record(events, Pool(held=False)))["site"] == "by-number"


async def test_extensions_are_asked_for_by_what_was_keyed():
    pool = Pool("extension")
    script = Script().arrive()
    cdr = await record(script.end(9.0, source=script.caller, ext="4711").in_order(), pool)
    assert (cdr["match"], cdr["extension"]) == ("extension", "4711")
    assert pool.asked[0][1] == "4711"
    none = await record(Script().arrive().end(9.0).in_order(), Pool("extension"))
    assert (none["match"], none["attribution"]["unknown"]) == ("none", "no extension was keyed")


async def test_a_returning_caller():
    def call(number, *guesses):
        candidates = [{"visit_id": visit, "visitor_id": visit and "visitor-1", "probability": probability}
                      for visit, probability in guesses]  # fmt: skip
        return {
            "number": number,
            "started_at": EPOCH * 1000 - 86_400_000,
            "candidates": json.dumps(candidates),
        }

    elsewhere = call("+442079460999", (None, 1.0))
    here = call(NUMBER, ("visit-1", 0.9), (None, 0.1))
    cdr = await record(answered().in_order(), Pool(held=False), History(elsewhere, here))
    assert (cdr["match"], cdr["first_call"]) == ("returning", False)
    assert cdr["attribution"]["visit_id"] == "visit-1"


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("+447700900123", "+447700900123"),
        ("07700900123", "+447700900123"),
        ("00447700900123", "+447700900123"),
        ("447700900123", "+447700900123"),
        ("anonymous", None),
        ("", None),
        ("Restricted", None),
        ("101", "101"),
        ("1\x00\udc80" + "2" * 100, "1" + "2" * 39),
    ],
)
def test_callers(sent, number):
    assert caller_number(sent, e164) == number


async def test_bytes_that_are_no_text_do_not_stop_a_record():
    name = "J\udcffrg\x00\n" + "x" * 500
    hostile = [event._replace(caller_name=name) for event in answered().in_order()]
    cdr = await record(hostile)
    name = cdr["caller"]["name"]
    assert name is not None
    assert name.startswith("Jrg")
    assert len(name) <= 80
    json_of(cdr).encode()


async def test_a_caller_who_is_not_known_has_no_first_call():
    events = [event._replace(caller_number="anonymous") for event in answered().in_order()]
    cdr = await record(events)
    assert (cdr["caller"]["number"], cdr["first_call"]) == (None, None)
