"""Every way in which pages write a number: found, and shown in the page's own form or in the site's mask."""

from typing import Final

import pytest

from .conftest import MAIN, NUMBERS, Site, SiteMaker, ready

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Each X is one of the number's last four digits: 0000 in the page, 0101 once it is swapped.
GB: Final = [
    "020 7946 XXXX",
    "0207946XXXX",
    "(020) 7946 XXXX",
    "(020) 7946XXXX",
    "020-7946-XXXX",
    "020.7946.XXXX",
    "020 794 6XXXX",
    "020 79 46 XX XX",
    "020/7946XXXX",
    "020 | 7946 | XXXX",
    "020 · 7946 · XXXX",
    "020 7946’XXXX",
    "20 7946 XXXX",
    "+44 20 7946 XXXX",
    "+44207946XXXX",
    "+44 (0)20 7946 XXXX",
    "+44 (0) 20 7946 XXXX",
    "+44(20)7946XXXX",
    "+44-20-7946-XXXX",
    "+44.20.7946.XXXX",
    "(+44) 20 7946 XXXX",
    "[+44] 20 7946 XXXX",
    "0044 20 7946 XXXX",
    "0044207946XXXX",
    "44 20 7946 XXXX",
    # Blanks: no-break, thin, narrow no-break, figure, ideographic, zero-width, word joiner, a source's line.
    "020\u00a07946\u00a0XXXX",
    "020\u20097946\u2009XXXX",
    "020\u202f7946\u202fXXXX",
    "020\u20077946\u2007XXXX",
    "020\u30007946\u3000XXXX",
    "020\u200b7946\u200bXXXX",
    "020\u20607946\u2060XXXX",
    "020\n                        7946\n                        XXXX",
    # Dashes: hyphen, no-break hyphen, figure dash, en, em, bar, minus, small, full-width, soft.
    "020\u20107946\u2010XXXX",
    "020\u20117946\u2011XXXX",
    "020\u20127946\u2012XXXX",
    "020 – 7946 – XXXX",
    "020—7946—XXXX",
    "020\u20157946\u2015XXXX",
    "020\u22127946\u2212XXXX",
    "020\ufe637946\ufe63XXXX",
    "020\uff0d7946\uff0dXXXX",
    "020\u00ad7946\u00adXXXX",
    # Marks of direction, as pages written from right to left have them; full-width signs.
    "\u200e020 7946 XXXX\u200e",
    "\u2066+44 20 7946 XXXX\u2069",
    "\u202a020\u202c 7946 XXXX",
    "（020）7946－XXXX",
    "＋44 20 7946 XXXX",
]
COUNTRIES: Final = {
    "US": (
        "+12125550000",
        ["(212) 555-XXXX", "212-555-XXXX", "212.555.XXXX", "+1 212 555 XXXX", "1-212-555-XXXX"],
    ),
    "DE": (
        "+4930231250000",
        ["030 23125XXXX", "030/23125-XXXX", "+49 30 23125XXXX", "+49 (0)30 / 23125 XXXX"],
    ),
    "FR": ("+33199000000", ["01 99 00 XX XX", "01.99.00.XX.XX", "+33 1 99 00 XX XX", "+33 (0)1 99 00 XX XX"]),
    "RU": ("+74950000000", ["8 (495) 000-XX-XX", "+7 495 000 XX XX", "+7(495)000-XX-XX", "7495000XXXX"]),
    "KZ": ("+77510000000", ["8 (751) 000-XX-XX", "+7 (751) 000 XX XX", "8-751-000-XX-XX", "+7751000XXXX"]),
    "IT": ("+390600000000", ["06 0000 XXXX", "+39 06 0000 XXXX", "0600 00XXXX", "0039 06 0000XXXX"]),
    "CH": ("+41440000000", ["044 000 XX XX", "+41 44 000 XX XX", "+41 (0)44 000'XX'XX"]),
}
OTHERS: Final = [
    "020 7946 0001",
    "020 7946 00001",
    "120 7946 0000",
    "1020 7946 0000",
    "+49 20 7946 0000",
    "+49 (0)20 7946 0000",
    "0049 20 7946 0000",
    "011 49 20 7946 0000",
    "+1 20 7946 0000",
    "+20 7946 0000",
    "+020 7946 0000",
    "020 7946 000",
    "1020794600009",
    "2026-11-22",
    "𝟎𝟐𝟎 7946 0000",
]


