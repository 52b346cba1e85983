"""Who made a call: match kinds, confidence, and what must not matter."""

from dataclasses import dataclass, replace
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.attribution.call import LEAST_LISTED, MOST_CANDIDATES, Verdict, attribute
from router.attribution.call_model import DialDelay, Model, shares
from router.attribution.countries import Countries
from router.attribution.question import Guess, Question, Tie

NUMBER = "+442079460123"
NOW = 1_763_817_000_000
MINUTE = 60_000


@dataclass(frozen=True)
class Holding:
    visit_id: str = "visit-1"
    visitor_id: str = "visitor-1"
    lease_id: str = "lease-1"
    from_at: int = NOW - 2 * MINUTE
    until_at: int | None = NOW + 15 * MINUTE
    last_seen_at: int = NOW - 10_000
    left_at: int | None = None
    shown_at: int | None = NOW - 2 * MINUTE
    tel_click_at: int | None = None
    state: str = "live"
    country: str = ""


LIVE = Holding()
FROZEN = Holding("visit-2", "visitor-2", "lease-2", NOW - 20 * MINUTE, NOW + 9 * MINUTE, NOW - 6 * MINUTE,
                 NOW - 6 * MINUTE, NOW - 20 * MINUTE, None, "frozen")  # fmt: skip
OVER = Holding("visit-3", "visitor-3", "lease-3", NOW - 90 * MINUTE, NOW - 60 * MINUTE, NOW - 75 * MINUTE,
               NOW - 75 * MINUTE, NOW - 90 * MINUTE, None, "over")  # fmt: skip


def ask(*holdings: Holding, kind: str | None = "dynamic", number: str | None = NUMBER,
        extension: str | None = None, tie: Tie | None = None, below: float = 0.5,
        model: Model | None = None, country: str | None = None,
        talk: float | None = None) -> Verdict:  # fmt: skip
    question = Question(number, kind, extension, NOW, holdings, tie, country, talk)
    return attribute(question, model or Model(), below)


def test_a_live_holder_called():
    verdict = ask(LIVE)
    assert verdict.match == "live"
    assert verdict.chosen is not None
    assert verdict.chosen.visit_id == "visit-1"
    assert verdict.confidence == verdict.candidates[0].probability > 0.95
    assert verdict.unknown is None


def test_a_frozen_holder_called():
    verdict = ask(FROZEN, OVER)
    assert (verdict.match, verdict.chosen and verdict.chosen.visit_id) == ("frozen", "visit-2")
    assert [item.match for item in verdict.candidates] == ["frozen", "none", "late"]


def test_somebody_who_held_it_long_ago_is_listed_but_not_credited():
    verdict = ask(OVER)
    assert (verdict.match, verdict.chosen) == ("none", None)
    assert verdict.unknown is not None
    assert {item.match for item in verdict.candidates} == {"late", "none"}
    assert verdict.confidence == next(item.probability for item in verdict.candidates if item.match == "none")


def test_late_is_credited_where_strays_are_rarer():
    verdict = ask(OVER, model=Model(strays_per_day=0.0005))
    assert (verdict.match, verdict.chosen and verdict.chosen.visit_id) == ("late", "visit-3")


def test_a_tel_click_settles_it_between_two():
    clicked = Holding("visit-4", "visitor-4", "lease-4", state="over", tel_click_at=NOW - 5_000)
    verdict = ask(LIVE, clicked)
    assert verdict.chosen is not None
    assert verdict.chosen.visit_id == "visit-4"
    assert verdict.confidence > 0.99


def test_a_number_never_displayed_counts_less():
    hidden = Holding(shown_at=None)
    assert ask(hidden).confidence < ask(LIVE).confidence


def none_of(verdict: Verdict) -> float:
    return next(item.probability for item in verdict.candidates if item.match == "none")


def test_a_call_that_is_over_at_once_is_rather_a_wrong_number():
    short, unknown, long = (none_of(ask(LIVE, OVER, talk=talk)) for talk in (7.0, None, 240.0))
    assert short > 3 * unknown
    assert long < 0.6 * unknown
    # 19.9 s are short, 20 s are not.
    assert none_of(ask(LIVE, OVER, talk=19.9)) == short
    assert none_of(ask(LIVE, OVER, talk=20.0)) == long
    # Where visitors' calls are as short as others, it tells nothing.
    hasty = Model(short_visits=0.6)
    assert none_of(ask(LIVE, OVER, talk=7.0, model=hasty)) == none_of(ask(LIVE, OVER, model=hasty))


