"""When a visit goes on and when the next one begins, while the visitor keeps the same number.

A visit is one stay with one attribution. A return within the freeze, a reload, the next page go on with it.
Another advertisement does not: a page view whose tags or click id are not those of the visit, and that no
page of the site itself linked to, begins a new visit. The lease stays as it is; what the lease's first visit
is called from an instant on is kept beside it, so that a call is credited to the visit that held the number
when it was made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from router.attribution.call import Candidate, Verdict
from router.attribution.visit import Attribution

MOST_VISITS: Final = 20
"""So many visits of one lease are told apart; who makes more goes on with the last one."""


class Brought(NamedTuple):
    """What brought a visit that is stored; fields as in `Attribution`."""

    source: str
    medium: str
    campaign: str
    term: str
    content: str
    click_ids: Mapping[str, str]


def begins_visit(arrival: Attribution, visits: Sequence[Brought]) -> bool:
    """Whether a page view on a lease that has had these visits, the latest last, begins another one.

    A click id is one click: seen before on this lease, it is a reload or a tab that was still open, also when
    another visit began meanwhile. Tags alone are compared with the latest visit.
    """
    if not arrival.tagged or not visits or len(visits) >= MOST_VISITS:
        return False
    if arrival.click_ids:
        clicks = arrival.click_ids.items()
        return not any(visit.click_ids.get(name) == value for visit in visits for name, value in clicks)
    return arrival[:5] != visits[-1][:5]


def brought(arrival: Attribution) -> Brought:
    """What is remembered of an arrival that began a visit."""
    return Brought(*arrival[:5], arrival.click_ids)


def at_call(verdict: Verdict, visits: Mapping[str, str]) -> Verdict:
    """The verdict with each lease's visit at the instant of the call instead of its first one.

    Who called, and how probable that is, depends on the visitor's whole hold; only the names change.
    """
    if not visits:
        return verdict

    def named(candidate: Candidate) -> Candidate:
        if candidate.lease_id is None or candidate.visit_id is None:
            return candidate
        return replace(candidate, visit_id=visits.get(candidate.visit_id, candidate.visit_id))

    return replace(
        verdict,
        chosen=None if verdict.chosen is None else named(verdict.chosen),
        candidates=tuple(map(named, verdict.candidates)),
    )
