"""The lease's life as tabs, caches, consent and clocks have it. Nobody is shown somebody else's number."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Page, Request, expect

from pool.instants import now

from .conftest import NUMBERS, Site, SiteMaker, ready, recorded

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAIN_TEXT = "020 7946 0000"
FIRST_TEXT, SECOND_TEXT = "020 7946 0101", "020 7946 0102"
BODY = '<p>020 7946 0000</p><a href="tel:+442079460000">Call</a>'
NAME = "_leaseline_shop"
HIDE = """Object.defineProperty(document, "hidden", {get: () => window.away ?? false, configurable: true});
    window.turn = away => { window.away = away; document.dispatchEvent(new Event("visibilitychange")); };"""


def told(requests: list[Request], ending: str) -> list[Request]:
    """The requests for leases among `requests` whose address ends so."""
    return [request for request in requests if request.url.endswith(ending)]


async def until(condition: Callable[[], Any]) -> None:
    """Waits for what Python sees happen."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def left_at(site: Site, number: str = NUMBERS[0]) -> int | None:
    (holding,) = await site.pool.holders(number, None, now(), lookback_seconds=60)
    return holding.left_at


async def remembered(page: Page) -> dict[str, Any]:
    """What the widget has stored."""
    stored: dict[str, Any] = json.loads(await page.evaluate(f"localStorage.getItem('{NAME}') || '{{}}'"))
    return stored


async def test_the_next_page_shows_the_number_before_the_server_answers(site: Site) -> None:
    page = await site.page()
    async with page.expect_response("**/seen"):
        await ready(page, site.write("/one", BODY))
    held = asyncio.Event()

    async def hold(route: Any) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/v1/leases", hold)
    requests = recorded(page)
    await page.goto(site.write("/two", BODY))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    assert await page.evaluate("window.shifts") == 0
    assert not told(requests, "/seen")
    held.set()
    # Seen is told once the lease is confirmed.
    await until(lambda: told(requests, "/seen"))
    assert len(told(requests, "/leases")) == 1
    assert told(requests, "/leases")[0].post_data_json["visitor_id"]


async def test_what_is_stored_is_changed_when_the_answer_differs(site: Site) -> None:
    visitor = await site.visitor()
    page = await site.page(visitor)
    await ready(page, site.write("/one", BODY))
    stored = await remembered(page)
    stored["lease_id"] = "0" * 35
    stored["numbers"][0] |= {"number": NUMBERS[7], "display": f"020 7946 {NUMBERS[7][-4:]}"}
    await page.goto(site.write("/blank", "", head=""))
    await page.evaluate("stored => localStorage.setItem(stored[0], stored[1])", [NAME, json.dumps(stored)])
    requests = recorded(page)
    await page.goto(site.write("/two", BODY))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    await until(lambda: told(requests, "/seen"))
    assert NUMBERS[0] in (await page.locator("a").get_attribute("href") or "")
    assert (await remembered(page))["numbers"][0]["number"] == NUMBERS[0]
    assert all(stored["lease_id"] not in request.url for request in requests)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"until": 1},
        {"until": None},
        {"until": "soon"},
        {"at": 9e15},
        {"expires": 1},
        {"numbers": None},
        {"numbers": [{"slot": "main"}]},
        {"numbers": [{"slot": "main", "number": "+442079460101", "display": "<b>"}]},
        {"numbers": [{"slot": "main", "number": "javascript:", "display": "020"}]},
        {"lease_id": None},
        {"lease_id": "../../x"},
        "nonsense",
        "null",
    ],
    ids=str,
)
async def test_what_is_stored_counts_only_while_the_lease_is_surely_held(site: Site, spoilt: Any) -> None:
    page = await site.page()
    await ready(page, site.write("/one", BODY))
    stored = await remembered(page) | (spoilt if isinstance(spoilt, dict) else {})
    text = spoilt if isinstance(spoilt, str) else json.dumps(stored)
    await page.goto(site.write("/blank", "", head=""))
    await page.evaluate("stored => localStorage.setItem(stored[0], stored[1])", [NAME, text])
    await page.route("**/v1/leases", lambda route: route.abort())
    failed = asyncio.ensure_future(page.wait_for_event("requestfailed"))
    await page.goto(site.write("/two", BODY))
    await failed
    assert await page.locator("p").inner_text() == MAIN_TEXT
    site.problems.clear()


