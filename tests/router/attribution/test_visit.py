"""Attribution of a visit: precedence, tables, and hostile input."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.attribution.sources import CLICK_IDS, Known
from router.attribution.visit import (
    DIRECT,
    NO_MEDIUM,
    NOT_SET,
    TEXT_CAP,
    URL_CAP,
    Attribution,
    attribution_of,
    cleaned,
)

PAGE = "https://shop.example/boilers"


@pytest.mark.parametrize(
    ("query", "referrer", "source", "medium"),
    [
        # UTM tags win over everything
        ("utm_source=news&utm_medium=email&gclid=a", "https://www.bing.com/", "news", "email"),
        ("UTM_Source=News&UTM_MEDIUM=Email", "", "News", "Email"),
        # what the tags leave out is filled from the click id, then from the referrer
        ("utm_source=google&gclid=a", "", "google", "cpc"),
        ("utm_campaign=spring&gclid=a", "", "google", "cpc"),
        ("utm_campaign=spring", "https://www.bing.com/", "bing", NOT_SET),
        ("utm_medium=print", "", NOT_SET, "print"),
        # click ids
        ("gclid=a", "https://www.google.com/", "google", "cpc"),
        ("gbraid=a", "", "google", "cpc"),
        ("wbraid=a", "", "google", "cpc"),
        ("yclid=1", "https://yandex.ru/", "yandex", "cpc"),
        ("ymclid=1", "", "yandex", "cpc"),
        ("msclkid=1", "https://www.bing.com/", "bing", "cpc"),
        ("fbclid=1", "https://l.facebook.com/", "facebook", "social"),
        ("fbclid=1&gclid=2", "", "google", "cpc"),
        ("gclid=", "", DIRECT, NO_MEDIUM),
        # nothing at all
        ("", "", DIRECT, NO_MEDIUM),
        ("colour=red&size", "", DIRECT, NO_MEDIUM),
    ],
)
def test_precedence(query: str, referrer: str, source: str, medium: str) -> None:
    found = attribution_of(f"{PAGE}?{query}", referrer)
    assert (found.source, found.medium) == (source, medium)


@pytest.mark.parametrize(
    ("referrer", "source", "medium", "term"),
    [
        ("https://www.google.com/", "google", "organic", ""),
        ("https://www.google.co.uk/search?q=boiler+repair", "google", "organic", "boiler repair"),
        ("https://google.com.au/", "google", "organic", ""),
        ("https://yandex.ru/search/?text=%D0%BA%D0%BE%D1%82%D1%91%D0%BB", "yandex", "organic", "котёл"),
        ("https://ya.ru/", "yandex", "organic", ""),
        ("https://www.bing.com/search?q=a", "bing", "organic", "a"),
        ("https://duckduckgo.com/?q=a%20b", "duckduckgo", "organic", "a b"),
        ("https://uk.search.yahoo.com/search?p=tap", "yahoo", "organic", "tap"),
        ("https://www.baidu.com/s?wd=%E6%B0%B4", "baidu", "organic", "水"),
        ("android-app://com.google.android.googlequicksearchbox/", "google", "organic", ""),
        # services of an engine's domain are not searches, nor are hosts that only look like one
        ("https://mail.google.com/mail/u/0", "mail.google.com", "referral", ""),
        ("https://gemini.google.com/app", "gemini", "referral", ""),
        ("https://google.evil.example/search?q=a", "google.evil.example", "referral", ""),
        ("https://notgoogle.com/", "notgoogle.com", "referral", ""),
        ("https://l.facebook.com/l.php?u=x", "facebook", "social", ""),
        ("https://t.co/abc", "twitter", "social", ""),
        ("https://m.vk.com/away", "vk", "social", ""),
        ("https://www.plumbers.example/list?q=x", "plumbers.example", "referral", ""),
        ("https://chatgpt.com/", "chatgpt", "referral", ""),
    ],
)
def test_referrers(referrer: str, source: str, medium: str, term: str) -> None:
    found = attribution_of(PAGE, referrer)
    assert (found.source, found.medium, found.term) == (source, medium, term)


@pytest.mark.parametrize(
    "referrer",
    [
        "https://shop.example/other",
        "https://SHOP.example:8443/",
        "https://www.shop.example/",
        "about:client",
        "not a url",
        "javascript:alert(1)",
        "http://[::1",
        "https:///path",
        "//",
    ],
)
def test_own_pages_and_nonsense_are_direct(referrer: str) -> None:
    found = attribution_of(PAGE, referrer, own_hosts={"www.shop.example"})
    assert (found.source, found.medium) == (DIRECT, NO_MEDIUM)


def test_all_tags_and_click_ids_are_kept() -> None:
    found = attribution_of(
        f"{PAGE}?utm_source=s&utm_medium=m&utm_campaign=c&utm_term=t+u&utm_content=d&gclid=1&fbclid=2", ""
    )
    assert found[:5] == ("s", "m", "c", "t u", "d")
    assert found.click_ids == {"gclid": "1", "fbclid": "2"}


def test_tags_behind_the_hash_of_a_single_page_application() -> None:
    assert attribution_of("https://shop.example/#/repair?utm_source=s&utm_medium=m", "").source == "s"
    assert attribution_of("https://shop.example/#utm_source=s", "").source == "s"


def test_a_repeated_tag_counts_once_the_first_that_is_not_empty() -> None:
    assert attribution_of(f"{PAGE}?utm_source=&utm_source=a&utm_source=b", "").source == "a"


def test_hostile_tags_are_capped_and_kept_as_sent() -> None:
    script = "<script>alert('x')</script>"
    found = attribution_of(f"{PAGE}?utm_source={script}&utm_campaign=%00a%0d%0ab&utm_term=%ff%fe", script)
    assert found.source == script
    assert found.campaign == "ab"
    assert found.term == "\ufffd\ufffd"
    assert found.referrer == script


def test_a_hundred_kilobytes_are_cut() -> None:
    found = attribution_of(f"{PAGE}?utm_source={'a' * 100_000}", "https://b.example/" + "c" * 100_000)
    assert len(found.source) == TEXT_CAP
    assert len(found.landing_page) == URL_CAP
    assert len(found.referrer) == URL_CAP
    many = attribution_of(f"{PAGE}?{'a=1&' * 5_000}utm_source=late", "")
    assert many.source == DIRECT


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_gives_storable_text(url: str, referrer: str) -> None:
    found = attribution_of(url, referrer)
    for value in (*found[:7], *found.click_ids.values()):
        value.encode()
        assert value == cleaned(value, URL_CAP)


@given(st.text(min_size=1, max_size=80).filter(lambda value: cleaned(value) == value))
def test_any_text_in_a_tag_is_kept_as_it_is(value: str) -> None:
    found = attribution_of(f"{PAGE}?utm_source={quote(value)}&utm_medium=m", "")
    assert found.source == value


def test_a_sites_own_click_ids() -> None:
    click_ids = {"rid": Known("partner", "affiliate"), "kept": Known("", ""), **CLICK_IDS}

    def found(query: str) -> Attribution:
        return attribution_of(f"https://shop.example/?{query}", "", (), click_ids)

    assert found("rid=1")[:2] == ("partner", "affiliate")
    assert found("rid=1&gclid=2")[:2] == ("partner", "affiliate")
    assert found("RID=%41")[7] == {"rid": "A"}
    only_kept = found("kept=1")
    assert (only_kept.source, only_kept.click_ids, only_kept.tagged) == ("(direct)", {"kept": "1"}, True)
    assert found("kept=1&gclid=2")[:2] == ("google", "cpc")
    assert found("unknown=1").click_ids == {}
    assert len(found("rid=" + "9" * 100_000).click_ids["rid"]) == 500
