"""Which of a visitor's visits before a call is credited with it: first, last, last non-direct, linear.

The models are those of the web's own analytics. Direct visits tell nothing about advertising, so
`last_non_direct` passes them over unless there is nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

from router.attribution.visit import DIRECT, NO_MEDIUM, NOT_SET

Model = Literal["first", "last", "last_non_direct", "linear"]
MODELS: Final[tuple[Model, ...]] = get_args(Model)


class VisitSource(NamedTuple):
    """What brought one visit. `started_at` in milliseconds (UTC); texts as in `visit.Attribution`."""

    visit_id: str
    started_at: int
    channel: str
    source: str
    medium: str
    campaign: str = ""
    term: str = ""
    content: str = ""
    landing_page: str = ""

    @property
    def direct(self) -> bool:
        """Whether nothing is known of what brought it."""
        return self.source == DIRECT and self.medium in {NO_MEDIUM, NOT_SET, ""}


def credits(visits: Sequence[VisitSource], model: Model) -> list[tuple[int, float]]:
    """Who is credited with a call: (index into `visits`, share) in the order of `visits`; shares add to 1.

    `visits` are the caller's visits up to the call, the earliest first (`JourneyStore.visits_before`); for
    none there is no credit. Visits with no share are left out. Raises KeyError for an unknown model.
    """
    rule = _RULES[model]
    return rule(visits) if visits else []


def _first(_: Sequence[VisitSource]) -> list[tuple[int, float]]:
    return [(0, 1.0)]


def _last(visits: Sequence[VisitSource]) -> list[tuple[int, float]]:
    return [(len(visits) - 1, 1.0)]


def _last_non_direct(visits: Sequence[VisitSource]) -> list[tuple[int, float]]:
    for index in range(len(visits) - 1, -1, -1):
        if not visits[index].direct:
            return [(index, 1.0)]
    return _last(visits)


def _linear(visits: Sequence[VisitSource]) -> list[tuple[int, float]]:
    share = 1.0 / len(visits)
    return [(index, share) for index in range(len(visits))]


_RULES: Final[Mapping[str, Callable[[Sequence[VisitSource]], list[tuple[int, float]]]]] = {
    "first": _first,
    "last": _last,
    "last_non_direct": _last_non_direct,
    "linear": _linear,
}
