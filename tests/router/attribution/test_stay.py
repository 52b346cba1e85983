"""When another visit begins on the number that a visitor still holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.attribution.call import Candidate, Verdict
from router.attribution.stay import MOST_VISITS, at_call, begins_visit, brought
from router.attribution.visit import attribution_of

HOME = "https://shop.example/"
ADVERT = f"{HOME}?utm_source=google&utm_medium=cpc&utm_campaign=boilers"


def begins(url: str, *before: str, referrer: str = "") -> bool:
    return begins_visit(
        attribution_of(url, referrer, {"shop.example", "www.shop.example"}),
        [brought(attribution_of(earlier, "")) for earlier in before],
    )


@pytest.mark.parametrize(
    ("url", "before"),
    [
        (f"{HOME}?gclid=2", [HOME]),
        (f"{HOME}?gclid=2", [f"{HOME}?gclid=1"]),
        (f"{HOME}?yclid=1", [f"{HOME}?gclid=1"]),
        (ADVERT, [HOME]),
        (ADVERT, [ADVERT.replace("boilers", "taps")]),
        (ADVERT, [f"{ADVERT}&utm_term=boiler"]),
        (f"{ADVERT}&gclid=2", [f"{ADVERT}&gclid=1"]),
        (ADVERT, [ADVERT, f"{HOME}?gclid=1"]),  # tags are compared with the latest visit
    ],
)
def test_another_advertisement_begins_a_visit(url: str, before: list[str]) -> None:
    assert begins(url, *before)


@pytest.mark.parametrize(
    ("url", "before"),
    [
        (HOME, [ADVERT]),
        (f"{HOME}prices", [f"{HOME}?gclid=1"]),
        (ADVERT, [ADVERT]),
        (f"{HOME}other?utm_campaign=boilers&utm_medium=cpc&utm_source=google", [ADVERT]),
        (f"{HOME}?gclid=1", [f"{HOME}?gclid=1", f"{HOME}?gclid=2"]),  # a tab that was open before
        (f"{HOME}?gclid=1&utm_source=x", [f"{HOME}?gclid=1"]),
        (ADVERT, []),  # nothing is known of the lease's visit: it was erased
    ],
)
def test_the_same_one_a_reload_or_the_next_page_does_not(url: str, before: list[str]) -> None:
    assert not begins(url, *before)


@pytest.mark.parametrize("referrer", [HOME, "https://www.shop.example/prices"])
def test_tags_in_a_link_of_the_sites_own_do_not(referrer: str) -> None:
    assert not begins(ADVERT, HOME, referrer=referrer)


def test_what_only_a_referrer_tells_does_not() -> None:
    """A payment page, or the search engine that the visitor went back to."""
    for referrer in ("https://pay.example/", "https://www.google.com/"):
        assert not begins(HOME, ADVERT, referrer=referrer)


def test_one_lease_has_so_many_visits_and_no_more() -> None:
    before = [f"{HOME}?gclid={number}" for number in range(MOST_VISITS)]
    assert begins(f"{HOME}?gclid=x", *before[:-1])
    assert not begins(f"{HOME}?gclid=x", *before)


@given(
    st.lists(st.sampled_from([HOME, ADVERT, f"{HOME}?gclid=1", f"{HOME}?gclid=2"]), min_size=1, max_size=30)
)
def test_a_reload_never_begins_a_visit(urls: list[str]) -> None:
    visits = [brought(attribution_of(urls[0], ""))]
    for url in urls[1:]:
        found = attribution_of(url, "")
        if begins_visit(found, visits):
            visits.append(brought(found))
            assert not begins_visit(found, visits)


def test_a_verdict_names_the_visits_of_the_instant() -> None:
    holder = Candidate("first", "v1", "l1", "live", 1, 2, 0.7)
    known = Candidate("first", "v1", None, "returning", None, None, 0.2)
    other = Candidate("o", "v2", "l2", "late", 0, 1, 0.05)
    none = Candidate(None, None, None, "none", None, None, 0.05)
    verdict = Verdict("live", 0.7, holder, (holder, known, other, none), None)

    told = at_call(verdict, {"first": "second"})

    assert told.chosen is not None
    assert told.chosen.visit_id == "second"
    # Whom a caller was tied to before is told by that name.
    assert [one.visit_id for one in told.candidates] == ["second", "first", "o", None]
    assert [one.probability for one in told.candidates] == [0.7, 0.2, 0.05, 0.05]
    assert at_call(verdict, {}) is verdict
