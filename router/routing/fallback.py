"""Keeps AstDB's fallback table in step: whom the dialplan rings when no router answers.

AstDB is only ever written through the AMI. The store remembers what was put there, so that a million
numbers cost one pass of comparisons and as many puts as there are differences.
"""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from agi.variables import ASTDB_FAMILY
from pool.instants import now
from router.config.live import LiveConfig
from router.config.model import Config
from router.routing.route import NotOurNumber, site_of
from router.routing.table import CurrentTable, RoutingTable
from router.store.fallback import FallbackStore, MirroredNumber

log = structlog.get_logger(__name__)

GENERATION_FAMILY: Final = "leaseline-meta"
GENERATION_KEY: Final = "generation"
PAGE: Final = 2_000
LOOK_SECONDS: Final = 3.0
WHOLE_PASS_SECONDS: Final = 300.0


class AstDb(Protocol):
    """Asterisk's own database, through the AMI. Each raises when the AMI is away."""

    async def db_get(self, family: str, key: str) -> str | None: ...
    async def db_put(self, family: str, pairs: Sequence[tuple[str, str]]) -> None: ...
    async def db_del(self, family: str, keys: Sequence[str]) -> None: ...
    async def db_clear(self, family: str) -> None: ...


class FallbackTable:
    """One switch's table: `run` until the store or the AMI fails.

    The AMI is asked only when there is something to put, and once in each whole pass.
    """

    def __init__(self, live: LiveConfig, store: FallbackStore, astdb: AstDb) -> None:
        self._live = live
        self._store = store
        self._astdb = astdb
        self._table = CurrentTable(lambda: live.current)
        self._passed: Config | None = None
        self._doubted = False
        self.numbers_put = 0

    def doubt(self) -> None:
        """The switch was started anew: its AstDB may be another one."""
        self._doubted = True

    async def run(self) -> None:
        """Bring the table up to date and keep it so; raises what the store or the AMI raise."""
        loop = asyncio.get_running_loop()
        next_pass = loop.time()
        leases_from = f"{now():011x}"
        while True:
            if self._doubted or loop.time() >= next_pass or self._live.current is not self._passed:
                self._doubted = False
                await self._check_generation()
                await self._whole_pass()
                next_pass = loop.time() + WHOLE_PASS_SECONDS
            numbers, leases_from = await self._store.leased_since(leases_from, PAGE)
            await self._put_differences(numbers)
            await asyncio.sleep(LOOK_SECONDS)

    async def _check_generation(self) -> None:
        """An AstDB that is not the one we wrote (new machine, restored backup) is written anew."""
        known = await self._store.generation()
        if known and await self._astdb.db_get(GENERATION_FAMILY, GENERATION_KEY) == known:
            return
        token = secrets.token_hex(8)
        await self._store.begin(token)
        await self._astdb.db_clear(ASTDB_FAMILY)
        await self._astdb.db_put(GENERATION_FAMILY, [(GENERATION_KEY, token)])
        log.info("fallback.written_anew")

    async def _whole_pass(self) -> None:
        """Compare every number, one page at a time."""
        config = self._live.current
        after = ""
        while page := await self._store.numbers(after, PAGE):
            await self._put_differences(page)
            after = page[-1].number
        if gone := await self._store.gone():
            await self._delete(gone)
        self._passed = config

    async def _put_differences(self, numbers: Sequence[MirroredNumber]) -> None:
        """Put what differs. AstDB first: what is put twice does no harm, what is missing would."""
        table = self._table()
        puts = []
        deletions = []
        for number in numbers:
            target = fallback_target(table, number)
            if target is None and number.target is not None:
                deletions.append(number.number)
            elif target is not None and target != number.target:
                puts.append((number.number, target))
        if deletions:
            await self._delete(deletions)
        if puts:
            await self._astdb.db_put(ASTDB_FAMILY, [(number[1:], target) for number, target in puts])
            await self._store.put(puts)
            self.numbers_put += len(puts)
            log.info("fallback.put", numbers=len(puts))

    async def _delete(self, numbers: Sequence[str]) -> None:
        await self._astdb.db_del(ASTDB_FAMILY, [number[1:] for number in numbers])
        await self._store.removed(numbers)


def fallback_target(table: RoutingTable, number: MirroredNumber) -> str | None:
    """The dial string of the default plan's first step, whatever the hour: without a router somebody is rung.

    None when no site claims the number (the global default).
    """
    try:
        site, slot = site_of(table.config, number.number, number)
    except NotOurNumber:
        return None
    return table.plans(site).fallback(slot)
