"""`[[site]]` and its tables: what a tracked website may set."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from pool.numbers import DEFAULT_POOL
from router.config.values import E164, Name, PromptName, Section, SiteKey, Target

MAX_STEPS = 9  # LL_D1 to LL_D9


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


Origin = Annotated[str, AfterValidator(_origin)]
Zone = Annotated[str, AfterValidator(_zone)]
Mask = Annotated[str, AfterValidator(_mask)]


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


class Step(Section):
    """`[[site.step]]`: one step of the redirect plan; steps ring one after another until somebody answers."""

    targets: tuple[Target, ...] = Field(min_length=1, max_length=16)
    ring_seconds: int = Field(default=20, ge=1, le=300)
    strategy: Literal["simultaneous", "sequential"] = "simultaneous"


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
    pool: Name = DEFAULT_POOL
    freeze_minutes: float = Field(default=15, ge=5, le=30)
    beat_seconds: int = Field(default=30, ge=5, le=120)
    time_zone: Zone = "UTC"
    record: Literal["off", "mono", "stereo"] = "off"
    announcement: PromptName = ""
    whisper: PromptName = ""
    overflow: Literal["busy", "announcement"] = "busy"
    overflow_prompt: PromptName = ""
    qualified_seconds: int = Field(default=30, ge=0, le=3600)
    alert_use: float = Field(default=0.75, gt=0, le=1)
    alert_blocking: float = Field(default=0.05, gt=0, le=1)
    consent_required: bool = False
    visitor_cookie_days: int = Field(default=365, ge=1, le=730)
    channel: tuple[Channel, ...] = ()
    rule: tuple[Rule, ...] = ()
    step: tuple[Step, ...] = ()
    number_slot: tuple[NumberSlot, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Site":
        if self.overflow == "announcement" and not self.overflow_prompt:
            raise ValueError("overflow = 'announcement' needs overflow_prompt, the prompt to play")
        known = {channel.name for channel in self.channel}
        for number, rule in enumerate(self.rule, 1):
            for name in rule.channel:
                if name not in known:
                    raise ValueError(f"rule {number}: no [[site.channel]] is named {name!r}")
        for plan in (self.step, *(slot.step for slot in self.number_slot)):
            if sum(len(step.targets) if step.strategy == "sequential" else 1 for step in plan) > MAX_STEPS:
                raise ValueError(
                    f"a redirect plan has at most {MAX_STEPS} steps, a sequential target counts as one"
                )
        slots = [slot.name for slot in self.number_slot]
        if len(slots) != len(set(slots)) or "main" in slots:
            raise ValueError("number_slot names must differ from one another and from 'main'")
        return self

    @property
    def freeze_seconds(self) -> int:
        """How long a number stays with its visitor after they left."""
        return round(self.freeze_minutes * 60)
