"""The redirect plan of a call: a pure function of the site's configuration and what is known about the call.

A site's `[[site.plan]]` tables are tried in order; the first whose every condition holds is taken, else the
number slot's steps, else the site's, else the main number itself. The chosen steps that are open at the
instant become the dialplan's steps by their strategies (`order`). A plan whose steps are all closed, or that
has none, goes to its overflow at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from router.attribution.channels import pattern
from router.config.model import Asterisk
from router.config.plan import Plan as PlanRules
from router.config.plan import Step
from router.config.site import Site
from router.routing.callers import CallerList
from router.routing.order import Order, sticky, taking_turns, weighted
from router.routing.schedule import OpeningHours

MAIN_SLOT: Final = "main"
DEFAULT_PLAN: Final = ""


class Situation(NamedTuple):
    """What is known about a call when it is routed; what is not known matches no condition.

    `at` in milliseconds. `caller` E.164 (None: withheld). `slot`, `channel` and `region` are those of the
    visit that holds the number, or the number's own. `last_agent` is the dial string of the agent who last
    talked to this caller.
    """

    at: int
    linkedid: str = ""
    caller: str | None = None
    slot: str | None = None
    channel: str = ""
    region: str = ""
    last_agent: str | None = None
    first_call: bool | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One Dial of the dialplan: a dial string of one or more targets, and how long it rings."""

    dial: str
    ring_seconds: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the dialplan is told to do with a call. `name` is that of the `[[site.plan]]`, "" the default."""

    site: str
    name: str
    steps: tuple[PlannedStep, ...]
    record: str
    announce: str
    whisper: str
    overflow: str
    language: str


class SitePlans:
    """One site's plans, compiled once per configuration."""

    def __init__(self, site: Site, asterisk: Asterisk) -> None:
        schedules = {item.name: OpeningHours(item, site.time_zone) for item in site.schedule}

        def steps(given: Iterable[Step]) -> tuple[_Step, ...]:
            return tuple(_Step(step, asterisk, schedules) for step in given)

        main = steps(site.step or (Step(targets=(site.main_number,)),))
        overflow = _overflow(site.overflow, site.overflow_prompt, site.voicemail_box)
        self._site = site
        self._default = _Chosen(DEFAULT_PLAN, main, overflow)
        self._of_slots = {
            slot.name: _Chosen(
                f"slot {slot.name}", steps(slot.step or (Step(targets=(slot.main_number,)),)), overflow
            )
            for slot in site.number_slot
        }
        self._alternatives = [
            (_conditions(plan, schedules), _Chosen(plan.name, steps(plan.step), _overflow_of(plan, site)))
            for plan in site.plan
        ]
        self._whispers = {channel.name: channel.whisper for channel in site.channel if channel.whisper}
        chosen = [self._default, *self._of_slots.values(), *(one for _, one in self._alternatives)]
        self.needs_holder = bool(
            self._whispers
            or any(plan.channel or plan.region or plan.slot for plan in site.plan)
            or any(slot.pool is None for slot in site.number_slot)
        )
        """Whether a plan can depend on who holds the number: its visit's channel and region, or its slot."""
        self.needs_history = any(plan.first_call is not None for plan in site.plan) or any(
            step.strategy == "sticky" for one in chosen for step in one.steps
        )
        """Whether a plan can depend on the caller's earlier calls."""
        self._settled = not self._alternatives and all(step.settled for one in chosen for step in one.steps)

    def plan(self, situation: Situation, turn_of: Callable[[str], int] = lambda _: 0) -> Plan:
        """The plan for a call.

        `turn_of` gives the turn of the plan named; it is asked only where targets take turns, once a call.
        """
        chosen = self._chosen(situation)
        turn = turn_of(chosen.name) if chosen.takes_turns else 0
        steps = tuple(
            PlannedStep("&".join(group), step.ring_seconds)
            for place, step in enumerate(chosen.steps)
            if step.is_open(situation.at)
            for group in step.order(situation, turn, f"{situation.linkedid} {chosen.name} {place}")
        )
        site = self._site
        rings = bool(steps)
        return Plan(
            site=site.key,
            name=chosen.name,
            steps=steps,
            record=site.record if rings and site.record != "off" else "",
            announce=site.announcement if rings else "",
            whisper=self._whispers.get(situation.channel, site.whisper) if rings else "",
            overflow=chosen.overflow,
            language=site.language,
        )

    def settled_by(self, situation: Situation) -> tuple[str, str] | None:
        """What alone the plan depends on: one made for it serves other calls too. None: on more than that."""
        if not self._settled:
            return None
        channel = situation.channel if situation.channel in self._whispers else ""
        return situation.slot or MAIN_SLOT, channel

    def fallback(self, slot: str | None) -> str:
        """Whom AstDB's table rings when no router answers: the default plan's first step, at any time."""
        return self._of_slots.get(slot or MAIN_SLOT, self._default).steps[0].fallback

    def _chosen(self, situation: Situation) -> "_Chosen":
        for matches, chosen in self._alternatives:
            if matches(situation):
                return chosen
        return self._of_slots.get(situation.slot or MAIN_SLOT, self._default)


