"""What the web's traffic sources look like: click ids, search engines, social networks. Data only.

`router.attribution.visit` reads these tables; nothing else should have to know them.
"""

from typing import Final, NamedTuple


class Known(NamedTuple):
    """A known source: its name in reports and the medium a visit from it has."""

    source: str
    medium: str


class SearchEngine(NamedTuple):
    """A search engine: its name in reports and the query parameters that tell what was searched."""

    source: str
    terms: tuple[str, ...]


# Click ids by the order in which they win when a URL carries several. Facebook adds fbclid to every outgoing
# link, paid or not, so alone it cannot say "paid": a paid link also carries utm_medium.
CLICK_IDS: Final[dict[str, Known]] = {
    "gclid": Known("google", "cpc"),
    "gbraid": Known("google", "cpc"),
    "wbraid": Known("google", "cpc"),
    "dclid": Known("google", "display"),
    "yclid": Known("yandex", "cpc"),
    "ymclid": Known("yandex", "cpc"),
    "msclkid": Known("bing", "cpc"),
    "ttclid": Known("tiktok", "cpc"),
    "twclid": Known("twitter", "cpc"),
    "li_fat_id": Known("linkedin", "cpc"),
    "rb_clickid": Known("vk", "cpc"),
    "fbclid": Known("facebook", "social"),
}

# Engines under many country domains: the label before the public suffix, and the subdomains that search
# (mail.google.com and docs.google.com refer visitors too, but nobody searched there).
SEARCH_BRANDS: Final[dict[str, tuple[SearchEngine, frozenset[str]]]] = {
    "google": (
        SearchEngine("google", ("q",)),
        frozenset({"", "www", "m", "images", "news", "cse", "encrypted"}),
    ),
    "yandex": (SearchEngine("yandex", ("text",)), frozenset({"", "www", "m", "search", "images", "uslugi"})),
    "yahoo": (SearchEngine("yahoo", ("p",)), frozenset({"", "www", "search", "m", "r.search"})),
}

# Engines under one domain (and its subdomains).
SEARCH_HOSTS: Final[dict[str, SearchEngine]] = {
    "bing.com": SearchEngine("bing", ("q",)),
    "duckduckgo.com": SearchEngine("duckduckgo", ("q",)),
    "ya.ru": SearchEngine("yandex", ("text",)),
    "go.mail.ru": SearchEngine("mail.ru", ("q",)),
    "nova.rambler.ru": SearchEngine("rambler", ("query",)),
    "search.yahoo.com": SearchEngine("yahoo", ("p",)),
    "search.yahoo.co.jp": SearchEngine("yahoo", ("p",)),
    "baidu.com": SearchEngine("baidu", ("wd", "word")),
    "so.com": SearchEngine("360", ("q",)),
    "sogou.com": SearchEngine("sogou", ("query",)),
    "search.naver.com": SearchEngine("naver", ("query",)),
    "search.daum.net": SearchEngine("daum", ("q",)),
    "seznam.cz": SearchEngine("seznam", ("q",)),
    "ecosia.org": SearchEngine("ecosia", ("q",)),
    "qwant.com": SearchEngine("qwant", ("q",)),
    "search.brave.com": SearchEngine("brave", ("q",)),
    "startpage.com": SearchEngine("startpage", ("query",)),
    "kagi.com": SearchEngine("kagi", ("q",)),
    "search.aol.com": SearchEngine("aol", ("q",)),
    "ask.com": SearchEngine("ask", ("q",)),
    # Android's search app refers visitors as android-app://<package>/
    "com.google.android.googlequicksearchbox": SearchEngine("google", ()),
}

# Social networks and messengers, by domain (and its subdomains).
SOCIAL_HOSTS: Final[dict[str, str]] = {
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "fb.me": "facebook",
    "messenger.com": "facebook",
    "com.facebook.katana": "facebook",
    "instagram.com": "instagram",
    "com.instagram.android": "instagram",
    "threads.net": "threads",
    "threads.com": "threads",
    "twitter.com": "twitter",
    "x.com": "twitter",
    "t.co": "twitter",
    "linkedin.com": "linkedin",
    "lnkd.in": "linkedin",
    "com.linkedin.android": "linkedin",
    "vk.com": "vk",
    "vk.ru": "vk",
    "m.vk.com": "vk",
    "ok.ru": "ok",
    "t.me": "telegram",
    "web.telegram.org": "telegram",
    "org.telegram.messenger": "telegram",
    "wa.me": "whatsapp",
    "whatsapp.com": "whatsapp",
    "youtube.com": "youtube",
    "youtu.be": "youtube",
    "tiktok.com": "tiktok",
    "pinterest.com": "pinterest",
    "reddit.com": "reddit",
    "out.reddit.com": "reddit",
    "tumblr.com": "tumblr",
    "snapchat.com": "snapchat",
    "quora.com": "quora",
    "medium.com": "medium",
    "dzen.ru": "dzen",
    "bsky.app": "bluesky",
    "mastodon.social": "mastodon",
    "nextdoor.com": "nextdoor",
    "nextdoor.co.uk": "nextdoor",
    "xing.com": "xing",
    "weibo.com": "weibo",
}

# Assistants that answer with links. They stay referrals; only the default channel sets them apart.
ASSISTANT_HOSTS: Final[dict[str, str]] = {
    "chatgpt.com": "chatgpt",
    "chat.openai.com": "chatgpt",
    "perplexity.ai": "perplexity",
    "gemini.google.com": "gemini",
    "copilot.microsoft.com": "copilot",
    "claude.ai": "claude",
    "chat.deepseek.com": "deepseek",
    "chat.mistral.ai": "mistral",
}

ASSISTANTS: Final = frozenset(ASSISTANT_HOSTS.values())
SEARCH_SOURCES: Final = frozenset(
    {engine.source for engine, _ in SEARCH_BRANDS.values()}
    | {engine.source for engine in SEARCH_HOSTS.values()}
)
SOCIAL_SOURCES: Final = frozenset(SOCIAL_HOSTS.values())

# Default channels by medium, for visits that none of the site's channel rules names. Lower case.
PAID_MEDIA: Final = frozenset(
    {"cpc", "ppc", "paid", "paidsearch", "paid-search", "paid_search", "sem", "retargeting"}
)
PAID_SOCIAL_MEDIA: Final = frozenset(
    {"paidsocial", "paid-social", "paid_social", "social-paid", "cpc-social"}
)
DISPLAY_MEDIA: Final = frozenset({"display", "banner", "cpm", "expandable", "interstitial"})
SOCIAL_MEDIA: Final = frozenset(
    {"social", "social-network", "social-media", "sm", "social network", "social media"}
)
EMAIL_MEDIA: Final = frozenset({"email", "e-mail", "e_mail", "newsletter"})
OTHER_MEDIA: Final[dict[str, str]] = {
    "organic": "Organic Search",
    "affiliate": "Affiliates",
    "affiliates": "Affiliates",
    "referral": "Referral",
    "video": "Video",
    "sms": "SMS",
    "push": "Push",
    "qr": "Offline",
    "offline": "Offline",
    "print": "Offline",
}
