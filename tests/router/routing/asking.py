"""A FastAGI request and the store behind a route, as tests need them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from pool.numbers import NumberKind
from router.store.routing import Holder

CALLER = "+447700900123"
NOON = 1_795_435_200_000  # 2026-11-23 12:00 UTC, a Monday


@dataclass
class Record:
    """A number of the inventory."""

    site: str = ""
    pool: str = "default"
    channel: str = ""
    kind: NumberKind = NumberKind.DYNAMIC


@dataclass
class Asked:
    """What the dialplan asks, on either path."""

    dialed: str
    caller: str = CALLER
    keyed: str = ""
    linkedid: str = "1763817000.42"
    received_at: int = NOON
    variables: Mapping[str, str] = field(default_factory=lambda: {"agi_callerid": CALLER})


@dataclass
class History:
    """Holders by (number, code) and agents by caller; may be broken or slow, or (`together`) answer nothing
    before both are asked for. Remembers what was asked.
    """

    holders: dict[tuple[str, str], Holder] = field(default_factory=dict)
    answered: dict[str, list[str | None]] = field(default_factory=dict)
    error: Exception | None = None
    takes_seconds: float = 0.0
    together: asyncio.Barrier | None = None
    asked: list[str] = field(default_factory=list)

    async def holder(self, number: str, extension: str, at: int) -> Holder | None:
        await self._ask("holder")
        return self.holders.get((number, extension))

    async def agents(self, site: str, caller: str, before: int, most: int = 20) -> list[str | None]:
        await self._ask("agents")
        return self.answered.get(caller, [])

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        await asyncio.sleep(self.takes_seconds)
        if self.together is not None:
            await self.together.wait()
        if self.error is not None:
            raise self.error
