"""What the widget may send, as types. Wrong types are refused with the field's name; long texts are cut."""

import asyncio
from typing import Annotated, Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from router.attribution.visit import cleaned
from router.web.problems import FieldError, Problem

BODY_CAP: Final = 64 * 1024
"""Bytes of a request's body."""
BODY_SECONDS: Final = 10
_PARAMS_CAP = 50
_FIELD_ERRORS_CAP = 20

Maybe = Annotated[
    str, BeforeValidator(lambda value: "" if value is None else value, json_schema_input_type=str | None)
]
Parameter = str | int | float | bool | None


class _Body(BaseModel):
    # Unknown keys are ignored: an old router must take what a newer widget sends.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class GaIds(_Body):
    """Google Analytics' client and session id, from its own cookies."""

    client_id: Maybe = ""
    session_id: Maybe = ""


class LeaseRequest(_Body):
    """The body of `POST /v1/leases`."""

    site: str = Field(min_length=1, max_length=64)
    url: str = Field(min_length=1)
    visitor_id: Maybe = ""
    referrer: Maybe = ""
    title: Maybe = ""
    screen: Maybe = ""
    language: Maybe = ""
    consent: bool | None = None
    ga: GaIds | None = None
    metrica_client_id: Maybe = ""
    params: dict[str, Parameter] | None = Field(default=None, max_length=_PARAMS_CAP)


class Page(_Body):
    """One page view."""

    url: str = Field(min_length=1)
    title: Maybe = ""


class SeenRequest(_Body):
    """The body of `POST /v1/leases/{id}/seen`; all of it optional, so that `{}` or nothing is a heartbeat.

    `shown` is true, or the slots whose numbers are on the screen. Ids of analytics that were not there yet
    when the lease was asked for, or have changed since, come here.
    """

    page: Page | None = None
    shown: bool | list[str] | None = None
    tel_click: bool | None = None
    ga: GaIds | None = None
    metrica_client_id: Maybe = ""


BodyModel = TypeVar("BodyModel", bound=_Body)


def parsed(model: type[BodyModel], body: bytes) -> BodyModel:
    """`body` (JSON in UTF-8) as `model`. Raises Problem 400 that names each field at fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _problem(error) from None


def _problem(error: ValidationError) -> Problem:
    errors: list[FieldError] = [
        FieldError(field=_field(item["loc"]), message=item["msg"])
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ][:_FIELD_ERRORS_CAP]
    first = errors[0]
    return Problem(400, "invalid-request", f"{first['field']}: {first['message']}", errors=errors)


def _field(loc: tuple[Any, ...]) -> str:
    # A parameter's name is the sender's own text.
    return cleaned(".".join(str(part) for part in loc), 100) or "body"


async def body_of(request: web.Request) -> bytes:
    """The request's body. Raises Problem 413 beyond BODY_CAP, 408 when it does not come in time."""
    try:
        if request.content.is_eof():  # it came with the headers, as nearly all do
            return await request.read()
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Problem(413, "body-too-large", f"the body is larger than {BODY_CAP} bytes") from None
    except TimeoutError:
        raise Problem(408, "body-too-slow", f"the body did not come within {BODY_SECONDS} s") from None
