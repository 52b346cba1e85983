"""A page that React draws, bundled by Vite: whatever it draws again, the visitor's number stays."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from .conftest import Site, SiteMaker, ready

pytestmark = pytest.mark.asyncio(loop_scope="session")

NODE = Path(__file__).parent / "node"
MINIFIED = Path("router/web/widget/leaseline.min.js")
NUMBER = "020 7946 0101"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `node` with its packages installed, as the lock file names them."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("npm is not installed, and CI=true asks for the tests of the React page")
        pytest.skip("NO TESTS OF THE REACT PAGE: npm is not installed")
    folder = tmp_path_factory.mktemp("react") / "node"
    shutil.copytree(NODE, folder, ignore=shutil.ignore_patterns("node_modules"))
    _run(folder, "npm", "ci", "--no-progress")
    return folder


@pytest.fixture(scope="session")
def shop(node: Path) -> dict[str, str]:
    """The built page: its files by path."""
    _run(node, "npm", "run", "build", OUT=str(node / "dist"))
    found = [path for path in (node / "dist").rglob("*") if path.is_file()]
    return {f"/{path.relative_to(node / 'dist')}": path.read_text(encoding="utf-8") for path in found}


def _run(folder: Path, *command: str, **more: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"


async def opened(site: Site, shop: dict[str, str], query: str = "") -> Page:
    page = await site.page()
    site.html.update(shop)
    site.html["/shop"] = shop["/index.html"].replace("</head>", f"{site.tag}</head>")
    await ready(page, str(site.pages.make_url("/shop")) + query)
    return page


async def change(page: Page, **state: Any) -> None:
    await page.evaluate("state => shop(state)", state)


async def texts(page: Page) -> tuple[str, str, str]:
    return (
        await page.locator("#ticks").inner_text(),
        await page.locator("#phone").inner_text(),
        await page.locator("li").last.inner_text(),
    )


async def test_what_react_draws_again_keeps_the_number(site: Site, shop: dict[str, str]) -> None:
    page = await opened(site, shop)
    await expect(page.locator("#phone")).to_have_text(f"Call {NUMBER} now")
    for ticks in (1, 2, 3):
        await change(page, ticks=ticks, branches=3 + ticks)
        assert await texts(page) == (
            f"{ticks} visitors called {NUMBER} today",
            f"Call {NUMBER} now",
            f"Branch {2 + ticks}: {NUMBER}",
        )
    # React's own text changes: the form that the page now writes is kept.
    await change(page, number="+44 20 7946 0000")
    international = "+44 20 7946 0101"
    assert await texts(page) == (
        f"3 visitors called {international} today",
        f"Call {international} now",
        f"Branch 5: {international}",
    )
    assert await page.locator("#phone").get_attribute("href") == "tel:+442079460101"
    assert await page.locator("#phone").get_attribute("title") == f"Call {international}"
    await change(page, number="020 7946 0001")
    assert (await texts(page))[1] == "Call 020 7946 0001 now"
    await change(page, number="020 7946 0000", plain=True)
    assert (await texts(page))[1] == NUMBER
    assert await page.evaluate("failures") == []


async def test_what_react_takes_away_it_finds(site: Site, shop: dict[str, str]) -> None:
    page = await opened(site, shop)
    assert await page.locator("#marked").inner_text() == NUMBER
    await change(page, ticks=7)
    assert await page.locator("#marked").inner_text() == NUMBER
    for state in (
        {"route": "/bare", "branches": 0},
        {"route": "/", "branches": 9},
        {"branches": 1, "plain": True},
    ):
        await change(page, **state)
        await page.evaluate("history.pushState({}, '', location.pathname + '?' + Math.random())")
        assert NUMBER in (await page.locator("#ticks").inner_text())
    assert (await texts(page))[1:] == (NUMBER, f"Branch 0: {NUMBER}")
    assert await page.evaluate("failures") == []


async def test_a_mask_in_a_page_of_react_s(make_site: SiteMaker, shop: dict[str, str]) -> None:
    site = await make_site(display="+44 (0)20 7946 XXXX")
    page = await opened(site, shop)
    shown = "+44 (0)20 7946 0101"
    for ticks in (1, 2):
        await change(page, ticks=ticks, branches=ticks)
        assert await texts(page) == (
            f"{ticks} visitors called {shown} today",
            f"Call {shown} now",
            f"Branch {ticks - 1}: {shown}",
        )
    await change(page, number="+44 20 7946 0000")
    assert (await texts(page))[1:] == (f"Call {shown} now", f"Branch 1: {shown}")
    assert await page.evaluate("failures") == []


async def test_react_takes_over_a_page_that_was_swapped_already(site: Site, shop: dict[str, str]) -> None:
    page = await opened(site, shop, "?hydrate")
    await expect(page.locator("#phone")).to_have_text(f"Call {NUMBER} now")
    await page.evaluate("hydrate(), 0")
    await page.wait_for_function("typeof window.shop == 'function'")
    await expect(page.locator("#phone")).to_have_text(f"Call {NUMBER} now")
    await change(page, ticks=5)
    assert await texts(page) == (
        f"5 visitors called {NUMBER} today",
        f"Call {NUMBER} now",
        f"Branch 2: {NUMBER}",
    )
    assert await page.evaluate("failures") == []


async def test_the_small_script_is_what_the_source_makes(node: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.js"
    await asyncio.to_thread(_run, Path(), ".ci/widget", str(made), NODE=str(node))
    assert made.read_text(encoding="utf-8") == MINIFIED.read_text(encoding="utf-8")
