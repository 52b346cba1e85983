"""The demo page in a real browser: what a visitor sees, and what it costs them."""

import pytest
from playwright.async_api import expect

from pool.instants import now

from .conftest import MAIN, NUMBERS, Site, recorded

pytestmark = pytest.mark.asyncio(loop_scope="session")

AD = "/demo?utm_source=google&utm_medium=cpc&utm_campaign=boilers&gclid=Cj0"


def display(number: str) -> str:
    return f"020 7946 {number[-4:]}"


async def test_a_visitor_from_an_ad_sees_the_number_that_was_leased(site: Site) -> None:
    page = await site.page()
    requests = recorded(page)
    await page.goto(str(site.api.make_url(AD)), referer="https://www.google.com/")
    await expect(page.locator("#number")).to_have_text(display(NUMBERS[0]))
    asked = [request for request in requests if "/v1/" in request.url]
    assert [request.method for request in asked[:1]] == ["POST"]
    assert asked[0].url.endswith("/v1/leases")
    assert "OPTIONS" not in {request.method for request in requests}

    links = await page.locator("a[href^='tel:']").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    )
    assert links == [f"tel:{NUMBERS[0]}"] * 3
    assert await page.locator(".phone").get_attribute("aria-label") == f"Call us on {display(NUMBERS[0])}"
    assert await page.locator(".big a").get_attribute("title") == "Call +44 20 7946 0101"
    assert await page.locator("[data-leaseline=off]").inner_text() == display(MAIN)

    shown = [request for request in requests if request.url.endswith("/seen")]
    while not shown:
        shown.append(await page.wait_for_event("request", lambda request: request.url.endswith("/seen")))
    assert shown[0].post_data_json == {"shown": True}
    assert await page.evaluate("window.shifts") == 0


async def test_the_number_is_shown_and_its_story_stored(site: Site) -> None:
    page = await site.page()
    async with page.expect_response("**/seen") as seen:
        await page.goto(str(site.api.make_url(AD)), referer="https://www.google.com/")
    assert (await seen.value).status == 200
    (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
    assert holding.state == "live"
    assert holding.shown_at is not None
    visit = await site.visits.visit(holding.visit_id)
    assert visit is not None
    assert (visit["source"], visit["medium"], visit["campaign"]) == ("google", "cpc", "boilers")
    assert visit["browser"] == "Chrome 140"


async def test_a_reload_and_a_second_tab_show_the_same_number(site: Site) -> None:
    visitor = await site.visitor()
    page = await site.page(visitor)
    await page.goto(str(site.api.make_url(AD)))
    await expect(page.locator("#number")).to_have_text(display(NUMBERS[0]))
    await page.reload()
    await expect(page.locator("#number")).to_have_text(display(NUMBERS[0]))
    tab = await site.page(visitor)
    await tab.goto(str(site.api.make_url("/demo")))
    await expect(tab.locator("#number")).to_have_text(display(NUMBERS[0]))
    stranger = await site.page()
    await stranger.goto(str(site.api.make_url("/demo")))
    await expect(stranger.locator("#number")).to_have_text(display(NUMBERS[1]))


async def test_a_phone_shows_it_too(site: Site) -> None:
    phone = await site.visitor(viewport={"width": 390, "height": 800}, is_mobile=True, has_touch=True)
    page = await site.page(phone)
    await page.goto(str(site.api.make_url("/demo")))
    await expect(page.locator("#number")).to_have_text(display(NUMBERS[0]))
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await page.evaluate("window.shifts") == 0
