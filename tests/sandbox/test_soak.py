"""A short `make soak`: router and Asterisk killed while calls come."""

import pytest
from instance import Instance
from soak import Soak

pytestmark = pytest.mark.sandbox


def test_killed_at_random_instants(sandbox: Instance) -> None:
    """`sandbox` says whether real calls can be placed here; the soak has a switch of its own."""
    figures = Soak(calls=60, kills=4, seed=20_261_122, rate=3.0).play()
    assert figures["calls"] == 60
    assert sum(figures["killed"].values()) == 4
    assert figures["spared_by_asterisk"] >= 15
