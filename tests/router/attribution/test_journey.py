"""Which visit is credited with a call."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.attribution.journey import MODELS, Model, VisitSource, credits

GOOGLE = VisitSource("g", 1, "Paid Search", "google", "cpc")
EMAIL = VisitSource("e", 2, "Email", "news", "email")
DIRECT = VisitSource("d", 3, "Direct", "(direct)", "(none)")
UNTAGGED = VisitSource("u", 4, "Direct", "(direct)", "(not set)")


@pytest.mark.parametrize(
    ("visits", "model", "expected"),
    [
        ([GOOGLE, EMAIL, DIRECT], "first", [(0, 1.0)]),
        ([GOOGLE, EMAIL, DIRECT], "last", [(2, 1.0)]),
        ([GOOGLE, EMAIL, DIRECT], "last_non_direct", [(1, 1.0)]),
        ([GOOGLE, DIRECT, EMAIL, DIRECT, UNTAGGED], "last_non_direct", [(2, 1.0)]),
        ([DIRECT, UNTAGGED], "last_non_direct", [(1, 1.0)]),
        ([GOOGLE, DIRECT], "linear", [(0, 0.5), (1, 0.5)]),
        ([DIRECT], "linear", [(0, 1.0)]),
        ([], "linear", []),
        ([], "first", []),
    ],
)
def test_each_model(visits: list[VisitSource], model: Model, expected: list[tuple[int, float]]) -> None:
    assert credits(visits, model) == expected


@given(st.lists(st.sampled_from([GOOGLE, EMAIL, DIRECT, UNTAGGED]), min_size=1, max_size=60))
def test_a_call_is_credited_once_whatever_the_model(visits: list[VisitSource]) -> None:
    for model in MODELS:
        shares = credits(visits, model)
        assert math.isclose(math.fsum(share for _, share in shares), 1.0)
        assert [index for index, _ in shares] == sorted({index for index, _ in shares})
        assert all(0 <= index < len(visits) and share > 0 for index, share in shares)


def test_an_unknown_model_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        credits([GOOGLE], "time_decay")  # type: ignore[arg-type]
