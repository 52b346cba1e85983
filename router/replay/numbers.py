"""Invented numbers: as many as wanted, of the site's own city where its numbering has room."""

from collections.abc import Iterator
from itertools import chain, islice

import phonenumbers

from pool.e164 import BadNumber, e164
from router.config import Config, Site

FEWEST_VARIED = 3
MOST_VARIED = 7


class TooFewNumbers(ValueError):
    """So many numbers cannot be invented in the numbering of the site's country."""


def invented(config: Config, sites: list[Site], wanted: int) -> dict[str, list[str]]:
    """`wanted` numbers (E.164, valid, nobody's main number) for each pool that the sites draw from.

    They vary the last digits of a site's main number, the same for the same configuration. Raises
    TooFewNumbers.
    """
    taken = {site.main_number for site in config.site}
    taken |= {slot.main_number for site in config.site for slot in site.number_slot}
    found: dict[str, list[str]] = {}
    for site in sites:
        for pool in sorted(site.pools - set(found)):
            numbers = list(islice(_free(site.main_number, config.asterisk.country, taken), wanted))
            if len(numbers) < wanted:
                raise TooFewNumbers(f"only {len(numbers)} numbers like {site.main_number} can be invented")
            found[pool] = numbers
    return found


def _free(main_number: str, country: str, taken: set[str]) -> Iterator[str]:
    example = phonenumbers.example_number(country)
    bases = [main_number]
    if example is not None:
        bases.append(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
    for number in chain.from_iterable(map(_varied, bases)):
        if number not in taken and _is_valid(number):
            taken.add(number)
            yield number


def _varied(number: str) -> Iterator[str]:
    """`number` with its last three digits varied, then its last four, and so on."""
    for digits in range(FEWEST_VARIED, MOST_VARIED + 1):
        for place in range(10**digits):
            yield f"{number[:-digits]}{place:0{digits}}"


def _is_valid(number: str) -> bool:
    try:
        return e164(number, None) == number
    except BadNumber:
        return False
