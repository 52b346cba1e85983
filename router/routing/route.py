"""FastAGI `/route`: who is to be rung for a dialed number."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from agi import variables
from pool.database import NotAtOnce
from pool.numbers import NumberKind
from router.cdr.enrich import caller_number
from router.config import Config, Site
from router.routing.counts import RouteCounts
from router.routing.lookups import History, Lookups
from router.routing.numbering import NotANumber, to_e164
from router.routing.plan import Plan, Situation
from router.routing.rate import CallRate
from router.routing.table import CurrentTable, RoutingTable
from router.routing.turns import Turns

LOOKUP_SHARE = 0.6
"""How much of the answer's time may have passed when what a plan would like to know is given up."""


class NotOurNumber(LookupError):
    """The dialed number is neither in the inventory nor a site's main number with a plan of its own."""


class DialedNumber(Protocol):
    """What tells a number's site; "" is none."""

    @property
    def site(self) -> str: ...
    @property
    def pool(self) -> str: ...
    @property
    def channel(self) -> str: ...


class NumberOfInventory(DialedNumber, Protocol):
    """What routing needs of a number of the inventory."""

    @property
    def kind(self) -> NumberKind: ...


FindNumber = Callable[[str], Awaitable[NumberOfInventory | None]]
FindAtOnce = Callable[[str], NumberOfInventory | None]
"""Raises NotAtOnce where that cannot be had: the other is then asked."""


class Request(Protocol):
    """What routing needs of a FastAGI request."""

    @property
    def dialed(self) -> str: ...
    @property
    def linkedid(self) -> str: ...
    @property
    def caller(self) -> str: ...
    @property
    def received_at(self) -> int: ...


class Route:
    """Answers the dialplan; any exception means no answer, and the dialplan's own table decides."""

    def __init__(
        self,
        current_config: Callable[[], Config],
        find_number: FindNumber,
        history: History,
        counts: RouteCounts,
        *,
        find_at_once: FindAtOnce | None = None,
    ) -> None:
        self._table = CurrentTable(current_config)
        self._find = find_number
        self._find_at_once = find_at_once
        self._lookups = Lookups(history, counts)
        self._counts = counts
        self._rate = CallRate()
        self._turns = Turns()

    def at_once(self, request: Request) -> Mapping[str, str] | None:
        """The same answer where nothing has to be waited for; None where it has."""
        if self._find_at_once is None:
            return None
        table, number, caller = self._asked(request)
        if blocked := self._blocked_everywhere(table, number, caller):
            return blocked
        try:
            record = self._find_at_once(number)
        except NotAtOnce:
            return None
        site, slot = site_of(table.config, number, record)
        plans = table.plans(site)
        if plans.needs_holder or plans.needs_history:
            return None
        if refused := self._refused(table, number, site, caller):
            return refused
        values = self._values(table, site, _situation(request, caller, slot, record))
        return _of_number(number, record, values)

    async def __call__(self, request: Request) -> Mapping[str, str]:
        """The answer variables for `request.dialed`, the digits as the trunk sent them.

        Raises NotANumber, NotOurNumber, or what the store raises when it is out of reach.
        """
        table, number, caller = self._asked(request)
        config = table.config
        until = asyncio.get_running_loop().time() + config.fastagi.answer_seconds * LOOKUP_SHARE
        if blocked := self._blocked_everywhere(table, number, caller):
            return blocked
        record = await self._find(number)
        site, slot = site_of(config, number, record)
        if refused := self._refused(table, number, site, caller):
            return refused
        plans = table.plans(site)
        situation = await self._lookups.completed(
            _situation(request, caller, slot, record),
            plans,
            site=site.key,
            number=number if record and record.kind is NumberKind.DYNAMIC else None,
            since_at=held_since(config, request.received_at),
            until=until,
        )
        return _of_number(number, record, self._values(table, site, situation))

    def _asked(self, request: Request) -> tuple[RoutingTable, str, str | None]:
        """The table in force, the dialed number in E.164 and the caller."""
        table = self._table()
        number = to_e164(request.dialed, table.config.asterisk.country)
        return table, number, caller_of(request.caller, table.config)

    def _blocked_everywhere(
        self, table: RoutingTable, number: str, caller: str | None
    ) -> Mapping[str, str] | None:
        block = table.blocks.everywhere(caller)
        return self._blocked(number, "", block, "list") if block else None

    def _refused(
        self, table: RoutingTable, number: str, site: Site, caller: str | None
    ) -> Mapping[str, str] | None:
        """The answer to a caller whom the site blocks, or who calls too often; it counts the call."""
        if block := table.blocks.at_site(site.key, caller):
            return self._blocked(number, site.key, block, "list")
        if not self._within_limit(table, caller):
            return self._blocked(number, site.key, table.config.calls.over_limit, "limit")
        return None

    def _values(self, table: RoutingTable, site: Site, situation: Situation) -> Mapping[str, str]:
        """The plan as variables. What is not set is empty: each costs Asterisk some microseconds."""
        plans = table.plans(site)
        settled_by = plans.settled_by(situation)
        key = (site.key, *settled_by) if settled_by is not None else None
        known = table.settled.get(key) if key is not None else None
        if known is not None:
            return known
        plan = plans.plan(situation, lambda name: self._turns.take(site.key, name))
        values = {name: value for name, value in plan_variables(plan).items() if value}
        if key is not None:
            table.settled[key] = values
        return values

    def _within_limit(self, table: RoutingTable, caller: str | None) -> bool:
        limit = table.config.calls
        if not limit.most_per_caller or caller is None or caller in table.unlimited:
            return True
        return self._rate.allows(caller, limit.most_per_caller, limit.per_minutes * 60)

    def _blocked(self, number: str, site: str, block: str, by: str) -> dict[str, str]:
        self._counts.blocked[by] += 1
        return {variables.NUMBER: number, variables.SITE: site, variables.BLOCK: block}


