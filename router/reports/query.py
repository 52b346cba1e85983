"""What is asked of a report, and the answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from router.attribution.journey import MODELS, Model
from router.reports.dimensions import DIMENSIONS
from router.reports.measures import Measures
from router.reports.periods import Period

Comparison = Literal["", "previous", "year"]
COMPARISONS: Final[tuple[Comparison, ...]] = ("", "previous", "year")
MOST_ROWS: Final = 100_000
DEFAULT_ROWS: Final = 100
ORDERS: Final = ("calls", "qualified", "visits", "key")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which calls and visits count: those with exactly these values. None is any, "" is not set."""

    channel: str | None = None
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    landing_page: str | None = None
    page_called_from: str | None = None
    region: str | None = None
    device: str | None = None
    number: str | None = None
    agent: str | None = None
    result: str | None = None
    match: str | None = None

    def given(self) -> dict[str, str]:
        """Those that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Query:
    """A question. Raises ValueError for a dimension, model or comparison that is none.

    `rows`: so many are given, by `order`; the total is always of all.
    """

    dimension: str
    period: Period
    site: str | None = None
    model: Model = "last"
    filters: Filters = Filters()
    compare: Comparison = ""
    rows: int = DEFAULT_ROWS
    order: str = "calls"

    def __post_init__(self) -> None:
        _check("dimension", self.dimension, DIMENSIONS)
        _check("model", self.model, MODELS)
        _check("compare", self.compare, COMPARISONS)
        _check("order", self.order, ORDERS)


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the dimension. `key` None: unknown; "": not set. `before`: of the compared period."""

    key: str | None
    label: str
    measures: Measures
    before: Measures | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer. `compared` is the period of `before`; `left_off`: rows that are not listed.

    `made_of` names the table that was added up; `notes` say what a reader must know of these figures.
    """

    query: Query
    rows: tuple[Row, ...]
    total: Row
    made_of: str
    compared: Period | None = None
    left_off: int = 0
    notes: tuple[str, ...] = ()


def _check(what: str, value: str, known: Any) -> None:
    if value not in known:
        names = ", ".join(repr(name) for name in (known if not isinstance(known, Mapping) else list(known)))
        raise ValueError(f"{what}: {value!r} is none of {names}")
