"""What is told about one handler."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

_OPERATION: Final = "__operation__"
_PAGE: Final = "__page__"

Handler = TypeVar("Handler", bound=Callable[..., Any])
Security = Literal["key", "open"]
Kinds = Mapping[int, Sequence[str]]
"""The kinds of problems (`urn:leaseline:problem:…`) that a status may come with."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter in path, query or header. `kind` is a type, as `router.schema` takes it."""

    name: str
    kind: Any = str
    description: str = ""
    example: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Content that is no JSON as a whole; `parts`: what is in it, by the name of an extension (`x-line`)."""

    description: str
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Events:
    """Server-sent events; `data`: the type of what comes as JSON, by the event's name."""

    description: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status comes with: media types with their content, and headers.

    A content is the type of a JSON value, Text, Events, or None: bytes.
    """

    description: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    headers: Sequence[str] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)


def JSON(kind: Any, example: Any = None, description: str = "", headers: Sequence[str] = ()) -> Answer:  # noqa: N802
    """An answer of one JSON value."""
    examples = {} if example is None else {"application/json": example}
    return Answer(description, {"application/json": kind}, headers, examples)


@dataclass(frozen=True, slots=True)
class Body:
    """What a request brings. `media`: as which types it may come."""

    kind: Any
    example: Any = None
    required: bool = True
    media: Sequence[str] = ("application/json",)


@dataclass(frozen=True, slots=True)
class Operation:
    """One handler's description."""

    tag: str
    summary: str
    description: str
    name: str
    answers: Mapping[int, Answer]
    path: Sequence[Parameter] = ()
    query: Sequence[Parameter] = ()
    headers: Sequence[Parameter] = ()
    body: Body | None = None
    problems: Kinds = field(default_factory=dict)
    security: Security | None = None
    """None: as the listener has it."""


def described(
    tag: str,
    *,
    answers: Mapping[int, Answer],
    path: Sequence[Parameter] = (),
    query: Sequence[Parameter] = (),
    headers: Sequence[Parameter] = (),
    body: Body | None = None,
    problems: Kinds | None = None,
    security: Security | None = None,
) -> Callable[[Handler], Handler]:
    """Tells of the handler that follows; its docstring says what it does."""

    def mark(handler: Handler) -> Handler:
        summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
        told = Operation(
            tag, summary, description.strip(), handler.__name__, answers, path, query, headers, body,
            problems or {}, security,
        )  # fmt: skip
        setattr(handler, _OPERATION, told)
        return handler

    return mark


def page(handler: Handler) -> Handler:
    """Marks a handler whose answer is for people, not for programs: the description leaves it out."""
    setattr(handler, _PAGE, True)
    return handler


def operation_of(handler: object) -> Operation | None:
    """What is told about a handler, if anything is."""
    found = getattr(handler, _OPERATION, None)
    return found if isinstance(found, Operation) else None


def is_page(handler: object) -> bool:
    """Whether the handler is one for people."""
    return getattr(handler, _PAGE, False) is True
