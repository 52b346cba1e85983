"""A call's holder is looked up at the instant that the witness can vouch for."""

from router.cdr.facts import holder_asked_at


def test_a_precise_start_is_taken_as_it_is():
    assert holder_asked_at(1_795_356_268_313_704, coarse=False) == 1_795_356_268_313


def test_a_start_known_to_the_second_counts_as_its_last_moment():
    """A visitor who was shown the number in that second, before calling it, is still its holder."""
    assert holder_asked_at(1_795_356_268_000_000, coarse=True) == 1_795_356_268_999
