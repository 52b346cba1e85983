"""From a finished call's facts to its CDR: site, caller, who they were, what brought them.

Enriching never loses a record: whatever fails here but the store itself leaves an attribution that says so.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import structlog

from pool.database import Row, StoreUnavailable
from pool.ids import new_id
from pool.leases import Holding
from pool.numbers import NumberRecord
from router.attribution.call import UNKNOWN_BELOW, Seen, Verdict, attribute
from router.attribution.call_model import Model
from router.attribution.caller_region import region_of_caller
from router.attribution.question import Guess, Question, Tie
from router.attribution.stay import at_call
from router.attribution.visit import cleaned
from router.cdr.attribution import attribution_of
from router.cdr.outcome import CallFacts
from router.cdr.record import Caller, Cdr, cdr_of, row_of
from router.store.calls import VisitsAtCall

log = structlog.get_logger(__name__)

NAME_CAP: Final = 80
NUMBER_CAP: Final = 40
# A hold that ended earlier than this says nothing about a call.
LOOKBACK_SECONDS: Final = 72 * 3600


class Numbers(Protocol):
    """What the pool tells of a number (pool.service.Pool)."""

    async def number(self, number: str) -> NumberRecord | None: ...

    async def holders(
        self,
        number: str,
        extension: str | None,
        at: int,
        *,
        lookback_seconds: int,
        present_at: int | None = None,
    ) -> list[Holding]: ...


class History(Protocol):
    """What the store tells of callers and visits (router.store.calls.CallStore)."""

    async def calls_of_caller(self, site: str, caller: str, before: int, most: int = 10) -> list[Row]: ...

    async def visits_at_call(self, chosen: str | None, held: Sequence[str], at: int) -> VisitsAtCall: ...


@dataclass(frozen=True, slots=True)
class SiteRules:
    """What a site says about its calls."""

    qualified_seconds: float = 30.0
    unknown_below: float = UNKNOWN_BELOW
    lookback_seconds: int = LOOKBACK_SECONDS
    model: Model = field(default_factory=Model)
    zone: ZoneInfo | None = None


class FinishedCall(NamedTuple):
    """A CDR, its row for the store, whether its number has a holder who keeps it after the call, and what
    the site's model may learn from it (None: nothing).
    """

    cdr: Cdr
    row: dict[str, Any]
    facts: CallFacts
    held: bool
    seen: Seen | None


class Enricher:
    """Makes CDRs. Raises StoreUnavailable when the store is; the same call can then be tried again."""

    def __init__(
        self,
        switch: str,
        numbers: Numbers,
        history: History,
        *,
        rules: Callable[[str | None], SiteRules],
        e164: Callable[[str], str | None],
        site_of: Callable[[str, NumberRecord | None], str | None],
        now: Callable[[], int],
    ) -> None:
        """`e164` reads a number in the trunk's form (None: it is none); `site_of` finds a number's site."""
        self._switch = switch
        self._numbers = numbers
        self._history = history
        self._rules = rules
        self._e164 = e164
        self._site_of = site_of
        self._now = now
        self._going_on = asyncio.Lock()

    async def finished(self, facts: CallFacts) -> FinishedCall:
        """The call's CDR."""
        number = facts.number or self._e164(facts.dialed) or cleaned(facts.dialed, NUMBER_CAP) or None
        called_by = caller_number(facts.caller_number, self._e164)
        caller: Caller = {
            "number": called_by,
            "name": cleaned(facts.caller_name, NAME_CAP) or None,
            "region": region_of_caller(called_by),
        }
        try:
            return await self._attributed(facts, number, caller)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("call.attribution_failed", linkedid=facts.linkedid)
            reason = f"attribution failed: {type(error).__name__}: {error}"[:200]
            verdict = Verdict("none", 0.0, None, (), reason)
            site = facts.site or None
            return self._made(facts, number=number, site=site, caller=caller, verdict=verdict, held=True)

    async def _attributed(self, facts: CallFacts, number: str | None, caller: Caller) -> FinishedCall:
        started_at = facts.started_us // 1000
        record = await self._numbers.number(number) if number else None
        kind = str(record.kind) if record else None
        called_at = facts.holder_asked_at
        holdings = await self._holdings(facts, number, kind, called_at)
        site = facts.site or _last_site(holdings) or (self._site_of(number, record) if number else None)
        rules = self._rules(site)
        earlier = await self._calls_before(site, caller["number"], started_at)
        await self._turn()
        verdict = attribute(
            Question(
                number,
                kind,
                facts.extension,
                called_at,
                holdings,
                _tie(earlier, number),
                country=caller["region"],
                talk_seconds=facts.talk_seconds or None,
            ),
            rules.model,
            rules.unknown_below,
        )
        verdict, visit = await self._named(verdict, called_at)
        await self._turn()
        return self._made(
            facts,
            number=number,
            site=site,
            caller=caller,
            verdict=verdict,
            held=any(held.state in {"live", "frozen"} for held in holdings),
            visit=visit,
            earlier=earlier,
            channel=record.channel if record else None,
            shown=kind == "dynamic" and bool(record and record.site),
        )

    async def _turn(self) -> None:
        """Returns to one call at a time, so that what else has come in is looked at between two of them.

        Calls that are looked up together would all go on at one moment, and a caller's question behind them.
        """
        async with self._going_on:
            await asyncio.sleep(0)

    async def _named(self, verdict: Verdict, at: int) -> tuple[Verdict, Row | None]:
        """The verdict with the visits that held the number at the instant, and the chosen one's row."""
        chosen = verdict.chosen.visit_id if verdict.chosen is not None else None
        held = [one.visit_id for one in verdict.candidates if one.lease_id is not None and one.visit_id]
        if chosen is None and not held:
            return verdict, None
        found = await self._history.visits_at_call(chosen, held, at)
        return at_call(verdict, found.renamed), found.visit

    async def _holdings(
        self, facts: CallFacts, number: str | None, kind: str | None, at: int
    ) -> list[Holding]:
        if number is None or kind in {"static", "reserve"} or (kind == "extension" and not facts.extension):
            return []
        return await self._numbers.holders(
            number,
            facts.extension if kind == "extension" else None,
            at,
            lookback_seconds=self._rules(facts.site or None).lookback_seconds,
            present_at=max(self._now(), at),
        )

    async def _calls_before(self, site: str | None, caller: str | None, at: int) -> list[Row] | None:
        """The caller's earlier calls to the site; None: not known who called or what."""
        if site is None or caller is None:
            return None
        return await self._history.calls_of_caller(site, caller, at)

    def _made(
        self,
        facts: CallFacts,
        *,
        number: str | None,
        site: str | None,
        caller: Caller,
        verdict: Verdict,
        held: bool,
        visit: Row | None = None,
        earlier: list[Row] | None = None,
        channel: str | None = None,
        shown: bool = False,
    ) -> FinishedCall:
        cdr = cdr_of(
            facts,
            call_id=new_id(facts.started_us // 1000),
            switch=self._switch,
            site=site,
            number=number,
            caller=caller,
            verdict=verdict,
            attribution=attribution_of(verdict, visit, channel),
            qualified_seconds=self._rules(site).qualified_seconds,
            first_call=None if earlier is None else not earlier,
        )
        # A number that no site has shown yet is dialed by strays alone: that says nothing of those shown.
        seen = verdict.seen if site is not None and shown else None
        before_at = earlier[0]["started_at"] if earlier else None
        row = row_of(cdr, facts, zone=self._rules(site).zone, before_at=before_at)
        return FinishedCall(cdr, row, facts, held, seen)


def caller_number(sent: str, e164: Callable[[str], str | None]) -> str | None:
    """A caller's number in E.164, as it was sent where it is no phone number, None where it is withheld."""
    if len(sent) in range(9, 17) and sent[0] == "+" and sent[1:].isascii() and sent[1:].isdigit():
        return sent
    if not any(character.isdigit() for character in sent):
        return None
    return e164(sent) or cleaned(sent, NUMBER_CAP) or None


def _last_site(holdings: list[Holding]) -> str | None:
    begun = [held for held in holdings if held.state != "not_yet"]
    return begun[0].site if begun else None


def _tie(earlier: list[Row] | None, number: str | None) -> Tie | None:
    """The caller's last call to this number; where there is none, the last to any."""
    if not earlier:
        return None
    row = next((row for row in earlier if row["number"] == number), earlier[0])
    guesses = (
        Guess(one["visit_id"], one["visitor_id"], one["probability"])
        for one in json.loads(row["candidates"] or "[]")
    )
    return Tie(row["started_at"], row["number"], tuple(guesses) or (Guess(None, None, 1.0),))
