"""Types of JSON values and of parameters, and their JSON schemas (2020-12), for documents and tests.

A TypedDict or a pydantic model is the source; these names say what a plain `str` or `float` in it is.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticCustomError

from pool.instants import Instant, from_iso

REFERENCE: Final = "#/components/schemas/{model}"

Iso: TypeAlias = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        examples=["2026-11-22T13:10:05.000Z"],
    ),
]
"""An instant in UTC, with milliseconds."""
Seconds: TypeAlias = Annotated[float, Field(json_schema_extra={"minimum": 0})]
"""A duration."""
Share: TypeAlias = Annotated[float, Field(json_schema_extra={"minimum": 0, "maximum": 1})]
"""A part of the whole, or a probability."""
Count: TypeAlias = Annotated[int, Field(json_schema_extra={"minimum": 0})]
"""So many."""
Number: TypeAlias = Annotated[
    str, Field(json_schema_extra={"pattern": r"^\+[1-9]\d{1,14}$"}, examples=["+442079460123"])
]
"""A phone number, E.164."""
Id: TypeAlias = Annotated[str, Field(examples=["01935400a4d2a1b2c3d4e5f60718293a4b5"])]
"""An id that was given by us: a word without meaning to others."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DATE: Final = r"^(19[7-9]\d|[2-9]\d\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"


def refused(message: str) -> PydanticCustomError:
    """What a validator of a parameter raises: the message comes to the sender as it is."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def _value(text: str) -> str:
    if _CONTROL.search(text):
        raise refused("has characters that no such value has")
    return text


def _word(text: str) -> str:
    if not text:
        raise refused("is empty: give a value, or leave it out")
    return _value(text)


def _moment(text: object) -> Instant:
    if isinstance(text, str):
        try:
            if re.fullmatch(_DATE, text):
                return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
            if re.match(f"{_DATE}[T ]", text):
                # A "+" that was not escaped arrives as a space.
                return from_iso(f"{text[:10]}T{text[11:].replace(' ', '+')}")
        except ValueError:
            pass
    raise refused("takes 2026-11-22 (UTC) or 2026-11-22T13:00:00Z, from 1970 on")


def whole(least: int, most: int) -> Any:
    """The kind of a parameter that is a whole number, written in plain digits."""

    def read(text: object) -> int:
        if isinstance(text, str) and re.fullmatch("[0-9]{1,18}", text) and least <= int(text) <= most:
            return int(text)
        raise refused(f"takes a whole number from {least} to {most}")

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Annotated[int, BeforeValidator(read), WithJsonSchema(schema)]


Word: TypeAlias = Annotated[
    str,
    AfterValidator(_word),
    Field(json_schema_extra={"minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}),
]
"""A parameter: a name, number or address, without control characters."""
Value: TypeAlias = Annotated[
    str, AfterValidator(_value), Field(json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"})
]
"""A parameter: the same, or empty where that means something."""
Moment: TypeAlias = Annotated[
    Instant,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date", "pattern": f"{_DATE}$"},
                {"type": "string", "format": "date-time", "pattern": f"{_DATE}T"},
            ],
            "examples": ["2026-11-22", "2026-11-22T13:00:00Z"],
        }
    ),
]
"""A parameter: a day (its beginning in UTC) or an instant."""

Mode: TypeAlias = Literal["validation", "serialization"]
Schema: TypeAlias = dict[str, Any]


class _Generator(GenerateJsonSchema):
    # A title that repeats the field's name tells nothing, and is a third of the document.
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas_of(types: Iterable[tuple[Any, Mode]]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each of `types`, in their order, and the named ones that those refer to (REFERENCE).

    `validation`: what is taken; `serialization`: what is given.
    """
    inputs = [(place, mode, TypeAdapter(kind)) for place, (kind, mode) in enumerate(types)]
    found, named = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE, schema_generator=_Generator)
    return [found[place, mode] for place, mode, _ in inputs], named.get("$defs", {})
