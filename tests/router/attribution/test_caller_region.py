"""Which country a caller's number belongs to."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.attribution.caller_region import region_of_caller


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+442079460123", "GB"),
        ("+441134960123", "GB"),
        ("+15550100123", None),  # one of many countries behind +1, and assigned to none
        ("+447700900123", None),  # reserved for drama: Great Britain, Jersey, Guernsey or Man
        ("+80012345678", None),  # freephone everywhere
        ("+99999999999", None),
        ("+4930", None),
        ("anonymous", None),
        ("442079460123", None),
        ("+44 20 7946 0123", None),
        ("+٤٤٢٠٧٩٤٦٠١٢٣", None),
        ("", None),
        (None, None),
    ],
)
def test_the_country_is_told_where_the_number_tells_it(number: str | None, region: str | None) -> None:
    assert region_of_caller(number) == region


@given(st.text() | st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_no_number_is_too_strange(number: str) -> None:
    region = region_of_caller(number)
    assert region is None or (len(region) == 2 and region.isupper())


CODES = st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)) | st.sampled_from(
    [1, 7, 39, 44, 61, 262]
)


@given(CODES, st.text("0123456789", min_size=3, max_size=12))
def test_it_is_the_region_that_the_library_finds(code, rest):
    number = f"+{code}{rest}"[:16]
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return
    found = phonenumbers.region_code_for_number(parsed)
    if found is not None and found.isalpha() and len(number) >= 8:
        assert region_of_caller(number) == found
