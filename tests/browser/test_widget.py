"""The widget on pages of another origin: pages that change, and what is told of them."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from pool.instants import now

from .conftest import NUMBERS, Site, ready, recorded

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOWN = "020 7946 0101"


async def test_a_page_that_renders_itself_again_keeps_the_number(site: Site) -> None:
    page = await site.page()
    body = """<div id="app"></div><script>
        let n = 0;
        const app = document.getElementById("app");
        window.render = () => { app.innerHTML =
            `<p id="n">${++n}</p><p id="t">020 7946 0000</p><a href="tel:+442079460000">Call</a>`; };
        window.retext = () => { document.getElementById("t").firstChild.data = "+44 20 7946 0000"; };
        window.relink = () => { document.querySelector("a").href = "tel:02079460000"; };
        render();</script>"""
    await ready(page, site.write("/spa", body))
    for step in ("render()", "retext()", "relink()", "render()"):
        await page.evaluate(step)
        assert (await page.locator("#t").inner_text()).replace("+44 ", "0") == SHOWN
        assert await page.locator("a").get_attribute("href") == f"tel:{NUMBERS[0]}"
    assert await page.locator("#n").inner_text() == "3"


async def test_page_views_of_a_single_page_application(site: Site) -> None:
    page = await site.page()
    await ready(page, site.write("/app", "<p>020 7946 0000</p>"))
    async with page.expect_response(lambda answer: "prices" in (answer.request.post_data or "")):
        await page.evaluate("history.pushState({}, '', '/prices'); document.title = 'Prices'")
    async with page.expect_response(lambda answer: "/app" in (answer.request.post_data or "")):
        await page.go_back()
    (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
    views = await site.visits.page_views(holding.visit_id)
    assert [(view["url"].rsplit("/", 1)[1], view["title"]) for view in views][1] == ("prices", "Prices")
    assert len(views) == 3


async def test_a_click_on_the_number_and_the_goodbye_are_told(site: Site) -> None:
    page = await site.page()
    await ready(page, site.write("/click", '<a href="tel:020 7946 0000">020 7946 0000</a>'))
    await page.evaluate(
        "document.querySelector('a').addEventListener('click', event => event.preventDefault())"
    )
    async with page.expect_response(lambda answer: "tel_click" in (answer.request.post_data or "")):
        await page.click("a")
    (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
    assert holding.tel_click_at is not None
    assert holding.left_at is None
    await page.goto("about:blank")
    await _until_left(site)


async def _until_left(site: Site) -> None:
    async with asyncio.timeout(60):
        while True:
            (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
            if holding.left_at is not None:
                return
            await asyncio.sleep(0.05)


async def test_a_lease_that_is_gone_is_leased_anew_and_swapped_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await site.page()
    async with page.expect_response(lambda answer: answer.url.endswith("/seen")):
        await ready(page, site.write("/again", "<p>020 7946 0000</p>"))
    await expect(page.locator("p")).to_have_text(SHOWN)
    original = site.pool.seen

    async def unknown(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(site.pool, "seen", original)

    monkeypatch.setattr(site.pool, "seen", unknown)
    await page.context.clear_cookies()
    await page.evaluate("localStorage.clear(); history.pushState({}, '', '/next')")
    await expect(page.locator("p")).to_have_text("020 7946 0102")


async def test_ids_of_analytics_and_the_page_are_sent(site: Site) -> None:
    head = f"""<script>
        document.cookie = "_ga=GA1.1.1234567890.1700000000";
        document.cookie = "_ga_ABC123=GS2.1.s1700000042$o1$g0$t1700000042$j60$l0$h0";
        document.cookie = "_ym_uid=1700000000123456789";
        window.leaselineParams = {{kind: "landing"}};</script>{site.tag}"""
    page = await site.page()
    await ready(page, site.write("/ids", "<p>020 7946 0000</p>", head=head))
    (holding,) = await site.pool.holders(NUMBERS[0], None, now(), lookback_seconds=60)
    visit = await site.visits.visit(holding.visit_id)
    assert visit is not None
    assert (visit["ga_client_id"], visit["ga_session_id"]) == ("1234567890.1700000000", "1700000042")
    assert visit["metrica_client_id"] == "1700000000123456789"
    assert visit["params"] == '{"kind":"landing"}'


async def test_a_strict_policy_and_two_tags_do_no_harm(site: Site) -> None:
    origin = str(site.api.make_url("")).rstrip("/")
    policy = (
        f"default-src 'none'; script-src {origin}; connect-src {origin}; require-trusted-types-for 'script'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{site.tag}{site.tag}'
    page = await site.page()
    requests = recorded(page)
    page.on("console", lambda said: site.problems.append(said.text) if said.type == "error" else None)
    await page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    # Not ready(): Playwright would wait by evaluating a string, which this policy forbids it.
    await page.goto(site.write("/strict", "<p>020 7946 0000</p>", head=head))
    await expect(page.locator("p")).to_have_text(SHOWN)
    assert len([request for request in requests if request.url.endswith("/v1/leases")]) == 1


async def test_without_a_lease_the_page_stays_as_it_was_written(site: Site) -> None:
    robot = await site.browser.new_context(user_agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    site.contexts.append(robot)
    page = await site.page(robot)
    async with page.expect_response("**/v1/leases") as answer:
        await page.goto(site.write("/robot", "<p>+44 (0)20 7946 0000</p>"))
    assert (await (await answer.value).json())["lease_id"] is None
    await page.wait_for_timeout(100)
    assert await page.locator("p").inner_text() == "+44 (0)20 7946 0000"
    assert await page.context.cookies() == []
