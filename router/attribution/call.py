"""Who made a call: a pure function of the lease history, the number, and what is known of the caller.

A static or a reserve number settles it (it tells a channel, not a visit), and so does a keyed extension. Else
the candidates are those who held the number lately, the visit this caller was tied to before, and "none of
them"; the most probable is chosen (`call_model`) if it is probable enough. What counts is the instant of the
call, by the journal: the answer is the same whether it is worked out at once or hours later.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from router.attribution.call_model import Model, shares

Match = Literal["live", "frozen", "extension", "returning", "late", "static", "reserve", "none"]

MOST_CANDIDATES: Final = 10
"""So many visits are listed; "none of them" is none of those, so that what is listed adds up to one."""
UNKNOWN_BELOW: Final = 0.5


class Held(Protocol):
    """One lease's hold of a number, as `pool` tells it. Instants in milliseconds."""

    @property
    def lease_id(self) -> str: ...
    @property
    def visit_id(self) -> str: ...
    @property
    def visitor_id(self) -> str: ...
    @property
    def from_at(self) -> int: ...
    @property
    def until_at(self) -> int | None: ...
    @property
    def last_seen_at(self) -> int: ...
    @property
    def left_at(self) -> int | None: ...
    @property
    def shown_at(self) -> int | None: ...
    @property
    def tel_click_at(self) -> int | None: ...
    @property
    def state(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Tie:
    """The visit that this caller was last tied to, by which call."""

    visit_id: str
    visitor_id: str | None
    called_at: int
    number: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Question:
    """A call to attribute. `kind` is the number's kind, None for a number that the pool does not know."""

    number: str | None
    kind: str | None
    extension: str | None
    called_at: int
    holdings: Sequence[Held] = ()
    tie: Tie | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One who may have called; `visit_id` None is "none of them"."""

    visit_id: str | None
    visitor_id: str | None
    lease_id: str | None
    match: Match
    from_at: int | None
    until_at: int | None
    probability: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `confidence` is the probability that it is right; `unknown` says why there is no visit."""

    match: Match
    confidence: float
    chosen: Candidate | None
    candidates: tuple[Candidate, ...]
    unknown: str | None


def attribute(question: Question, model: Model, unknown_below: float = UNKNOWN_BELOW) -> Verdict:
    """Who made the call. Below `unknown_below` the answer is `none`, with the candidates still listed."""
    if question.number is None:
        return _nobody("the number dialed is not known")
    if question.kind in {"static", "reserve"}:
        match: Match = "static" if question.kind == "static" else "reserve"
        return Verdict(match, 1.0, None, (), f"a {match} number tells the channel, not the visit")
    if question.kind == "extension" and question.extension is None:
        return _nobody("no extension was keyed")
    keyed = question.kind == "extension"
    holdings = [held for held in question.holdings if held.from_at <= question.called_at and _begun(held)]
    if not holdings and (question.tie is None or keyed):
        return _nobody("nobody held the number lately")
    rated = _keyed_rates(holdings, question, model) if keyed else _rates(holdings, question, model)
    candidates = _candidates(rated)
    best = candidates[0]
    listed = _listed(candidates)
    none = next(item.probability for item in listed if item.match == "none")
    if best.match == "none" or best.probability < unknown_below:
        likely = "none of the candidates" if best.match == "none" else f"no candidate reaches {unknown_below}"
        return Verdict("none", none, None, tuple(listed), likely)
    return Verdict(best.match, best.probability, best, tuple(listed), None)


def _listed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The most probable visits and "none of them", which takes the shares of the visits not listed."""
    visits = [item for item in candidates if item.match != "none"][:MOST_CANDIDATES]
    none = max(0.0, 1 - math.fsum(item.probability for item in visits))
    return sorted([*visits, _with_probability(_NONE, none)], key=lambda item: -item.probability)


_Rated = tuple[Candidate, float]


def _rates(holdings: Sequence[Held], question: Question, model: Model) -> list[_Rated]:
    tie = question.tie
    redial = 0.0
    if tie is not None:
        redial = model.redial_rate(
            called_for=(question.called_at - tie.called_at) / 1000,
            tied=tie.confidence,
            same_number=tie.number == question.number,
        )
    # Calls from a known caller's number are seldom made by anybody else.
    others = model.stranger if tie is not None else 1.0
    rated: list[_Rated] = []
    for held in holdings:
        rate = _holder_rate(held, question.called_at, model)
        if tie is not None and tie.visitor_id is not None and held.visitor_id == tie.visitor_id:
            # The known caller is here again: the visit that shows the number now gets both rates.
            rate, redial, tie = rate + redial, 0.0, None
        else:
            rate *= others
        rated.append((_holder(held, _relation(held)), rate))
    if tie is not None:
        rated.append((Candidate(tie.visit_id, tie.visitor_id, None, "returning", None, None, 0.0), redial))
    rated.append((_NONE, model.stray_rate() * others))
    return rated


def _keyed_rates(holdings: Sequence[Held], question: Question, model: Model) -> list[_Rated]:
    """A keyed code is its holder's, but for slips; one whose hold is over counts by its delay."""
    present = [held for held in holdings if _relation(held) != "late"]
    if present:
        slip = model.misdialed_extension
        rated = [(_holder(held, "extension"), (1 - slip) / len(present)) for held in present]
        return [*rated, (_NONE, slip)]
    rated = [(_holder(held, "extension"), _holder_rate(held, question.called_at, model)) for held in holdings]
    return [*rated, (_NONE, model.stray_rate() * model.misdialed_extension)]


def _holder_rate(held: Held, at: int, model: Model) -> float:
    shown_at = held.shown_at if held.shown_at is not None and held.shown_at <= at else None
    left_at = held.left_at if held.left_at is not None else held.last_seen_at
    clicked = held.tel_click_at is not None and held.tel_click_at <= at
    return model.holder_rate(
        shown_for=(at - (shown_at if shown_at is not None else held.from_at)) / 1000,
        gone_for=0.0 if held.state == "live" else (at - left_at) / 1000,
        shown=shown_at is not None,
        clicked_for=(at - held.tel_click_at) / 1000 if clicked and held.tel_click_at is not None else None,
    )


def _candidates(rated: Sequence[_Rated]) -> list[Candidate]:
    """The candidates with their probabilities, the most probable first; one entry per visit."""
    merged: dict[str | None, _Rated] = {}
    for candidate, rate in rated:
        known = merged.get(candidate.visit_id)
        if known is None:
            merged[candidate.visit_id] = candidate, rate
        else:
            merged[candidate.visit_id] = (known[0] if known[1] >= rate else candidate), known[1] + rate
    found = list(merged.values())
    weighted = zip(found, shares([rate for _, rate in found]), strict=True)
    listed = [_with_probability(candidate, share) for (candidate, _), share in weighted]
    return sorted(listed, key=lambda item: -item.probability)


def _with_probability(candidate: Candidate, probability: float) -> Candidate:
    return Candidate(
        candidate.visit_id,
        candidate.visitor_id,
        candidate.lease_id,
        candidate.match,
        candidate.from_at,
        candidate.until_at,
        round(probability, 6),
    )


def _holder(held: Held, match: Match) -> Candidate:
    return Candidate(held.visit_id, held.visitor_id, held.lease_id, match, held.from_at, held.until_at, 0.0)


def _relation(held: Held) -> Match:
    if held.state == "live":
        return "live"
    return "frozen" if held.state == "frozen" else "late"


def _begun(held: Held) -> bool:
    return held.state != "not_yet"


def _nobody(reason: str) -> Verdict:
    return Verdict("none", 1.0, None, (_with_probability(_NONE, 1.0),), reason)


_NONE: Final = Candidate(None, None, None, "none", None, None, 0.0)
