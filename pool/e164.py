"""Numbers in any written form to E.164, by phonenumbers, quickly."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_NON_GEOGRAPHIC = ("001",)
"""What phonenumbers calls the region of codes that belong to no country."""

_PLAIN = re.compile(r"\+[1-9][0-9]{5,14}")
_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


class BadNumber(ValueError):
    """Not a telephone number: the message says why."""


def e164(text: str, default_country: str | None) -> str:
    """The number as E.164 with +. National forms are read as of `default_country` (ISO 3166, as "GB").

    Raises BadNumber for what is no valid number of any country.
    """
    text = text.strip()
    if _PLAIN.fullmatch(text) and _is_plainly_valid(text):
        return text
    try:
        number = phonenumbers.parse(text, default_country)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            raise BadNumber(
                f"{text!r} has no known country code; start with + or set a default country"
            ) from None
        raise BadNumber(f"{text!r} is no telephone number") from None
    if number.extension is not None:
        raise BadNumber(f"{text!r} has an extension, which cannot be leased")
    if not phonenumbers.is_valid_number(number):
        raise BadNumber(f"{text!r} is not a valid number of country code +{number.country_code}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_plainly_valid(text: str) -> bool:
    """Whether `+digits` is certainly a valid number already in E.164. False means: ask phonenumbers.

    Ten times quicker than phonenumbers.parse and is_valid_number, by their own metadata; a test compares
    them.
    """
    for length in (1, 2, 3):
        code = int(text[1 : 1 + length])
        if code in COUNTRY_CODE_TO_REGION_CODE:
            valid, national_prefix = _patterns(code)
            national = text[1 + length :]
            if national_prefix is not None and national_prefix.match(national):
                return False
            return valid is not None and valid.fullmatch(national) is not None
    return False


@lru_cache(maxsize=300)
def _patterns(country_code: int) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What a valid national number of the country code looks like, and what its national prefix looks like.

    Of codes that several regions share, the main region alone: phonenumbers asks it first, so what matches it
    is valid whatever the others say, and the rest is left to phonenumbers.
    """
    regions = COUNTRY_CODE_TO_REGION_CODE[country_code]
    metadata = (
        PhoneMetadata.metadata_for_nongeo_region(country_code, None)
        if regions == _NON_GEOGRAPHIC
        else PhoneMetadata.metadata_for_region(regions[0], None)
    )
    general = metadata.general_desc if metadata is not None else None
    if metadata is None or general is None or metadata.leading_digits is not None:
        return None, None
    kinds = [
        description.national_number_pattern
        for kind in _KINDS
        if (description := getattr(metadata, kind)) is not None and description.national_number_pattern
    ]
    valid = re.compile(f"(?=(?:{general.national_number_pattern})$)(?:{'|'.join(kinds)})") if kinds else None
    prefix = metadata.national_prefix_for_parsing
    return valid, re.compile(prefix) if prefix else None