async def test_a_visitor_s_wrong_clock_changes_nothing(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.add_init_script("const real = Date.now; Date.now = () => real() - 7 * 864e5;")
    page = await site.page(visitor)
    await ready(page, site.write("/one", BODY))
    stored = await remembered(page)
    held = stored["until"] - await page.evaluate("Date.now()")
    assert timedelta(minutes=14) < timedelta(milliseconds=held) <= timedelta(minutes=15)


async def test_two_tabs_share_the_lease_and_the_second_shows_it_at_once(site: Site) -> None:
    visitor = await site.visitor()
    one = await site.page(visitor)
    await ready(one, site.write("/one", BODY))
    two = await site.page(visitor)
    await ready(two, site.write("/two", BODY))
    ids = [await tab.evaluate("leaseline.lease") for tab in (one, two)]
    assert ids[0] == ids[1]
    assert await two.locator("p").inner_text() == FIRST_TEXT
    requests = recorded(two)
    await one.close()
    await two.evaluate("history.pushState({}, '', '/three')")
    await until(lambda: told(requests, "/seen"))
    # The closed tab's goodbye may come after what the other one told: then its next sign counts.
    async with asyncio.timeout(60):
        while await left_at(site) is not None:
            await asyncio.sleep(0.2)
            await two.evaluate("history.pushState({}, '', '/again' + Math.random())")


async def test_two_windows_that_open_at_once_become_one_visitor(site: Site) -> None:
    visitor = await site.visitor()
    tabs = [await site.page(visitor) for _ in range(3)]
    url = site.write("/one", BODY)
    await asyncio.gather(*(ready(tab, url) for tab in tabs))
    assert len({await tab.evaluate("leaseline.lease") for tab in tabs}) == 1
    assert [await tab.locator("p").inner_text() for tab in tabs] == [FIRST_TEXT] * 3


async def test_a_tab_follows_another_tab_s_new_number(site: Site) -> None:
    visitor = await site.visitor()
    one, two = await site.page(visitor), await site.page(visitor)
    for tab, path in ((one, "/one"), (two, "/two")):
        await ready(tab, site.write(path, BODY))
    # The invented lease is not to be found out while we look.
    await two.route("**/seen", lambda route: None)
    stored = await remembered(one)
    stored["lease_id"] = "f" * 35
    stored["numbers"][0] |= {"number": NUMBERS[1], "display": SECOND_TEXT}
    stored["until"] += 60_000
    await one.evaluate("stored => localStorage.setItem(stored[0], stored[1])", [NAME, json.dumps(stored)])
    await expect(two.locator("p")).to_have_text(SECOND_TEXT)


async def test_out_of_the_back_forward_cache_the_lease_is_confirmed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    goodbyes: list[str] = []
    left = site.pool.left

    async def counted(lease_id: str, at: int) -> Any:
        goodbyes.append(lease_id)
        return await left(lease_id, at)

    monkeypatch.setattr(site.pool, "left", counted)
    page = await site.page()
    mark = "<script>addEventListener('pageshow', e => { window.persisted = e.persisted; });</script>"
    await ready(page, site.write("/one", BODY + mark))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    requests = recorded(page)
    await page.goto(site.write("/other", "elsewhere", head=""))
    async with asyncio.timeout(60):
        while await left_at(site) is None:
            await asyncio.sleep(0.05)
    await page.evaluate("history.back()")
    await page.wait_for_function("window.persisted === true")
    assert await page.locator("p").inner_text() == FIRST_TEXT
    async with asyncio.timeout(60):
        while await left_at(site) is not None:
            await asyncio.sleep(0.05)
    assert len(goodbyes) == 1
    assert not told(requests, "/leases")
    pages = [json.loads(request.post_data or "{}").get("page") for request in told(requests, "/seen")]
    assert [one["url"].rsplit("/", 1)[1] for one in pages if one] == ["one"]


async def test_a_page_restored_after_its_lease_is_over_shows_the_main_number_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await site.visitor()
    # The page's clock is ours to turn, also while it lies in the cache.
    await visitor.add_init_script(
        "const real = Date.now; Date.now = () => real() + +(localStorage.getItem('ahead') || 0);"
    )
    page = await site.page(visitor)
    mark = """<script>window.shownTexts = [];
        addEventListener("pageshow", e => { window.persisted = e.persisted; });
        new MutationObserver(() => shownTexts.push(document.querySelector("p").innerText))
            .observe(document.querySelector("p"), {characterData: true, subtree: true, childList: true});
        </script>"""
    await ready(page, site.write("/one", BODY + mark))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    await page.goto(site.write("/other", "elsewhere", head=""))
    await page.evaluate("localStorage.setItem('ahead', 16 * 60e3)")
    # Meanwhile the lease ran out at the server too, and the number is another visitor's.
    await page.context.clear_cookies()
    await page.evaluate(f"localStorage.setItem('{NAME}', '{{}}')")
    answered = asyncio.Event()
    lease = site.pool.lease

    async def held(*said: Any, **more: Any) -> Any:
        await answered.wait()
        return await lease(*said, **more)

    monkeypatch.setattr(site.pool, "lease", held)
    await page.evaluate("history.back()")
    await page.wait_for_function("window.persisted === true")
    await expect(page.locator("p")).to_have_text(MAIN_TEXT)
    assert await page.locator("a").get_attribute("href") == "tel:+442079460000"
    answered.set()
    await expect(page.locator("p")).to_have_text(SECOND_TEXT)
    assert await page.evaluate("shownTexts.slice(-2)") == [MAIN_TEXT, SECOND_TEXT]


async def test_a_lease_that_runs_out_offline_gives_the_number_back(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.add_init_script("window.ahead = 0; const real = Date.now; Date.now = () => real() + ahead;")
    await visitor.add_init_script(HIDE)
    page = await site.page(visitor)
    await ready(page, site.write("/one", BODY))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    await visitor.set_offline(True)
    await page.evaluate("turn(true)")
    await page.evaluate("ahead = 16 * 60e3; turn(false)")
    assert await page.locator("p").inner_text() == MAIN_TEXT
    assert await page.evaluate("leaseline.lease") is None
    await visitor.set_offline(False)
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    site.problems.clear()


async def test_a_hidden_tab_takes_no_number_and_sends_no_heartbeat(make_site: SiteMaker) -> None:
    site = await make_site(beat_seconds=60)
    visitor = await site.visitor()
    await visitor.add_init_script(HIDE)
    await visitor.add_init_script("window.away = location.hash == '#away';")
    page = await site.page(visitor)
    await page.clock.install()
    requests = recorded(page)
    await page.goto(site.write("/tab", BODY) + "#away", wait_until="networkidle")
    assert not told(requests, "/leases")
    await page.evaluate("turn(false)")
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    await until(lambda: told(requests, "/seen"))
    before = len(told(requests, "/seen"))
    await page.clock.run_for(61_000)
    await until(lambda: len(told(requests, "/seen")) == before + 1)
    await page.evaluate("turn(true)")
    await page.clock.run_for(600_000)
    assert len(told(requests, "/seen")) == before + 1
    await page.evaluate("turn(false)")
    await until(lambda: len(told(requests, "/seen")) > before + 1)


@pytest.mark.parametrize(
    "style",
    [
        "margin-top: 300vh",
        "display: none",
        "visibility: hidden",
        "opacity: 0",
        "position: fixed; left: -999px",
    ],
)
async def test_a_number_nobody_can_see_is_not_told_as_shown(site: Site, style: str) -> None:
    page = await site.page()
    requests = recorded(page)
    await ready(page, site.write("/below", f'<div id="d" style="{style}">020 7946 0000</div>'))
    await expect(page.locator("#d")).to_contain_text(FIRST_TEXT)
    await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))")
    assert not told(requests, "/seen")
    await page.evaluate("d.style = ''; window.dispatchEvent(new Event('online'))")
    await until(lambda: told(requests, "/seen"))
    assert told(requests, "/seen")[0].post_data_json["shown"] is True
    assert len(told(requests, "/seen")) == 1


