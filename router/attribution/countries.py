"""What the caller's country says of who called. Pure.

A visitor's address tells a country, a caller's number another; most visitors' phones are of the country that
they are in. For a call from country c, against one of nobody's, a visitor in country k counts

    (1 - m) + m·[c = k] / mix(c)

with m the share of visitors who call with a phone of the country of their address (Bayes' rule; the others'
and nobody's phones are taken to be of the site's mix of countries). Where either country is not known it says
nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_REGION: Final = re.compile(r"[A-Z]{2}(-|\Z)")
AT_HOME_WEIGHT: Final = 6.0
ROUNDS: Final = 50
MIX_WEIGHT: Final = 20.0
"""So many calls the visitors' countries count for, in the mix of callers' countries."""
RAREST: Final = 0.005
"""A country is taken for no rarer than this: else its first caller would be its only visitor for certain."""


@dataclass(frozen=True, slots=True)
class Countries:
    """A site's callers: how many call with a phone of the country they are in, and their mix of countries.

    `mix` empty: nothing is known, and no country says anything.
    """

    at_home: float = 0.9
    mix: Mapping[str, float] = field(default_factory=dict)

    def factor(self, caller: str | None, visitor: str) -> float:
        """What the caller's country (None: not known) speaks for a visitor ("": not known where), against
        nobody's call.
        """
        if not caller or not visitor or not self.mix:
            return 1.0
        if caller != visitor:
            return 1 - self.at_home
        return 1 - self.at_home + self.at_home / max(self.mix.get(caller, 0.0), RAREST)


UNKNOWN_COUNTRIES: Final = Countries()


class Origin(NamedTuple):
    """What a call tells of countries: the caller's, and the probability, by all else, that somebody from
    there (`same`) or from another known country (`other`) made it.
    """

    caller: str
    same: float
    other: float


def origin(
    caller: str | None, visitors: Sequence[str], rates: Sequence[float], nobody: float
) -> Origin | None:
    """What a call tells of countries, by the rates of visitors from there and of nobody; None: nothing."""
    if not caller or not any(visitors):
        return None
    same = other = 0.0
    for country, rate in zip(visitors, rates, strict=True):
        if country == caller:
            same += rate
        elif country:
            other += rate
    whole = (sum(rates) + nobody) or 1.0
    return Origin(caller, same / whole, other / whole)


def learnt_countries(prior: Countries, origins: Iterable[Origin], visitors: Mapping[str, int]) -> Countries:
    """The prior corrected by calls; `visitors`: how many visits came from which country ("" is left out)."""
    calls = list(origins)
    known = {country: count for country, count in visitors.items() if country}
    visits = sum(known.values())
    if not visits:
        return prior
    called = Counter(call.caller for call in calls)
    whole = MIX_WEIGHT + len(calls)
    mix = {
        country: (MIX_WEIGHT * known.get(country, 0) / visits + called[country]) / whole
        for country in sorted(known.keys() | called.keys())
    }
    at_home = prior.at_home
    for _ in range(ROUNDS):
        found = Countries(at_home, mix)
        home = theirs = 0.0
        for call in calls:
            same = call.same * found.factor(call.caller, call.caller)
            other = call.other * (1 - at_home)
            rest = max(0.0, 1 - call.same - call.other)
            share = (same + other) / ((same + other + rest) or 1.0)
            home += share * (same - call.same * (1 - at_home)) / ((same + other) or 1.0)
            theirs += share
        at_home = (AT_HOME_WEIGHT * prior.at_home + home) / (AT_HOME_WEIGHT + theirs)
    return Countries(at_home, mix)


def country_of(region: str) -> str:
    """The country of a region (ISO 3166-2, "GB-LND"); "" where it names none."""
    return region[:2] if _REGION.match(region) else ""
