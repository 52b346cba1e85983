"""Who made a call: a pure function of the lease history, the number, and what is known of the caller.

A static or a reserve number settles it (it tells a channel, not a visit), and so does a keyed extension. Else
the candidates are those who held the number lately, the visit this caller was tied to before, and "none of
them"; the most probable is chosen (`call_model`) if it is probable enough. What counts is the instant of the
call, by the journal: the answer is the same whether it is worked out at once or hours later.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from router.attribution.call_model import Model, Sign, shares
from router.attribution.countries import Origin, origin
from router.attribution.question import Held, Question, Tie

Match = Literal["live", "frozen", "extension", "returning", "late", "static", "reserve", "none"]

MOST_CANDIDATES: Final = 50
LEAST_LISTED: Final = 0.001
"""So many visits are listed, and only the likelier ones; "none of them" is none of those, so that what is
listed adds up to one."""
UNKNOWN_BELOW: Final = 0.5


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


class Seen(NamedTuple):
    """What a call tells a site's model, whoever made it: the readiness of all its candidates, added up by
    stage, the density of clicks, and the rates that are not learnt. `stray` is the weight of strays: 1, or
    less where the caller is known; `holds` how many held the number lately. `short` as in `Question`;
    `origin` is what it tells of countries, None: nothing. `at` in milliseconds.
    """

    at: int
    soon: tuple[tuple[int, float], ...]
    late: tuple[tuple[int, float], ...]
    click: float
    redial: float
    stray: float
    holds: int
    short: bool | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. `confidence` is the probability that it is right; `unknown` says why there is no visit.

    `seen` is what the model may learn from the call, None where it tells nothing.
    """

    match: Match
    confidence: float
    chosen: Candidate | None
    candidates: tuple[Candidate, ...]
    unknown: str | None
    seen: Seen | None = None


def attribute(question: Question, model: Model, unknown_below: float = UNKNOWN_BELOW) -> Verdict:
    """Who made the call. Below `unknown_below` the answer is `none`, with the candidates still listed."""
    if question.number is None:
        return _nobody("the number dialed is not known")
    if question.kind in {"static", "reserve"}:
        match: Match = "static" if question.kind == "static" else "reserve"
        return Verdict(match, 1.0, None, (), f"a {match} number tells the channel, not the visit")
    keyed = question.kind == "extension"
    if keyed and question.extension is None:
        return _nobody("no extension was keyed")
    holdings = [held for held in question.holdings if held.from_at <= question.called_at and _begun(held)]
    signs = [_sign(held, question.called_at, model) for held in holdings]
    if not holdings and (question.tie is None or keyed):
        nothing = Seen(question.called_at, (), (), 0.0, 0.0, 1.0, 0, question.short)
        return _nobody("nobody held the number lately", None if keyed else nothing)
    weigh = _keyed_rates if keyed else _rates
    rated, seen = weigh(holdings, signs, question, model)
    listed = _listed(_candidates(rated))
    best = listed[0]
    none = next(item.probability for item in listed if item.match == "none")
    if best.match == "none" or best.probability < unknown_below:
        likely = "none of the candidates" if best.match == "none" else f"no candidate reaches {unknown_below}"
        return Verdict("none", none, None, tuple(listed), likely, seen)
    return Verdict(best.match, best.probability, best, tuple(listed), None, seen)