async def test_nothing_is_asked_or_stored_before_consent(make_site: SiteMaker) -> None:
    site = await make_site(consent_required=True)
    page = await site.page()
    requests = recorded(page)
    # An element of that name is no consent.
    url = site.write("/consent", "<p>020 7946 0000</p><a id=leaselineConsent name=leaselineConsent></a>")
    await page.goto(f"{url}?gclid=Cj0", wait_until="networkidle")
    assert [request.url for request in requests if "/v1/" in request.url] == []
    assert await page.context.cookies() == []
    assert await page.evaluate("localStorage.length") == 0
    await page.evaluate("history.pushState({}, '', '/later')")
    await page.route("**/v1/leases", lambda route: route.abort(), times=1)
    await page.evaluate("window.dispatchEvent(new Event('leaseline:consent'))")
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)
    site.problems.clear()
    (cookie,) = await page.context.cookies()
    assert cookie["name"] == NAME
    assert cookie["sameSite"] == "Lax"
    # The page that the visitor came to counts, however late they consented, also after a failure.
    asked = [request.post_data_json for request in told(requests, "/leases")]
    assert len(asked) == 2
    for one in asked:
        assert one["url"].endswith("?gclid=Cj0")
        assert one["consent"] is True
    await until(lambda: any("/later" in (request.post_data or "") for request in told(requests, "/seen")))


