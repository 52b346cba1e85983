"""Channel rules, display rules and the default grouping."""

import pytest

from router.attribution.channels import Facts, SiteRules, default_channel
from router.attribution.visit import Attribution, attribution_of
from router.config.site import Site

SITE = Site.model_validate(
    {
        "key": "plumber",
        "name": "Plumber",
        "main_number": "+442079460000",
        "origins": ["https://plumber.example"],
        "channel": [
            {"name": "Google Ads", "source": ["google"], "medium": ["cpc", "ppc*"]},
            {"name": "Spring flyer", "campaign": ["*spring*"], "landing_page": ["*/flyer*"]},
            {"name": "Phone users", "device": ["mobile"], "region": ["GB-LND*"]},
        ],
        "rule": [
            {"channel": ["Spring flyer"], "show": "static"},
            {"medium": ["email"], "show": "main"},
            {"channel": ["Google Ads"], "show": "dynamic", "pool": "ads"},
        ],
    }
)
RULES = SiteRules(SITE)


def visit(query: str = "", path: str = "", referrer: str = "") -> Attribution:
    return attribution_of(f"https://plumber.example/{path}?{query}", referrer)


@pytest.mark.parametrize(
    ("facts", "channel"),
    [
        (Facts(visit("gclid=1")), "Google Ads"),
        (Facts(visit("utm_source=GOOGLE&utm_medium=PPC-brand")), "Google Ads"),
        (Facts(visit("utm_campaign=Big%20Spring%20sale", "flyer")), "Spring flyer"),
        (Facts(visit("utm_campaign=Big%20Spring%20sale")), "Other"),
        (Facts(visit(), "mobile", "GB-LND"), "Phone users"),
        (Facts(visit(), "mobile"), "Direct"),
        (Facts(visit(), "desktop", "GB-LND"), "Direct"),
    ],
)
def test_the_first_matching_rule_names_the_channel(facts: Facts, channel: str) -> None:
    assert RULES.channel(facts) == channel


def test_display_rules_are_ordered_and_look_at_the_channel() -> None:
    flyer = RULES.rule("Spring flyer", Facts(visit("utm_medium=email")))
    assert flyer is not None
    assert flyer.show == "static"
    email = RULES.rule("Email", Facts(visit("utm_medium=email")))
    assert email is not None
    assert email.show == "main"
    ads = RULES.rule("Google Ads", Facts(visit("gclid=1")))
    assert ads is not None
    assert ads.pool == "ads"
    assert RULES.rule("Direct", Facts(visit())) is None


@pytest.mark.parametrize(
    ("source", "medium", "channel"),
    [
        ("(direct)", "(none)", "Direct"),
        ("google", "cpc", "Paid Search"),
        ("Yandex", "CPC", "Paid Search"),
        ("facebook", "cpc", "Paid Social"),
        ("facebook", "paid_social", "Paid Social"),
        ("facebook", "social", "Organic Social"),
        ("partner", "cpc", "Paid Other"),
        ("google", "organic", "Organic Search"),
        ("news", "email", "Email"),
        ("directory.example", "referral", "Referral"),
        ("chatgpt", "referral", "AI Assistants"),
        ("site", "banner", "Display"),
        ("", "qr", "Offline"),
        ("x", "(not set)", "Other"),
    ],
)
def test_default_grouping(source: str, medium: str, channel: str) -> None:
    assert default_channel(source, medium) == channel


def test_a_pattern_is_literal_apart_from_its_stars() -> None:
    literal = SITE.channel[0].model_copy(update={"source": ["a.b(c"], "medium": []})
    rules = SiteRules(SITE.model_copy(update={"channel": [literal]}))
    assert rules.channel(Facts(visit("utm_source=a.b(c"))) == "Google Ads"
    assert rules.channel(Facts(visit("utm_source=axb(c"))) == "Other"
