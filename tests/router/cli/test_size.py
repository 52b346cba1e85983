"""How many numbers: from figures, and from what the store has seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pool.instants import now
from pool.leases import LeaseWish, SlotWish
from router.cli import main
from router.cli.session import configuration, store

CONFIG = """\
[storage]
url = "sqlite:///store.db"
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
[[site]]
key = "garage"
name = "Garage"
main_number = "+442079460900"
origins = ["https://garage.example"]
"""
Size = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def size(config: Path) -> Size:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "pool", "size", *arguments])

    return invoke


def served(config: Path, numbers: int, **visits: int) -> None:
    """A pool, and visits by site just now; each keeps its number for the 15 minutes of the freeze."""
    file = config.parent / "numbers.csv"
    file.write_text("number\n" + "".join(f"+442079460{place:03}\n" for place in range(100, 100 + numbers)))

    async def serve() -> None:
        async with store(configuration(config)) as (_, pool):
            at = now()
            await pool.import_csv(file, at, default_country="GB")
            for site, count in visits.items():
                for place in range(count):
                    await pool.lease(LeaseWish(site, f"v{place}", f"s{place}", [SlotWish("main")], 900), at)

    asyncio.run(serve())


def test_from_figures_alone(size: Size) -> None:
    figures = "--visits-per-hour", "60", "--hold-minutes", "10"
    found = json.loads(size(*figures, "--blocking", "0.04", "--format", "json").output)
    assert (found["erlangs"], found["wanted"], found["present"]) == (10, 15, None)
    assert {one["numbers"]: one["blocking"] for one in found["sizes"]}[15] == 0.036497
    table = size(*figures).output
    assert "10.00 erlangs offered; 18 numbers for a blocking of at most 1.00%" in table
    assert "18       0.71%     wanted\n" in table


def test_from_what_was_measured(size: Size, config: Path) -> None:
    served(config, 30, shop=20, garage=20)
    found = json.loads(size("--site", "shop", "--format", "json").output)
    assert [(row["site"], row["visits_per_hour"]) for row in found["traffic"]] == [
        ("garage", 20),
        ("shop", 20),
    ]
    assert found["erlangs"] == pytest.approx(40 * 16 / 60, abs=0.01)  # 15 minutes' freeze, one of rest
    assert found["present"] == 30
    assert {one["numbers"] for one in found["sizes"]} >= {found["wanted"], 30}
    rows = size("--site", "shop", "--format", "csv").output.splitlines()
    assert rows[0] == "numbers,blocking,note"
    assert any(row.endswith(",present") for row in rows)


def test_measured_figures_can_be_replaced(size: Size, config: Path) -> None:
    served(config, 4, shop=2)
    found = json.loads(size("--site", "shop", "--visits-per-hour", "120", "--format", "json").output)
    assert found["erlangs"] == pytest.approx(120 * 16 / 60, abs=0.01)
    both = size("--site", "garage", "--visits-per-hour", "6", "--format", "json")
    rows = json.loads(both.output)["traffic"]
    assert [(row["site"], row["hold_minutes"]) for row in rows] == [("shop", 16), ("garage", 16)]


def test_what_is_not_known_is_said(size: Size, config: Path) -> None:
    assert "say --site, or both" in size("--visits-per-hour", "60").output
    assert "'shoe' is not a [[site]]" in size("--site", "shoe").output
    assert "shop had no visit that wanted a number in 7 days" in size("--site", "shop").output
    assert "give --hold-minutes" in size("--site", "shop", "--visits-per-hour", "5").output
    assert size("--site", "shop", "--blocking", "0").exit_code == 2
    served(config, 0, shop=2)
    assert "nobody held a number in 7 days" in size("--site", "shop").output
    assert size("--visits-per-hour", "1e9", "--hold-minutes", "1e9").exit_code == 1
