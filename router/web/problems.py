"""Errors as `application/problem+json` (RFC 9457): what was wrong, with which field, and what to do."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from aiohttp import web

CONTENT_TYPE: Final = "application/problem+json"


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
        errors: Sequence[Mapping[str, str]] = (),
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
        body: dict[str, object] = {
            "type": f"urn:leaseline:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.instance:
            body["instance"] = self.instance
        if self.errors:
            body["errors"] = self.errors
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
