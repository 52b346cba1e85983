"""Assembles a listener's OpenAPI document from its routes, and serves it."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from aiohttp import web

from router.schema import Mode, Schema, schemas_of
from router.web.openapi.operation import (
    JSON,
    Answer,
    Events,
    Kinds,
    Operation,
    Parameter,
    Text,
    described,
    is_page,
    operation_of,
)
from router.web.problems import CONTENT_TYPE, PREFIX, ProblemBody

PATH: Final = "/openapi.json"
_TAKEN: Final = "validation"
_GIVEN: Final = "serialization"
_SECONDS: Final = {"type": "integer", "minimum": 0}
_HEADERS: Final[Mapping[str, tuple[str, Schema]]] = {
    "Retry-After": ("Seconds to wait.", _SECONDS),
    "WWW-Authenticate": ("How to say who you are.", {"type": "string"}),
    "ETag": ("For `If-None-Match`.", {"type": "string"}),
    "Content-Range": ("Which bytes of how many.", {"type": "string"}),
    "Content-Disposition": ("A name for the file.", {"type": "string"}),
}
_PROBLEM_HEADERS: Final[Mapping[int, str]] = {401: "WWW-Authenticate", 429: "Retry-After"}


@dataclass(frozen=True, slots=True)
class Listener:
    """What is told about all of a listener. `schemes`: how a request tells its sender; empty: not."""

    title: str
    description: str
    tags: Mapping[str, str]
    problems: Kinds
    schemes: Mapping[str, Schema] = field(default_factory=dict)


class Described(NamedTuple):
    """One route with what its handler tells."""

    method: str
    path: str
    operation: Operation


def routes_of(application: web.Application) -> Iterator[tuple[str, str, object]]:
    """Method, path and handler of each route; HEAD goes without saying where there is GET."""
    for route in application.router.routes():
        resource = route.resource
        if resource is None or isinstance(resource, web.StaticResource) or route.method == "HEAD":
            continue
        yield route.method, resource.canonical, route.handler


def operations_of(application: web.Application) -> list[Described]:
    """The routes that are described."""
    found = ((method, path, operation_of(handler)) for method, path, handler in routes_of(application))
    return [Described(method, path, operation) for method, path, operation in found if operation is not None]


def untold(application: web.Application) -> list[str]:
    """The routes of which nothing is told and that are no pages either: there should be none."""
    return [
        f"{method} {path}"
        for method, path, handler in routes_of(application)
        if operation_of(handler) is None and not is_page(handler)
    ]


def document(application: web.Application, listener: Listener) -> Schema:
    """The OpenAPI 3.1 document of an application whose routes are all added."""
    operations = operations_of(application)
    schemas = _Schemas(operations)
    names = Counter(described.operation.name for described in operations)
    paths: dict[str, Schema] = {}
    for one in operations:
        name = one.operation.name
        if names[name] > 1:
            name += "".join(f"_{part}" for part in one.path.split("/") if part.isidentifier())
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, name, listener, schemas)
    components: Schema = {
        "schemas": schemas.named,
        "responses": {
            f"Problem{status}": _problem(status, kinds, schemas)
            for status, kinds in listener.problems.items()
        },
    }
    if listener.schemes:
        components["securitySchemes"] = dict(listener.schemes)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": listener.title,
            "version": version("leaseline"),
            "description": listener.description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in listener.tags.items()],
        "security": [{name: []} for name in listener.schemes],
        "paths": paths,
        "components": components,
    }


class _Schemas:
    """The JSON schema of each type that the operations name."""

    def __init__(self, operations: Sequence[Described]) -> None:
        wanted: list[tuple[Any, Mode]] = [(ProblemBody, _GIVEN)]
        for _, _, told in operations:
            taken = [told.body.kind] if told.body else []
            taken += [parameter.kind for parameter in (*told.path, *told.query, *told.headers)]
            given = [kind for answer in told.answers.values() for kind in _given(answer)]
            wanted += [(kind, _TAKEN) for kind in taken]
            wanted += [(kind, _GIVEN) for kind in given]
        found, self.named = schemas_of(wanted)
        # By identity: types such as Annotated[…, Field(…)] need not be hashable.
        self._found = {(id(kind), mode): schema for (kind, mode), schema in zip(wanted, found, strict=True)}

    def of(self, kind: Any, mode: Mode) -> Schema:
        """A copy of its schema."""
        return dict(self._found[id(kind), mode])


def _operation(one: Described, name: str, listener: Listener, schemas: _Schemas) -> Schema:
    told = one.operation
    entry: Schema = {"operationId": name, "tags": [told.tag], "summary": told.summary}
    if told.description:
        entry["description"] = told.description
    places = (("path", _in_path(one)), ("query", told.query), ("header", told.headers))
    parameters = [_parameter(place, parameter, schemas) for place, listed in places for parameter in listed]
    if parameters:
        entry["parameters"] = parameters
    if told.body is not None:
        content: Schema = {"schema": schemas.of(told.body.kind, _TAKEN)}
        if told.body.example is not None:
            content["example"] = told.body.example
        entry["requestBody"] = {
            "required": told.body.required,
            "content": dict.fromkeys(told.body.media, content),
        }
    entry["responses"] = dict(sorted(_responses(told, listener, schemas).items()))
    if told.security == "open" and listener.schemes:
        entry["security"] = []
    return entry


def _in_path(one: Described) -> list[Parameter]:
    known = {parameter.name: parameter for parameter in one.operation.path}
    return [known[name] for name in re.findall(r"{(\w+)}", one.path)]


def _parameter(place: str, parameter: Parameter, schemas: _Schemas) -> Schema:
    entry: Schema = {
        "name": parameter.name,
        "in": place,
        "required": parameter.required or place == "path",
        "schema": schemas.of(parameter.kind, _TAKEN),
    }
    if parameter.description:
        entry["description"] = parameter.description
    if parameter.example is not None:
        entry["example"] = parameter.example
    return entry


def _responses(told: Operation, listener: Listener, schemas: _Schemas) -> Schema:
    # A listener that asks who sends a request does not look at those that are open.
    everywhere = {} if told.security == "open" and listener.schemes else listener.problems
    responses = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in everywhere}
    for status, kinds in told.problems.items():
        all_kinds = dict.fromkeys((*everywhere.get(status, ()), *kinds))
        responses[str(status)] = _problem(status, tuple(all_kinds), schemas)
    for status, answer in told.answers.items():
        responses[str(status)] = _answer(status, answer, schemas)
    return responses


def _answer(status: int, answer: Answer, schemas: _Schemas) -> Schema:
    entry: Schema = {"description": answer.description or HTTPStatus(status).phrase}
    if answer.headers:
        entry["headers"] = {name: _header(name) for name in answer.headers}
    if answer.content:
        entry["content"] = {
            media: _content(content, schemas)
            | ({"example": answer.examples[media]} if media in answer.examples else {})
            for media, content in answer.content.items()
        }
    return entry


def _given(answer: Answer) -> Iterator[Any]:
    for content in answer.content.values():
        if isinstance(content, Text):
            yield from content.parts.values()
        elif isinstance(content, Events):
            yield from content.data.values()
        elif content is not None:
            yield content


def _content(content: Any, schemas: _Schemas) -> Schema:
    if content is None:
        return {}
    if isinstance(content, Events):
        return {"schema": _event(content, schemas)}
    if not isinstance(content, Text):
        return {"schema": schemas.of(content, _GIVEN)}
    entry: Schema = {"schema": {"type": "string", "description": content.description}}
    return entry | {name: schemas.of(kind, _GIVEN) for name, kind in content.parts.items()}


def _event(events: Events, schemas: _Schemas) -> Schema:
    """One event, as its fields are sent (OpenAPI 3.2 calls this the schema of an item)."""
    kinds = [
        {
            "properties": {
                "event": {"const": name},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": schemas.of(kind, _GIVEN),
                },
            }
        }
        for name, kind in events.data.items()
    ]
    schema = {"type": "object", "required": ["event", "data"], "oneOf": kinds}
    return {"description": events.description, **schema}


def _problem(status: int, kinds: Sequence[str], schemas: _Schemas) -> Schema:
    told = {"type": {"enum": [PREFIX + kind for kind in kinds]}, "status": {"const": status}}
    schema = {"allOf": [schemas.of(ProblemBody, _GIVEN)], "properties": told}
    entry: Schema = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{kind}`' for kind in kinds)}",
        "content": {CONTENT_TYPE: {"schema": schema}},
    }
    if status in _PROBLEM_HEADERS:
        name = _PROBLEM_HEADERS[status]
        entry["headers"] = {name: _header(name)}
    return entry


def _header(name: str) -> Schema:
    description, schema = _HEADERS[name]
    return {"description": description, "schema": schema}


class Served:
    """The document on the listener that it describes: assembled when it is first asked for."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._body: bytes | None = None

    def add_to(self, application: web.Application) -> None:
        """Adds the route."""
        application.router.add_get(PATH, self.serve)

    @described("description", answers={200: JSON(dict[str, Any])}, security="open")
    async def serve(self, request: web.Request) -> web.Response:
        """This description (OpenAPI 3.1)."""
        if self._body is None:
            # Some ten milliseconds: beside the loop, on which calls are routed.
            made = await asyncio.to_thread(document, request.app, self._listener)
            self._body = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
        return web.Response(body=self._body, content_type="application/json")
