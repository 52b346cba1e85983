"""Channels and display rules: which of a site's named rules a visit matches, else a default channel.

Conditions are compiled once per configuration; matching one visit costs a few regular-expression tests.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from router.attribution.sources import (
    ASSISTANTS,
    CLICK_IDS,
    DISPLAY_MEDIA,
    EMAIL_MEDIA,
    OTHER_MEDIA,
    PAID_MEDIA,
    PAID_SOCIAL_MEDIA,
    SEARCH_SOURCES,
    SOCIAL_MEDIA,
    SOCIAL_SOURCES,
    Known,
)
from router.attribution.visit import DIRECT, NO_MEDIUM, NOT_SET, Attribution
from router.config.site import Condition, Rule, Site

_FIELDS: Final = ("source", "medium", "campaign", "landing_page", "referrer")


class Facts(NamedTuple):
    """What rules may look at, beside the attribution itself."""

    attribution: Attribution
    device: str = ""
    region: str = ""


class SiteRules:
    """One site's channel and display rules, compiled; its click ids by parameter, its own first."""

    def __init__(self, site: Site) -> None:
        own = {one.parameter: Known(one.source, one.medium) for one in site.click_ids}
        self.click_ids: Mapping[str, Known] = own | {
            parameter: known for parameter, known in CLICK_IDS.items() if parameter not in own
        }
        self._channels = [(channel.name, compiled(channel)) for channel in site.channel]
        self._rules = [(rule, frozenset(rule.channel), compiled(rule)) for rule in site.rule]

    def channel(self, facts: Facts) -> str:
        """The site's first channel that matches, else the default one."""
        for name, matches in self._channels:
            if matches(facts):
                return name
        return default_channel(facts.attribution.source, facts.attribution.medium)

    def rule(self, channel: str, facts: Facts) -> Rule | None:
        """The first display rule that matches, or None: then the site's own pool is shown."""
        for rule, channels, matches in self._rules:
            if (not channels or channel in channels) and matches(facts):
                return rule
        return None


def compiled(condition: Condition) -> Callable[[Facts], bool]:
    """A test for `condition`: every key that it gives must match, by any one of the key's patterns.

    Patterns take `*` for any run of characters, cover the whole value and ignore case.
    """
    tests = [(name, pattern(getattr(condition, name))) for name in _FIELDS if getattr(condition, name)]
    devices = frozenset(condition.device)
    region = pattern(condition.region) if condition.region else None

    def matches(facts: Facts) -> bool:
        if devices and facts.device not in devices:
            return False
        if region is not None and not region.match(facts.region):
            return False
        return all(test.match(getattr(facts.attribution, name)) for name, test in tests)

    return matches


def pattern(globs: Iterable[str]) -> re.Pattern[str]:
    """One expression for `globs`: each covers a whole value, `*` any run of characters, case ignored.

    Runs of `*` are folded into one, so that a pattern cannot make matching slow.
    """
    expressions = (".*".join(re.escape(part) for part in re.split(r"\*+", glob)) for glob in globs)
    return re.compile(f"(?:{'|'.join(expressions)})\\Z", re.IGNORECASE | re.DOTALL)


_Test = Callable[[str, str], bool]
_GROUPS: Final[tuple[tuple[str, _Test], ...]] = (
    ("Direct", lambda source, medium: source == DIRECT and medium in {NO_MEDIUM, NOT_SET, ""}),
    ("Paid Social", lambda source, medium: medium in PAID_SOCIAL_MEDIA),
    ("Paid Social", lambda source, medium: medium in PAID_MEDIA and source in SOCIAL_SOURCES),
    ("Paid Search", lambda source, medium: medium in PAID_MEDIA and source in SEARCH_SOURCES),
    ("Paid Other", lambda source, medium: medium in PAID_MEDIA),
    ("Display", lambda source, medium: medium in DISPLAY_MEDIA),
    ("Organic Social", lambda source, medium: medium in SOCIAL_MEDIA),
    ("Organic Social", lambda source, medium: source in SOCIAL_SOURCES and medium in {"referral", NOT_SET}),
    ("Email", lambda source, medium: medium in EMAIL_MEDIA or source in EMAIL_MEDIA),
    ("AI Assistants", lambda source, medium: source in ASSISTANTS and medium == "referral"),
)


@lru_cache(maxsize=1024)
def default_channel(source: str, medium: str) -> str:
    """The channel of a visit that no rule names, after GA4's default grouping."""
    source, medium = source.lower(), medium.lower()
    group = next((name for name, test in _GROUPS if test(source, medium)), None)
    return group or OTHER_MEDIA.get(medium, "Other")
