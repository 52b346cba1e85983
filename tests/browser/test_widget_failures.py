"""Whatever fails or is hostile, the page keeps its main number and goes on working."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from pool.database import StoreUnavailable

from .conftest import NUMBERS, Site, ready, recorded

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAIN_TEXT, SHOWN = "020 7946 0000", "020 7946 0101"
BODY = '<p>020 7946 0000</p><a href="tel:+442079460000">Call</a>'
GIVEN = {
    "lease_id": "0" * 35,
    "visitor_id": "0" * 35,
    "numbers": [{"slot": "main", "number": NUMBERS[0], "display": SHOWN}],
    "seen_every_seconds": 30,
    "frozen_until": "2999-01-01T00:00:00.000Z",
}


async def untouched(page: Page) -> None:
    assert await page.locator("p").inner_text() == MAIN_TEXT
    assert await page.locator("p + a").get_attribute("href") == "tel:+442079460000"


@pytest.mark.parametrize("failing", ["script", "script 500", "script garbage", "refused", "store", "mistake"])
async def test_whatever_fails_the_main_number_stays(
    site: Site, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    page = await site.page()
    if failing == "script":
        await page.route("**/widget/*", lambda route: route.abort())
    elif failing == "script 500":
        await page.route("**/widget/*", lambda route: route.fulfill(status=500, body="oops"))
    elif failing == "script garbage":
        await page.route("**/widget/*", lambda route: route.fulfill(body="<html>"))
    elif failing == "refused":
        await page.route("**/v1/leases", lambda route: route.abort())
    else:

        async def broken(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("gone") if failing == "store" else RuntimeError("mistake")

        monkeypatch.setattr(site.pool, "lease", broken)
    await page.goto(site.write("/down", BODY), wait_until="networkidle")
    await untouched(page)
    # In debugging mode it says what went wrong; a script that is none is the browser's to tell.
    assert all(text.startswith("leaseline ") for text in site.problems) or failing == "script garbage"
    site.problems.clear()


@pytest.mark.parametrize(
    "answer",
    [
        "<html>",
        "",
        "null",
        "7",
        "[]",
        "{}",
        {"lease_id": "x"},
        {**GIVEN, "lease_id": 7},
        {**GIVEN, "lease_id": "../admin"},
        {**GIVEN, "numbers": None},
        {**GIVEN, "numbers": {}},
        {**GIVEN, "numbers": [None]},
        {**GIVEN, "numbers": [{"slot": "main"}]},
        {**GIVEN, "numbers": [{"slot": "main", "number": "javascript:alert(1)", "display": "020"}]},
        {**GIVEN, "numbers": [{"slot": "main", "number": NUMBERS[0], "display": "call us"}]},
        {**GIVEN, "numbers": [{"slot": "main", "number": NUMBERS[0], "display": "020", "extension": "<b>"}]},
        json.dumps(GIVEN)[:-20],
    ],
    ids=lambda answer: json.dumps(answer)[:60],
)
async def test_garbage_is_not_shown(site: Site, answer: Any) -> None:
    page = await site.page()
    body = answer if isinstance(answer, str) else json.dumps(answer)
    headers = {"Access-Control-Allow-Origin": "*"}
    await page.route("**/v1/leases", lambda route: route.fulfill(status=200, body=body, headers=headers))
    await page.goto(site.write("/garbage", BODY), wait_until="networkidle")
    await untouched(page)
    assert await page.context.cookies() == []
    site.problems.clear()


async def test_a_server_that_never_answers_is_asked_again(site: Site) -> None:
    visitor = await site.visitor()
    # The half minute of patience passes in half a second, the first time.
    await visitor.add_init_script(
        "const real = AbortSignal.timeout; let asked = 0;"
        "AbortSignal.timeout = ms => real.call(AbortSignal, asked++ ? ms : ms / 60);"
    )
    page = await site.page(visitor)
    asked: list[str] = []

    async def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            await route.continue_()

    await page.route("**/v1/leases", answer)
    await page.goto(site.write("/hang", BODY))
    await untouched(page)
    await expect(page.locator("p")).to_have_text(SHOWN)
    assert len(asked) == 2
    assert ["timed out" in text for text in site.problems] == [True]
    site.problems.clear()


async def test_after_a_failure_it_asks_again_and_less_and_less_often(site: Site) -> None:
    page = await site.page()
    await page.clock.install()
    await page.route("**/v1/leases", lambda route: route.fulfill(status=503))
    requests, answered = recorded(page), []
    page.on("response", lambda answer: answered.append(answer.url))
    await page.goto(site.write("/retry", BODY), wait_until="networkidle")
    counts = []
    for _ in range(4):
        before = len(requests)
        for _ in range(60):
            await page.clock.run_for(1_000)
            # The page's time must not run on while an answer is still under way in ours.
            async with asyncio.timeout(60):
                while len(answered) < len(requests):
                    await asyncio.sleep(0.01)
        counts.append(len(requests) - before)
    assert counts[0] >= 3
    assert counts[-1] <= 1
    await page.unroute("**/v1/leases")
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await expect(page.locator("p")).to_have_text(SHOWN)
    site.problems.clear()


async def test_offline_and_a_slow_network(site: Site) -> None:
    page = await site.page()
    network = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 400, "downloadThroughput": 6_000, "uploadThroughput": 6_000}
    await network.send("Network.enable")
    await network.send("Network.emulateNetworkConditions", slow)
    requests = recorded(page)
    await page.goto(site.write("/slow", BODY))
    # The page does not wait for the widget.
    assert await page.evaluate("document.readyState") in {"interactive", "complete"}
    await expect(page.locator("p")).to_have_text(SHOWN)
    assert len([request for request in requests if request.url.endswith("/v1/leases")]) == 1
    await network.send("Network.emulateNetworkConditions", {**slow, "offline": True})
    await page.evaluate("history.pushState({}, '', '/next'); leaseline.refresh()")
    async with asyncio.timeout(60):
        while not site.problems:
            await asyncio.sleep(0.05)
    assert await page.locator("p").inner_text() == SHOWN
    site.problems.clear()


THROWS = "get() { throw new Error('no'); }, set() { throw new Error('no'); }"
FROZEN = "Object Array String RegExp Promise Set Function Node Element History Document EventTarget Window"
HOSTILE = {
    "params that throw": f"Object.defineProperty(window, 'leaselineParams', {{{THROWS}}});",
    "params in circles": "var p = window.leaselineParams = {f() {}, o: {}, n: null, s: Symbol()}; p.o.o = p;",
    "debug that throws": f"Object.defineProperty(window, 'leaselineDebug', {{{THROWS}}});",
    "title that throws": f"Object.defineProperty(document, 'title', {{{THROWS}}});",
    "storage that throws": f"Object.defineProperty(window, 'localStorage', {{{THROWS}}});",
    "cookies that throw": f"Object.defineProperty(document, 'cookie', {{{THROWS}}});",
    "frozen prototypes": "Object.freeze(history);"
    + "".join(f"Object.freeze({name}.prototype);" for name in FROZEN.split()),
    "no locks": "Object.defineProperty(navigator, 'locks', {value: undefined});",
    "no navigation": "Object.defineProperty(window, 'navigation', {value: undefined});",
    "no timeouts": "delete AbortSignal.timeout;",
    "no beacon": "Navigator.prototype.sendBeacon = () => { throw new Error('no'); };",
    "foreign methods": "Array.prototype.extra = Object.prototype.extra = function () {};",
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_odd_pages_get_their_number_too(site: Site, what: str) -> None:
    visitor = await site.visitor()
    await visitor.add_init_script(HOSTILE[what])
    page = await site.page(visitor)
    await page.goto(site.write("/odd", BODY))
    await expect(page.locator("p")).to_have_text(SHOWN)
    async with page.expect_request(lambda request: "/elsewhere" in (request.post_data or "")):
        # Without events of the navigation a change of the page tells.
        await page.evaluate("history.pushState({}, '', '/elsewhere'); document.body.append('x')")
    await page.goto("about:blank")


@pytest.mark.parametrize(
    "hostile",
    [
        "window.fetch = () => { throw new Error('no'); };",
        "window.fetch = () => 7;",
        "window.fetch = async () => ({ok: true, status: 200, json: () => 7, headers: new Headers()});",
        "Element.prototype.closest = () => { throw new Error('no'); };",
        "Document.prototype.createTreeWalker = () => { throw new Error('no'); };",
        "window.MutationObserver = function () { throw new Error('no'); };",
        "window.IntersectionObserver = undefined;",
        "Object.defineProperty(window, 'leaseline', {value: 7, writable: false});",
        "Object.defineProperty(window, 'leaselineConsent', {get() { throw new Error('no'); }});",
        "JSON.stringify = () => { throw new Error('no'); };",
    ],
)
async def test_hostile_pages_break_nothing_but_themselves(site: Site, hostile: str) -> None:
    page = await site.page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    url = site.write("/hostile", BODY, head=f"<script>{hostile}</script>{site.tag}")
    await page.goto(url, wait_until="networkidle")
    await page.evaluate("window.leaseline && leaseline.refresh && leaseline.refresh()")
    assert errors == []
    assert "020 7946 0" in await page.locator("p").inner_text()
    assert await page.evaluate("1 + 1") == 2
    await page.goto("about:blank")
    site.problems.clear()


async def test_elements_cannot_stand_in_for_the_script(site: Site) -> None:
    page = await site.page()
    requests = recorded(page)
    evil = (
        "<img name=currentScript src='//evil.example/widget/x'><a id=leaseline></a><form name=cookie></form>"
    )
    source = site.api.make_url("/widget/shop.js")
    late = f"<script>const s = document.createElement('script'); s.src = '{source}';"
    await page.route("**/evil.example/**", lambda route: route.abort())
    body = f"{evil}{BODY}{late}document.head.append(s);</script>"
    await page.goto(site.write("/clobbered", body, head=""), wait_until="networkidle")
    assert not [request for request in requests if "evil" in request.url and request.method == "POST"]
    await untouched(page)
    site.problems.clear()


async def test_a_strict_policy_by_header_and_trusted_types(site: Site) -> None:
    origin = str(site.api.make_url("")).rstrip("/")
    policy = (
        f"default-src 'none'; script-src {origin}; connect-src {origin}; base-uri 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    page = await site.page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    await page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    url = site.write("/strict", BODY, headers={"Content-Security-Policy": policy})
    # Not ready(): Playwright would wait by evaluating a string, which this policy forbids it.
    async with page.expect_response("**/seen"):
        await page.goto(url)
    await expect(page.locator("p")).to_have_text(SHOWN)
    assert refused == []


async def test_a_policy_without_the_router_leaves_the_main_number(site: Site) -> None:
    origin = str(site.api.make_url("")).rstrip("/")
    page = await site.page()
    headers = {"Content-Security-Policy": f"default-src 'none'; script-src {origin}"}
    await page.goto(site.write("/closed", BODY, headers=headers), wait_until="networkidle")
    await untouched(page)
    site.problems.clear()


@pytest.mark.parametrize("how", ["text", "element", "attribute", "timer"])
async def test_a_page_that_fights_back_is_not_hung(site: Site, how: str) -> None:
    page = await site.page()
    back = {
        "text": "if (p.textContent != main) { fights++; p.firstChild.data = main; }",
        "element": "if (p.textContent != main) { fights++; p.innerHTML = '<b>' + main + '</b>'; }",
        "attribute": "if (a.href != 'tel:+442079460000') { fights++; a.href = 'tel:+442079460000'; }",
        "timer": "",
    }[how]
    body = f"""{BODY}<script>
        window.fights = 0; window.at = performance.now();
        const main = "020 7946 0000", p = document.querySelector("p"), a = document.querySelector("a");
        new MutationObserver(() => {{ {back} }}).observe(document,
            {{subtree: true, characterData: true, childList: true, attributes: true}});
        if ("{how}" == "timer") setInterval(() => {{ fights++; p.textContent = main; }}, 5);
        </script><h1></h1>"""
    await ready(page, site.write("/fight", body))
    await page.wait_for_function("fights >= 50")
    # The page goes on: timers run, and what does not fight is still swapped soon.
    await page.evaluate("new Promise(done => setTimeout(done, 50))")
    seconds = await page.evaluate("(performance.now() - at) / 1000")
    assert await page.evaluate("fights") < 210 * (seconds + 1)
    await page.evaluate("document.querySelector('h1').textContent = '+44 20 7946 0000'")
    await expect(page.locator("h1")).to_have_text("+44 20 7946 0101")
