"""`POST /v1/leases`, `/seen`, `/left` against a real pool and store."""

import json
from typing import Any

import pytest
import time_machine

from pool.ids import new_id
from pool.instants import now

from .conftest import BROWSER, FIRST, MAIN, ORIGIN, SECOND, THIRD, Web, WebMaker

AD = f"{ORIGIN}/boilers?utm_source=google&utm_medium=cpc&utm_campaign=spring&utm_term=boiler&gclid=Cj0"


async def test_a_visit_is_leased_a_number_and_stored_with_its_story(web: Web) -> None:
    given = await web.lease(
        url=AD,
        referrer="https://www.google.com/",
        title="Boilers",
        screen="1280x800",
        language="en-GB",
        ga={"client_id": "123.456", "session_id": "789"},
        metrica_client_id="1700000000123",
        params={"kind": "landing", "fold": 2, "new": True, "none": None},
    )
    assert set(given) == {"lease_id", "visitor_id", "numbers", "seen_every_seconds", "frozen_until"}
    assert given["numbers"] == [{"slot": "main", "number": FIRST, "display": "020 7946 0001"}]
    assert given["seen_every_seconds"] == 30
    assert given["frozen_until"].endswith("Z")

    view = await web.pool.seen(given["lease_id"], now())
    assert view is not None
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    stored = {
        name: visit[name] for name in ("channel", "source", "medium", "campaign", "term", "visit_count")
    }
    assert stored == {
        "channel": "Google Ads",
        "source": "google",
        "medium": "cpc",
        "campaign": "spring",
        "term": "boiler",
        "visit_count": 1,
    }
    assert json.loads(visit["click_ids"]) == {"gclid": "Cj0"}
    assert json.loads(visit["params"]) == {"kind": "landing", "fold": 2, "new": True, "none": None}
    assert (visit["ga_client_id"], visit["ga_session_id"]) == ("123.456", "789")
    assert (visit["browser"], visit["os"], visit["device"]) == ("Chrome 140", "Linux", "desktop")
    assert (visit["landing_page"], visit["referrer"], visit["ip"]) == (
        AD,
        "https://www.google.com/",
        "127.0.0.1",
    )
    visitor = await web.visits.visitor("plumber", given["visitor_id"])
    assert visitor is not None
    assert (visitor["first_source"], visitor["visit_count"]) == ("google", 1)
    assert [(row["url"], row["title"]) for row in await web.visits.page_views(view.visit_id)] == [
        (AD, "Boilers")
    ]


async def test_a_second_request_of_the_same_visit_gives_the_same_number(web: Web) -> None:
    first = await web.lease(url=AD)
    again = await web.lease(url=f"{ORIGIN}/prices", referrer=AD, visitor_id=first["visitor_id"])
    assert again["lease_id"] == first["lease_id"]
    assert again["numbers"] == first["numbers"]
    view = await web.pool.seen(first["lease_id"], now())
    assert view is not None
    pages = [row["url"] for row in await web.visits.page_views(view.visit_id)]
    assert sorted(pages) == sorted([AD, f"{ORIGIN}/prices"])
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    assert visit["source"] == "google"


async def test_two_visitors_have_two_numbers_and_the_fourth_the_main_one(web: Web) -> None:
    numbers = [(await web.lease())["numbers"][0]["number"] for _ in range(4)]
    assert sorted(numbers[:3]) == [FIRST, SECOND, THIRD]
    assert numbers[3] == MAIN


async def test_a_later_visit_counts_and_keeps_the_first_source(web: Web) -> None:
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False):
        first = await web.lease(url=AD)
        await web.post(f"/v1/leases/{first['lease_id']}/left")
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False):
        second = await web.lease(visitor_id=first["visitor_id"])
        view = await web.pool.seen(second["lease_id"], now())
    assert second["lease_id"] != first["lease_id"]
    assert view is not None
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    assert (visit["visit_count"], visit["source"]) == (2, "(direct)")
    visitor = await web.visits.visitor("plumber", first["visitor_id"])
    assert visitor is not None
    assert (visitor["visit_count"], visitor["first_source"], visitor["first_campaign"]) == (
        2,
        "google",
        "spring",
    )


