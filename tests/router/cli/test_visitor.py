"""`leaseline visitor` as an operator types it."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pool.database import open_database
from pool.service import Pool
from router.cli import main
from router.store.calls import CallStore
from router.store.visits import MIGRATIONS
from tests.router.cdr.stored import batch
from tests.router.store.test_erasing import ME, PERSONAL, call
from tests.router.store.test_visits import AT, arrival, arrive

Leaseline = Callable[..., Result]
SITES = "".join(
    f'[[site]]\nkey = "{key}"\nname = "{key}"\nmain_number = "+44207946000{place}"\norigins = ["https://{key}.example"]\n'
    for place, key in enumerate(("shop", "florist"))
)


@pytest.fixture
def leaseline(tmp_path: Path) -> Leaseline:
    config = tmp_path / "config.toml"
    config.write_text(f'[storage]\nurl = "sqlite:///store.db"\n{SITES}', encoding="utf-8")

    async def fill() -> None:
        database = await open_database(f"sqlite:///{tmp_path}/store.db")
        await Pool(database).open()
        await database.migrate("router", MIGRATIONS)
        lease = await arrive(database, ME, arrival(AT, "?utm_source=google\x1b&utm_medium=cpc"))
        stored = call(1, ME) | {"visit_id": lease.visit_id, "started_at": AT + 60_000}
        await CallStore(database).write(batch(stored))
        await database.close()

    asyncio.run(fill())

    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), "visitor", *arguments], input=typed)

    return invoke


def test_a_journey_is_shown(leaseline: Leaseline) -> None:
    shown = leaseline("show", ME)
    assert shown.exit_code == 0
    assert f"call from {PERSONAL['number']}" in shown.output
    assert "google / cpc" in shown.output
    told = json.loads(leaseline("show", ME, "--site", "shop", "--json").output)
    assert [event["kind"] for event in told["events"]] == ["visit", "call"]
    assert "nothing is stored" in leaseline("show", "nobody").output


@pytest.mark.parametrize("who", [[ME], ["--caller", "020 7946 0777"], [ME, "--site", "shop", "--recordings"]])
def test_erasing(leaseline: Leaseline, who: list[str], tmp_path: Path) -> None:
    refused = leaseline("erase", *who, typed="n\n")
    assert refused.exit_code == 1
    assert leaseline("show", ME).exit_code == 0

    erased = leaseline("erase", *who, typed="y\n")

    assert erased.exit_code == 0, erased.output
    assert "erased 1 visitors: 1 visits, 1 page views, 1 leases; blanked 1 calls" in erased.output
    assert leaseline("show", ME).exit_code == 1
    again = leaseline("erase", *who, "--yes")
    assert (again.exit_code, "nothing is stored of them" in again.output) == (1, True)


@pytest.mark.parametrize("who", [[], [ME, "--caller", "1"], ["a'b"], ["%"]])
def test_nobody_in_particular_is_refused(leaseline: Leaseline, who: list[str]) -> None:
    assert leaseline("erase", *who, "--yes").exit_code == 2
