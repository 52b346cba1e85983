"""JSON against our own schemas, strictly: a field that no schema tells of is a fault too."""

from functools import cache
from typing import Any

import jsonschema_rs

from router.cdr.record import Cdr
from router.schema import schemas_of


def strict(node: Any) -> Any:
    """The schema, or a document with schemas, with every object closed that lists its properties."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {name: strict(value) for name, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def validator_of(kind: Any) -> jsonschema_rs.Draft202012Validator:
    """Validates what is given as `kind`."""
    [schema], named = schemas_of([(kind, "serialization")])
    return jsonschema_rs.Draft202012Validator(
        strict({**schema, "components": {"schemas": named}}), validate_formats=True
    )


def faults(validator: jsonschema_rs.Draft202012Validator, value: Any) -> list[str]:
    """What is wrong with `value`, each with its place."""
    return [f"/{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(value)]


def check_cdr(record: Any) -> None:
    """Fails unless `record` is a call's record as docs/cdr.md and /openapi.json tell it."""
    found = faults(validator_of(Cdr), record)
    assert not found, found
