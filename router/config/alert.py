"""`[alerts]` and `[[alert]]`: what people are warned of, and how they hear it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from router.config.delivery import Result, Url
from router.config.values import Port, Secret, Section, SiteKey

Cause = Literal[
    "missed_call", "pool_use", "pool_blocking", "not_shown", "delivery_dead", "journal", "disk", "store"
]


def _mailbox(value: str) -> str:
    name, at, host = value.rpartition("@")
    plain = value.isascii() and value.isprintable() and not set(value) & set(' ,;:<>()[]"\\')
    if not (name and at and host and plain and len(value) <= 254):
        raise ValueError('takes an address such as "ops@shop.example"')
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Alerts(Section):
    """`[alerts]`: when a warning is due, and the mail server."""

    every_minutes: float = Field(default=60, ge=1, le=1440)
    missed_results: tuple[Result, ...] = ("missed", "busy", "failed")
    not_shown_probability: float = Field(default=0.0001, ge=0, lt=0.5)
    least_free_megabytes: int = Field(default=512, ge=0, le=10_000_000)
    sender: Mailbox = "leaseline@localhost"
    smtp_host: str = Field(default="", max_length=253, pattern=r"^[A-Za-z0-9.:-]*$")
    smtp_port: Port = 587
    smtp_tls: Literal["starttls", "tls", "off"] = "starttls"
    smtp_username: str = Field(default="", max_length=256)
    smtp_password: Secret | None = None

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> "Alerts":
        if bool(self.smtp_username) != (self.smtp_password is not None):
            raise ValueError("smtp_username and smtp_password go together")
        if self.smtp_username and self.smtp_tls == "off":
            raise ValueError('smtp_tls = "off" would send the password in the open')
        return self


class Receiver(Section):
    """What every receiver has: of which causes and sites it hears."""

    name: SiteKey
    causes: tuple[Cause, ...] = ()
    sites: tuple[SiteKey, ...] = ()


class MailReceiver(Receiver):
    """`kind = "email"`."""

    kind: Literal["email"]
    to: tuple[Mailbox, ...] = Field(min_length=1, max_length=50)


class HookReceiver(Receiver):
    """`kind = "webhook"`: JSON with a `text`, as chat programs take it, signed by Standard Webhooks."""

    kind: Literal["webhook"]
    url: Url | None = None
    url_secret: Secret | None = None
    secret: Secret | None = None
    timeout_seconds: float = Field(default=15.0, ge=1, le=60)

    @model_validator(mode="after")
    def _one_address(self) -> "HookReceiver":
        if (self.url is None) == (self.url_secret is None):
            raise ValueError('takes exactly one of url = "https://…" and url_secret = { env = "NAME" }')
        return self


AnyReceiver = MailReceiver | HookReceiver
Alert = Annotated[AnyReceiver, Field(discriminator="kind")]
