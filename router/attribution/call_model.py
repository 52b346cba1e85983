"""How probable it is that each of several people made a call: the model's parameters and its formulas.

Each candidate, and "none of them", is given the rate (calls per second, at the instant of the call) at which
they would make exactly this call; since one of them did, a candidate's probability is its share of all rates
(Bayes' rule for superposed Poisson processes: Kingman, "Poisson Processes", 1993, superposition and colouring
theorems).

Delays between seeing a number and dialing it are log-normal, as times of human reaction and decision commonly
are (Limpert, Stahel, Abbt, "Log-normal Distributions across the Sciences", BioScience 51, 2001). The
parameters below are stated priors, not measurements; docs/decisions/0010-attribution-model.md gives the
reasons for each, and a site may be given its own `Model`, learnt from its certain matches.

All arguments are seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SQRT_2PI: Final = math.sqrt(2 * math.pi)
DAY_SECONDS: Final = 86_400.0


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


@dataclass(frozen=True, slots=True)
class Model:
    """The stated prior of one site."""

    calls_per_visit: float = 0.02
    """How many of the visits that are shown a number call it."""
    on_page: DialDelay = DialDelay(120.0, 1.5)
    """From seeing the number to calling it, for those who call while or right after they visit."""
    later_share: float = 0.12
    """How many of the callers kept the number and call later."""
    later: DialDelay = DialDelay(6 * 3600.0, 1.8)
    fade_seconds: float = 240.0
    """After leaving, the readiness to call of those on the page fades by 1/e in this time."""
    unshown: float = 0.15
    """A lease whose number the browser never reported as displayed weighs this much of one that was."""
    calls_per_click: float = 0.7
    """How many clicks on a `tel:` link become a call."""
    click: DialDelay = DialDelay(6.0, 0.9)
    """From the click to the call's arrival."""
    strays_per_day: float = 0.02
    """Calls to one number by nobody who held it lately: misdialed, copied, noted long ago."""
    redial_share: float = 0.35
    """How many callers call again."""
    redial: DialDelay = DialDelay(DAY_SECONDS, 2.0)
    other_number: float = 1e-4
    """The weight of a returning caller who dials another number than last time: they must have seen it."""
    stranger: float = 1e-4
    """That somebody else than the visitor known for it calls from a caller's number: a family, an office."""
    misdialed_extension: float = 0.01
    """How many keyed codes belong to somebody else by a slip."""

    def holder_rate(
        self, *, shown_for: float, gone_for: float, shown: bool, clicked_for: float | None = None
    ) -> float:
        """The rate of a holder who saw the number `shown_for` ago, left `gone_for` ago (0: is still there).

            r = v·w·[(1 - s)·f_page(shown_for)·exp(-gone_for / fade) + s·f_later(shown_for)]
                + c·f_click(clicked_for)

        with v calls per visit, w 1 or `unshown`, s the share of late callers, c calls per click.
        """
        now = self.on_page.density(shown_for) * math.exp(-max(gone_for, 0.0) / self.fade_seconds)
        kept = self.later.density(shown_for)
        seen = (1 - self.later_share) * now + self.later_share * kept
        rate = self.calls_per_visit * (1.0 if shown else self.unshown) * seen
        if clicked_for is not None and clicked_for >= 0:
            rate += self.calls_per_click * self.click.density(clicked_for)
        return rate

    def redial_rate(self, *, called_for: float, tied: float, same_number: bool) -> float:
        """The rate of a caller who called `called_for` ago and was tied to a visit with confidence `tied`."""
        known = self.redial_share * self.redial.density(called_for) * tied
        return known if same_number else known * self.other_number

    def stray_rate(self) -> float:
        """The rate of "none of them"."""
        return self.strays_per_day / DAY_SECONDS


def shares(rates: Sequence[float]) -> list[float]:
    """Each rate's share of them all; raises ValueError when all are zero."""
    total = math.fsum(rates)
    if total <= 0:
        raise ValueError("somebody must have made the call: all rates are zero")
    return [rate / total for rate in rates]