@pytest.mark.parametrize(
    "claimed",
    [
        "",
        "x",
        "../../etc/passwd",
        "0" * 34,
        "G" * 35,
        new_id(now() + 10 * 86_400_000),
        "é" * 35,
        "0" * 60_000,
    ],
    ids=lambda claimed: f"{claimed[:8]}-{len(claimed)}",
)
async def test_a_visitor_id_that_is_not_ours_is_replaced(web: Web, claimed: str) -> None:
    given = await web.lease(visitor_id=claimed)
    assert given["visitor_id"] != claimed
    assert len(given["visitor_id"]) == 35


async def test_a_visitor_id_that_we_might_have_given_is_kept(web: Web) -> None:
    known = new_id(now())
    assert (await web.lease(visitor_id=known))["visitor_id"] == known


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0.0.0 Safari/537.36",
        "curl/8.5.0",
        "",
    ],
)
async def test_robots_are_shown_the_main_number(web: Web, agent: str) -> None:
    given = await web.lease(headers={"User-Agent": agent})
    assert given["lease_id"] is None
    assert given["frozen_until"] is None
    assert given["numbers"] == [{"slot": "main", "number": MAIN, "display": "020 7946 0000"}]


async def test_nothing_is_leased_before_a_required_consent(web: Web) -> None:
    florist = {"site": "florist", "url": "https://florist.example/"}
    headers = {"Origin": "https://florist.example"}
    assert (await web.lease(headers=headers, **florist))["lease_id"] is None
    assert (await web.lease(headers=headers, consent=False, **florist))["lease_id"] is None
    assert (await web.lease(headers=headers, consent=True, **florist))["lease_id"] is not None


async def test_the_mask_and_the_slots_of_the_site(make_web: WebMaker) -> None:
    web = await make_web(
        display="(0XX) XXXX XXXX",
        number_slot=[{"name": "leeds", "main_number": "+441134960000", "pool": "leeds"}],
    )
    given = await web.lease()
    assert given["numbers"] == [
        {"slot": "main", "number": FIRST, "display": "(020) 7946 0001"},
        {"slot": "leeds", "number": "+441134960000", "display": "(011) 3496 0000"},
    ]


async def test_display_rules_choose_who_is_shown_a_number(make_web: WebMaker) -> None:
    web = await make_web(rule=[{"channel": ["Google Ads"]}, {"show": "main"}])
    assert (await web.lease(url=AD))["numbers"][0]["number"] == FIRST
    assert (await web.lease())["numbers"][0]["number"] == MAIN


async def test_a_reload_changes_rules_and_widget(make_web: WebMaker) -> None:
    web = await make_web()
    before = (await web.client.get("/widget/plumber.js")).headers["ETag"]
    site = web.live.current.site[0].model_copy(update={"main_number": "+441174960000", "pool": "empty"})
    changed = web.live.current.model_copy(update={"site": [site]})
    web.live.current = changed
    for follower in web.live._followers:
        follower(changed)
    assert (await web.client.get("/widget/plumber.js")).headers["ETag"] != before
    assert (await web.lease())["numbers"][0]["number"] == "+441174960000"
    assert (await web.client.get("/widget/florist.js")).status == 404


async def test_the_address_is_truncated_when_privacy_asks(make_web: WebMaker) -> None:
    web = await make_web({"trusted_proxies": ["127.0.0.0/8"]})
    private = web.live.current.privacy.model_copy(update={"truncate_ip": True})
    web.live.current = web.live.current.model_copy(update={"privacy": private})
    given = await web.lease(headers={"X-Forwarded-For": "198.51.100.77"})
    view = await web.pool.seen(given["lease_id"], now())
    assert view is not None
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    assert visit["ip"] == "198.51.100.0"


async def test_seen_keeps_the_lease_alive_and_records_pages(web: Web) -> None:
    given = await web.lease()
    path = f"/v1/leases/{given['lease_id']}/seen"
    said = {"page": {"url": f"{ORIGIN}/a", "title": "A"}, "shown": True, "tel_click": True}
    answer = await web.post(path, json=said)
    assert answer.status == 200
    content = await answer.json()
    assert content["state"] == "live"
    assert content["seen_every_seconds"] == 30
    assert content["frozen_until"].endswith("Z")
    for body in (b"", b"{}", b'{"shown":["main"]}', b'{"page":null}', b'{"later":"field"}'):
        assert (await web.post(path, data=body)).status == 200
    holding = (await web.pool.holders(FIRST, None, now(), lookback_seconds=60))[0]
    assert holding.shown_at is not None
    assert holding.tel_click_at is not None
    view = await web.pool.seen(given["lease_id"], now())
    assert view is not None
    assert f"{ORIGIN}/a" in [row["url"] for row in await web.visits.page_views(view.visit_id)]