def written(template: str, digits: str) -> str:
    for digit in digits:
        template = template.replace("X", digit, 1)
    return template


def listed(texts: list[str]) -> str:
    return '<ul style="white-space: pre">' + "".join(f"<li>{text}</li>" for text in texts) + "</ul>"


async def swapped(site: Site, body: str) -> list[str]:
    page = await site.page()
    await ready(page, site.write("/formats", body))
    return await page.locator("li").all_text_contents()


async def test_every_way_to_write_the_number_keeps_its_form_and_nothing_else_changes(site: Site) -> None:
    texts = await swapped(site, listed([written(form, "0000") for form in GB] + OTHERS))
    assert texts == [written(form, "0101") for form in GB] + OTHERS


async def test_a_mask_is_written_wherever_the_number_stands(make_site: SiteMaker) -> None:
    site = await make_site(display="(020) 7946-XXXX")
    texts = await swapped(site, listed([written(form, "0000") for form in GB] + OTHERS))
    plain = [text.strip("[]\u200e\u2066\u2069\u202a\u202c") for text in texts]
    assert plain == ["(020) 7946-0101"] * len(GB) + [text.strip("[]") for text in OTHERS]


@pytest.mark.parametrize("country", COUNTRIES)
async def test_the_forms_of_other_countries(make_site: SiteMaker, country: str) -> None:
    main, forms = COUNTRIES[country]
    site = await make_site(main_number=main, numbers=[f"{main[:-4]}0101"])
    texts = await swapped(site, listed([written(form, "0000") for form in forms]))
    assert texts == [written(form, "0101") for form in forms]


@pytest.mark.parametrize("zero", "０٠۰०০๐០", ids=lambda zero: f"U+{ord(zero):04X}")
async def test_digits_of_other_scripts_stay_in_their_script(site: Site, zero: str) -> None:
    def script(text: str) -> str:
        return "".join(chr(ord(zero) + int(sign)) if sign.isdigit() else sign for sign in text)

    texts = await swapped(site, listed([script("020 7946 0000"), script("+44 20 7946 0000")]))
    assert texts == [script("020 7946 0101"), script("+44 20 7946 0101")]


async def test_a_number_that_is_grouped_otherwise_is_written_as_its_own_country_does(
    make_site: SiteMaker,
) -> None:
    site = await make_site(numbers=["+441134960101"])
    texts = await swapped(
        site, listed(["(020) 7946 0000", "+44 (0)20 7946 0000", "020-7946-0000 or 020 7946 0000"])
    )
    assert texts == ["0113 496 0101", "+44 113 496 0101", "0113 496 0101 or 0113 496 0101"]


async def test_a_number_of_another_country_is_written_in_full(make_site: SiteMaker) -> None:
    site = await make_site(numbers=["+12125550101"])
    assert await swapped(site, listed(["020 7946 0000", "+44 20 7946 0000"])) == ["+1 212-555-0101"] * 2


async def test_text_around_the_number_stays(make_site: SiteMaker) -> None:
    site = await make_site(display="+44 20 7946 XXXX")
    shown = "+44 20 7946 0101"
    page = await site.page()
    body = """<p>Call (020 7946 0000) or 020 7946 0000, 24/7. Ref 12: 020 7946 0000.</p>
        <p>020 7946 0000 020 7946 0001</p><p>Tel:020 7946 0000</p><p>2 x 020 7946 0000</p>
        <p>((020) 7946 0000)</p><p>020 7946 0012, 020 7946 0000</p>"""
    await ready(page, site.write("/around", body))
    expected = [
        f"Call ({shown}) or {shown}, 24/7. Ref 12: {shown}.",
        f"{shown} 020 7946 0001",
        f"Tel:{shown}",
        f"2 x {shown}",
        f"({shown})",
        f"020 7946 0012, {shown}",
    ]
    assert await page.locator("p").all_text_contents() == expected
    await page.evaluate("for (let i = 0; i < 3; i++) leaseline.refresh()")
    assert await page.locator("p").all_text_contents() == expected


SPLIT: Final = {
    "<b>020</b> 7946 <span>0000</span>": "<b>020</b> 7946 <span>0101</span>",
    "<b>+44</b>&nbsp;<i>(0)20</i>\n  <u>7946 0000</u>": "<b>+44</b>&nbsp;<i>(0)20</i>\n  <u>7946 0101</u>",
    "".join(f"<i>{digit}</i>" for digit in "02079460000"): "".join(
        f"<i>{digit}</i>" for digit in "02079460101"
    ),
    "<td>020</td><td>7946<!-- x -->0000</td>": "<td>020</td><td>7946<!-- x -->0101</td>",
    "<b>020 7946</b><a>0000</a><i>5</i>": "<b>020 7946</b><a>0101</a><i>5</i>",
    "<b>020</b> or <i>7946 0000</i>": "<b>020</b> or <i>7946 0000</i>",
    "<b>020</b><b data-leaseline=off>7946</b><b>0000</b>": None,
}


