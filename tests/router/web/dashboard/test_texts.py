"""One catalogue: every language has every text, with the same values in it, and nothing is said elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from router.web import dashboard
from router.web.dashboard.wording import LANGUAGES, PLURALS, Wording, catalogue, language_of, phone

ROOT = Path(dashboard.__file__).parent
TEMPLATES = sorted((ROOT / "templates").glob("*.html"))
SCRIPTS = sorted(file for file in (ROOT / "static").glob("*.js") if file.name != "uplot.js")
FORMS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
PLACE = re.compile(r"\{(\w+)\}")
# Names, not words.
ALLOWED = {"Leaseline", "· Leaseline", "leaseline user add NAME --role admin"}
SPOKEN = ("title", "aria-label", "placeholder", "alt", "value")


def forms_of(text: object) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_values(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, text in other.items():
        wanted = set(PLACE.findall(" ".join(forms_of(english[key]))))
        for form in forms_of(text):
            assert set(PLACE.findall(form)) - {"n"} <= wanted - {"n"}, key
            assert form, key
        assert set(PLACE.findall(" ".join(forms_of(text)))) == wanted, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_have_the_forms_of_their_language(language: str) -> None:
    for key, text in catalogue(language).items():
        assert isinstance(text, str) == isinstance(catalogue("en")[key], str), key
        if not isinstance(text, str):
            assert set(text) == FORMS[language], key


def test_russian_is_written_in_russian() -> None:
    latin = [
        key
        for key, text in catalogue("ru").items()
        if re.search(r"[A-Za-z]{2}", " ".join(forms_of(text)))
        and not re.search("[а-я]", " ".join(forms_of(text)))
    ]
    names = ("language.en", "export.", "part.", "destination.", "call.sip", "format.")
    assert [key for key in latin if not key.startswith(names)] == []


def keys_in(source: str) -> set[str]:
    return set(re.findall(r"""\bt\(\s*["']([a-z0-9_.-]+)["']\s*[,)]""", source))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_every_text_that_a_template_names_is_there(file: Path) -> None:
    assert keys_in(file.read_text(encoding="utf-8")) - set(catalogue("en")) == set()


def test_every_text_that_a_form_says_is_there() -> None:
    said = {
        key
        for file in ROOT.rglob("*.py")
        for key in re.findall(r'"(said\.\w+|login\.(?!html)\w+)"', file.read_text(encoding="utf-8"))
    }
    assert len(said) > 20
    assert said - set(catalogue("en")) == set()


class Spoken(HTMLParser):
    """Collects what a reader sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in SPOKEN and tag != "svg"]


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_words_in_templates(file: Path) -> None:
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", file.read_text(encoding="utf-8"), flags=re.S)
    source = re.sub(r"\{\{.*?\}\}", "\0", source, flags=re.S)
    parser = Spoken()
    parser.feed(source)
    words = {text.replace("\0", "").strip() for text in parser.found} - ALLOWED
    assert [text for text in words if re.search(r"[A-Za-zА-я]{2}", text)] == []


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_no_words_in_scripts(file: Path) -> None:
    source = re.sub(r"//.*", "", file.read_text(encoding="utf-8"))
    assert not re.search(r"""(textContent|innerText|title|ariaLabel)\s*=\s*["'`][A-Za-z]""", source)
    assert "innerHTML" not in source
    assert "insertAdjacentHTML" not in source


@pytest.mark.parametrize(
    ("n", "form"),
    [(0, "many"), (1, "one"), (2, "few"), (4, "few"), (5, "many"), (11, "many"), (12, "many"), (14, "many"),
     (21, "one"), (22, "few"), (25, "many"), (100, "many"), (101, "one"), (111, "many"), (1.5, "other")],
)  # fmt: skip
def test_russian_plurals(n: float, form: str) -> None:
    assert PLURALS["ru"](n) == form


def test_numbers_times_and_durations_by_language() -> None:
    english = Wording("en", ZoneInfo("Europe/London"))
    russian = Wording("ru", ZoneInfo("Europe/Moscow"))
    assert (english.number(1234567.5), russian.number(1234567.5)) == ("1,234,567.5", "1\u00a0234\u00a0567,5")
    assert (english.percent(0.256), russian.percent(0.256, 1)) == ("26%", "25,6\u00a0%")
    assert [english.sure(share) for share in (0.5, 0.994, 0.9997, 1.0)] == ["50%", "99%", ">99%", "100%"]
    at = "2026-07-22T21:05:09.123Z"
    assert english.when(at) == "22 Jul 2026, 22:05"
    assert russian.when(at) == "23 июл. 2026, 00:05"
    lengths = {0: "0:00", 59.6: "1:00", 245: "4:05", 3845: "1:04:05"}
    assert {seconds: english.duration(seconds) for seconds in lengths} == lengths
    assert russian.text("calls.shown", n=21).startswith("21 звонок ")
    assert russian.text("calls.shown", n=1002).startswith("1\u00a0002 звонка ")
    assert english.number(None) == russian.when(None) == "–"
    assert english.size(1_400_000) == "1.4 MB"


def test_a_value_in_a_text_is_not_read_as_a_place() -> None:
    assert "{name}" in Wording("en", ZoneInfo("UTC")).text("said.user_added", name="{name}")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("ru", "ru"), ("ru-RU,ru;q=0.9,en;q=0.8", "ru"), ("de,fr", "en"),
     ("en;q=0.1, ru;q=0.2", "ru"),
     ("*", "en"), ("de, ru;q=0.3", "ru"), ("ru;q=x", "en"),
     ("\0" * 999, "en"), ("EN-gb", "en")],
)  # fmt: skip
def test_the_browsers_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_phone_numbers_as_people_write_them() -> None:
    assert phone("+442079460101") == "+44 20 7946 0101"
    assert phone("<script>") == "<script>"
