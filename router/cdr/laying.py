"""Which channel was the attempt to reach which target.

The plan (dial strings by step) is told by the LL_ROUTE event, the steps that were tried and how they ended
by LL_END's attempts. Asterisk makes a Dial's channels in the order of its targets, so the legs, in the order
of their starts, are laid along the plan's targets: each on a target of its own endpoint, never going back.
Of several such layings the one with the fewest contradictions is taken (`_cost`).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from agi.variables import MAX_STEPS
from router.cdr.timeline import Track

_CHANNEL: Final = re.compile(r"(?P<endpoint>[^/]+/[^;]+?)-[0-9a-f]{8,}(?:;\d)?(?:<[A-Z]+>)?\Z")
# A final answer: 180 says only that it rang.
_SIP: Final = re.compile(r"(?:SIP )?([2-6][0-9]{2})")
_NEVER_MADE: Final = frozenset({"CHANUNAVAIL", "CONGESTION"})


class Slot(NamedTuple):
    """One target of the plan."""

    step: int
    target: str
    endpoint: str


class Attempt(NamedTuple):
    """How a step's Dial ended: DIALSTATUS and HANGUPCAUSE."""

    step: int
    status: str
    cause: int | None


@lru_cache(maxsize=1024)
def endpoint_of(target: str) -> str:
    """The part of a dial string that names the channel: `PJSIP/+441134960001@trunk` -> `PJSIP/trunk`."""
    technology, _, rest = target.partition("/")
    return f"{technology}/{rest.rpartition('@')[2]}"


def endpoint_of_channel(channel: str) -> str:
    """`PJSIP/agent1-0000002a` -> `PJSIP/agent1`."""
    match = _CHANNEL.match(channel)
    return match["endpoint"] if match else channel


def is_channel(name: str) -> bool:
    """Whether `name` names a channel (`PJSIP/agent1-0000002a`)."""
    return _CHANNEL.match(name) is not None


def plan_slots(route: Mapping[str, str]) -> list[Slot]:
    """The targets of LL_ROUTE's d1, d2, … in order."""
    return [
        Slot(step, target, endpoint_of(target))
        for step in range(1, MAX_STEPS + 1)
        for target in route.get(f"d{step}", "").split("&")
        if target
    ]


def attempts_of(text: str, dialstatus: str) -> list[Attempt]:
    """LL_END's `att` (`1:BUSY:17^2:CANCEL:127^`), and the step that was under way when the call ended.

    A Dial that ended with the call leaves no attempt, only its `dialstatus`.
    """
    attempts = []
    for part in filter(None, text.split("^")):
        step, _, rest = part.partition(":")
        status, _, cause = rest.partition(":")
        if step.isascii() and step.isdigit():
            attempts.append(Attempt(int(step), status, number_or_none(cause)))
    last = attempts[-1] if attempts else Attempt(0, "", None)
    if dialstatus in {"ANSWER", "CANCEL"} and last.status not in {"ANSWER", "CANCEL"}:
        attempts.append(Attempt(last.step + 1, dialstatus, None))
    return attempts


def number_or_none(text: str) -> int | None:
    """Digits as a number, anything else as None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def sip_statuses(text: str) -> dict[str, int]:
    """LL_END's `sip` (`PJSIP/agent1-00000001=486^…`) by channel."""
    found = {}
    for part in filter(None, text.split("^")):
        channel, _, told = part.partition("=")
        status = _SIP.match(told)
        if status:
            found[channel] = int(status[1])
    return found


def lay_legs(
    tracks: Sequence[Track], slots: Sequence[Slot], attempts: Sequence[Attempt]
) -> list[Slot | None]:
    """For each leg (in order of start) its target in the plan; None for a channel that fits none."""
    if len(tracks) == 1:
        fitting = [slot for slot in slots if slot.endpoint == endpoint_of_channel(tracks[0].channel)]
        if len(fitting) < 2:
            return [fitting[0] if fitting else None]
    return list(_Laying(tracks, slots, attempts).best(0, -1)[1])


class _Laying:
    """The cheapest monotone laying of legs on slots, by dynamic programming over (leg, previous slot)."""

    def __init__(self, tracks: Sequence[Track], slots: Sequence[Slot], attempts: Sequence[Attempt]) -> None:
        self._tracks = tracks
        self._slots = slots
        self._status = {attempt.step: attempt.status for attempt in attempts}
        self._last_step = max(self._status, default=0)
        self._endpoints = [endpoint_of_channel(track.channel) for track in tracks]
        self._known: dict[tuple[int, int], tuple[int, tuple[Slot | None, ...]]] = {}

    def best(self, leg: int, previous: int) -> tuple[int, tuple[Slot | None, ...]]:
        """Cost and slots of `leg` and those after it, when slots up to `previous` are taken."""
        if leg == len(self._tracks):
            return sum(self._skipped(index) for index in range(previous + 1, len(self._slots))), ()
        if (leg, previous) not in self._known:
            cost, rest = self.best(leg + 1, previous)
            choice: tuple[int, tuple[Slot | None, ...]] = (cost + 20, (None, *rest))  # a leg outside the plan
            passed = 0
            for index in range(previous + 1, len(self._slots)):
                if self._slots[index].endpoint == self._endpoints[leg]:
                    cost, rest = self.best(leg + 1, index)
                    cost += passed + self._cost(leg, previous, index)
                    if cost < choice[0]:
                        choice = cost, (self._slots[index], *rest)
                passed += self._skipped(index)
            self._known[leg, previous] = choice
        return self._known[leg, previous]

    def _skipped(self, index: int) -> int:
        """A target without a channel: only to be expected where the Dial could not make one."""
        status = self._status.get(self._slots[index].step)
        return 0 if status is None or status in _NEVER_MADE else 1

    def _cost(self, leg: int, previous: int, index: int) -> int:
        track, step = self._tracks[leg], self._slots[index].step
        status = self._status.get(step)
        cost = 0
        if status is None and step < self._last_step:
            cost += 2  # the dialplan skipped this step
        if track.answered and status not in {None, "ANSWER"}:
            cost += 4
        if leg == 0 or previous < 0:
            return cost
        before = self._tracks[leg - 1]
        sure = before.hung_up and track.started and not (before.hung_up.coarse or track.started.coarse)
        if sure and before.end_us is not None:
            followed = before.end_us <= track.start_us
            if followed and self._slots[previous].step == step:
                cost += 3  # a Dial makes all its channels before it waits for any
            elif not followed and self._slots[previous].step != step:
                cost += 5  # the next Dial starts when the legs of the one before are gone
        return cost
