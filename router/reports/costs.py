"""Advertising costs from a CSV file: all of it or nothing, and the same file again changes nothing.

Columns: `day` (2026-11-22), `site`, `cost` (12.34) and `currency` (ISO 4217) are required; `channel`,
`source`, `medium`, `campaign` say what it was spent on. Where `channel` is empty, the site's rules name it.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from pool.database import Database, Transaction
from router.attribution.channels import Facts, SiteRules
from router.attribution.visit import Attribution, cleaned
from router.config import Config
from router.reports.credits import WHOLE
from router.reports.dimensions import SOURCE_COLUMNS
from router.reports.periods import number_of
from router.reports.tally import QUERIES

REQUIRED: Final = ("day", "site", "cost", "currency")
COLUMNS: Final = (*REQUIRED, *SOURCE_COLUMNS)
MOST_ERRORS: Final = 50
MOST_COST: Final = Decimal(10) ** 9
TEXT_CAP: Final = 500
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_DATE: Final = re.compile(r"(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?\Z", re.ASCII)


class CostsRefused(ValueError):
    """Nothing was imported: `errors` name the rows at fault (row 1 is the header)."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Cost(NamedTuple):
    """What one source cost on one day. `amount`: millionths of the currency."""

    day: int
    site: str
    channel: str
    source: str
    medium: str
    campaign: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows were written, and of how many days of sites."""

    rows: int
    days: int


async def import_costs(database: Database, config: Config, path: Path) -> Imported:
    """Writes the file's costs. For each site and day in the file, what was stored before is replaced.

    Raises CostsRefused, and StoreUnavailable.
    """
    found = read_costs(path, config)
    queries = database.queries(QUERIES)
    days = sorted({(cost.site, cost.day) for cost in found})

    async def write(transaction: Transaction) -> None:
        await transaction.many(queries.forget_costs, [{"site": site, "day": day} for site, day in days])
        await transaction.many(queries.add_cost, [cost._asdict() for cost in found])

    await database.transact(write)
    return Imported(len(found), len(days))


def read_costs(path: Path, config: Config) -> list[Cost]:
    """The costs in the file; rows of the same day and source are added up. Raises CostsRefused."""
    channel_of = _Channels(config)
    amounts: dict[tuple[Any, ...], int] = {}
    errors: list[str] = []
    for row, cells in _rows(path):
        try:
            cost = _cost(cells, config, channel_of)
        except ValueError as error:
            errors.append(f"row {row}: {error}")
            if len(errors) == MOST_ERRORS:
                errors.append("… and perhaps more: the first are listed")
                break
            continue
        amounts[cost[:-1]] = amounts.get(cost[:-1], 0) + cost.amount
    if errors:
        raise CostsRefused(errors)
    return [Cost(*(*key, amount)) for key, amount in sorted(amounts.items())]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with the number of the line on which each begins."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            names = reader.fieldnames or []
            missing = [name for name in REQUIRED if name not in names]
            strange = [name for name in names if name not in COLUMNS]
            if missing or strange or len(set(names)) != len(names):
                raise CostsRefused(
                    [f"row 1: takes each of {', '.join(COLUMNS)} once; got {', '.join(names)}"]
                )
            row = 2
            for cells in reader:
                yield row, cells
                row = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise CostsRefused([f"{path}: is not UTF-8 (byte {error.start})"]) from error
    except csv.Error as error:
        raise CostsRefused([f"{path}: is no CSV: {error}"]) from error


def _cost(
    cells: Mapping[str, str], config: Config, channel_of: Callable[[str, Mapping[str, str]], str]
) -> Cost:
    if "" in cells or None in cells.values():
        raise ValueError("has not as many cells as the header")
    told = {name: (cells.get(name) or "").strip() for name in COLUMNS}
    if config.site_of(told["site"]) is None:
        known = ", ".join(site.key for site in config.site)
        raise ValueError(f"site: no site has the key {told['site']!r}; there are {known}")
    if not _CURRENCY.match(told["currency"]):
        raise ValueError(f"currency: takes three capitals such as EUR, not {told['currency']!r}")
    for name in SOURCE_COLUMNS:
        if cleaned(told[name], TEXT_CAP) != told[name]:
            raise ValueError(f"{name}: has control characters, or more than {TEXT_CAP} characters")
    by = {name: told[name] for name in SOURCE_COLUMNS}
    if not by["channel"]:
        if not by["source"] and not by["medium"]:
            raise ValueError("channel: give it, or source and medium to tell it by")
        by["channel"] = channel_of(told["site"], by)
    return Cost(
        _day(told["day"]), told["site"], **by, currency=told["currency"], amount=_amount(told["cost"])
    )


def _day(text: str) -> int:
    if not _DATE.match(text):
        raise ValueError(f"day: takes a date such as 2026-11-22, not {text!r}")
    try:
        return number_of(date.fromisoformat(text))
    except ValueError as error:
        raise ValueError(f"day: {text!r} is no date: {error}") from None


def _amount(text: str) -> int:
    amount = Decimal(text) if _DECIMAL.match(text) else None
    if amount is None or amount > MOST_COST:
        raise ValueError(f"cost: takes an amount such as 12.34, from 0 to {MOST_COST:,}, not {text!r}")
    return int(amount * WHOLE)


class _Channels:
    """The channel that a site's rules give to a source."""

    def __init__(self, config: Config) -> None:
        self._rules = {site.key: SiteRules(site) for site in config.site}

    def __call__(self, site: str, by: Mapping[str, str]) -> str:
        found = Attribution(by["source"], by["medium"], by["campaign"], "", "", "", "", {})
        return self._rules[site].channel(Facts(found))
