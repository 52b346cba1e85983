"""The kinds of value that config keys take: phone numbers, dial strings, networks, secrets.

Each validator's error says what is allowed; `router.config.load` adds file, table and key.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import phonenumbers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dialplan.render import is_dial_string

SITE_KEY = re.compile(r"[a-z0-9_-]{1,32}\Z")
PROMPT = re.compile(r"[a-z0-9_-]{1,64}\Z")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:[_-][A-Za-z]{2,4})?\Z")
CALLER_PATTERN = re.compile(r"\+?[0-9]{1,15}\*?\Z")
ANONYMOUS = "anonymous"
NUMBER_TEMPLATE = re.compile(r"PJSIP/\{(?:number|digits)\}@[A-Za-z0-9_.-]+\Z")


class Section(BaseModel):
    """A table of the configuration: unknown keys are errors, values are not converted between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Secret(Section):
    """A secret, kept outside the file: `{ env = "NAME" }` or `{ file = "/path" }`."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError('takes exactly one of { env = "NAME" } and { file = "/path" }')
        return self

    def read(self) -> str:
        """The secret, without surrounding white space.

        Raises LookupError naming the variable or file when it is missing or empty.
        """
        if self.env is not None:
            value = os.environ.get(self.env, "").strip()
            source = f"environment variable {self.env}"
        else:
            source = f"file {self.file}"
            try:
                value = Path(str(self.file)).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise LookupError(f"{source}: {error.strerror}") from error
        if not value:
            raise LookupError(f"{source} is not set or empty")
        return value


def _site_key(value: str) -> str:
    if not SITE_KEY.match(value):
        raise ValueError("takes 1 to 32 of a-z, 0-9, '-' and '_'")
    return value


def _prompt(value: str) -> str:
    if value and not PROMPT.match(value):
        raise ValueError("takes the name of a prompt without path or extension: a-z, 0-9, '-' and '_'")
    return value


def _language(value: str) -> str:
    if value and not LANGUAGE.match(value):
        raise ValueError('takes a language as Asterisk names it, such as "en", "ru" or "en_GB"')
    return value


def _caller(value: str) -> str:
    if value != ANONYMOUS and not CALLER_PATTERN.match(value):
        raise ValueError(
            f'takes a caller\'s number "+447700900123", the beginning of numbers "+4470*", or "{ANONYMOUS}"'
        )
    return value


def _e164(value: str) -> str:
    try:
        parsed = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError(f'takes a number in international form such as "+442079460000": {error}') from error
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError(f"{value!r} is not a possible number of its country")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _target(value: str) -> str:
    if value.startswith("+"):
        return _e164(value)
    if "&" in value or not is_dial_string(value):
        raise ValueError(
            f'{value!r} is not a target: takes "PJSIP/endpoint", "PJSIP/+442079460000@trunk" '
            'or a number "+442079460000", which is dialed by [asterisk] dial'
        )
    return value


def _dial(value: str) -> str:
    if value and not NUMBER_TEMPLATE.match(value):
        raise ValueError(
            'takes a dial string with {number} or {digits} (without "+"), such as "PJSIP/{number}@trunk"'
        )
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f'takes a network such as "10.0.0.0/8" or an address: {error}') from error
    return value


def _public_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sane = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sane = False
    if value and (not sane or parts.query or parts.fragment or not value.isascii() or " " in value):
        raise ValueError('takes an address such as "https://calls.shop.example"')
    return value


def _country(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError('takes a two-letter country code such as "GB"')
    return value


SiteKey = Annotated[str, AfterValidator(_site_key)]
PromptName = Annotated[str, AfterValidator(_prompt)]
Language = Annotated[str, AfterValidator(_language)]
CallerPattern = Annotated[str, AfterValidator(_caller)]
VoicemailBox = Annotated[str, Field(pattern=r"^[0-9]{0,16}$")]
E164 = Annotated[str, AfterValidator(_e164)]
Target = Annotated[str, AfterValidator(_target)]
DialTemplate = Annotated[str, AfterValidator(_dial)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Network = Annotated[str, AfterValidator(_network)]
Country = Annotated[str, AfterValidator(_country)]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