def _situation(
    request: Request, caller: str | None, slot: str | None, record: NumberOfInventory | None
) -> Situation:
    channel = record.channel if record else ""
    return Situation(request.received_at, request.linkedid, caller, slot, channel)


def _of_number(number: str, record: NumberOfInventory | None, values: Mapping[str, str]) -> Mapping[str, str]:
    answer = {variables.NUMBER: number, **values}
    if record and record.kind is NumberKind.EXTENSION:
        answer[variables.ASK] = "1"
    return answer


def site_of(config: Config, number: str, record: DialedNumber | None) -> tuple[Site, str | None]:
    """The site that a dialed number belongs to, and its number slot where the number tells it.

    A number of the inventory belongs to the site that showed it last; one that no site has shown yet to the
    only site that draws from its pool. A site's main number belongs to it as long as its plans do not ring
    that number again. Raises NotOurNumber.
    """
    if record is not None:
        site = config.site_of(record.site) if record.site else None
        if site is None:
            drawing = config.sites_by_pool.get(record.pool, ())
            site = drawing[0] if len(drawing) == 1 else None
        if site is not None:
            return site, _slot_of(site, record.pool)
    place = config.places_by_main_number.get(number)
    if place is None:
        raise NotOurNumber(number)
    return place


def _slot_of(site: Site, pool: str) -> str | None:
    """A slot with a pool of its own is told by the number's pool."""
    if pool == site.pool:
        return None
    return next((slot.name for slot in site.number_slot if slot.pool == pool), None)


def caller_of(sent: str, config: Config) -> str | None:
    """Who calls, as CDRs name callers: E.164, or as it was sent; None where it is withheld."""

    def e164(digits: str) -> str | None:
        try:
            return to_e164(digits, config.asterisk.country)
        except NotANumber:
            return None

    return caller_number(sent, e164)


def held_since(config: Config, at: int) -> int:
    """Who held a number last before this instant does not count as its holder at `at`; milliseconds."""
    return at - config.cdr.lookback_hours * 3_600_000


def plan_variables(plan: Plan) -> dict[str, str]:
    """The plan as the dialplan's variables."""
    values = {
        variables.SITE: plan.site,
        variables.RECORD: plan.record,
        variables.ANNOUNCE: plan.announce,
        variables.WHISPER: plan.whisper,
        variables.OVERFLOW: plan.overflow,
    }
    if plan.language:
        values[variables.LANGUAGE] = plan.language
    for step, dial, ring in zip(plan.steps, variables.DIAL_STRINGS, variables.RING_SECONDS, strict=False):
        values[dial] = step.dial
        values[ring] = str(step.ring_seconds)
    return values