@pytest.mark.parametrize("before", SPLIT, ids=range(len(SPLIT)))
async def test_a_number_over_several_elements(site: Site, before: str) -> None:
    page = await site.page()
    body = f"<table><tr id=it></tr></table><script>it.innerHTML=`{before}`</script>"
    await page.goto(site.write("/untracked", body, head=""))
    written_as = await page.evaluate("it.innerHTML")
    await ready(page, site.write("/split", body))
    expected = SPLIT[before]
    assert await page.evaluate("it.innerHTML") == (written_as if expected is None else expected)


async def test_a_mask_over_several_elements_removes_none_of_them(make_site: SiteMaker) -> None:
    site = await make_site(display="020 7946 XXXX")
    page = await site.page()
    body = "<p><b>020</b> 7946 <i>0000</i>!</p><p>Ring <b>+44</b> 20 <i>7946</i> 0000 now</p>"
    await ready(page, site.write("/split", body))
    assert [await p.inner_html() for p in await page.locator("p").all()] == [
        "<b>020</b> 7946 <i>0101</i>!",
        "Ring <b>020 7946 0101</b><i></i> now",
    ]


async def test_links_and_labels(site: Site) -> None:
    page = await site.page()
    body = """<a href="tel:+442079460000">a</a><a href="tel:020-7946-0000">b</a>
        <a href="tel:%2B44%2020%207946%200000">c</a><a href="tel:(020)79460000;ext=7">d</a>
        <a href="tel:+442079460001">e</a><a href="tel:%E0%A4%A">f</a><a href="/about?n=02079460000">g</a>
        <a href="tel:+207946 0000">h</a><a href="mailto:a@example.com?subject=02079460000">i</a>
        <button aria-label="Ring +44 20 7946 0000" title="020 7946 0000">x</button>
        <svg><title>020 7946 0000</title></svg>"""
    head = f"""<meta name=description content="020 7946 0000">
        <script type="application/ld+json">{{"telephone": "{MAIN}"}}</script>"""
    await ready(page, site.write("/links", body, head=f"{head}<title>020 7946 0000</title>{site.tag}"))
    hrefs = await page.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    ours = f"tel:{NUMBERS[0]}"
    assert hrefs == [
        ours,
        ours,
        ours,
        f"{ours};ext=7",
        "tel:+442079460001",
        "tel:%E0%A4%A",
        "/about?n=02079460000",
        "tel:+207946 0000",
        "mailto:a@example.com?subject=02079460000",
    ]
    button = page.locator("button")
    assert await button.get_attribute("aria-label") == "Ring +44 20 7946 0101"
    assert await button.get_attribute("title") == "020 7946 0101"
    assert await page.locator("svg title").text_content() == "020 7946 0101"
    # What search engines and analytics read stays the business's own.
    assert MAIN in await page.locator("script[type='application/ld+json']").text_content()
    assert await page.evaluate("document.querySelector('head > title:last-of-type').text") == "020 7946 0000"


MESSAGES: Final = """<a href="sms:+442079460000">020 7946 0000</a>
    <a href="callto:+442079460000">020 7946 0000</a>
    <a href="https://wa.me/442079460000?text=Hello%20there">020 7946 0000</a>
    <a href="https://api.whatsapp.com/send?phone=442079460000">write to 020 7946 0000</a>"""


async def test_messages_go_to_the_main_number(site: Site) -> None:
    page = await site.page()
    await ready(page, site.write("/messages", f"<div>{MESSAGES}</div><p>020 7946 0000</p>"))
    assert await page.locator("div").inner_html() == MESSAGES
    assert await page.locator("p").inner_text() == "020 7946 0101"


async def test_messages_go_to_the_leased_number_where_the_site_says_so(make_site: SiteMaker) -> None:
    site = await make_site(links=["tel", "callto", "sms", "whatsapp"])
    page = await site.page()
    await ready(page, site.write("/messages", f"<div>{MESSAGES}</div>"))
    html = (await page.locator("div").inner_html()).replace("&amp;", "&")
    expected = MESSAGES.replace("+442079460000", NUMBERS[0]).replace("020 7946 0000", "020 7946 0101")
    assert html == expected.replace("442079460000", NUMBERS[0][1:])


