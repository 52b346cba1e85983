"""What reports are made by, and which of the stored sums answer a question."""

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Final, NamedTuple


class Dimension(NamedTuple):
    """`credited`: the model decides which visit's value counts. `of_visits`: visits have it too."""

    name: str
    title: str
    credited: bool = False
    of_visits: bool = False


DIMENSIONS: Final[Mapping[str, Dimension]] = {
    one.name: one
    for one in (
        Dimension("channel", "Channel", credited=True, of_visits=True),
        Dimension("source", "Source", credited=True, of_visits=True),
        Dimension("medium", "Medium", credited=True, of_visits=True),
        Dimension("campaign", "Campaign", credited=True, of_visits=True),
        Dimension("term", "Term", credited=True, of_visits=True),
        Dimension("landing_page", "Landing page", credited=True, of_visits=True),
        Dimension("page_called_from", "Page called from"),
        Dimension("region", "Region", of_visits=True),
        Dimension("device", "Device", of_visits=True),
        Dimension("hour", "Hour", of_visits=True),
        Dimension("weekday", "Weekday", of_visits=True),
        Dimension("day", "Day", of_visits=True),
        Dimension("site", "Site", of_visits=True),
        Dimension("number", "Number"),
        Dimension("agent", "Agent"),
    )
}

SOURCE_COLUMNS: Final = ("channel", "source", "medium", "campaign")
"""The key of call_by_source and visit_by_source, and what costs are given by."""
CREDITED_VALUES: Final = ("channel", "term", "landing_page")
CALL_VALUES: Final = ("page_called_from", "region", "device", "hour", "number", "agent")
"""The dimensions of call_by_value; the values of the second are the call's, whatever the model."""
VISIT_VALUES: Final = ("term", "landing_page", "region", "device", "hour")
IN_EVERY_TABLE: Final = frozenset({"day", "weekday", "site"})


class Sums(StrEnum):
    """Where a report's calls are added up."""

    BY_SOURCE = "call_by_source"
    BY_VALUE = "call_by_value"
    CREDITS = "call_credit"


class Plan(NamedTuple):
    """Which table answers; `dimension` is that of call_by_value, else ""."""

    sums: Sums
    dimension: str = ""


def plan_of(dimension: str, filtered: Set[str]) -> Plan:
    """The smallest table that has the dimension and everything that is filtered by (but the site)."""
    wanted = ({dimension} | filtered) - IN_EVERY_TABLE
    if len(wanted) <= 1:
        value = next(iter(wanted), "channel")
        if value in CREDITED_VALUES or value in CALL_VALUES:
            return Plan(Sums.BY_VALUE, value)
    if wanted <= set(SOURCE_COLUMNS):
        return Plan(Sums.BY_SOURCE)
    return Plan(Sums.CREDITS)
