"""What one call adds to reports."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from router.attribution.journey import MODELS, VisitSource, credits
from router.reports.credits import MODEL_BITS, SUMS, WHOLE, credits_of, page_of, shares, sums_of, told_by
from tests.router.cdr.stored import row

SOURCES = st.sampled_from(["google", "(direct)", "bing"])


@st.composite
def journeys(draw: st.DrawFn) -> list[VisitSource]:
    sources = draw(st.lists(SOURCES, min_size=1, max_size=9))
    return [
        VisitSource(f"v{place}", place, f"ch-{source}", source, "(none)" if source == "(direct)" else "cpc")
        for place, source in enumerate(sources)
    ]


@given(journeys(), st.integers(0, 500_000), st.floats(0, 1))
def test_every_model_gives_a_call_away_whole_and_to_whom_the_rule_says(visits, talk_ms, confidence):
    call = row(
        1, match="live", visit_id="v", visitor_id="w", talk_seconds=talk_ms / 1000, confidence=confidence
    )
    found = credits_of(call, visits)
    whole = sums_of(credits_of(call, visits[:1])[0])
    assert whole[SUMS.index("calls")] == WHOLE
    assert whole[SUMS.index("talk")] == talk_ms
    for model in MODELS:
        given_to: defaultdict[str, float] = defaultdict(float)
        sums = [0] * len(SUMS)
        for credit in found:
            if credit.models & MODEL_BITS[model]:
                given_to[credit.source] += credit.calls / WHOLE
                sums = [a + b for a, b in zip(sums, sums_of(credit), strict=True)]
        assert tuple(sums) == whole
        expected: defaultdict[str, float] = defaultdict(float)
        for index, share in credits(visits, model):
            expected[visits[index].source] += share
        assert given_to.keys() == expected.keys()
        assert all(abs(given_to[source] - expected[source]) < 1e-5 for source in expected)


@given(journeys())
def test_visits_that_tell_the_same_share_one_credit(visits):
    found = shares(visits)
    assert len({(share.told, share.models) for share in found}) == len(found)
    if len({told_by(visit) for visit in visits}) == 1:
        assert len(found) == 1


def test_a_call_that_nobody_is_known_to_have_made_is_unknown_and_not_direct():
    (credit,) = credits_of(row(1, match="none", channel=None), [])
    assert (credit.known, credit.channel) == (0, "")
    (direct,) = credits_of(row(1, match="live", visit_id="v", channel="Direct", source="(direct)"), [])
    assert (direct.known, direct.channel, direct.source) == (1, "Direct", "(direct)")


def test_pages_are_told_apart_by_host_and_path_alone():
    assert (
        page_of("https://shop.example/boilers/?gclid=Cj0&x=https://a.example/#top") == "shop.example/boilers"
    )
    assert page_of("https://shop.example/") == page_of("https://shop.example?utm_source=x") == "shop.example"
    assert page_of("") == ""
    assert len(page_of("https://shop.example/" + "a" * 5000)) == 200
