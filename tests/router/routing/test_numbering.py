"""Dialed digits are read in every form a trunk may send."""

import pytest

from router.routing.numbering import NotANumber, numbering_of, to_e164


@pytest.mark.parametrize(
    "dialed",
    ["+442079460000", "442079460000", "00442079460000", "02079460000", "2079460000", "020 7946 0000"],
)
def test_every_form_of_a_london_number(dialed: str) -> None:
    assert to_e164(dialed, "GB") == "+442079460000"


@pytest.mark.parametrize("dialed", ["12025550123", "+12025550123", "2025550123"])
def test_every_form_of_an_american_number(dialed: str) -> None:
    assert to_e164(dialed, "US") == "+12025550123"


@pytest.mark.parametrize("dialed", ["", "7", "+", "abc", "99999999999999999999", "+0000000000"])
def test_what_is_no_number_is_refused(dialed: str) -> None:
    with pytest.raises(NotANumber):
        to_e164(dialed, "GB")


def test_numbering_of_countries() -> None:
    gb, ru, us = numbering_of("GB"), numbering_of("RU"), numbering_of("US")
    assert (gb.country_code, gb.trunk_prefix, gb.international_prefix) == ("44", "0", "00")
    assert (ru.country_code, ru.trunk_prefix, ru.international_prefix) == ("7", "8", "810")
    assert (us.country_code, us.trunk_prefix, us.international_prefix) == ("1", "1", "011")
    assert us.national_digits_min == us.national_digits_max == 10
