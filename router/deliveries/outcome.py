"""How an attempt to tell ended, and what follows from it: pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from pool.instants import DAY, HOUR, SECOND
from router.store.deliveries import Finished, State

PAUSES_MS: Final = tuple(
    round(seconds * SECOND)
    for seconds in (5, 300, 1_800, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 20 * 3_600)
)
"""After each failed attempt; ten attempts in about three days, as Standard Webhooks recommends."""
GIVE_UP_MS: Final = 3 * DAY
LONGEST_ASKED_MS: Final = 12 * HOUR
JITTER: Final = 0.2
TEXT_CAP: Final = 300


class Ending(StrEnum):
    """How an attempt ended."""

    SENT = "sent"
    ACCEPTED = "accepted"  # taken, and judged later
    AGAIN = "again"  # surely not taken: try again
    UNCLEAR = "unclear"  # it may have been taken, or not
    REFUSED = "refused"  # never will be
    LATER = "later"  # not tried: too early


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt's end. `text` tells it; `after_ms` is what the far side asked to wait (LATER: how long);
    `everybody`: it says something of the destination, not of this one call; `gone`: nothing more is wanted.
    """

    ending: Ending
    text: str
    after_ms: int = 0
    everybody: bool = False
    gone: bool = False
    upload_id: str | None = None


_TAKEN: Final[Mapping[Ending, State]] = {Ending.SENT: "sent", Ending.ACCEPTED: "accepted"}
_AT_REST: Final[Mapping[Ending, State]] = {Ending.REFUSED: "refused", Ending.UNCLEAR: "unclear"}


class Try(NamedTuple):
    """The attempt that ended."""

    call_id: str
    attempts: int
    since_at: int


def finished(tried: Try, outcome: Outcome, at: int, *, resend_unclear: bool, chance: float) -> Finished:
    """The delivery's next state. `chance` in 0…1 spreads retries; `at` in milliseconds."""
    text = outcome.text[:TEXT_CAP]
    call_id, attempts, since_at = tried
    ending = Ending.AGAIN if outcome.ending is Ending.UNCLEAR and resend_unclear else outcome.ending
    if ending in _TAKEN:
        state = _TAKEN[ending]
        return Finished(call_id, state, attempts, sent_at=at, answer=text, upload_id=outcome.upload_id)
    if ending in _AT_REST:
        return Finished(call_id, _AT_REST[ending], attempts, reason=text)
    if ending is Ending.LATER:
        return Finished(call_id, "due", attempts - 1, due_at=at + outcome.after_ms, reason=text)
    if attempts > len(PAUSES_MS) or at - since_at > GIVE_UP_MS:
        return Finished(call_id, "dead", attempts, reason=f"given up after {attempts} attempts: {text}")
    pause = PAUSES_MS[attempts - 1] * (1 + JITTER * chance)
    asked = min(outcome.after_ms, LONGEST_ASKED_MS)
    return Finished(call_id, "due", attempts, due_at=at + max(round(pause), asked), reason=text)


def chance() -> float:
    """0 to 1, for `finished`."""
    return random.random()  # noqa: S311 - spreads retries, hides nothing
