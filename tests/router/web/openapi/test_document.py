"""Both listeners describe themselves: validly, and all of what they serve."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import web as http
from openapi_spec_validator import OpenAPIV31SpecValidator

from router.web.openapi.document import PATH, routes_of, untold
from router.web.openapi.operation import is_page, page
from tests.router.web.openapi.conftest import Admin, Web

Asked = tuple[http.Application, dict[str, Any]]


@pytest.fixture(params=["public", "admin"])
async def asked(request: pytest.FixtureRequest, web: Web, admin: Admin) -> Asked:
    """A listener's application and the document that it serves."""
    client = web.client if request.param == "public" else admin.client
    answer = await client.get(PATH)
    assert (answer.status, answer.content_type) == (200, "application/json")
    return client.app, await answer.json()


def test_the_document_is_valid(asked: Asked) -> None:
    _, document = asked
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_an_operation_and_every_operation_a_route(asked: Asked) -> None:
    application, document = asked
    told = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    served = {f"{method} {path}" for method, path, handler in routes_of(application) if not is_page(handler)}
    assert untold(application) == [], "describe each at its handler: router/web/openapi/__init__.py says how"
    assert told == served
    assert f"GET {PATH}" in told


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_each_operation_says_what_it_does_under_a_name_of_its_own(asked: Asked) -> None:
    _, document = asked
    found = operations(document)
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in document["tags"]}
    for operation in found:
        assert operation["summary"].endswith("."), operation["operationId"]
        assert set(operation["tags"]) <= tags
    for path, methods in document["paths"].items():
        for operation in methods.values():
            listed = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
            assert listed == re.findall(r"{(\w+)}", path)


def test_every_schema_is_used_and_every_example_is_of_its_schema(asked: Asked) -> None:
    _, document = asked
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
    shown = list(_examples(document))
    assert shown
    for schema, example in shown:
        jsonschema_rs.validate({**schema, "components": document["components"]}, example)


def _examples(node: Any) -> Any:
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield node["schema"], node["example"]
        if "examples" in node and isinstance(node["examples"], list):
            yield from ((node, example) for example in node["examples"])
        for value in node.values():
            yield from _examples(value)
    elif isinstance(node, list):
        for value in node:
            yield from _examples(value)


NUMBERS = re.compile(r"\+44(2079460|7700900|1134960|1174960)\d{3}")


def test_numbers_and_hosts_in_it_belong_to_nobody(asked: Asked) -> None:
    _, document = asked
    text = json.dumps(document)
    for number in re.findall(r"\+\d{7,}", text):
        assert NUMBERS.fullmatch(number), number
    for host in re.findall(r"https?://([^/\"?]+)", text):
        assert host.endswith(".example") or host == "www.google.com", host


def test_only_what_holds_nothing_is_open_on_the_admin_listener(admin_document: dict[str, Any]) -> None:
    open_paths = {
        path
        for path, methods in admin_document["paths"].items()
        for operation in methods.values()
        if operation.get("security", admin_document["security"]) == []
    }
    assert open_paths == {"/healthz", "/readyz", "/metrics", PATH}


async def test_what_is_not_open_is_refused_to_those_without_a_key(
    admin: Admin, admin_document: dict[str, Any]
) -> None:
    for path, methods in admin_document["paths"].items():
        for method, operation in methods.items():
            if operation.get("security") == []:
                continue
            answer = await admin.get(re.sub(r"{\w+}", "channels", path), None, method=method.upper())
            # After ten refusals the address is kept waiting.
            assert answer.status in {401, 429}, f"{method} {path}"


async def test_a_route_of_which_nothing_is_told_is_found() -> None:
    async def handler(_: http.Request) -> http.Response:
        return http.Response()

    application = http.Application()
    application.router.add_get("/api/v1/new", handler)
    assert untold(application) == ["GET /api/v1/new"]
    application = http.Application()
    application.router.add_get("/page", page(handler))
    assert untold(application) == []
