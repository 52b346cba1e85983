"""Invented traffic whose truth is known: who made each call, in regimes that strain the attribution.

Nothing here follows the model: delays are Weibull, gamma, uniform or mixtures of them, never the model's
log-normal; how many call, how many call late, how many misdial are each regime's own.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Draw = Callable[[random.Random], float]
"""A random length of time in seconds."""

BEAT_SECONDS: Final = 30.0
SITE: Final = "shop"
URLS: Final = (
    "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring",
    "https://shop.example/boilers",
    "https://shop.example/?yclid=17",
)


def weibull(mean: float, shape: float) -> Draw:
    scale = mean / math.gamma(1 + 1 / shape)
    return lambda chance: chance.weibullvariate(scale, shape)


def gamma(mean: float, shape: float) -> Draw:
    return lambda chance: chance.gammavariate(shape, mean / shape)


def uniform(least: float, most: float) -> Draw:
    return lambda chance: chance.uniform(least, most)


def mixture(*parts: tuple[float, Draw]) -> Draw:
    """One of several, by weight."""
    weights = [weight for weight, _ in parts]
    return lambda chance: chance.choices(parts, weights)[0][1](chance)


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of traffic. Times in seconds, shares between 0 and 1."""

    name: str
    numbers: int
    visits: int = 6_000
    hours: float = 48.0
    freeze_minutes: float = 15.0
    stays: Draw = field(default=gamma(200.0, 0.9))
    """How long a visit lasts, whether it calls or not."""
    calls_per_visit: float = 0.12
    soon: Draw = field(default=weibull(150.0, 0.9))
    """From the visit's begin to the call, for who calls at once."""
    drift: float = 1.0
    """By the end of the traffic, such calls take so many times as long."""
    on_the_phone: float = 0.5
    """How many of those keep the page open until they call; others leave when they would have left."""
    late_share: float = 0.08
    late: Draw = field(default=gamma(5 * 3600.0, 0.8))
    stray_share: float = 0.05
    """How many of all calls are nobody's."""
    strays_dial: str = "shown"
    """`shown`: numbers that were shown to somebody; `any`: any of the pool's."""
    stray_repeats: float = 0.1
    click_share: float = 0.3
    """How many of those who call at once click the link; the call comes with `click`."""
    click: Draw = field(default=gamma(9.0, 2.0))
    idle_clicks: float = 0.01
    """How many visits click and never call."""
    redials: float = 0.15
    redial: Draw = field(default=weibull(4 * 3600.0, 0.6))
    returns: float = 0.25
    """How many visits are of visitors who came before."""
    shared_phones: int = 0
    """So many offices; half of all callers then call from one of their phones."""
    talks: bool = True
    """Whether it is known how long calls last."""
    answered: float = 0.8
    talk: Draw = field(default=gamma(150.0, 1.1))
    """How long calls last, from the answer on."""
    wrong_talk: Draw = field(default=mixture((0.7, gamma(14.0, 2.0)), (0.3, gamma(150.0, 1.1))))
    """The same for calls that are nobody's: most of them a wrong number, some by old customers."""
    abroad: float = 0.0
    """How many visits come from other countries than the site's; with 0 no visit tells its country."""
    own_phone: float = 0.85
    """How many call with a phone of the country they are in."""