class _Step:
    """A configured step with its targets as dial strings."""

    def __init__(self, step: Step, asterisk: Asterisk, schedules: Mapping[str, OpeningHours]) -> None:
        self.ring_seconds = step.ring_seconds
        self.strategy = step.strategy
        self._dials = [dial_string(target, asterisk) for target in step.targets]
        self._weights = step.weights
        self._during = schedules.get(step.during)
        self._outside = schedules.get(step.outside)

    @property
    def settled(self) -> bool:
        """Whether it is the same for each call at each instant."""
        whenever = self._during is None and self._outside is None
        return whenever and self.strategy in {"simultaneous", "sequential"}

    @property
    def fallback(self) -> str:
        return self._dials[0] if self.strategy == "sequential" else "&".join(self._dials)

    def is_open(self, at: int) -> bool:
        return _within(self._during, self._outside, at)

    def order(self, situation: Situation, turn: int, draw: str) -> Order:
        match self.strategy:
            case "simultaneous":
                return [self._dials]
            case "sequential":
                return taking_turns(self._dials, 0)
            case "round_robin":
                return taking_turns(self._dials, turn)
            case "weighted":
                return weighted(self._dials, self._weights, draw)
            case "sticky":
                return sticky(self._dials, situation.last_agent)


class _Chosen:
    """A plan's steps and overflow, once its conditions hold."""

    def __init__(self, name: str, steps: Sequence[_Step], overflow: str) -> None:
        self.name = name
        self.steps = steps
        self.overflow = overflow
        self.takes_turns = any(step.strategy == "round_robin" for step in steps)


def _conditions(plan: PlanRules, schedules: Mapping[str, OpeningHours]) -> Callable[[Situation], bool]:
    """A test for the plan's conditions: every one that is given must hold."""
    channel = pattern(plan.channel) if plan.channel else None
    region = pattern(plan.region) if plan.region else None
    slots = frozenset(plan.slot)
    callers = CallerList(plan.caller) if plan.caller else None
    during, outside = schedules.get(plan.during), schedules.get(plan.outside)

    def matches(situation: Situation) -> bool:
        return (
            (channel is None or channel.match(situation.channel) is not None)
            and (region is None or region.match(situation.region) is not None)
            and (not slots or (situation.slot or MAIN_SLOT) in slots)
            and (callers is None or situation.caller in callers)
            and (plan.first_call is None or plan.first_call is situation.first_call)
            and _within(during, outside, situation.at)
        )

    return matches


def _within(during: OpeningHours | None, outside: OpeningHours | None, at: int) -> bool:
    return (during is None or during.is_open(at)) and (outside is None or not outside.is_open(at))


def _overflow_of(plan: PlanRules, site: Site) -> str:
    return _overflow(
        plan.overflow or site.overflow,
        plan.overflow_prompt or site.overflow_prompt,
        plan.voicemail_box or site.voicemail_box,
    )


def _overflow(kind: str, prompt: str, box: str) -> str:
    """The overflow as the dialplan takes it."""
    return {"announcement": f"announce:{prompt}", "voicemail": f"voicemail:{box}"}.get(kind, "busy")


def dial_string(target: str, asterisk: Asterisk) -> str:
    """The Dial argument of a configured target: itself, or a number through `[asterisk] dial`."""
    if target.startswith("+"):
        return asterisk.dial.format(number=target, digits=target[1:])
    return target