def _listed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The most probable visits and "none of them", which takes the shares of the visits not listed."""
    visits = [item for item in candidates if item.match != "none"]
    visits = [item for item in visits[:MOST_CANDIDATES] if item.probability >= LEAST_LISTED]
    none = max(0.0, 1 - math.fsum(item.probability for item in visits))
    return sorted([*visits, _with_probability(_NONE, none)], key=lambda item: -item.probability)


_Rated = tuple[Candidate, float]


def _rates(
    holdings: Sequence[Held], signs: Sequence[Sign], question: Question, model: Model
) -> tuple[list[_Rated], Seen | None]:
    if question.tie is not None:
        return _rates_again(holdings, signs, question, question.tie, model)
    countries = [held.country for held in holdings]
    weights = [model.countries.factor(question.country, country) for country in countries]
    rates = [model.holder_rate(sign) for sign in signs]
    strays = model.stray_rate(len(holdings), question.called_at) * model.brevity(question.short)
    rated = [
        (_holder(held, _relation(held)), rate * weight)
        for held, rate, weight in zip(holdings, rates, weights, strict=True)
    ]
    seen = _seen(question, signs, weights, redial=0.0, stray=1.0)
    told = origin(question.country, countries, rates, strays)
    return [*rated, (_NONE, strays)], seen._replace(origin=told)


def _rates_again(
    holdings: Sequence[Held], signs: Sequence[Sign], question: Question, tie: Tie, model: Model
) -> tuple[list[_Rated], Seen | None]:
    """The rates where the caller called before. Their number tells more than its country does."""
    again = model.redial_rate(
        called_for=(question.called_at - tie.called_at) / 1000, same_number=tie.number == question.number
    )
    # Calls from a known caller's number are seldom made by anybody else.
    known: dict[str | None, float] = {}
    for guess in tie.guesses:
        if guess.visit_id is not None:
            known[guess.visitor_id] = known.get(guess.visitor_id, 0.0) + guess.probability
    theirs = [known.get(held.visitor_id, 0.0) for held in holdings]
    weights = [same + (1 - same) * model.stranger for same in theirs]
    if tie.number == question.number:
        # Who made that call while they held the number has called: now they redial, which is weighed below.
        weights = [
            (1 - same) * model.stranger if held.from_at <= tie.called_at else weight
            for held, same, weight in zip(holdings, theirs, weights, strict=True)
        ]
    rated = [
        (_holder(held, _relation(held)), model.holder_rate(sign) * weight)
        for held, sign, weight in zip(holdings, signs, weights, strict=True)
    ]
    # The known caller is here again: the visit that shows the number now gets both rates.
    here: dict[str | None, Candidate] = {
        held.visitor_id: candidate for held, (candidate, _) in reversed([*zip(holdings, rated, strict=True)])
    }
    strays = (
        model.stray_rate(len(holdings), question.called_at) * model.stranger * model.brevity(question.short)
    )
    for guess in tie.guesses:
        if guess.visit_id is None:
            strays += again * guess.probability
            continue
        returning = Candidate(guess.visit_id, guess.visitor_id, None, "returning", None, None, 0.0)
        rated.append((here.get(guess.visitor_id, returning), again * guess.probability))
    seen = _seen(question, signs, weights, redial=again, stray=model.stranger)
    # A call again tells how often people redial, not how often visits call.
    return [*rated, (_NONE, strays)], None if tie.number == question.number else seen


def _keyed_rates(
    holdings: Sequence[Held], signs: Sequence[Sign], question: Question, model: Model
) -> tuple[list[_Rated], Seen | None]:
    """A keyed code is its holder's, but for slips; one whose hold is over counts by its delay."""
    present = [held for held in holdings if _relation(held) != "late"]
    if present:
        slip = model.misdialed_extension
        rated = [(_holder(held, "extension"), (1 - slip) / len(present)) for held in present]
        return [*rated, (_NONE, slip)], None
    rated = [
        (_holder(held, "extension"), model.holder_rate(sign))
        for held, sign in zip(holdings, signs, strict=True)
    ]
    return [
        *rated,
        (_NONE, model.stray_rate(len(holdings), question.called_at) * model.misdialed_extension),
    ], None


def _seen(
    question: Question, signs: Sequence[Sign], weights: Sequence[float], *, redial: float, stray: float
) -> Seen:
    soon: dict[int, float] = {}
    late: dict[int, float] = {}
    click = 0.0
    for sign, weight in zip(signs, weights, strict=True):
        if sign.soon:
            soon[sign.stage] = soon.get(sign.stage, 0.0) + sign.soon * weight
        late[sign.later_stage] = late.get(sign.later_stage, 0.0) + sign.late * weight
        click += sign.click * weight
    stages = tuple(sorted(soon.items())), tuple(sorted(late.items()))
    return Seen(question.called_at, *stages, click, redial, stray, len(signs), question.short)


def _sign(held: Held, at: int, model: Model) -> Sign:
    shown_at = held.shown_at if held.shown_at is not None and held.shown_at <= at else None
    left_at = held.left_at if held.left_at is not None else held.last_seen_at
    clicked = held.tel_click_at is not None and held.tel_click_at <= at
    return model.sign(
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


def _nobody(reason: str, seen: Seen | None = None) -> Verdict:
    return Verdict("none", 1.0, None, (_with_probability(_NONE, 1.0),), reason, seen)


_NONE: Final = Candidate(None, None, None, "none", None, None, 0.0)
