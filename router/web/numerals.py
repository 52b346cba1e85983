"""Phone numbers as people write them: how the site shows one, and every way its pages may have written it."""

from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat

_VARYING = 4


def displayed(number: str, mask: str, main_number: str) -> str:
    """`number` (E.164) as the site shows it: each X of `mask` takes one of the last digits.

    Without a mask, or with more X than the number has digits: the national form of its country where that is
    the main number's country too, else the international form.
    """
    digits = number.removeprefix("+")
    places = mask.count("X")
    if not 0 < places <= len(digits):
        # How a number is grouped depends on its first digits alone: one mask serves the numbers of a block.
        mask, places = _block_mask(digits[:-_VARYING], main_number), _VARYING
    return mask.replace("X", "%s") % tuple(digits[-places:])


@lru_cache(maxsize=4096)
def _block_mask(block: str, main_number: str) -> str:
    parsed = phonenumbers.parse(f"+{block}{'0' * _VARYING}")
    at_home = parsed.country_code == phonenumbers.parse(main_number).country_code
    written = phonenumbers.format_number(
        parsed, PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    )
    places = [place for place, sign in enumerate(written) if sign.isdigit()][-_VARYING:]
    return "".join("X" if place in places else sign for place, sign in enumerate(written))


def written_digits(number: str) -> list[str]:
    """The digit strings that pages write for `number` (E.164), longest first: the widget looks for these.

    International with "+" or the country's own prefix ("00", "011"), national with and without the trunk
    prefix, and both at once, as in "+44 (0)20 7946 0000".
    """
    parsed = phonenumbers.parse(number)
    country_code = parsed.country_code or 0
    country = str(country_code)
    national = phonenumbers.national_significant_number(parsed)
    trunk, prefixes = "", {"00"}
    metadata = PhoneMetadata.metadata_for_region(phonenumbers.region_code_for_country_code(country_code))
    if metadata is not None:
        trunk = metadata.national_prefix or ""
        own = (metadata.preferred_international_prefix or metadata.international_prefix or "").replace(
            "~", ""
        )
        prefixes |= {own} if own.isdigit() else set()
    forms = {country + national, trunk + national, national, country + trunk + national}
    forms |= {prefix + country + national for prefix in prefixes}
    return sorted(forms, key=lambda form: (-len(form), form))
