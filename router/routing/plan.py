"""The redirect plan of a call: a pure function of configuration and what is known about the dialed number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from router.config.model import Asterisk
from router.config.site import NumberSlot, Site, Step


@dataclass(frozen=True)
class PlannedStep:
    """One Dial of the dialplan: a dial string of one or more targets, and how long it rings."""

    dial: str
    ring_seconds: int


@dataclass(frozen=True)
class Plan:
    """What the dialplan is told to do with a call."""

    site: str
    steps: tuple[PlannedStep, ...]
    record: str
    announce: str
    whisper: str
    overflow: str


def plan_for(site: Site, asterisk: Asterisk, *, slot: str | None = None, channel: str = "") -> Plan:
    """The plan for a call to one of `site`'s numbers.

    `slot` is the number slot that showed the number; `channel` the visit's or the static number's channel.
    Either may be unknown.
    """
    place = next((item for item in site.number_slot if item.name == slot), None)
    whisper = next(
        (item.whisper for item in site.channel if item.name == channel and item.whisper), site.whisper
    )
    return Plan(
        site=site.key,
        steps=tuple(_dials(_steps(site, place), asterisk)),
        record="" if site.record == "off" else site.record,
        announce=site.announcement,
        whisper=whisper,
        overflow=f"announce:{site.overflow_prompt}" if site.overflow == "announcement" else "busy",
    )


def _steps(site: Site, place: NumberSlot | None) -> Sequence[Step]:
    """The slot's own plan, else the site's, else the main number itself."""
    if place is not None:
        return place.step or (Step(targets=(place.main_number,)),)
    return site.step or (Step(targets=(site.main_number,)),)


def _dials(steps: Sequence[Step], asterisk: Asterisk) -> Iterator[PlannedStep]:
    for step in steps:
        dials = [dial_string(target, asterisk) for target in step.targets]
        if step.strategy == "sequential":
            yield from (PlannedStep(dial, step.ring_seconds) for dial in dials)
        else:
            yield PlannedStep("&".join(dials), step.ring_seconds)


def dial_string(target: str, asterisk: Asterisk) -> str:
    """The Dial argument of a configured target: itself, or a number through `[asterisk] dial`."""
    if target.startswith("+"):
        return asterisk.dial.format(number=target, digits=target[1:])
    return target