MANY = Model(countries=Countries(0.9, {"GB": 0.6, "FR": 0.3, "IE": 0.1}))


def test_the_caller_is_rather_the_visitor_of_the_same_country():
    french = Holding("visit-5", "visitor-5", "lease-5", state="over", country="FR")
    british = replace(LIVE, country="GB")

    def chosen(country: str | None) -> str | None:
        verdict = ask(british, french, country=country, model=MANY)
        return verdict.chosen and verdict.chosen.visit_id

    assert chosen("FR") == "visit-5"
    assert chosen("GB") == "visit-1"
    # A caller from elsewhere: nobody's call is likelier than before.
    assert none_of(ask(british, country="IE", model=MANY)) > 5 * none_of(ask(british, model=MANY))


def test_countries_that_are_not_known_say_nothing():
    french = Holding("visit-5", "visitor-5", "lease-5", country="FR")
    usual = ask(LIVE, french)
    assert ask(LIVE, french, country=None, model=MANY) == usual
    assert ask(LIVE, french, country="FR") == replace(usual, seen=ANY)
    hidden = replace(french, country="")
    assert ask(LIVE, hidden, country="FR", model=MANY) == ask(LIVE, hidden)


def test_a_call_tells_what_may_be_learnt_of_countries_by_all_else():
    told = ask(replace(LIVE, country="GB"), replace(FROZEN, country="FR"), country="FR", model=MANY).seen
    assert told is not None
    assert told.origin is not None
    # By the time alone: the model's countries are not counted in.
    assert (
        told.origin
        == ask(replace(LIVE, country="GB"), replace(FROZEN, country="FR"), country="FR").seen.origin
    )  # type: ignore[union-attr]
    assert told.origin.caller == "FR"
    assert 0 < told.origin.same < told.origin.other < 1


def test_a_known_caller_is_known_by_more_than_the_country():
    tie = tied("visit-0", "visitor-1", "+442079460999")
    french = replace(LIVE, country="FR")
    assert ask(french, tie=tie, country="GB", model=MANY) == ask(french, tie=tie)


def tied(visit: str, visitor: str, number: str = NUMBER, sure: float = 0.95) -> Tie:
    """A call of the day before, by the visit or by nobody known."""
    guesses = (Guess(visit, visitor, sure), Guess(None, None, 1 - sure))
    return Tie(NOW - 26 * 60 * MINUTE, number, guesses)


def test_a_returning_caller_on_a_number_that_somebody_else_holds_now():
    tie = tied("visit-0", "visitor-0")
    verdict = ask(LIVE, tie=tie)
    assert (verdict.match, verdict.chosen and verdict.chosen.visit_id) == ("returning", "visit-0")
    assert verdict.confidence > 0.9


def test_a_known_caller_who_dials_another_number_saw_it_now():
    tie = tied("visit-0", "visitor-0", "+442079460999")
    assert ask(LIVE, tie=tie).match == "live"


def test_a_known_caller_who_visits_again_is_that_visit():
    verdict = ask(LIVE, tie=tied("visit-0", "visitor-1"))
    assert (verdict.match, verdict.chosen and verdict.chosen.visit_id) == ("live", "visit-1")
    assert verdict.confidence > 0.99


def test_who_may_have_called_while_they_held_the_number_is_no_surer_when_the_caller_calls_again():
    """Ten minutes ago the holder may have called from here: calling again says nothing of who it is."""
    then = (Guess("visit-1", "visitor-1", 0.6), Guess(None, None, 0.4))
    held = Holding(from_at=NOW - 12 * MINUTE, shown_at=NOW - 12 * MINUTE)
    again = ask(held, tie=Tie(NOW - 10 * MINUTE, NUMBER, then))
    assert (again.match, again.confidence) == ("live", pytest.approx(0.6, abs=0.02))
    # Who got the number after that call saw it since.
    later = ask(LIVE, tie=Tie(NOW - 10 * MINUTE, NUMBER, then))
    assert later.confidence > 0.9


def test_a_stray_who_calls_again_is_a_stray_whoever_holds_the_number_now():
    stray = Tie(NOW - 26 * 60 * MINUTE, NUMBER, (Guess("visit-0", "visitor-0", 0.1), Guess(None, None, 0.9)))
    verdict = ask(LIVE, tie=stray)
    assert (verdict.match, verdict.chosen) == ("none", None)
    assert verdict.confidence == pytest.approx(0.9, abs=0.02)


def test_a_caller_who_was_not_sure_to_be_known_is_no_surer_the_second_time():
    assert ask(OVER, tie=tied("visit-0", "visitor-0", sure=0.6)).confidence == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("kind", ["static", "reserve"])
