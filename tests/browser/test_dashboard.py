"""The dashboard in a real browser: each page, both languages and colours, a phone, and hostile callers."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from pool.instants import now
from router.attribution.visit import Attribution
from router.cdr.legs import Leg
from router.cdr.live import LiveCall
from router.cdr.outcome import Transfer
from router.reports import DIMENSIONS
from router.users.roles import Role
from tests.router.web.dashboard.listening import PASSWORD, RECORDING, Listening, listening
from tests.router.web.dashboard.traffic import NUMBERS

from .conftest import PATIENCE_MS

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ["/", "/live", "/calls", "/channels", "/channels?compare=previous&period=7", "/agents",
         "/pool", "/reports/campaign", "/reports/hour", "/numbers", "/deliveries", "/health", "/account",
         "/users"]  # fmt: skip
SCRIPT = "<script>window.hacked=1</script>"
BREAK = '"onmouseover="window.hacked=2" x="'
LINK = "javascript:window.hacked=3"
EVIL = f"{SCRIPT}{BREAK}'><img src=x onerror=window.hacked=4>{{{{7*7}}}}{{%x%}}"


@dataclass
class House:
    """The listener, the browser, and what went wrong in any page."""

    listening: Listening
    browser: Browser
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def page(self, role: Role | None = Role.ADMIN, **options: Any) -> Page:
        """A browser of its own, logged in through the form."""
        context = await self.browser.new_context(**({"locale": "en-GB"} | options))
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._said)
        if role is not None:
            await page.goto(self.listening.url("/login"))
            await page.fill("#name", role.value)
            await page.fill("#password", PASSWORD)
            await page.click(".door button.first")
            await page.wait_for_url(self.listening.url("/"))
        return page

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full_house(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> AsyncIterator[House]:
    """Some days of traffic, and live calls."""
    async with listening(tmp_path_factory.mktemp("dashboard"), days=4, visits_per_day=25) as found:
        watching = asyncio.create_task(found.view.run())
        house = House(found, chromium)
        yield house
        watching.cancel()
        for context in house.contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(full_house: House) -> AsyncIterator[House]:
    full_house.problems.clear()
    full_house.listening.live_calls.clear()
    yield full_house
    assert full_house.problems == []


def live_call(state: str = "ringing", **more: Any) -> LiveCall:
    at = now()
    call = LiveCall(
        "1.1", "kestrel", NUMBERS[0], NUMBERS[0], "+447700900123", state, at - 5_000, None, "PJSIP/mary"
    )  # type: ignore[arg-type]
    return call._replace(stage=state, **more)


async def paths(house: House) -> list[str]:
    return [*PAGES, f"/calls/{house.listening.recorded}"]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
async def test_every_page_is_usable_by_everybody(house: House, look: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}
    page = await house.page(**(phone if look == "phone" else {"color_scheme": look}))
    house.listening.live_calls.append(live_call())
    for path in await paths(house):
        await page.goto(house.listening.url(path))
        found = await Axe().run(page)
        told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], path


async def test_the_first_key_leads_past_the_menu(house: House) -> None:
    page = await house.page()
    await page.goto(house.listening.url("/calls"))
    await page.keyboard.press("Tab")
    skip = page.locator(".skip")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize("language", ["en-GB", "ru-RU"])
async def test_no_page_is_wider_than_a_phone(house: House, language: str) -> None:
    phone = {
        "viewport": {"width": 360, "height": 740},
        "is_mobile": True,
        "has_touch": True,
        "locale": language,
    }
    page = await house.page(**phone)
    for path in await paths(house):
        await page.goto(house.listening.url(path))
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert await page.evaluate("document.documentElement.lang") == language[:2]


async def test_without_scripts_everything_but_charts_is_there(house: House) -> None:
    page = await house.page(java_script_enabled=False)
    house.listening.live_calls.append(live_call())
    for path in await paths(house):
        answer = await page.goto(house.listening.url(path))
        assert answer is not None
        assert answer.status == 200, path
    await page.goto(house.listening.url("/live"))
    assert "+44 7700 900123" in await page.locator("tbody").inner_text()
    await page.goto(house.listening.url("/pool"))
    await page.locator("details summary").first.click()
    assert await page.locator("details table tbody tr").count() > 10
    await page.goto(house.listening.url(f"/calls/{house.listening.recorded}"))
    assert await page.locator("audio").count() == 1


async def test_charts_are_drawn_and_have_their_figures_in_a_table(house: House) -> None:
    page = await house.page()
    for path in ("/", "/channels", "/pool"):
        await page.goto(house.listening.url(path))
        await expect(page.locator(".chart canvas").first).to_be_visible()
        painted = await page.evaluate(
            """() => [...document.querySelectorAll(".chart canvas")].map((one) => one.getContext("2d")
                .getImageData(0, 0, one.width, one.height).data.some((value) => value > 0))"""
        )
        assert painted
        assert all(painted)
        assert await page.locator(".chart + details table").count() == len(painted)


async def test_live_calls_come_change_and_go(house: House) -> None:
    page = await house.page()
    await page.goto(house.listening.url("/live"))
    await expect(page.locator("[data-said]")).to_have_text("Up to the second")
    await expect(page.locator("[data-none]")).to_be_visible()
    calls = house.listening.live_calls
    calls.append(live_call(caller=EVIL, target=EVIL))
    row = page.locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row.locator("[data-is=state]")).to_have_text("Ringing")
    await expect(page.locator("[data-count=ringing]")).to_have_text("1")
    calls[0] = live_call("talking", answered_at=now() - 3_000, caller=EVIL, target=EVIL)
    await expect(row.locator("[data-is=state]")).to_have_text("Talking")
    await expect(row.locator("[data-is=talk]")).to_have_text(re.compile(r"^[0-2]:\d\d$"))
    assert await row.locator("[data-is=agent]").inner_text() == EVIL
    calls.clear()
    await expect(row).to_have_count(0)
    await expect(page.locator("[data-none]")).to_be_visible()
    assert await page.evaluate("window.hacked") is None


async def test_a_recording_plays_from_its_middle(house: House) -> None:
    page = await house.page(Role.LISTENER)
    await page.goto(house.listening.url(f"/calls/{house.listening.recorded}"))
    audio = page.locator("audio")
    await page.wait_for_function("document.querySelector('audio').duration > 11")
    await page.locator("[data-skip='10']").click()
    await page.wait_for_function("document.querySelector('audio').currentTime >= 10")
    await page.locator("[data-rate='2']").click()
    assert await audio.evaluate("one => one.playbackRate") == 2
    await expect(page.locator("[data-rate='2']")).to_have_attribute("aria-pressed", "true")
    assert await audio.evaluate("one => one.error") is None


async def test_language_and_colours_are_chosen_and_kept(house: House) -> None:
    page = await house.page()
    await page.goto(house.listening.url("/calls?result=missed"))
    await page.get_by_role("button", name="Русский").click()
    await expect(page.locator("h1")).to_have_text("Звонки")
    assert page.url.endswith("/calls?result=missed")
    await page.get_by_role("button", name="Тёмная").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.goto(house.listening.url("/pool"))
    await expect(page.locator("h1")).to_have_text("Пул")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
    await page.goto(house.listening.url("/account"))
    await page.locator("#language").select_option("en")
    await page.locator("#time_zone").select_option("Asia/Tokyo")
    await page.locator("form[action='/account/preferences'] button").click()
    await expect(page.locator("[role=status]")).to_have_text("Saved.")
    await page.goto(house.listening.url("/calls"))
    await expect(page.locator(".foot")).to_contain_text("Asia/Tokyo")
    other = await house.page(locale="ru-RU")
    await expect(other.locator("h1")).to_have_text("Today")
    await other.goto(house.listening.url("/account"))
    await other.locator("#language").select_option("")
    await other.locator("#time_zone").select_option("")
    await other.locator("form[action='/account/preferences'] button").click()
    await expect(other.locator("[role=status]")).to_have_text("Сохранено.")


async def test_a_call_whose_every_text_is_a_script_runs_none(house: House) -> None:
    traffic, at = house.listening.traffic, now() - 120_000
    attribution = Attribution(EVIL, EVIL, EVIL, EVIL, EVIL, LINK, LINK, {EVIL: EVIL, "gclid": EVIL})
    lease = await traffic.lease(
        at, attribution, EVIL, title=EVIL, region=EVIL, city=EVIL, browser=EVIL, os=EVIL, device=EVIL, ip=EVIL
    )
    number = lease.slots[0].number
    assert number is not None
    await traffic.pool.seen(lease.lease_id, at + 1_000, shown=True, tel_click=True)
    call_id = await traffic.call(
        at + 2_000,
        number,
        caller_name=EVIL,
        caller_number=EVIL,
        result="answered",
        answered_by=EVIL,
        recording=RECORDING,
        legs=(Leg(1, EVIL, "answered", 200, 16, 2.0, 30.0),),
        transfers=(Transfer("blind", (at + 9_000) * 1000, EVIL),),
    )
    page = await house.page()
    checked = [
        *PAGES,
        f"/calls/{call_id}",
        f"/calls?channel=%22%3E{SCRIPT}&source={BREAK}&from={SCRIPT}",
        f"/channels?channel={SCRIPT}&campaign={BREAK}&model={SCRIPT}",
        f"/numbers?number={SCRIPT}&pool={BREAK}",
        f"/pool?pool={SCRIPT}&visits={BREAK}",
        f"/login?next={LINK}",
        f"/reports/term?period={SCRIPT}",
        *(f"/reports/{name}" for name in DIMENSIONS),
        f"/reports/{SCRIPT}",
        f"/{SCRIPT}",
    ]
    seen = ""
    for path in checked:
        house.problems.clear()
        await page.goto(house.listening.url("").rstrip("/") + path)
        seen += await page.locator("body").inner_text()
        hrefs = await page.locator("a").evaluate_all(
            "all => all.map(one => [one.href, one.rel, new URL(one.href).origin === location.origin])"
        )
        for href, rel, own in hrefs:
            assert href.startswith(("http://", "https://")), (path, href)
            assert own or "noreferrer" in rel, (path, href)
        handlers = "document.querySelectorAll('[onmouseover], [onerror], main script').length"
        assert await page.evaluate(handlers) == 0, path
        assert await page.evaluate("window.hacked") is None, path
        refused = [said for said in house.problems if "404" not in said]
        assert refused == [], path  # a violation of the policy would be told here
        house.problems.clear()
    assert "<script>window.hacked=1</script>" in seen
    assert "{{7*7}}" in seen


async def test_no_other_site_can_frame_it_or_post_to_it(house: House) -> None:
    target = house.listening.url("/")

    async def attack(_: web.Request) -> web.Response:
        body = f"""<iframe src="{target}"></iframe><form method="post" action="{target}users/remove">
            <input name="name" value="viewer"><button>x</button></form>"""
        return web.Response(text=body, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", attack)
    # Another host to the browser: 127.0.0.1 is ours.
    server = TestServer(application, host="localhost")
    await server.start_server()
    try:
        page = await house.page()
        await page.goto(str(server.make_url("/")))
        assert "frame-ancestors" in " ".join(house.problems)
        assert "Leaseline" not in await page.frames[1].content()
        async with page.expect_request("**/users/remove") as posted:
            await page.locator("button").click()
        answer = await (await posted.value).response()
        assert answer is None or answer.status in {303, 403}
        await page.close()
        page = await house.page()
        house.problems.clear()
        await page.goto(house.listening.url("/users"))
        await expect(page.locator("h2", has_text="viewer")).to_be_visible()
    finally:
        await server.close()
