"""Errors as `application/problem+json` (RFC 9457): what was wrong, with which field, and what to do."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, NotRequired

from aiohttp import web
from typing_extensions import TypedDict

CONTENT_TYPE: Final = "application/problem+json"
PREFIX: Final = "urn:leaseline:problem:"


class FieldError(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str


class ProblemBody(TypedDict):
    """What was wrong (RFC 9457). `instance` finds it in the log, `errors` name the fields at fault."""

    type: str
    title: str
    status: int
    detail: str
    instance: NotRequired[str]
    errors: NotRequired[list[FieldError]]


class Problem(Exception):
    """A request that is refused: `status`, a short stable `kind`, and a `detail` that the sender can act on.

    `errors` name the fields at fault, `headers` go with the answer (Retry-After).
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        instance: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.instance = instance

    def response(self) -> web.Response:
        """The answer that tells of this problem."""
        body: ProblemBody = {
            "type": f"{PREFIX}{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.instance:
            body["instance"] = self.instance
        if self.errors:
            body["errors"] = list(self.errors)
        return web.Response(
            status=self.status,
            body=json.dumps(body, ensure_ascii=False).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def field_problem(field: str, message: str) -> Problem:
    """400 for one field of the request."""
    return Problem(
        400, "invalid-request", f"{field}: {message}", errors=[{"field": field, "message": message}]
    )
