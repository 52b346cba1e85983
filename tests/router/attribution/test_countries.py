"""What the caller's country says, and how it is learnt."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.attribution.countries import (
    RAREST,
    UNKNOWN_COUNTRIES,
    Countries,
    Origin,
    country_of,
    learnt_countries,
    origin,
)

SITE = Countries(0.9, {"GB": 0.7, "FR": 0.2, "IE": 0.1})


def test_a_shared_country_speaks_for_a_visitor_the_more_the_rarer_it_is():
    assert SITE.factor("GB", "GB") == pytest.approx(0.1 + 0.9 / 0.7)
    assert SITE.factor("IE", "IE") == pytest.approx(0.1 + 0.9 / 0.1)
    assert SITE.factor("FR", "GB") == pytest.approx(0.1)
    # One that nobody called from yet is rare, and not impossible.
    assert SITE.factor("NZ", "NZ") == pytest.approx(0.1 + 0.9 / RAREST)


@pytest.mark.parametrize(("caller", "visitor"), [(None, "GB"), ("GB", ""), ("", "GB"), (None, "")])
def test_what_is_not_known_says_nothing(caller: str | None, visitor: str):
    assert SITE.factor(caller, visitor) == 1
    assert UNKNOWN_COUNTRIES.factor("GB", "FR") == 1


@given(st.floats(0, 1), st.dictionaries(st.sampled_from(["GB", "FR", "IE"]), st.floats(0.05, 1), min_size=3))
def test_on_average_over_the_sites_callers_a_country_says_nothing(at_home: float, parts: dict[str, float]):
    """Bayes' rule: the evidence's expectation under "nobody" is one."""
    whole = sum(parts.values())
    site = Countries(at_home, {country: part / whole for country, part in parts.items()})
    for visitor in site.mix:
        mean = sum(share * site.factor(caller, visitor) for caller, share in site.mix.items())
        assert mean == pytest.approx(1)


def test_what_a_call_tells_is_what_all_else_says():
    assert origin("FR", ["FR", "GB", "", "FR"], [1.0, 2.0, 3.0, 1.0], 1.0) == Origin("FR", 0.25, 0.25)
    assert origin(None, ["FR"], [1.0], 1.0) is None
    assert origin("FR", ["", ""], [1.0, 1.0], 1.0) is None
    assert origin("FR", ["FR"], [0.0], 0.0) == Origin("FR", 0.0, 0.0)


def calls(at_home: float, count: int = 400) -> list[Origin]:
    """Calls by visitors, half from each of two countries; two other visitors are as likely by all else."""
    chance = random.Random(1)
    made = []
    for _ in range(count):
        visitor, other = chance.choice("GF"), chance.choice("GF")
        caller = visitor if chance.random() < at_home else chance.choice("GF")
        same = ((visitor == caller) + (other == caller)) / 2
        made.append(Origin(caller, 0.9 * same, 0.9 * (1 - same)))
    return made


@pytest.mark.parametrize("at_home", [0.95, 0.7, 0.4])
def test_how_many_call_with_a_phone_of_their_country_is_learnt(at_home: float):
    found = learnt_countries(UNKNOWN_COUNTRIES, calls(at_home), {"G": 300, "F": 300, "": 50})
    assert found.at_home == pytest.approx(at_home, abs=0.12)
    assert found.mix == pytest.approx({"F": 0.5, "G": 0.5}, abs=0.06)


def test_without_calls_the_visitors_are_the_mix_and_without_visitors_nothing_is_known():
    assert learnt_countries(UNKNOWN_COUNTRIES, [], {"GB": 3, "FR": 1}) == Countries(
        0.9, {"GB": 0.75, "FR": 0.25}
    )
    assert learnt_countries(UNKNOWN_COUNTRIES, [Origin("GB", 0.5, 0.0)], {"": 10}) == UNKNOWN_COUNTRIES
    assert learnt_countries(UNKNOWN_COUNTRIES, [], {}) == UNKNOWN_COUNTRIES


@pytest.mark.parametrize(
    ("region", "country"),
    [
        ("GB-LND", "GB"),
        ("RU", "RU"),
        ("", ""),
        ("G", ""),
        ("gb-lnd", ""),
        ("England", ""),
        ("ÄÖ-X", ""),
        ("-GB", ""),
    ],
)
def test_the_country_of_a_region(region: str, country: str):
    assert country_of(region) == country
