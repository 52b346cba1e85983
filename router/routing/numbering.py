"""Dialed digits to E.164, in whatever form the trunk sends them."""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata


class NotANumber(ValueError):
    """The dialed digits are not a phone number of any form known in the country."""


@dataclass(frozen=True)
class Numbering:
    """A country's numbering as the dialplan's own fallback needs it: plain digits, no metadata.

    `trunk_prefix` is what is dialed before a national number ("0" in GB, "8" in RU, "" where there is none);
    `international_prefix` what is dialed before a country code ("00", "810", "011").
    """

    country_code: str
    trunk_prefix: str
    international_prefix: str
    national_digits_min: int
    national_digits_max: int


@lru_cache(maxsize=65_536)
def to_e164(dialed: str, country: str) -> str:
    """The E.164 number ("+442079460000") of `dialed`: international with or without "+", or national.

    A possible number is enough: ranges reserved for fiction count. Raises NotANumber where there is none.
    """
    try:
        parsed = phonenumbers.parse(dialed, country)
    except phonenumbers.NumberParseException as error:
        raise NotANumber(f"{dialed!r} is not a phone number in {country}: {error}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise NotANumber(f"{dialed!r} has the wrong length for a phone number in {country}")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def numbering_of(country: str) -> Numbering:
    """The numbering of a two-letter country code, from the phonenumbers library's metadata."""
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.general_desc is None:
        raise NotANumber(f"{country!r} is not a country with a numbering plan")
    lengths = metadata.general_desc.possible_length
    prefix = (metadata.preferred_international_prefix or metadata.international_prefix or "").replace("~", "")
    return Numbering(
        country_code=str(metadata.country_code),
        trunk_prefix=metadata.national_prefix or "",
        international_prefix=prefix if prefix.isdigit() else "00",
        national_digits_min=min(lengths),
        national_digits_max=max(lengths),
    )
