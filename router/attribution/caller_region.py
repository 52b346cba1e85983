"""What a caller's number tells of where they are: the country that it belongs to, and no more.

An area code says where a line was once ordered; a mobile number says not even that. Where numbers of a
calling code cannot be told apart (an unassigned number of +1 or +44), nothing is said.
"""

import re
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


@lru_cache(maxsize=8192)
def region_of_caller(number: str | None) -> str | None:
    """The country (ISO 3166-1, "GB") of a number in E.164; None where it tells none, or is no such number."""
    if number is None or not _E164.match(number):
        return None
    parsed = _parsed(number[1:])
    if isinstance(parsed, str):
        return parsed if _COUNTRY.match(parsed) else None
    if parsed is None:
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        sharing = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        region = sharing[0] if len(sharing) == 1 else None
    # "001" is no country: freephone and satellite numbers.
    return region if region is not None and _COUNTRY.match(region) else None


def _parsed(digits: str) -> str | PhoneNumber | None:
    """What `phonenumbers.parse` makes of an international number, at a tenth of its price: the region of a
    calling code that is one country's, else the number; None where only the library itself can tell.
    """
    for size in (1, 2, 3):
        code = int(digits[:size])
        regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
        if regions is None:
            continue
        if len(regions) == 1:
            return regions[0]
        national = digits[size:]
        metadata = PhoneMetadata.metadata_for_region(regions[0])
        prefix = metadata.national_prefix_for_parsing if metadata is not None else None
        # Zeros that count, and what may be a prefix that does not.
        if national.startswith("0") or prefix is None or re.match(prefix, national):
            return None
        return PhoneNumber(country_code=code, national_number=int(national))
    return None
