"""`[[site]]` and its tables: what a tracked website may set."""

import re
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from pool.numbers import DEFAULT_POOL
from router.config.plan import (
    Overflow,
    Plan,
    Schedule,
    Step,
    check_names,
    check_overflow,
    check_schedule,
    check_steps,
)
from router.config.values import E164, Language, Name, PromptName, Section, SiteKey, VoicemailBox

PARAMETER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or value != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError('takes scheme and host alone, such as "https://shop.example"')
    return value.lower()


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError('takes a time zone of the tz database, such as "Europe/London"') from error
    return value


def _mask(value: str) -> str:
    if value and ("X" not in value or not set(value) <= set("X0123456789 +()-./\u00a0")):
        raise ValueError('takes X for each of the last digits, such as "020 XXXX XXXX"')
    return value


def _code_mask(value: str) -> str:
    if value.count("X") != 1 or not value.isprintable() or any(sign.isdigit() for sign in value):
        raise ValueError('takes one X, for the code to key, and no digits, such as " ext. X"')
    return value


def _parameter(value: str) -> str:
    if not PARAMETER.match(value) or value.startswith("utm_"):
        raise ValueError('takes a parameter of URLs such as "clickid": a-z, 0-9, ".", "_", "-", and no utm_…')
    return value


Origin = Annotated[str, AfterValidator(_origin)]
Zone = Annotated[str, AfterValidator(_zone)]
Mask = Annotated[str, AfterValidator(_mask)]
CodeMask = Annotated[str, Field(max_length=40), AfterValidator(_code_mask)]
LinkKind = Literal["tel", "callto", "sms", "whatsapp"]


class Condition(Section):
    """What a visit must look like: each given key matches by any of its patterns (`*` is a wildcard)."""

    source: tuple[str, ...] = ()
    medium: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    device: tuple[Literal["desktop", "mobile", "tablet"], ...] = ()
    landing_page: tuple[str, ...] = ()
    referrer: tuple[str, ...] = ()


class Channel(Condition):
    """`[[site.channel]]`: a named rule over attribution, first match wins."""

    name: Name
    whisper: PromptName = ""


class Rule(Condition):
    """`[[site.rule]]`: which number a visit is shown, first match wins."""

    channel: tuple[str, ...] = ()
    show: Literal["dynamic", "static", "main"] = "dynamic"
    pool: Name | None = None


class ClickId(Section):
    """One of `[[site]] click_ids`: a URL's parameter that an advertising system adds to each click.

    With a `source` it tells where a visit without tags came from; without, it is only kept. As a plain text
    in the list it is the parameter alone.
    """

    parameter: Annotated[str, AfterValidator(_parameter)]
    source: str = Field(default="", max_length=100)
    medium: str = Field(default="cpc", max_length=100)


def _parameters_alone(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    return tuple({"parameter": one} if isinstance(one, str) else one for one in value)


ClickIds = Annotated[tuple[ClickId, ...], BeforeValidator(_parameters_alone), Field(max_length=50)]


class NumberSlot(Section):
    """`[[site.number_slot]]`: another number on the page, with its own place, main number and plan."""

    name: SiteKey
    main_number: E164
    selector: str = ""
    pool: Name | None = None
    step: tuple[Step, ...] = ()


class Site(Section):
    """`[[site]]`: a tracked website."""

    key: SiteKey
    name: Name
    main_number: E164
    origins: tuple[Origin, ...] = Field(min_length=1)
    display: Mask = ""
    extension_display: CodeMask = " ext. X"
    extension_dial: Literal["pause", "ext"] = "pause"
    links: tuple[LinkKind, ...] = ("tel",)
    pool: Name = DEFAULT_POOL
    freeze_minutes: float = Field(default=15, ge=5, le=30)
    beat_seconds: int = Field(default=30, ge=5, le=120)
    time_zone: Zone = "UTC"
    record: Literal["off", "mono", "stereo"] = "off"
    announcement: PromptName = ""
    whisper: PromptName = ""
    overflow: Overflow = "busy"
    overflow_prompt: PromptName = ""
    voicemail_box: VoicemailBox = ""
    language: Language = ""
    qualified_seconds: int = Field(default=30, ge=0, le=3600)
    alert_use: float = Field(default=0.75, gt=0, le=1)
    alert_blocking: float = Field(default=0.05, gt=0, le=1)
    consent_required: bool = False
    honour_opt_out: bool = False
    visitor_cookie_days: int = Field(default=365, ge=1, le=730)
    click_ids: ClickIds = ()
    channel: tuple[Channel, ...] = ()
    rule: tuple[Rule, ...] = ()
    schedule: tuple[Schedule, ...] = ()
    step: tuple[Step, ...] = ()
    plan: tuple[Plan, ...] = ()
    number_slot: tuple[NumberSlot, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Site":
        check_overflow(self.overflow, self.overflow_prompt, self.voicemail_box)
        parameters = [click_id.parameter for click_id in self.click_ids]
        for parameter in parameters:
            if parameters.count(parameter) > 1:
                raise ValueError(f"click_ids names {parameter!r} twice")
        known = {channel.name for channel in self.channel}
        for number, rule in enumerate(self.rule, 1):
            for name in rule.channel:
                if name not in known:
                    raise ValueError(f"rule {number}: no [[site.channel]] is named {name!r}")
        slots = [slot.name for slot in self.number_slot]
        if len(slots) != len(set(slots)) or "main" in slots:
            raise ValueError("number_slot names must differ from one another and from 'main'")
        return self

    @model_validator(mode="after")
    def _plans_complete(self) -> "Site":
        check_steps(self.step, self.schedule)
        for slot in self.number_slot:
            check_steps(slot.step, self.schedule)
        check_names("schedule", self.schedule)
        check_names("plan", self.plan)
        slots = {"main", *(slot.name for slot in self.number_slot)}
        for plan in self.plan:
            try:
                self._check_plan(plan, slots)
            except ValueError as error:
                raise ValueError(f"[[site.plan]] {plan.name!r}: {error}") from error
        return self

    def _check_plan(self, plan: Plan, slots: set[str]) -> None:
        check_schedule(plan, self.schedule)
        check_steps(plan.step, self.schedule)
        check_overflow(
            plan.overflow or self.overflow,
            plan.overflow_prompt or self.overflow_prompt,
            plan.voicemail_box or self.voicemail_box,
        )
        for slot in plan.slot:
            if slot not in slots:
                raise ValueError(f"no [[site.number_slot]] is named {slot!r}")

    @cached_property
    def pools(self) -> frozenset[str]:
        """The names of the pools that the site's visits are served from."""
        named = (*(rule.pool for rule in self.rule), *(slot.pool for slot in self.number_slot))
        return frozenset({self.pool, *(pool for pool in named if pool)})

    @property
    def freeze_seconds(self) -> int:
        """How long a number stays with its visitor after they left."""
        return round(self.freeze_minutes * 60)
