"""What a plan needs to know about a call, looked up only where the site's plans can depend on it.

A look-up that fails or is late never costs the call: the plan is made without what it would have told.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

import structlog

from router.routing.counts import RouteCounts
from router.routing.plan import SitePlans, Situation
from router.store.routing import Holder

log = structlog.get_logger(__name__)

Found = TypeVar("Found")


class History(Protocol):
    """What the store tells (router.store.routing.RoutingStore)."""

    async def holder(self, number: str, extension: str, at: int) -> Holder | None: ...

    async def agents(self, site: str, caller: str, before: int, most: int = 20) -> list[str | None]: ...


class Lookups:
    """Completes situations."""

    def __init__(self, history: History, counts: RouteCounts) -> None:
        self._history = history
        self._counts = counts

    async def completed(
        self,
        situation: Situation,
        plans: SitePlans,
        *,
        site: str,
        number: str | None,
        since_at: int,
        until: float,
    ) -> Situation:
        """`situation` with what the site's plans need beside it, as far as it is known by the loop's time
        `until`. `number` is one that a visitor may hold, or None; a holder whose last sign is older than
        `since_at` is none.
        """
        holder: Holder | None = None
        agents: list[str | None] | None = None
        number = number if plans.needs_holder else None
        caller = situation.caller if plans.needs_history else None
        if number is not None and caller is not None:
            holder, agents = await asyncio.gather(
                self._guarded(self._history.holder(number, "", situation.at), until),
                self._guarded(self._history.agents(site, caller, situation.at), until),
            )
        elif number is not None:
            holder = await self._guarded(self._history.holder(number, "", situation.at), until)
        elif caller is not None:
            agents = await self._guarded(self._history.agents(site, caller, situation.at), until)
        if holder is not None and holder.anchor_at >= since_at:
            situation = held_by(situation, holder)
        if agents is not None:
            last_agent = next((agent for agent in agents if agent), None)
            situation = situation._replace(last_agent=last_agent, first_call=not agents)
        return situation

    async def _guarded(self, lookup: Awaitable[Found], until: float) -> Found | None:
        try:
            async with asyncio.timeout_at(until):
                found = await lookup
        except TimeoutError:
            self._counts.lookups["late"] += 1
            log.warning("route.lookup_late")
            return None
        except Exception as error:
            self._counts.lookups["failed"] += 1
            log.warning("route.lookup_failed", error=str(error))
            return None
        self._counts.lookups["found"] += 1
        return found


def held_by(situation: Situation, holder: Holder) -> Situation:
    """`situation` with the holder's channel and region, and the slot where the number does not tell it."""
    return situation._replace(
        channel=holder.channel,
        region=holder.region,
        slot=situation.slot or holder.slot,
    )
