"""What the widget costs a page, in Chromium against the real public listener.

    python tests/bench/widget.py [--rounds 7] [--elements 5000] [--json]

Printed: the script's bytes, answers waited for before the swap, layout shift, and times from the start of the
navigation (medians of the rounds): first paint, the script's arrival, the swap, beside the same page without
the widget. Each network in turn: loopback, and what Chromium's developer tools call fast and slow 4G.
`storage` is a second page of the same visit, `work` is what one look through the whole page takes.
Nothing is asserted.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from playwright.async_api import Browser, BrowserContext, async_playwright

from pool.database import open_database
from pool.instants import now
from pool.service import Pool
from router.config.live import LiveConfig
from router.config.model import Config
from router.store.visits import MIGRATIONS
from router.web.public import public_app
from router.web.widget.script import script_of

AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Latency in ms, bytes a second down and up.
NETWORKS = {"loopback": None, "fast 4G": (165, 1_012_500, 168_750), "slow 4G": (562, 180_000, 84_375)}
WATCH = """
window.figures = {shift: 0, swap: 0, paint: 0, requests: 0};
new PerformanceObserver(list => list.getEntries().forEach(entry => { figures.shift += entry.value; }))
  .observe({type: "layout-shift", buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(entry => { figures.paint = entry.startTime; }))
  .observe({type: "paint", buffered: true});
new MutationObserver(() => {
  const place = document.getElementById("number");
  if (!figures.swap && place && place.textContent.trim() && !place.textContent.endsWith("0000"))
    figures.swap = performance.now(),
    figures.requests = performance.getEntriesByType("resource")
      .filter(one => one.name.includes("/v1/")).length;
}).observe(document, {subtree: true, characterData: true, childList: true});
"""


def page_of(elements: int, tag: str) -> str:
    """A page with the number at its head, its foot and in the middle, and many paragraphs."""
    filling = "".join(
        f"<p>Paragraph {n}: from £{n} a day, call <b>24/{n % 7}</b>.</p>" for n in range(elements // 2)
    )
    return (
        f"<!doctype html><html><head><title>Bench</title><link rel=icon href='data:,'>{tag}</head><body>"
        f"<h1>Call <span id=number>020 7946 0000</span></h1>{filling}"
        "<a href='tel:+442079460000'>+44 20 7946 0000</a></body></html>"
    )


async def visit(
    context: BrowserContext, url: str, network: tuple[int, int, int] | None, swaps: bool
) -> dict[str, float]:
    """One page load's figures, in milliseconds."""
    page = await context.new_page()
    if network:
        tools = await context.new_cdp_session(page)
        latency, down, up = network
        conditions = {
            "offline": False,
            "latency": latency,
            "downloadThroughput": down,
            "uploadThroughput": up,
        }
        await tools.send("Network.enable")
        await tools.send("Network.emulateNetworkConditions", conditions)
    await page.goto(url)
    if swaps:
        await page.wait_for_function("figures.swap > 0")
    await page.wait_for_timeout(200)
    found: dict[str, float] = await page.evaluate("figures")
    found["script"] = await page.evaluate(
        """() => { const found = performance.getEntriesByType("resource");
        return (found.find(one => one.name.endsWith(".js")) || {responseEnd: 0}).responseEnd; }"""
    )
    if swaps:
        found["work"] = await page.evaluate(
            """() => { const at = performance.now();
            for (let i = 0; i < 10; i++) leaseline.refresh();
            return (performance.now() - at) / 10; }"""
        )
    await page.close()
    return found


async def measured(
    browser: Browser, origin: str, network: tuple[int, int, int] | None, rounds: int
) -> dict[str, Any]:
    """Medians of `rounds` visitors: without the widget, with it, and on a second page."""
    seen: dict[str, list[dict[str, float]]] = {"plain": [], "first page": [], "storage": []}
    for _ in range(rounds):
        context = await browser.new_context(user_agent=AGENT)
        await context.add_init_script(WATCH)
        seen["plain"].append(await visit(context, f"{origin}/plain", network, swaps=False))
        seen["first page"].append(await visit(context, f"{origin}/one", network, swaps=True))
        seen["storage"].append(await visit(context, f"{origin}/two", network, swaps=True))
        await context.close()
    return {
        what: {
            name: round(statistics.median(one.get(name, 0) for one in found), 3) for name in sorted(found[0])
        }
        for what, found in seen.items()
    }


async def run(rounds: int, elements: int) -> dict[str, Any]:
    """All figures."""
    pages: dict[str, str] = {}

    async def serve(request: web.Request) -> web.Response:
        return web.Response(text=pages.get(request.path, ""), content_type="text/html")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        application = web.Application()
        application.router.add_get("/{path:.*}", serve)
        site = TestServer(application)
        await site.start_server()
        origin = str(site.make_url("")).rstrip("/")
        shop = {"key": "shop", "name": "Shop", "main_number": "+442079460000", "origins": [origin]}
        config = Config.model_validate({"http": {"leases_per_minute": 10_000}, "site": [shop]})
        database = await open_database(f"sqlite:///{folder / 'bench.db'}")
        pool = Pool(database)
        await pool.open()
        await database.migrate("router", MIGRATIONS)
        stock = folder / "numbers.csv"
        stock.write_text("number\n" + "".join(f"+44207946{number:04}\n" for number in range(101, 1000)))
        await pool.import_csv(stock, now(), default_country=None)
        live = LiveConfig(folder / "config.toml", config)
        api = TestServer(public_app(live, pool, database), port=unused_port())
        await api.start_server()
        tag = f'<script async src="{api.make_url("/widget/shop.js")}"></script>'
        pages |= {
            "/plain": page_of(elements, ""),
            "/one": page_of(elements, tag),
            "/two": page_of(elements, tag),
        }
        figures: dict[str, Any] = {"elements": elements, "rounds": rounds}
        try:
            script = script_of(config.site[0], "")
            figures["bytes"] = {"minified": len(script.plain), "gzip": len(script.compressed)}
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=QUIET
                )
                figures["chromium"] = browser.version
                for network, conditions in NETWORKS.items():
                    figures[network] = await measured(browser, origin, conditions, rounds)
                await browser.close()
        finally:
            await api.close()
            await site.close()
            await database.close()
    return figures


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--elements", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("chromium") is None:
        sys.exit("bench/widget: Chromium is not installed; nothing was measured")
    figures = asyncio.run(run(options.rounds, options.elements))
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    size = figures["bytes"]
    print(f"script: {size['gzip']} bytes gzip, {size['minified']} minified · Chromium {figures['chromium']}")
    print(
        f"page: {figures['elements']} elements · ms from navigation, medians of {figures['rounds']} visitors"
    )
    print(
        f"{'network':10} {'page':11} {'paint':>7} {'script':>7} {'swap':>7} "
        f"{'answers':>9} {'shift':>6} {'work':>6}"
    )
    for network in NETWORKS:
        for what, found in figures[network].items():
            times = " ".join(f"{found.get(name, 0):7.0f}" for name in ("paint", "script", "swap"))
            rest = f"{found['requests']:9.0f} {found['shift']:6.3f} {found.get('work', 0):6.1f}"
            print(f"{network:10} {what:11} {times} {rest}")


if __name__ == "__main__":
    main()
