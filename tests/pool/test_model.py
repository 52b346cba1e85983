"""The pool against its model, step by step, with a clock that may be set back and a store reopened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pool.database import Database, open_database
from pool.instants import SECOND
from pool.leases import LeaseWish, Rung, SlotWish
from pool.lifecycle import State
from pool.service import Pool

from .model import FREEZE, REST, Model, ModelLease, ModelNumber
from .postgresql_server import PostgresqlServer
from .stock import START, add_numbers, leeds, london

visitors = st.sampled_from([f"v{n}" for n in range(5)])
sites = st.sampled_from(["bakery", "shop"])
steps = st.sampled_from([0, 1, 29_000, 61_000, 299_999, 300_000, 360_000, 86_400_000, 14 * 86_400_000])


class PoolMachine(RuleBasedStateMachine):
    """Every answer of the pool is the model's; the codes, which the model has not, are checked as such."""

    def __init__(self, store: Callable[[], AbstractContextManager[str]]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.closing = ExitStack()
        self.url = self.closing.enter_context(store())
        self.at = START
        self.model = Model()
        self.leases: dict[str, ModelLease] = {}
        self.codes: dict[str, str] = {}
        self.database, self.pool = self.runner.run(self.opened())
        self.runner.run(
            add_numbers(
                self.pool, f"{leeds(0)},extension,shop", header="number,kind,site", extension_digits=3
            )
        )

    async def opened(self) -> tuple[Database, Pool]:
        database = await open_database(self.url)
        pool = Pool(database, rest_seconds=60, idle_days=14, sweep_seconds=0)
        await pool.open()
        return database, pool

    def teardown(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()
        self.closing.close()

    @initialize(count=st.integers(1, 4))
    def stock(self, count: int) -> None:
        self.add(list(range(count)))

    def add(self, places: list[int]) -> None:
        self.runner.run(add_numbers(self.pool, *map(london, places), at=self.at))
        for place in places:
            known = self.model.numbers.get(london(place))
            if known is None:
                self.model.numbers[london(place)] = ModelNumber("", self.at)
            elif known.retired:
                known.retired, known.key_at = False, max(known.key_at, self.at)

    @rule(place=st.integers(0, 5))
    def add_one(self, place: int) -> None:
        self.add([place])

    @rule(step=steps)
    def pass_time(self, step: int) -> None:
        self.at += step

    @rule()
    def set_clock_back_an_hour(self) -> None:
        self.at -= 3_600 * SECOND

    @rule(site=sites, visitor=visitors)
    def lease(self, site: str, visitor: str) -> None:
        wish = LeaseWish(site, visitor, "visit", [SlotWish("main")], FREEZE // SECOND)
        lease = self.runner.run(self.pool.lease(wish, self.at))
        (shown,) = lease.slots
        before = self.model.last.get((site, visitor))
        rung, expected = self.model.lease(site, visitor, self.at)
        assert lease.revived == (expected is before)
        if rung == "revived":
            assert expected.number in {shown.number, f"code {shown.extension}"}
        elif shown.rung is Rung.EXTENSION:
            assert (rung, site, shown.number) == ("main", "shop", leeds(0))
            self.check_code(str(shown.extension), lease.lease_id, expected)
        else:
            assert (shown.rung, shown.number) == (rung, expected.number)
        self.leases[lease.lease_id] = expected

    def check_code(self, code: str, lease_id: str, lease: ModelLease) -> None:
        holder = self.leases.get(self.codes.get(code, ""))
        if holder is not None and holder is not lease:
            assert holder.until_at() + REST <= self.at
            holder.given_on = True
        self.codes[code] = lease_id
        lease.number = f"code {code}"

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), kind=st.sampled_from(["seen", "tel_click", "left", "call"]))
    def sign(self, data: st.DataObject, kind: str) -> None:
        lease_id = data.draw(st.sampled_from(sorted(self.leases)))
        lease = self.leases[lease_id]
        over = lease.is_over(self.at)
        if kind == "call":
            self.call(lease, over)
            return
        if kind == "left":
            view = self.runner.run(self.pool.left(lease_id, self.at))
        else:
            view = self.runner.run(self.pool.seen(lease_id, self.at, tel_click=kind == "tel_click"))
        assert view is not None
        assert (view.state is State.OVER) == over
        if not over:
            lease.sign(self.at, left=kind == "left")
            assert view.frozen_until_at == lease.until_at()

    def call(self, lease: ModelLease, over: bool) -> None:
        """A call of no length on the lease's number."""
        if lease.number is None or lease.number.startswith("code"):
            return
        if not over and self.model.numbers[lease.number].lease is lease:
            self.runner.run(self.pool.call_active(lease.number, None, self.at, self.at))
            self.runner.run(self.pool.call_ended(lease.number, None, self.at, self.at, self.at))
            lease.anchor_at = max(lease.anchor_at, self.at)

    @precondition(lambda self: self.model.numbers)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.numbers)))
        self.runner.run(self.pool.retire([number], self.at))
        self.model.numbers[number].retired = True

    @rule()
    def reopen(self) -> None:
        """What was acknowledged is there for another process, whatever becomes of this one."""
        old = self.database
        self.database, self.pool = self.runner.run(self.opened())
        self.runner.run(old.close())

    @invariant()
    def nobody_shares(self) -> None:
        numbers = [
            lease.number for lease in self.model.last.values() if lease.number and not lease.is_over(self.at)
        ]
        assert len(numbers) == len(set(numbers))


@contextmanager
def sqlite_store() -> Iterator[str]:
    with TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/pool.db"


def follow(store: Callable[[], AbstractContextManager[str]], examples: int) -> None:
    run_state_machine_as_test(
        lambda: PoolMachine(store),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_pool_follows_its_model_on_sqlite() -> None:
    follow(sqlite_store, 50)


def test_the_pool_follows_its_model_on_postgresql(postgresql_server: PostgresqlServer) -> None:
    follow(postgresql_server.database, 15)