REGIMES: Final = (
    Regime("roomy pool", numbers=400),
    Regime("tight pool", numbers=30, freeze_minutes=5),
    Regime("late callers", numbers=60, late_share=0.45, late=weibull(6 * 3600.0, 0.8)),
    Regime("wrong numbers", numbers=60, stray_share=0.4),
    Regime(
        "mixed",
        numbers=25,
        visits=5_000,
        freeze_minutes=5,
        calls_per_visit=0.05,
        late_share=0.25,
        stray_share=0.2,
        strays_dial="any",
        soon=mixture((0.7, gamma(60.0, 2.0)), (0.3, uniform(120.0, 1500.0))),
        late=mixture((0.5, uniform(900.0, 7200.0)), (0.5, gamma(18 * 3600.0, 3.0))),
    ),
    Regime("many countries", numbers=40, visits=4_000, abroad=0.5, late_share=0.2, stray_share=0.15),
    Regime("drifting delays", numbers=60, soon=gamma(70.0, 1.5), drift=6.0, calls_per_visit=0.2),
    Regime("shared phones", numbers=50, shared_phones=8, calls_per_visit=0.15),
    Regime(
        "few calls",
        numbers=40,
        visits=1_500,
        hours=24.0,
        calls_per_visit=0.07,
        late_share=0.2,
        stray_share=0.15,
        soon=weibull(240.0, 1.3),
        click_share=0.0,
    ),
    Regime(
        "slow to dial",
        numbers=60,
        visits=2_900,
        hours=36.0,
        stays=weibull(160.0, 0.8),
        calls_per_visit=0.08,
        soon=gamma(600.0, 4.0),
        on_the_phone=0.0,
        late_share=0.2,
        stray_share=0.13,
        strays_dial="any",
        click_share=0.0,
        returns=0.0,
    ),
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Events of a trace, sorted, and the truth of each call: the visit that made it, None for nobody's."""

    events: list[dict[str, Any]]
    truth: dict[str, str | None]


def traffic(regime: Regime, seed: int, numbers: Sequence[str]) -> Traffic:
    """The traffic of a regime; the same for the same seed. `numbers` are the pool's."""
    return _Generator(regime, seed, numbers).made()


class _Generator:
    def __init__(self, regime: Regime, seed: int, numbers: Sequence[str]) -> None:
        self._regime = regime
        self._chance = random.Random(f"{regime.name}/{seed}")
        self._numbers = numbers
        self._waiting: list[tuple[float, int, dict[str, Any]]] = []
        self._truth: dict[str, str | None] = {}
        self._phones: dict[str, str] = {}
        self._visitors: list[str] = []
        self._begun: list[tuple[float, str]] = []
        # Beside the other, so that what calls last and where they come from moves nothing else.
        self._beside = random.Random(f"{regime.name}/{seed}/beside")
        self._countries: dict[str, str] = {}

    def made(self) -> Traffic:
        regime, chance = self._regime, self._chance
        end = regime.hours * 3600
        for place, at in enumerate(sorted(_daily(chance, end) for _ in range(regime.visits))):
            self._visit(at, f"s{place}", at / end)
        callers = sum(visit is not None for visit in self._truth.values())
        wanted = round(callers * regime.stray_share / (1 - regime.stray_share))
        while sum(visit is None for visit in self._truth.values()) < wanted:
            self._stray(_daily(chance, end))
        events = [event for at, _, event in self._sorted() if at < end]
        kept = {event["call"] for event in events if event["event"] == "call"}
        return Traffic(events, {call: visit for call, visit in self._truth.items() if call in kept})

    def _sorted(self) -> Iterator[tuple[float, int, dict[str, Any]]]:
        while self._waiting:
            yield heapq.heappop(self._waiting)

    def _tell(self, at: float, event: str, **more: Any) -> None:
        line = {"at": round(at, 3), "event": event, **more}
        heapq.heappush(self._waiting, (round(at, 3), len(self._waiting) + len(self._truth), line))

    def _visit(self, at: float, visit: str, lived: float) -> None:
        regime, chance = self._regime, self._chance
        visitor = f"v{visit}"
        if self._visitors and chance.random() < regime.returns:
            visitor = chance.choice(self._visitors[-500:])
        self._visitors.append(visitor)
        self._begun.append((at, visit))
        url = chance.choice(URLS)
        where = {"region": self._region(visitor)} if regime.abroad else {}
        self._tell(at, "visit", site=SITE, visitor=visitor, visit=visit, url=url, referrer="", **where)
        leaves_at = at + min(2 * 3600.0, 3.0 + regime.stays(chance))
        called_at = clicked_at = None
        if chance.random() < regime.calls_per_visit:
            if chance.random() < regime.late_share:
                called_at = at + 60.0 + regime.late(chance)
            else:
                called_at = at + 4.0 + regime.soon(chance) * (1 + (regime.drift - 1) * lived)
                if chance.random() < regime.on_the_phone:
                    leaves_at = max(leaves_at, called_at + 5.0)
                if chance.random() < regime.click_share:
                    clicked_at, called_at = called_at, called_at + 1.0 + regime.click(chance)
                    leaves_at = max(leaves_at, called_at)
        elif chance.random() < regime.idle_clicks:
            clicked_at = chance.uniform(at, leaves_at)
        beats = int((leaves_at - at) / BEAT_SECONDS)
        for beat in range(1, beats + 1):
            self._tell(at + beat * BEAT_SECONDS, "seen", visit=visit)
        if clicked_at is not None:
            self._tell(clicked_at, "seen", visit=visit, tel_click=True)
        self._tell(leaves_at, "left", visit=visit)
        if called_at is not None:
            self._call(called_at, self._phone(visitor), visit, number_of=visit)

    def _call(self, at: float, caller: str, visit: str | None, **dials: str) -> None:
        """A call, and perhaps another by the same caller to the same number."""
        repeats = self._regime.redials if visit is not None else self._regime.stray_repeats
        while True:
            call = f"c{len(self._truth)}"
            self._truth[call] = visit
            self._tell(at, "call", call=call, caller=caller, **dials, **self._talk(visit))
            if self._chance.random() >= repeats:
                return
            at += 20.0 + self._regime.redial(self._chance)

    def _talk(self, visit: str | None) -> dict[str, float]:
        regime, beside = self._regime, self._beside
        if not regime.talks or beside.random() >= regime.answered:
            return {}
        return {"talk": round((regime.wrong_talk if visit is None else regime.talk)(beside), 1)}

    def _region(self, visitor: str) -> str:
        """Where the visitor's address is, or is taken to be; "" for one of ten."""
        if visitor not in self._countries:
            abroad = self._beside.random() < self._regime.abroad
            self._countries[visitor] = self._beside.choice(("FR", "IE")) if abroad else "GB"
        country = self._countries[visitor]
        return "" if self._beside.random() < 0.1 else f"{country}-X"

    def _stray(self, at: float) -> None:
        if self._regime.strays_dial == "any":
            self._call(at, self._number(), None, dialed=self._chance.choice(self._numbers))
            return
        begun = [visit for visit_at, visit in self._begun if visit_at < at]
        if begun:
            self._call(at, self._number(), None, number_of=self._chance.choice(begun))

    def _phone(self, visitor: str) -> str:
        offices = self._regime.shared_phones
        if visitor not in self._phones:
            shared = offices and self._chance.random() < 0.5
            office = f"+4420794609{self._chance.randrange(max(offices, 1)):02}"
            self._phones[visitor] = office if shared else self._number(visitor)
        return self._phones[visitor]

    def _number(self, visitor: str | None = None) -> str:
        """A phone: of the visitor's country as often as people have one, else of any."""
        place = self._chance.randrange(100_000)
        country = "GB"
        if self._regime.abroad:
            country = self._beside.choices(("GB", "FR", "IE"), (7, 2, 1))[0]
            if visitor is not None and self._beside.random() < self._regime.own_phone:
                country = self._countries[visitor]
        prefix = {"GB": "+4477009", "FR": "+336399", "IE": "+3532091"}[country]
        return f"{prefix}8{place % 10_000:04}" if country == "FR" else f"{prefix}{place:05}"


def _daily(chance: random.Random, end: float) -> float:
    """An instant before `end`, by day more often than by night."""
    while True:
        at = chance.uniform(0, end)
        if chance.random() < 0.6 - 0.4 * math.cos(2 * math.pi * at / 86_400):
            return at
