"""`[[delivery]]`: a destination that is told of calls; which calls, and how it is reached."""

import re
from typing import Annotated, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from router.config.values import Name, Secret, Section, SiteKey

Result = Literal["answered", "missed", "busy", "cancelled", "failed", "blocked", "voicemail"]
Match = Literal["live", "frozen", "extension", "returning", "late", "static", "reserve", "none"]
PRESETS = ("amocrm", "bitrix24", "form", "hubspot", "pipedrive")


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sane = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sane = False
    if not sane or not value.isascii() or not value.isprintable() or " " in value or "#" in value:
        raise ValueError('takes an address such as "https://crm.example/calls"')
    return value


def _template(value: str) -> str:
    if value and value not in PRESETS and not value.endswith(".json"):
        raise ValueError(f'takes a file "….json" or one of {", ".join(PRESETS)}')
    return value


def _matching(pattern: str, example: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f'takes a value such as "{example}"')
        return value

    return AfterValidator(check)


Url = Annotated[str, AfterValidator(_url)]
Template = Annotated[str, AfterValidator(_template)]
Currency = Annotated[str, _matching("(?:[A-Z]{3})?", "GBP")]
MeasurementId = Annotated[str, _matching("G-[A-Z0-9]{4,20}", "G-ABC1234567")]
EventName = Annotated[str, _matching("[A-Za-z][A-Za-z0-9_]{0,39}", "phone_call")]
Counter = Annotated[str, _matching("[0-9]{1,12}", "12345678")]
CustomerId = Annotated[str, _matching("[0-9]{10}", "1234567890")]
OptionalCustomerId = Annotated[str, _matching("(?:[0-9]{10})?", "1234567890")]
ConversionAction = Annotated[str, _matching("[0-9]{1,20}", "987654321")]


class Destination(Section):
    """What every destination has. Calls of other sites are none of its business; of the others, those that a
    filter keeps back are listed with the reason.
    """

    knows_doubles: ClassVar[bool] = False
    """Whether the far side recognises what it was sent before."""

    name: SiteKey
    sites: tuple[SiteKey, ...] = ()
    channels: tuple[Name, ...] = ()
    results: tuple[Result, ...] = ()
    matches: tuple[Match, ...] = ()
    qualified: bool = False
    first_call: bool = False
    least_confidence: float = Field(default=0.0, ge=0, le=1)
    unclear: Literal["", "resend", "leave"] = ""
    timeout_seconds: float = Field(default=15.0, ge=1, le=120)

    @property
    def resends_unclear(self) -> bool:
        """Whether what may or may not have arrived is sent again."""
        return self.unclear == "resend" or (self.unclear == "" and self.knows_doubles)


class Webhook(Destination):
    """`kind = "webhook"`: Standard Webhooks, or a CRM's own form by a template."""

    kind: Literal["webhook"]
    url: Url | None = None
    url_secret: Secret | None = None
    secret: Secret | None = None
    bearer: Secret | None = None
    template: Template = ""
    concurrency: int = Field(default=1, ge=1, le=16)
    per_minute: int = Field(default=600, ge=1, le=60_000)

    @model_validator(mode="after")
    def _one_address(self) -> "Webhook":
        if (self.url is None) == (self.url_secret is None):
            raise ValueError('takes exactly one of url = "https://…" and url_secret = { env = "NAME" }')
        return self

    @property
    def resends_unclear(self) -> bool:
        """A CRM's form has no place for the id by which doubles are told."""
        return self.unclear == "resend" or (self.unclear == "" and self.template == "")


class Ga4(Destination):
    """`kind = "ga4"`: Google Analytics 4 by its Measurement Protocol."""

    kind: Literal["ga4"]
    measurement_id: MeasurementId
    api_secret: Secret
    event: EventName = "phone_call"
    value: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    currency: Currency = ""
    url: Url = "https://www.google-analytics.com"
    concurrency: int = Field(default=4, ge=1, le=16)
    per_minute: int = Field(default=600, ge=1, le=60_000)

    @model_validator(mode="after")
    def _value_in_a_currency(self) -> "Ga4":
        return _with_currency(self)


class Metrica(Destination):
    """`kind = "metrica"`: Yandex.Metrica's calls, uploaded in files."""

    kind: Literal["metrica"]
    counter: Counter
    token: Secret
    value: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    currency: Currency = ""
    url: Url = "https://api-metrika.yandex.net"
    batch_minutes: float = Field(default=10.0, ge=0, le=120)

    @model_validator(mode="after")
    def _value_in_a_currency(self) -> "Metrica":
        return _with_currency(self)


class GoogleAds(Destination):
    """`kind = "google_ads"`: click conversions by the Data Manager API."""

    knows_doubles: ClassVar[bool] = True

    kind: Literal["google_ads"]
    customer_id: CustomerId
    login_customer_id: OptionalCustomerId = ""
    conversion_action: ConversionAction
    client_id: str = Field(default="", max_length=256)
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    service_account: Secret | None = None
    value: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    currency: Currency = ""
    consent: Literal["", "granted", "denied"] = ""
    url: Url = "https://datamanager.googleapis.com"
    token_url: Url = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
    batch_minutes: float = Field(default=5.0, ge=0, le=120)

    @model_validator(mode="after")
    def _one_way_in(self) -> "GoogleAds":
        user = (bool(self.client_id), self.client_secret is not None, self.refresh_token is not None)
        if any(user) == (self.service_account is not None) or any(user) != all(user):
            raise ValueError(
                "takes either client_id, client_secret and refresh_token, or service_account (its key file)"
            )
        return _with_currency(self)


class GoogleAdsCsv(Destination):
    """`kind = "google_ads_csv"`: click conversions as a file that Google Ads fetches, or a person uploads."""

    knows_doubles: ClassVar[bool] = True

    kind: Literal["google_ads_csv"]
    conversion_name: str = Field(min_length=1, max_length=100)
    value: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    currency: Currency = ""
    days: int = Field(default=14, ge=1, le=89)

    @model_validator(mode="after")
    def _value_in_a_currency(self) -> "GoogleAdsCsv":
        return _with_currency(self)


AnyDestination = Webhook | Ga4 | Metrica | GoogleAds | GoogleAdsCsv
Delivery = Annotated[AnyDestination, Field(discriminator="kind")]
Valued = TypeVar("Valued", Ga4, Metrica, GoogleAds, GoogleAdsCsv)


def _with_currency(table: Valued) -> Valued:
    if table.value and not table.currency:
        raise ValueError('value needs a currency, such as currency = "GBP"')
    return table
