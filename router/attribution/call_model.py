"""How probable it is that each of several people made a call: the model's parameters and its formulas.

Each candidate, and "none of them", is given the rate (calls per second, at the instant of the call) at which
they would make exactly this call; since one of them did, a candidate's probability is its share of all rates
(Bayes' rule for superposed Poisson processes: Kingman, "Poisson Processes", 1993, superposition and colouring
theorems).

Delays between seeing a number and dialing it are log-normal, as times of human reaction and decision commonly
are (Limpert, Stahel, Abbt, "Log-normal Distributions across the Sciences", BioScience 51, 2001), and that is
only the beginning: `learning` corrects the rates stage by stage from a site's own calls. The parameters below
are the stated prior; docs/attribution.md gives the reason for each.

All arguments are seconds.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from router.attribution.countries import UNKNOWN_COUNTRIES, Countries

_SQRT_2PI: Final = math.sqrt(2 * math.pi)
_SQRT_2: Final = math.sqrt(2)
DAY_SECONDS: Final = 86_400.0
HOUR: Final = 3_600_000
HOURS_PER_DAY: Final = 24

HERE_STAGES: Final = (20.0, 60.0, 180.0, 600.0)
"""Stages of a holder whose page is open, by the time since they saw the number: their inner limits."""
GONE_STAGES: Final = (30.0, 120.0, 480.0, 1_800.0)
"""Stages of a holder who left, by the time since then."""
SHORT_SECONDS: Final = 20.0
"""A call that ends so soon after it was answered is a short one."""
LATER_STAGES: Final = (3_600.0, 14_400.0, 57_600.0)
"""Stages of those who kept the number, by the time since they saw it."""
STAGES: Final = len(HERE_STAGES) + 1 + len(GONE_STAGES)


@dataclass(frozen=True, slots=True)
class DialDelay:
    """A log-normal delay: median `median_seconds`; `sigma` is the standard deviation of its logarithm."""

    median_seconds: float
    sigma: float

    def density(self, seconds: float) -> float:
        """The density per second at `seconds`; delays under a second count as one."""
        x = max(seconds, 1.0)
        z = math.log(x / self.median_seconds) / self.sigma
        return math.exp(-0.5 * z * z) / (x * self.sigma * _SQRT_2PI)

    def share_until(self, seconds: float) -> float:
        """The share of delays that are shorter."""
        if seconds <= 0:
            return 0.0
        return 0.5 + 0.5 * math.erf(math.log(seconds / self.median_seconds) / (self.sigma * _SQRT_2))


@dataclass(frozen=True, slots=True)
class Model:
    """One site's model: the stated prior, or what was learnt from it."""

    calls_per_visit: float = 0.02
    """How many of the visits that are shown a number call it."""
    on_page: DialDelay = DialDelay(120.0, 1.5)
    """From seeing the number to calling it, for those who call while or right after they visit."""
    later_share: float = 0.2
    """How many of the callers kept the number and call later."""
    later: DialDelay = DialDelay(6 * 3600.0, 1.8)
    fade_seconds: float = 900.0
    """After leaving, the readiness to call of those on the page is halved in this time."""
    stages: tuple[float, ...] = (1.0,) * STAGES
    """By how much the readiness to call soon is corrected: in the stages of `HERE_STAGES`, `GONE_STAGES`."""
    later_stages: tuple[float, ...] = (1.0,) * (len(LATER_STAGES) + 1)
    """By how much the readiness to call late is corrected."""
    unshown: float = 0.15
    """A lease whose number the browser never reported as displayed weighs this much of one that was."""
    calls_per_click: float = 0.7
    """How many clicks on a `tel:` link become a call."""
    click: DialDelay = DialDelay(6.0, 0.9)
    """From the click to the call's arrival."""
    strays_per_day: float = 0.02
    """Calls to one number by nobody who held it lately: misdialed, copied, noted long ago."""
    strays_per_hold: float = 0.0005
    """The same, for each who held the number lately: copied from them, or noted long ago."""
    rhythm: tuple[float, ...] = (1.0,) * HOURS_PER_DAY
    """How many times as many of the strays there are in each hour of the day (UTC) as on average."""
    short_strays: float = 0.6
    """How many of the calls that nobody's visit caused are over soon after the answer: "wrong number"."""
    short_visits: float = 0.15
    """How many of the visitors' calls are."""
    countries: Countries = UNKNOWN_COUNTRIES
    redial_share: float = 0.35
    """How many callers call again."""
    redial: DialDelay = DialDelay(DAY_SECONDS, 2.0)
    other_number: float = 1e-4
    """The weight of a returning caller who dials another number than last time: they must have seen it."""
    stranger: float = 1e-4
    """That somebody else than the visitor known for it calls from a caller's number: a family, an office."""
    misdialed_extension: float = 0.01
    """How many keyed codes belong to somebody else by a slip."""

    def sign(
        self, *, shown_for: float, gone_for: float, shown: bool, clicked_for: float | None = None
    ) -> "Sign":
        """What speaks for a holder who saw the number `shown_for` ago and left `gone_for` ago (0: is there).

            soon = w·(1 - s)·f_page(shown_for) / (1 + gone_for / fade), 0 once gone for longer than all stages
            late = w·s·f_later(shown_for)

        with w 1 or `unshown`, s the share of late callers.
        """
        weight = 1.0 if shown else self.unshown
        stage = _stage(shown_for, gone_for)
        soon = 0.0
        if stage < STAGES:
            soon = weight * (1 - self.later_share) * self.on_page.density(shown_for) * self.fade(gone_for)
        late = weight * self.later_share * self.later.density(shown_for)
        clicked = clicked_for is not None and clicked_for >= 0
        click = self.click.density(clicked_for or 0.0) if clicked else 0.0
        return Sign(stage, soon, bisect_right(LATER_STAGES, shown_for), late, click)

    def holder_rate(self, sign: "Sign") -> float:
        """The rate of a holder.

            r = v·(m·soon + l·late) + c·f_click

        with v calls per visit, m and l the corrections of the stages, c calls per click.
        """
        soon = self.stages[sign.stage] * sign.soon if sign.soon else 0.0
        late = self.later_stages[sign.later_stage] * sign.late
        return self.calls_per_visit * (soon + late) + self.calls_per_click * sign.click

    def fade(self, gone_for: float) -> float:
        """What is left of the readiness to call of one who left the page."""
        return 1.0 if gone_for <= 0 else 1.0 / (1.0 + gone_for / self.fade_seconds)

    def brevity(self, short: bool | None) -> float:
        """What it speaks for nobody's call, against a visitor's, that it was short, or long, after the answer
        (None: there was none, or it is not known): the share of such calls among either kind.
        """
        if short is None:
            return 1.0
        if short:
            return self.short_strays / self.short_visits
        return (1 - self.short_strays) / (1 - self.short_visits)

    def redial_rate(self, *, called_for: float, same_number: bool) -> float:
        """The rate at which a caller who called `called_for` ago calls again."""
        known = self.redial_share * self.redial.density(called_for)
        return known if same_number else known * self.other_number

    def stray_rate(self, holds: int, at: int) -> float:
        """The rate of "none of them" at an instant (milliseconds) on a number that so many held lately.

        Anybody may misdial; and the more people were shown a number, the more others got it from them.
        """
        usual = (self.strays_per_day + self.strays_per_hold * holds) / DAY_SECONDS
        return usual * self.rhythm[at // HOUR % HOURS_PER_DAY]


class Sign(NamedTuple):
    """What speaks for one holder: how ready they are to call, soon or late, in which stage; `click` is the
    density of the delay since a click. By the prior's delays: what is learnt multiplies it.
    """

    stage: int
    soon: float
    later_stage: int
    late: float
    click: float


def _stage(shown_for: float, gone_for: float) -> int:
    if gone_for <= 0:
        return bisect_right(HERE_STAGES, shown_for)
    return len(HERE_STAGES) + 1 + bisect_right(GONE_STAGES, gone_for)


def shares(rates: Sequence[float]) -> list[float]:
    """Each rate's share of them all; raises ValueError when all are zero."""
    total = math.fsum(rates)
    if total <= 0:
        raise ValueError("somebody must have made the call: all rates are zero")
    return [rate / total for rate in rates]
