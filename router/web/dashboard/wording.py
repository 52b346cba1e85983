"""A page's words, numbers and times in the reader's language and time zone.

Every text is in `texts/LANGUAGE.json`, one flat object: `key` to text, or to a text for each plural form
(Unicode CLDR's names: one, few, many, other), chosen by `n`. `{name}` in a text is replaced by that value;
what comes out is plain text, which the templates escape.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers

from pool.instants import Instant, from_iso

Text = str | Mapping[str, str]

_PLACE: Final = re.compile(r"\{(\w+)\}")
_ACCEPTED: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([0-9.]{1,5}))?\s*\Z")
_LONGEST_ACCEPT: Final = 200


def _english(n: float) -> str:
    return "one" if n == 1 else "other"


def _russian(n: float) -> str:
    """CLDR's rule: 1 звонок, 2 звонка, 5 звонков, 1,5 звонка."""
    if n != int(n):
        return "other"
    last, last_two = int(abs(n)) % 10, int(abs(n)) % 100
    if last == 1 and last_two != 11:
        return "one"
    return "few" if last in {2, 3, 4} and last_two not in {12, 13, 14} else "many"


PLURALS: Final[Mapping[str, Callable[[float], str]]] = {"en": _english, "ru": _russian}
LANGUAGES: Final = tuple(PLURALS)


@lru_cache(maxsize=len(PLURALS))
def catalogue(language: str) -> Mapping[str, Text]:
    """Every text of a language."""
    file = resources.files("router.web.dashboard").joinpath("texts", f"{language}.json")
    texts: dict[str, Text] = json.loads(file.read_text(encoding="utf-8"))
    return texts


def language_of(accepted: str) -> str:
    """The language that an Accept-Language header likes best of those that we have."""
    weighted = []
    for place, part in enumerate(accepted[:_LONGEST_ACCEPT].split(",")):
        found = _ACCEPTED.match(part)
        if found and found[1].lower() in LANGUAGES:
            weighted.append((-_weight(found[2]), place, found[1].lower()))
    return min(weighted)[2] if weighted else LANGUAGES[0]


def _weight(text: str | None) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


@lru_cache(maxsize=4096)
def phone(number: str) -> str:
    """E.164 as people write it; anything else as it is."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@dataclass(frozen=True, slots=True)
class Wording:
    """One reader's language and time zone."""

    language: str
    zone: ZoneInfo

    def text(self, key: str, /, **values: object) -> str:
        """The text of `key`. Raises KeyError for a key that no catalogue has: a mistake of ours."""
        found = catalogue(self.language)[key]
        if not isinstance(found, str):
            n = values["n"]
            form = PLURALS[self.language](n if isinstance(n, int | float) else 0)
            found = found.get(form) or found["other"]
        return _PLACE.sub(lambda place: self._value(values[place[1]]), found)

    def name(self, prefix: str, value: str | None) -> str:
        """The text of `prefix.value`, or the value itself where the catalogue does not know it."""
        return (
            self.text(f"{prefix}.{value}") if f"{prefix}.{value}" in catalogue(self.language) else value or ""
        )

    def _value(self, value: object) -> str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return self.number(value) if is_number else str(value)  # type: ignore[arg-type]

    def number(self, value: float | None, digits: int | None = None) -> str:
        """`1,234.5`; a dash for None. `digits` after the point: by default none if it is whole, else one."""
        if value is None:
            return "–"
        places = (0 if value == int(value) else 1) if digits is None else digits
        written = f"{value:,.{places}f}".replace("-", "\u2212")
        separators = {",": self.text("format.group"), ".": self.text("format.decimal")}
        return "".join(separators.get(character, character) for character in written)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """`0.256` as `26 %` or what the language writes."""
        return "–" if share is None else self.text("format.percent", n=self.number(share * 100, digits))

    def sure(self, share: float | None) -> str:
        """A probability: what is not quite certain is never written as if it were."""
        if share is not None and 0.995 <= share < 1:
            return f">{self.percent(0.99)}"
        return self.percent(share)

    def duration(self, seconds: float | None) -> str:
        """`4:05` or `1:04:05`: minutes and seconds."""
        if seconds is None:
            return "–"
        whole = round(seconds)
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"

    def span(self, seconds: float | None) -> str:
        """A length of time in its largest fitting unit: `45 s`, `12 min`, `3 h`, `5 d`."""
        if seconds is None:
            return "–"
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
            if seconds >= size * (2 if unit == "days" else 1):
                return self.text(f"span.{unit}", n=int(seconds // size))
        return self.text("span.seconds", n=round(seconds))

    def size(self, count: float) -> str:
        """Bytes: `1.4 MB`."""
        for unit, size in (("gb", 1e9), ("mb", 1e6), ("kb", 1e3)):
            if count >= size:
                return self.text(f"size.{unit}", n=self.number(count / size, 1))
        return self.text("size.b", n=count)

    def moment(self, at: Instant | str) -> datetime:
        """An instant (milliseconds, or ISO with a zone) as the reader's clock shows it."""
        milliseconds = from_iso(at) if isinstance(at, str) else at
        return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(self.zone)

    def date(self, at: Instant | str | date | None, *, year: bool = True) -> str:
        """`22 Nov 2026`."""
        if at is None:
            return "–"
        day = at if isinstance(at, date) else self.moment(at).date()
        month = self.text(f"month.{day.month}")
        return self.text(
            "format.date" if year else "format.day", day=str(day.day), month=month, year=str(day.year)
        )

    def time(self, at: Instant | str | None, *, seconds: bool = True) -> str:
        """`13:05:09`."""
        return "–" if at is None else self.moment(at).strftime("%H:%M:%S" if seconds else "%H:%M")

    def when(self, at: Instant | str | None, *, seconds: bool = False) -> str:
        """`22 Nov 2026, 13:05`."""
        if at is None:
            return "–"
        return self.text("format.when", date=self.date(at), time=self.time(at, seconds=seconds))

    def iso(self, at: Instant | str) -> str:
        """For `<time datetime>`."""
        return self.moment(at).isoformat(timespec="seconds")
