"""Redirect plans: `[[site.step]]`, `[[site.plan]]` and `[[site.schedule]]`."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from router.config.hours import parse_holiday, parse_hours
from router.config.values import CallerPattern, PromptName, Section, SiteKey, Target, VoicemailBox

MAX_STEPS: Final = 9  # LL_D1 to LL_D9

Strategy = Literal["simultaneous", "sequential", "round_robin", "weighted", "sticky"]
Overflow = Literal["busy", "announcement", "voicemail"]


def _hours(value: str) -> str:
    parse_hours(value)
    return value


def _holiday(value: str) -> str:
    parse_holiday(value)
    return value


class Schedule(Section):
    """`[[site.schedule]]`: a weekly schedule in the site's time zone; a holiday replaces its day's hours."""

    name: SiteKey
    hours: tuple[Annotated[str, AfterValidator(_hours)], ...] = Field(min_length=1)
    holidays: tuple[Annotated[str, AfterValidator(_holiday)], ...] = ()


class Step(Section):
    """`[[site.step]]`: one step of a redirect plan; steps ring one after another until somebody answers.

    `during` and `outside` name a schedule: at other times the step is left out.
    """

    targets: tuple[Target, ...] = Field(min_length=1, max_length=16)
    ring_seconds: int = Field(default=20, ge=1, le=300)
    strategy: Strategy = "simultaneous"
    weights: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = ()
    during: str = ""
    outside: str = ""

    @model_validator(mode="after")
    def _weights_of_targets(self) -> "Step":
        if self.strategy != "weighted" and self.weights:
            raise ValueError("weights belong to strategy = 'weighted'")
        if self.strategy == "weighted" and len(self.weights) != len(self.targets):
            raise ValueError(
                f"strategy = 'weighted' needs one of weights for each of the {len(self.targets)} targets"
            )
        return self

    @property
    def most_dials(self) -> int:
        """How many of the dialplan's steps it can become."""
        if self.strategy == "simultaneous" or len(self.targets) == 1:
            return 1
        return 2 if self.strategy == "sticky" else len(self.targets)


class Plan(Section):
    """`[[site.plan]]`: another plan for some calls; the first whose every given condition holds is taken.

    Without steps the call goes to the overflow at once. What is not given is the site's.
    """

    name: SiteKey
    channel: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    slot: tuple[str, ...] = ()
    caller: tuple[CallerPattern, ...] = ()
    first_call: bool | None = None
    during: str = ""
    outside: str = ""
    step: tuple[Step, ...] = ()
    overflow: Overflow | None = None
    overflow_prompt: PromptName = ""
    voicemail_box: VoicemailBox = ""


def check_names(table: str, named: Sequence[Schedule | Plan]) -> None:
    """Raises ValueError when a name is used twice."""
    names = [item.name for item in named]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"[[site.{table}]] name {name!r} is used twice")


def check_schedule(item: Step | Plan, schedules: Sequence[Schedule]) -> None:
    """Raises ValueError when the schedule that a step or plan names is not there."""
    for key, name in (("during", item.during), ("outside", item.outside)):
        if name and name not in {schedule.name for schedule in schedules}:
            raise ValueError(f"{key}: no [[site.schedule]] is named {name!r}")


def check_steps(steps: Sequence[Step], schedules: Sequence[Schedule]) -> None:
    """Raises ValueError when a plan can become more steps than the dialplan takes, or names no schedule."""
    for step in steps:
        check_schedule(step, schedules)
    most = sum(step.most_dials for step in steps)
    if most > MAX_STEPS:
        raise ValueError(
            f"a redirect plan has at most {MAX_STEPS} steps, this one can become {most}: each target of a "
            "sequential, round_robin or weighted step counts as one, a sticky step as two"
        )


def check_overflow(overflow: Overflow, prompt: str, box: str) -> None:
    """Raises ValueError when what an overflow needs is not given."""
    if overflow == "announcement" and not prompt:
        raise ValueError("overflow = 'announcement' needs overflow_prompt, the prompt to play")
    if overflow == "voicemail" and not box:
        raise ValueError("overflow = 'voicemail' needs voicemail_box, a box of voicemail.conf's [leaseline]")
