"""A call to attribute: who held its number, and whom its caller was taken for before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from router.attribution.call_model import SHORT_SECONDS


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
    @property
    def country(self) -> str: ...


class Guess(NamedTuple):
    """One who may have made an earlier call; `visit_id` None is "none of them"."""

    visit_id: str | None
    visitor_id: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class Tie:
    """An earlier call of this caller's, and who may have made it: probabilities that add up to one."""

    called_at: int
    number: str | None
    guesses: tuple[Guess, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A call to attribute. `kind` is the number's kind, None for a number that the pool does not know.

    `country`: the caller's (ISO 3166-1), None where it is not known. `talk_seconds`: from the answer to the
    end, None where nobody answered or it is not known.
    """

    number: str | None
    kind: str | None
    extension: str | None
    called_at: int
    holdings: Sequence[Held] = ()
    tie: Tie | None = None
    country: str | None = None
    talk_seconds: float | None = None

    @property
    def short(self) -> bool | None:
        """Whether the call was over soon after its answer; None: not known."""
        return None if self.talk_seconds is None else self.talk_seconds < SHORT_SECONDS
