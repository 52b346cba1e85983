"""What is forgotten of visitors, when, and what is kept, on both databases."""

import asyncio
from pathlib import Path

import pytest

from pool.database import Database
from pool.instants import DAY, HOUR, Instant
from pool.leases import Rung
from pool.service import Pool
from router import privacy
from router.config.live import LiveConfig
from router.config.model import Config
from router.privacy import Forgetting
from router.store.calls import CallStore
from router.store.forgetting import ForgettingStore, Swept
from router.store.journeys import JourneyStore
from router.store.visits import VisitStore
from tests.router.cdr.stored import batch, row

from .test_visits import AT, BING, arrival, arrive

NUMBERS = ("+442079460001", "+442079460002")
KEEP_DAYS = 30
LATER = AT + (KEEP_DAYS + 1) * DAY


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "PAUSE_SECONDS", 0)


@pytest.fixture
async def pool(database: Database, tmp_path: Path) -> Pool:
    pool = Pool(database, sweep_seconds=0)
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("number\n" + "".join(f"{number}\n" for number in NUMBERS), encoding="utf-8")
    await pool.import_csv(numbers, AT - DAY, default_country=None)
    return pool


def forgetting(
    database: Database, pool: Pool, tmp_path: Path, at: Instant, keep_days: int = KEEP_DAYS
) -> Forgetting:
    config = Config.model_validate({"privacy": {"keep_visits_days": keep_days}})
    live = LiveConfig(tmp_path / "c.toml", config)
    return Forgetting(live, ForgettingStore(database, pool), now=lambda: at)


async def test_visits_without_a_call_go_when_their_time_has_passed(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    visits = VisitStore(database)
    old = await arrive(database, "v1", arrival(AT))
    await visits.add_page_view(old.visit_id, AT + 5_000, "https://shop.example/b", "B")
    await arrive(database, "v1", arrival(AT + 60_000, BING))  # a second visit on the same lease
    young = await arrive(database, "v2", arrival(AT + 2 * DAY))

    early = await forgetting(database, pool, tmp_path, AT + KEEP_DAYS * DAY).sweep()
    assert early == Swept()
    swept = forgetting(database, pool, tmp_path, LATER)
    assert await swept.sweep() == Swept(leases=1, visits=2, page_views=3, visitors=1)
    assert await swept.sweep() == Swept()

    assert await visits.visit(old.visit_id) is None
    assert await visits.page_views(old.visit_id) == []
    assert await visits.visitor("shop", "v1") is None
    assert await JourneyStore(database).journey("shop", "v1") is None
    assert await visits.visit(young.visit_id) is not None
    assert {metric.name: metric.samples[0].value for metric in swept.figures()} == {
        "leaseline_forgotten_leases": 1,
        "leaseline_forgotten_visits": 2,
        "leaseline_forgotten_page_views": 3,
        "leaseline_forgotten_visitors": 1,
    }


async def test_what_led_to_a_call_is_kept_and_what_came_after_it_goes(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    first = await arrive(database, "v1", arrival(AT))
    second = await arrive(database, "v1", arrival(AT + HOUR))
    third = await arrive(database, "v1", arrival(AT + 2 * HOUR))
    call = row(1, visitor_id="v1", visit_id=second.visit_id, started_at=AT + HOUR + 5_000)
    await CallStore(database).write(batch(call))

    assert (await forgetting(database, pool, tmp_path, LATER).sweep()).visits == 1

    visits = VisitStore(database)
    kept = [await visits.visit(lease.visit_id) for lease in (first, second, third)]
    assert [visit is not None for visit in kept] == [True, True, False]
    visitor = await visits.visitor("shop", "v1")
    assert visitor is not None
    assert visitor["visit_count"] == 3


async def test_a_lease_that_is_not_over_is_not_forgotten(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    """A tab that was left open for two days."""
    lease = await arrive(database, "v1", arrival(AT))
    for at in range(AT, AT + 2 * DAY, 14 * 60_000):
        await pool.seen(lease.lease_id, at)
    assert await forgetting(database, pool, tmp_path, AT + 2 * DAY, keep_days=1).sweep() == Swept()
    assert (await forgetting(database, pool, tmp_path, AT + 4 * DAY, keep_days=1).sweep()).visits == 1


async def test_numbers_go_on_being_given_after_their_holders_are_forgotten(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    for number in range(6):
        await arrive(database, f"v{number}", arrival(AT + number * HOUR))
    assert (await forgetting(database, pool, tmp_path, LATER).sweep()).leases == 6
    fresh = [await arrive(database, visitor, arrival(LATER)) for visitor in ("v0", "new")]
    assert {lease.slots[0].number for lease in fresh} == set(NUMBERS)
    assert {lease.slots[0].rung for lease in fresh} == {Rung.BASE}  # whose it was is not known any more
    for number in NUMBERS:
        holders = await pool.holders(number, None, LATER + 1_000, lookback_seconds=365 * 86_400)
        assert [holder.visitor_id in {"v0", "new"} for holder in holders] == [True]
    # The holds that the queue still needed go once their numbers have been given on.
    restarted = forgetting(database, pool, tmp_path, LATER + 1)
    assert (await restarted.sweep()).leases == 0
    async with database.read() as reading:
        queries = database.queries(Path(__file__).parents[3] / "pool/sql/queries")
        left = await reading.fetch(queries.old_leases, after="", until="g", most=100)
    assert len(left) == 2


async def test_a_sweep_of_many_batches_beside_new_visits(
    database: Database, pool: Pool, tmp_path: Path
) -> None:
    for start in range(0, 260, 65):
        await asyncio.gather(
            *(arrive(database, f"v{number}", arrival(AT + number)) for number in range(start, start + 65))
        )
    sweep = forgetting(database, pool, tmp_path, LATER)
    first, *leases = await asyncio.gather(
        sweep.sweep(),
        *(arrive(database, f"v{number}", arrival(LATER + number)) for number in range(0, 260, 20)),
    )
    # What a returning visitor was just holding is left for the next sweep.
    again = await sweep.sweep()
    assert (first.leases + again.leases, first.visits + again.visits) == (260, 260)
    visits = VisitStore(database)
    for number, lease in zip(range(0, 260, 20), leases, strict=True):
        assert await visits.visit(lease.visit_id) is not None
        visitor = await visits.visitor("shop", f"v{number}")
        assert visitor is not None
        assert visitor["visit_count"] in {1, 2}