@pytest.mark.parametrize(
    "withdrawal",
    ["leaseline.consent(false)", "dispatchEvent(new CustomEvent('leaseline:consent', {detail: false}))"],
)
async def test_consent_withdrawn(make_site: SiteMaker, withdrawal: str) -> None:
    site = await make_site(consent_required=True)
    visitor = await site.visitor()
    await visitor.add_init_script("window.leaselineConsent = true")
    page, other = await site.page(visitor), await site.page(visitor)
    for tab, path in ((page, "/one"), (other, "/two")):
        async with tab.expect_response("**/seen"):
            await ready(tab, site.write(path, BODY))
        await expect(tab.locator("p")).to_have_text(FIRST_TEXT)
    requests = recorded(page)
    await page.evaluate(withdrawal)
    await expect(page.locator("p")).to_have_text(MAIN_TEXT)
    assert await page.locator("a").get_attribute("href") == "tel:+442079460000"
    assert await page.context.cookies() == []
    assert await page.evaluate("localStorage.length") == 0
    # The visitor's other tabs learn of it.
    await expect(other.locator("p")).to_have_text(MAIN_TEXT)
    await until(lambda: told(requests, "/left"))
    await page.evaluate("history.pushState({}, '', '/next'); dispatchEvent(new Event('online'))")
    await page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert not told(requests, "/seen")
    assert not told(requests, "/leases")
    await page.evaluate("leaseline.consent()")
    await expect(page.locator("p")).not_to_have_text(MAIN_TEXT)


@pytest.mark.parametrize(("signal", "value"), [("globalPrivacyControl", "true"), ("doNotTrack", "'1'")])
@pytest.mark.parametrize("honoured", [True, False])
async def test_signals_of_opting_out(make_site: SiteMaker, signal: str, value: str, honoured: bool) -> None:
    site = await make_site(honour_opt_out=honoured)
    visitor = await site.visitor()
    await visitor.add_init_script(
        f"Object.defineProperty(Navigator.prototype, '{signal}', {{get: () => {value}}})"
    )
    page = await site.page(visitor)
    requests = recorded(page)
    await page.goto(site.write("/signal", BODY), wait_until="networkidle")
    await expect(page.locator("p")).to_have_text(MAIN_TEXT if honoured else FIRST_TEXT)
    assert bool(told(requests, "/leases")) is not honoured
    assert bool(await page.context.cookies()) is not honoured
    assert bool(await page.evaluate("localStorage.length")) is not honoured


async def test_the_id_lives_as_long_as_the_site_says(make_site: SiteMaker) -> None:
    site = await make_site(visitor_cookie_days=2)
    page = await site.page()
    await ready(page, site.write("/days", BODY))
    (cookie,) = await page.context.cookies()
    seconds = cookie["expires"] - now() / 1000
    assert timedelta(days=1.9) < timedelta(seconds=seconds) <= timedelta(days=2)
    stored = await remembered(page)
    assert timedelta(days=1.9) < timedelta(milliseconds=stored["expires"] - now()) <= timedelta(days=2)
    assert stored["visitor"] == cookie["value"]


@pytest.mark.parametrize("lost", ["cookie", "storage"])
async def test_either_the_cookie_or_the_storage_knows_the_visitor(site: Site, lost: str) -> None:
    page = await site.page()
    await ready(page, site.write("/one", BODY))
    await page.goto(site.write("/blank", "", head=""))
    if lost == "cookie":
        await page.context.clear_cookies()
    else:
        await page.evaluate("localStorage.clear()")
    await ready(page, site.write("/two", BODY))
    await expect(page.locator("p")).to_have_text(FIRST_TEXT)


async def test_ids_of_analytics_that_come_late_are_told(site: Site) -> None:
    page = await site.page()
    async with page.expect_response("**/seen"):
        await ready(page, site.write("/ids", BODY))
    await page.evaluate(
        """() => { document.cookie = "_ga=GA1.2-2.1234567890.1700000000";
        document.cookie = "_ga_ABC123=GS1.1.1700000042.3.1.1700000099.0.0.0";
        history.pushState({}, "", "/next"); }"""
    )
    async with page.expect_response(lambda answer: "1700000042" in (answer.request.post_data or "")):
        pass
    (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
    visit = await site.visits.visit(holding.visit_id)
    assert visit is not None
    assert (visit["ga_client_id"], visit["ga_session_id"]) == ("1234567890.1700000000", "1700000042")
