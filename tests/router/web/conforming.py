"""Holds a listener to its own description: each answer, and each request that it takes."""

import json
from typing import Any

import jsonschema_rs
from aiohttp import web

from router.web.openapi.document import Listener, document, routes_of
from tests.strictly import faults, strict

FOUND: list[str] = []
"""What differed from the description; the fixture `nothing_differs` looks at it after each test."""

_made: dict[tuple[Any, ...], dict[str, Any]] = {}


def conforming(application: web.Application, listener: Listener) -> web.Application:
    """The application, whose answers are looked at when all of their headers are there."""
    routes = (listener.title, *((method, path) for method, path, _ in routes_of(application)))
    if routes not in _made:
        _made[routes] = document(application, listener)
    watch = _Watch(_made[routes], bool(listener.schemes))

    async def watched(request: web.Request, response: web.StreamResponse) -> None:
        found = await watch.faults(request, response)
        FOUND.extend(f"{request.method} {request.path}: {fault}" for fault in found)

    application.on_response_prepare.append(watched)
    return application


class _Watch:
    def __init__(self, described: dict[str, Any], guarded: bool) -> None:
        self._described = strict(described)
        self._taken = described  # unknown fields are ignored: the description does not forbid them
        self._guarded = guarded

    async def faults(self, request: web.Request, response: web.StreamResponse) -> list[str]:
        resource = request.match_info.route.resource
        if resource is None:
            if self._guarded and not request.path.startswith("/api/"):
                return []
            return self._content({"$ref": "#/components/schemas/ProblemBody"}, response)
        operations = self._described["paths"].get(resource.canonical)
        if operations is None:
            return []  # a page: test_document.py knows of every route that is not told of
        method = "get" if request.method == "HEAD" else request.method.lower()
        operation = operations[method]
        told = operation["responses"].get(str(response.status))
        if told is None:
            return [f"{response.status} is not told of"]
        told = self._resolved(told)
        found = [f"no {name}" for name in told.get("headers", {}) if name not in response.headers]
        found += self._answer(told.get("content", {}), request, response)
        if response.status < 300:
            found += await self._request(operation, request)
        return found

    def _answer(
        self, content: dict[str, Any], request: web.Request, response: web.StreamResponse
    ) -> list[str]:
        if not content:
            has_body = isinstance(response, web.Response) and bool(response.body)
            return ["a body that is not told of"] if has_body else []
        media = content.get(response.content_type)
        if media is None:
            return [f"{response.status} as {response.content_type} is not told of"]
        if "schema" not in media or request.method == "HEAD":
            return []
        return self._content(media["schema"], response)

    def _content(self, schema: dict[str, Any], response: web.StreamResponse) -> list[str]:
        if not (isinstance(response, web.Response) and response.content_type.endswith("json")):
            return []
        assert isinstance(response.body, bytes)
        found = _against(schema, self._described, json.loads(response.body))
        return [f"answer{fault}" for fault in found]

    async def _request(self, operation: dict[str, Any], request: web.Request) -> list[str]:
        parameters = {
            one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"
        }
        found = [f"takes {name}, which is not told of" for name in request.query if name not in parameters]
        body = operation.get("requestBody")
        sent = await request.read() if body else b""
        if sent and body:
            schema = body["content"]["application/json"]["schema"]
            found += [f"took{fault}" for fault in _against(schema, self._taken, json.loads(sent))]
        return found

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            found = self._described
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            return found
        return node


def _against(schema: dict[str, Any], described: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": described["components"]}
    return faults(jsonschema_rs.Draft202012Validator(whole, validate_formats=True), value)
