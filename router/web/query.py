"""The parameters of a request's query, read as they are described: what a description forbids is refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from multidict import MultiMapping
from pydantic import TypeAdapter, ValidationError

from router.web.openapi.operation import Parameter
from router.web.problems import field_problem

# By identity: kinds need not be hashable, and the parameters of a handler live as long as the module.
_adapters: dict[int, TypeAdapter[Any]] = {}


def read(query: MultiMapping[str], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters that were sent, by name. Raises Problem 400 that names the one at fault."""
    known: Mapping[str, Parameter] = {parameter.name: parameter for parameter in parameters}
    found: dict[str, Any] = {}
    for name, text in query.items():
        if name not in known:
            raise field_problem(name, f"unknown parameter; known are {', '.join(sorted(known))}")
        if name in found:
            raise field_problem(name, "is given more than once")
        found[name] = _value(known[name], text)
    return found


def _value(parameter: Parameter, text: str) -> Any:
    adapter = _adapters.get(id(parameter))
    if adapter is None:
        adapter = _adapters[id(parameter)] = TypeAdapter(parameter.kind)
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False)
        if first["type"] == "literal_error":
            raise field_problem(parameter.name, f"takes {first['ctx']['expected']}") from None
        if first["type"] == "string_pattern_mismatch":
            raise field_problem(parameter.name, f"takes {parameter.description}") from None
        raise field_problem(parameter.name, first["msg"]) from None