def test_static_and_reserve_numbers_settle_it(kind):
    verdict = ask(LIVE, kind=kind)
    assert (verdict.match, verdict.confidence, verdict.chosen, verdict.candidates) == (kind, 1.0, None, ())


def test_a_keyed_extension_settles_it():
    verdict = ask(LIVE, kind="extension", extension="4711")
    assert (verdict.match, verdict.chosen and verdict.chosen.visit_id) == ("extension", "visit-1")
    assert verdict.confidence == pytest.approx(0.99)


def test_an_extension_whose_hold_is_over():
    assert ask(OVER, kind="extension", extension="4711").match == "extension"


def test_no_digits_no_match():
    verdict = ask(LIVE, kind="extension")
    assert (verdict.match, verdict.unknown) == ("none", "no extension was keyed")


def test_nobody_held_it():
    verdict = ask()
    assert (verdict.match, verdict.confidence) == ("none", 1.0)
    assert [item.match for item in verdict.candidates] == ["none"]
    assert ask(Holding(state="not_yet", from_at=NOW + 1)).match == "none"
    assert ask(number=None, kind=None).match == "none"


def test_the_threshold():
    assert ask(LIVE, below=0.9999).match == "none"
    assert ask(LIVE, below=0.9999).candidates[0].match == "live"


def test_one_entry_per_visit_and_not_too_many():
    twice = ask(LIVE, Holding(lease_id="lease-9", state="over"))
    assert [item.visit_id for item in twice.candidates].count("visit-1") == 1
    many = ask(LIVE, *(Holding(f"visit-{n}", f"visitor-{n}", f"lease-{n}") for n in range(2, 90)), below=0.0)
    assert len(many.candidates) == MOST_CANDIDATES + 1
    assert min(item.probability for item in many.candidates) >= LEAST_LISTED
    assert sum(item.probability for item in many.candidates) == pytest.approx(1, abs=1e-9)


holdings = st.builds(
    Holding,
    visit_id=st.sampled_from(["v1", "v2", "v3"]),
    visitor_id=st.sampled_from(["w1", "w2"]),
    from_at=st.integers(NOW - 10**9, NOW),
    last_seen_at=st.integers(NOW - 10**9, NOW + 10**6),
    left_at=st.none() | st.integers(NOW - 10**9, NOW + 10**6),
    shown_at=st.none() | st.integers(NOW - 10**9, NOW + 10**6),
    tel_click_at=st.none() | st.integers(NOW - 10**9, NOW + 10**6),
    state=st.sampled_from(["live", "frozen", "over"]),
)
OTHERS = (("v2", "w2"), (None, None))
ties = st.none() | st.builds(
    lambda visit, visitor, at, number, sure: Tie(
        at, number, (Guess(visit, visitor, sure), *(Guess(*one, (1 - sure) / 2) for one in OTHERS))
    ),
    st.sampled_from(["v1", "v9"]), st.none() | st.just("w1"), st.integers(NOW - 10**9, NOW),
    st.sampled_from([NUMBER, None]), st.floats(0, 1),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(holdings, max_size=8), ties, st.sampled_from(["dynamic", "extension", None]), st.floats(0, 1))
def test_probabilities_add_up_and_the_chosen_is_the_best(held, tie, kind, below):
    verdict = ask(*held, kind=kind, extension="1", tie=tie, below=below)
    total = sum(item.probability for item in verdict.candidates)
    assert total == pytest.approx(1.0, abs=1e-4)
    assert 0 <= verdict.confidence <= 1
    assert [item.match for item in verdict.candidates].count("none") == 1
    if verdict.chosen is not None:
        assert verdict.chosen.probability == max(item.probability for item in verdict.candidates)
        assert verdict.match == verdict.chosen.match


@settings(deadline=None)
@given(st.lists(holdings, min_size=1, max_size=6), st.randoms())
def test_the_order_of_the_holdings_does_not_matter(held, random):
    shuffled = list(held)
    random.shuffle(shuffled)
    one, other = ask(*held), ask(*shuffled)
    assert one.match == other.match
    assert one.confidence == pytest.approx(other.confidence)


def test_the_delays_density_is_one():
    delay = DialDelay(120.0, 1.5)
    assert sum(delay.density(second) for second in range(1, 200_000)) == pytest.approx(1.0, abs=0.01)
    assert delay.density(-5) == delay.density(1.0)


def test_somebody_must_have_called():
    with pytest.raises(ValueError, match="somebody"):
        shares([0.0, 0.0])