async def test_marked_and_excluded_places(make_site: SiteMaker) -> None:
    site = await make_site(
        number_slot=[{"name": "leeds", "main_number": "+441134960000", "selector": ".leeds b"}]
    )
    page = await site.page()
    body = """<p id="any"><a href="tel:0" data-leaseline="main"><i>call</i> us <b>now</b></a></p>
        <p id="part" data-leaseline="main">Ring 020 7946 0000 now</p><p id="empty" data-leaseline="main"></p>
        <p class="leeds"><b>call us</b></p><p id="other">0113 496 0000</p>
        <p id="off" data-leaseline="off">020 7946 0000</p><textarea>020 7946 0000</textarea>
        <div id="edit" contenteditable>020 7946 0000</div><script type="text/x">020 7946 0000</script>"""
    await ready(page, site.write("/marked", body))
    assert await page.locator("#any").inner_html() == (
        f'<a href="tel:{NUMBERS[0]}" data-leaseline="main"><i>020 7946 0101</i><b></b></a>'
    )
    assert await page.locator("#part").inner_text() == "Ring 020 7946 0101 now"
    assert await page.locator("#empty").inner_text() == "020 7946 0101"
    assert await page.locator(".leeds b").inner_text() == "020 7946 0102"
    assert await page.locator("#other").inner_text() == "020 7946 0102"
    for place in ("#off", "#edit", "script[type='text/x']"):
        assert await page.locator(place).text_content() == "020 7946 0000"
    assert await page.locator("textarea").input_value() == "020 7946 0000"


@pytest.mark.parametrize(
    ("settings", "text", "href"),
    [
        ({}, "020 7946 0101 ext. {code}", "tel:+442079460101,{code}"),
        (
            {"extension_display": ", code X", "extension_dial": "ext"},
            "020 7946 0101, code {code}",
            "tel:+442079460101;ext={code}",
        ),
        (
            {"display": "(020 7946 XXXX)", "extension_display": " [X]"},
            "(020 7946 0101) [{code}]",
            "tel:+442079460101,{code}",
        ),
    ],
)
async def test_codes_are_shown_and_dialed_as_the_site_says(
    make_site: SiteMaker, settings: dict[str, str], text: str, href: str
) -> None:
    site = await make_site(numbers=["number,kind,site", "+442079460101,extension,shop"], **settings)
    page = await site.page()
    await ready(
        page,
        site.write(
            "/code", "<p>020 7946 0000</p><h2><b>020</b> 7946 0000</h2><a href='tel:02079460000'>x</a>"
        ),
    )
    code = await page.evaluate("leaseline.numbers[0].extension")
    assert len(code) == 4
    for _ in range(2):
        assert await page.locator("p").inner_text() == text.format(code=code)
        assert (await page.locator("h2").inner_text()).startswith("020 7946 0101")
        assert (await page.locator("h2").inner_text()).endswith(text.format(code=code)[-7:])
        assert await page.locator("a").get_attribute("href") == href.format(code=code)
        await page.evaluate("leaseline.refresh()")


async def test_a_shadow_tree(site: Site) -> None:
    page = await site.page()
    body = """<my-call></my-call><script>
        customElements.define("my-call", class extends HTMLElement { connectedCallback() {
            this.attachShadow({mode: "open"}).innerHTML =
                "<a href='tel:02079460000'>020 7946 0000</a>+44 20 7946 0000";
        }});
        window.retext = () => {
            document.querySelector("my-call").shadowRoot.querySelector("a").textContent = "020-7946-0000";
        };
        </script>"""
    await ready(page, site.write("/shadow", body))
    root = "document.querySelector('my-call').shadowRoot"
    assert await page.evaluate(f"{root}.textContent") == "020 7946 0101+44 20 7946 0101"
    await page.evaluate("retext()")
    assert await page.evaluate(f"{root}.textContent") == "020-7946-0101+44 20 7946 0101"
    assert await page.evaluate(f"{root}.querySelector('a').getAttribute('href')") == f"tel:{NUMBERS[0]}"
    await page.evaluate("document.body.append(document.createElement('my-call'))")
    assert (
        await page.evaluate("document.body.lastChild.shadowRoot.textContent")
        == "020 7946 0101+44 20 7946 0101"
    )