@pytest.mark.parametrize("body", [b"", b"bye", b"{}", b"\xff\xfe"])
async def test_left_freezes_and_seen_revives(web: Web, body: bytes) -> None:
    given = await web.lease()
    path = f"/v1/leases/{given['lease_id']}"
    left = await web.post(f"{path}/left", data=body, headers={"Content-Type": "text/plain;charset=UTF-8"})
    assert left.status == 204
    holding = (await web.pool.holders(FIRST, None, now() + 1, lookback_seconds=60))[0]
    assert holding.state == "frozen"
    seen = await web.post(f"{path}/seen")
    assert (await seen.json())["state"] == "live"


@pytest.mark.parametrize("what", ["seen", "left"])
@pytest.mark.parametrize("lease_id", ["0" * 35, "x", "%00", "..%2f..", "a" * 2000])
async def test_guessed_lease_ids_are_unknown(web: Web, what: str, lease_id: str) -> None:
    answer = await web.post(f"/v1/leases/{lease_id}/{what}")
    assert answer.status == 404
    content = await answer.json()
    assert content["status"] == 404
    assert answer.content_type == "application/problem+json"


async def test_a_lease_that_is_over_is_gone(web: Web) -> None:
    with time_machine.travel("2026-11-22T10:00:00Z", tick=False):
        given = await web.lease()
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False):
        answer = await web.post(f"/v1/leases/{given['lease_id']}/seen")
        assert answer.status == 410
        assert (await answer.json())["type"] == "urn:leaseline:problem:lease-over"
        late = await web.post(f"/v1/leases/{given['lease_id']}/left")
        assert late.status == 204


async def test_hostile_texts_are_stored_as_sent_without_control_characters(web: Web) -> None:
    script = "<script>alert(1)</script>"
    given = await web.lease(
        url=f"{ORIGIN}/?utm_source={script}&utm_campaign==1%2B1%00%0D%0A&utm_term=%ff%fe",
        referrer="javascript:alert(1)",
        title=f"{script}\x00\u2028" + "é" * 5_000,
        screen="\x1b[31m9999x1",
        language="x" * 1_000,
        params={"\x00key\n": "v\x07"},
    )
    view = await web.pool.seen(given["lease_id"], now())
    assert view is not None
    visit: Any = await web.visits.visit(view.visit_id)
    assert visit["source"] == script
    assert visit["campaign"] == "=1+1"
    assert visit["term"] == "\ufffd\ufffd"
    assert visit["screen"] == "[31m9999x1"
    assert len(visit["language"]) == 64
    assert json.loads(visit["params"]) == {"key": "v"}
    (page,) = await web.visits.page_views(view.visit_id)
    assert page["title"].startswith(script)
    assert len(page["title"]) == 500


async def test_a_widget_of_ours_is_a_browser(web: Web) -> None:
    assert (await web.lease(headers={"User-Agent": BROWSER}))["lease_id"]


async def test_ids_of_analytics_may_come_later_and_change(web: Web) -> None:
    given = await web.lease(ga={"client_id": "123.456"})
    path = f"/v1/leases/{given['lease_id']}/seen"
    for said in (
        {"ga": {"session_id": "789"}, "metrica_client_id": "1700000000123"},
        {"ga": {"session_id": "790\x00", "client_id": ""}},
        {"ga": {}},
        {"metrica_client_id": None},
    ):
        assert (await web.post(path, json=said)).status == 200
    view = await web.pool.seen(given["lease_id"], now())
    assert view is not None
    visit = await web.visits.visit(view.visit_id)
    assert visit is not None
    ids = (visit["ga_client_id"], visit["ga_session_id"], visit["metrica_client_id"])
    assert ids == ("123.456", "790", "1700000000123")


@pytest.mark.parametrize("signal", ["Sec-GPC", "DNT"])
async def test_visitors_who_opted_out_get_no_lease_where_the_site_honours_that(
    make_web: WebMaker, signal: str
) -> None:
    web = await make_web(honour_opt_out=True)
    assert (await web.lease(headers={signal: "1"}))["lease_id"] is None
    assert (await web.lease(headers={signal: "0"}))["lease_id"] is not None
    other = await make_web()
    assert (await other.lease(headers={signal: "1"}))["lease_id"] is not None
