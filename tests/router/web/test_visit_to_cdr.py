"""From the widget's request to the call's record: every fact of a visit ends where it belongs."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pool.database import Database, open_database
from pool.instants import now, to_iso
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool
from router.attribution.call import Candidate, Verdict
from router.attribution.visit import TEXT_CAP, URL_CAP, attribution_of, cleaned
from router.cdr import attribution as cdr_attribution
from router.cdr.enrich import Enricher, SiteRules
from router.cdr.flat import COLUMNS, flat
from router.cdr.outcome import CallFacts
from router.cdr.record import Cdr, json_of
from router.geoip import Place
from router.spreadsheet import csv_lines
from router.store.calls import CallStore
from router.store.visits import MIGRATIONS, Arrival, VisitStore

from .conftest import FIRST, ORIGIN, Web, WebMaker

CALLER = "+442079460999"
BODY = {
    "url": f"{ORIGIN}/boilers?utm_source=google&utm_medium=cpc&utm_campaign=boilers&utm_term=boiler+repair"
    "&utm_content=ad-2&gclid=click-1&rid=partner-1",
    "referrer": "https://www.google.com/",
    "title": "Boilers",
    "ga": {"client_id": "1234567890.1700000000", "session_id": "1700000001"},
    "metrica_client_id": "1700000000123456789",
}


async def called(web: Web, at: int, number: str = FIRST) -> Cdr:
    """The record of a call to the number at an instant, as the calls role makes it."""
    enricher = Enricher(
        "pbx",
        web.pool,
        CallStore(web.database),
        rules=lambda _: SiteRules(),
        e164=lambda digits: digits,
        site_of=lambda number, record: "plumber",
        now=now,
    )
    facts = CallFacts(
        linkedid="1.1", dialed=number, number=number, site="plumber", extension=None, caller_number=CALLER,
        caller_name="", started_us=at * 1000, answered_us=at * 1000, ended_us=at * 1000 + 5, ring_seconds=0.0,
        talk_seconds=0.0, result="answered", answered_by=None, hung_up_by="caller", legs=(), transfers=(),
        recording=None, decided_in_ms=0.1, by_router=True, repaired=None,
    )  # fmt: skip
    return (await enricher.finished(facts)).cdr


async def test_every_fact_of_the_visit_is_in_the_record(make_web: WebMaker) -> None:
    web = await make_web(place_of=lambda _: Place("GB-LND", "London"), click_ids=("rid",))
    given_first = await web.lease(**BODY)
    lease = f"/v1/leases/{given_first['lease_id']}"
    await web.post(
        f"{lease}/seen", json={"shown": True, "page": {"url": f"{ORIGIN}/prices", "title": "Prices"}}
    )
    at = now()
    await asyncio.sleep(0.01)  # the next page comes after the call, whose instant is in milliseconds
    await web.post(f"{lease}/seen", json={"page": {"url": f"{ORIGIN}/later", "title": "Later"}})

    cdr = await called(web, at)

    found = cdr["attribution"]
    first_at = found["first"]["at"]
    assert first_at is not None
    view = await web.pool.lease_by_id(given_first["lease_id"], at)
    assert view is not None
    assert found == {
        "visit_id": view.visit_id,
        "visitor_id": given_first["visitor_id"],
        "channel": "Google Ads",
        "source": "google",
        "medium": "cpc",
        "campaign": "boilers",
        "term": "boiler repair",
        "content": "ad-2",
        "referrer": "https://www.google.com/",
        "landing_page": BODY["url"],
        "page_called_from": f"{ORIGIN}/prices",
        "click_ids": {"gclid": "click-1", "rid": "partner-1"},
        "ga": BODY["ga"],
        "metrica_client_id": "1700000000123456789",
        "region": "GB-LND",
        "city": "London",
        "ip": "127.0.0.1",
        "browser": "Chrome 140",
        "os": "Linux",
        "device": "desktop",
        "visit_count": 1,
        "first": {"source": "google", "medium": "cpc", "campaign": "boilers", "at": first_at},
    }
    assert first_at <= to_iso(at)
    assert cdr["match"] == "live"
    assert cdr["caller"] == {"number": CALLER, "name": None, "region": "GB"}
    assert json.loads(json_of(cdr)) == cdr


async def test_a_second_advertisement_is_credited_from_its_own_instant_on(web: Web) -> None:
    first = await web.lease(**BODY)
    await web.post(f"/v1/leases/{first['lease_id']}/seen", json={"shown": True})
    before = now()
    await asyncio.sleep(0.01)
    again = await web.lease(
        visitor_id=first["visitor_id"], url=f"{ORIGIN}/?utm_source=bing&utm_medium=cpc&msclkid=2"
    )
    after = now()
    assert again["lease_id"] == first["lease_id"]
    assert again["numbers"] == first["numbers"]

    early, late = await called(web, before), await called(web, after)

    assert (early["attribution"]["source"], late["attribution"]["source"]) == ("google", "bing")
    assert late["attribution"]["click_ids"] == {"msclkid": "2"}
    assert (early["attribution"]["visit_count"], late["attribution"]["visit_count"]) == (1, 2)
    assert late["attribution"]["first"]["source"] == "google"
    for cdr in (early, late):  # the candidate that was chosen is told by the same name
        chosen = next(one for one in cdr["candidates"] if one["visitor_id"] == first["visitor_id"])
        assert chosen["visit_id"] == cdr["attribution"]["visit_id"]
    assert early["attribution"]["visit_id"] != late["attribution"]["visit_id"]


@pytest.mark.parametrize(
    ("agent", "held"),
    [("Googlebot/2.1 (+http://www.google.com/bot.html)", False), ("curl/8.5", False), (None, False)],
)
async def test_robots_hold_nothing(web: Web, agent: str | None, held: bool) -> None:
    given_none = await web.lease({"User-Agent": agent}, **BODY)
    assert (given_none["lease_id"] is not None) is held
    assert await web.pool.holders(FIRST, None, now(), lookback_seconds=60) == []


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "=HYPERLINK(\"http://x\")",
            "@SUM(1)", "+1+1", "-2+3", "\t=1", "a\r\nSet-Cookie: x", "\x00", "\u2028", "\ud800", "%ff%fe%00",
            "x" * 100_000, "'; DROP TABLE visit; --", "\u202e", "🦊" * 300,
        ]
    ),
)  # fmt: skip


class Stage:
    """One store for all examples."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.number = 0
        self.database: Database = self.runner.run(self._open(folder))

    async def _open(self, folder: Path) -> Database:
        database = await open_database(f"sqlite:///{folder}/hostile.db")
        await Pool(database).open()
        await database.migrate("router", MIGRATIONS)
        return database

    async def record(self, url: str, referrer: str, title: str) -> dict[str, Any]:
        """The visit's part of a record, by way of the store."""
        self.number += 1
        at = 1_790_000_000_000 + self.number
        arrival = Arrival("shop", at, attribution_of(url, referrer), "c", cleaned(title))
        wish = LeaseWish("shop", f"v{self.number}", f"visit{self.number}", [SlotWish("main")], 900)
        store = VisitStore(self.database)
        lease = await Pool(self.database).lease(wish, at, attach=[store.attachment(arrival)])
        await store.add_page_view(lease.visit_id, at + 1, url, title)
        found = await CallStore(self.database).visits_at_call(lease.visit_id, [lease.visit_id], at + 2)
        chosen = Candidate(lease.visit_id, lease.visitor_id, lease.lease_id, "live", at, None, 1.0)
        verdict = Verdict("live", 1.0, chosen, (chosen,), None)
        return dict(cdr_attribution.attribution_of(verdict, found.visit, None))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("hostile"))
    yield made
    made.close()


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.tuples(HOSTILE, HOSTILE, HOSTILE), referrer=HOSTILE, title=HOSTILE, raw=st.booleans())
def test_hostile_texts_reach_the_row_the_record_and_the_table_tamed(
    stage: Stage, texts: tuple[str, ...], *, referrer: str, title: str, raw: bool
) -> None:
    values = [text if raw else quote(text, errors="surrogatepass") for text in texts]
    url = "https://shop.example/?utm_source={}&utm_campaign={}&gclid={}".format(*values)

    found = stage.runner.run(stage.record(url, referrer, title))

    line = json.dumps(found, ensure_ascii=False).encode("utf-8")  # no lone surrogate anywhere
    assert b"\n" not in line
    for text in [value for value in found.values() if isinstance(value, str)] + [
        *found["click_ids"].values()
    ]:
        assert len(text) <= URL_CAP
        assert not any(character in text for character in "\x00\r\n\t\x1b\u2028\u2029")
    for name in ("source", "campaign", "medium"):
        assert len(found[name] or "") <= TEXT_CAP
    record = dict.fromkeys(COLUMNS) | {"caller": {"number": None}, "recording": None, "attribution": found}
    (cells,) = list(csv.DictReader(io.StringIO("".join(csv_lines([flat(record)], COLUMNS)))))
    for cell in cells.values():
        assert not cell or cell[0] not in "=@\t\r"
        assert not cell or cell[0] not in "+-" or cell[1:].replace(".", "").isdigit()
