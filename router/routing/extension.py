"""FastAGI `/extension`: whose code a caller keyed at a number that many visitors share.

A right code gives the plan of the visit that was shown it; the dialplan then asks no more. A wrong one, or no
digits, has it ask again: after its last try it goes on with the plan that `/route` gave. So has a store that
cannot be asked.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from agi import variables
from router.config import Config
from router.routing.counts import RouteCounts
from router.routing.lookups import History, Lookups, held_by
from router.routing.numbering import to_e164
from router.routing.plan import Situation
from router.routing.route import (
    LOOKUP_SHARE,
    FindNumber,
    caller_of,
    held_since,
    plan_variables,
    site_of,
)
from router.routing.table import CurrentTable
from router.routing.turns import Turns

ASK_AGAIN = {variables.ASK: "1"}
MOST_DIGITS = 6


class Keyed(Protocol):
    """What is needed of a FastAGI request."""

    @property
    def dialed(self) -> str: ...
    @property
    def linkedid(self) -> str: ...
    @property
    def keyed(self) -> str: ...
    @property
    def variables(self) -> Mapping[str, str]: ...
    @property
    def received_at(self) -> int: ...


class ExtensionRoute:
    """Answers the dialplan's question after each try at a code."""

    def __init__(
        self,
        current_config: Callable[[], Config],
        find_number: FindNumber,
        history: History,
        counts: RouteCounts,
    ) -> None:
        self._table = CurrentTable(current_config)
        self._find = find_number
        self._history = history
        self._lookups = Lookups(history, counts)
        self._counts = counts
        self._turns = Turns()

    async def __call__(self, request: Keyed) -> Mapping[str, str]:
        """The holder's plan, or that the caller is to be asked again.

        Raises NotANumber, NotOurNumber, or what the store raises when it is out of reach.
        """
        table = self._table()
        config = table.config
        until = asyncio.get_running_loop().time() + config.fastagi.answer_seconds * LOOKUP_SHARE
        code = request.keyed
        if not (code.isascii() and code.isdigit() and len(code) <= MOST_DIGITS):
            return self._again("none" if not code else "wrong")
        number = to_e164(request.dialed, config.asterisk.country)
        record = await self._find(number)
        site, slot = site_of(config, number, record)
        at = request.received_at
        holder = await self._history.holder(number, code, at)
        if holder is None or holder.anchor_at < held_since(config, at):
            return self._again("wrong")
        self._counts.keyed["right"] += 1
        plans = table.plans(site)
        caller = caller_of(request.variables.get("agi_callerid", ""), config)
        situation = Situation(at=at, linkedid=request.linkedid, caller=caller, slot=slot)
        situation = await self._lookups.completed(
            held_by(situation, holder),
            plans,
            site=site.key,
            number=None,
            since_at=at,
            until=until,
        )
        plan = plans.plan(situation, lambda name: self._turns.take(site.key, name))
        # A step of the plan that /route gave must not ring behind this plan's last.
        ends = dict.fromkeys(variables.DIAL_STRINGS[len(plan.steps) :][:1], "")
        return {variables.NUMBER: number, **plan_variables(plan), **ends, variables.ASK: ""}

    def _again(self, outcome: str) -> Mapping[str, str]:
        self._counts.keyed[outcome] += 1
        return ASK_AGAIN
