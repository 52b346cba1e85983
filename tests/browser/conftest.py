"""Real Chromium against the real public listener, with a page of another origin for each test to write."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from pool.database import Database, open_database
from pool.instants import now
from pool.service import Pool
from router.config.live import LiveConfig
from router.config.model import Config
from router.store.visits import MIGRATIONS, VisitStore
from router.web.public import public_app
from tests.ports import free_ports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
MAIN = "+442079460000"
NUMBERS = [f"+44207946{number:04}" for number in range(101, 111)]
# Without these Chromium looks for Google's hosts at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000
"""For whatever must come; Playwright's own 5 s for an expectation are an idle machine's."""
expect.set_options(timeout=PATIENCE_MS)
WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => list.getEntries().forEach(entry => { window.shifts += entry.value; }))
  .observe({type: "layout-shift", buffered: true});
window.leaselineDebug = true;
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No Chromium: one loud line on a developer's machine, failures where it must be there."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(reason="NO BROWSER TESTS: Chromium is not installed"))


@dataclass
class Site:
    """The listener, a browser, and a website that tests fill with pages."""

    api: TestServer
    pages: TestServer
    browser: Browser
    pool: Pool
    visits: VisitStore
    database: Database
    html: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def tag(self) -> str:
        return f'<script async src="{self.api.make_url("/widget/shop.js")}"></script>'

    def write(
        self, path: str, body: str, *, head: str | None = None, headers: dict[str, str] | None = None
    ) -> str:
        """Publishes a page with the widget on it; gives its address."""
        self.headers[path] = headers or {}
        head = self.tag if head is None else head
        self.html[path] = (
            f"<!doctype html><html><head><title>{path}</title>{head}</head><body>{body}</body></html>"
        )
        return str(self.pages.make_url(path))

    async def visitor(self, **options: Any) -> BrowserContext:
        """A browser profile of its own: nobody who was here before."""
        context = await self.browser.new_context(user_agent=AGENT, **options)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(WATCH_SHIFTS)
        self.contexts.append(context)
        return context

    async def page(self, context: BrowserContext | None = None) -> Page:
        page = await (context or await self.visitor()).new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "warning" else None)
        return page


SiteMaker = Callable[..., Awaitable[Site]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests; each visitor has a profile of their own in it."""
    if CHROMIUM is None:
        pytest.fail("Chromium is not installed, and CI=true asks for the browser tests")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=QUIET,
            # Playwright switches the back/forward cache off, which visitors' browsers have.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def make_site(tmp_path: Path, chromium: Browser) -> AsyncIterator[SiteMaker]:
    """Makes a site of `[[site]]` settings, with `numbers` (lines of a CSV file) to lease."""
    servers: list[TestServer] = []
    databases: list[Database] = []
    sites: list[Site] = []

    async def make(*, numbers: Sequence[str] = NUMBERS, **settings: Any) -> Site:
        html: dict[str, str] = {}
        headers: dict[str, dict[str, str]] = {}

        async def serve(request: web.Request) -> web.Response:
            kind = "text/javascript" if request.path.endswith(".js") else "text/html"
            return web.Response(
                text=html.get(request.path, ""), content_type=kind, headers=headers.get(request.path)
            )

        application = web.Application()
        application.router.add_get("/{path:.*}", serve)
        pages = TestServer(application)
        await pages.start_server()
        servers.append(pages)
        [port] = free_ports(1)
        origins = [str(pages.make_url("")).rstrip("/"), f"http://127.0.0.1:{port}"]
        live = LiveConfig(tmp_path / "config.toml", _configuration(origins, settings))
        database = await open_database(f"sqlite:///{tmp_path / 'leaseline.db'}")
        databases.append(database)
        pool = Pool(database)
        await pool.open()
        await database.migrate("router", MIGRATIONS)
        stock = tmp_path / "numbers.csv"
        rows = numbers if "," in numbers[0] else ["number", *numbers]
        stock.write_text("\n".join(rows) + "\n", encoding="utf-8")
        await pool.import_csv(stock, now(), default_country=None)
        api = TestServer(public_app(live, pool, database), port=port)
        await api.start_server()
        servers.append(api)
        site = Site(api, pages, chromium, pool, VisitStore(database), database, html, headers)
        sites.append(site)
        return site

    yield make
    for site in sites:
        for context in site.contexts:
            await context.close()
    for server in servers:
        await server.close()
    for database in databases:
        await database.close()
    assert [site.problems for site in sites if site.problems] == []


@pytest_asyncio.fixture(loop_scope="session")
async def site(make_site: SiteMaker) -> Site:
    return await make_site()


def _configuration(origins: list[str], settings: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "http": {"demo": True, "leases_per_minute": 1_000},
            "site": [
                {
                    "key": "shop",
                    "name": "Kestrel Plumbing",
                    "main_number": MAIN,
                    "origins": origins,
                    **settings,
                }
            ],
        }
    )


async def ready(page: Page, url: str) -> None:
    """Opens `url` and waits until the widget has its lease and has looked through the page."""
    await page.goto(url)
    await page.wait_for_function("window.leaseline && window.leaseline.lease")


def recorded(page: Page) -> list[Request]:
    """Every request that `page` makes from now on."""
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    return requests
