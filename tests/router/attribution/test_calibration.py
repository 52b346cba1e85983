"""Confidence against the truth, in traffic that knows it, through the real pool and attribution.

tests/bench/calibration.py does the same at length; the margins here leave room for so few calls.
"""

import math

import pytest

from tests.bench._calibration_traffic import Regime, gamma, weibull
from tests.bench.calibration import by_chance, outcome, score

ROOMY = Regime("roomy", numbers=120, visits=900, hours=12.0, calls_per_visit=0.3, returns=0.1)
TIGHT = Regime(
    "tight",
    numbers=14,
    visits=900,
    hours=12.0,
    freeze_minutes=5.0,
    calls_per_visit=0.3,
    stays=gamma(150.0, 0.9),
    soon=weibull(120.0, 1.1),
)


@pytest.mark.parametrize("regime", [ROOMY, TIGHT], ids=lambda regime: regime.name)
def test_what_is_claimed_is_what_is_right_and_fewer_are_wrong_than_by_the_holder(regime: Regime) -> None:
    found = score(regime.name, outcome(regime, 5))
    assert found.calls > 150
    assert found.error < 0.09
    assert found.accuracy > 0.8
    assert found.rule_wrong > 5
    assert found.ours_wrong < found.rule_wrong


def test_what_chance_alone_makes_of_honest_claims() -> None:
    """The mean absolute error of a share, sqrt(2·p·(1 - p) / (pi·n)), in the only bin there is."""
    for calls in (50, 800):
        assert by_chance([0.75] * calls) == pytest.approx(math.sqrt(2 * 0.1875 / math.pi / calls), rel=0.15)
    assert by_chance([1.0] * 20) == 0
    assert by_chance([]) == 0
