"""Loaded by schemathesis: each request comes from an address of its own, so that no limit ends it."""

import random
from typing import Any

import schemathesis

_ADDRESSES = random.Random(0)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    last = ".".join(str(_ADDRESSES.randrange(1, 255)) for _ in range(3))
    case.headers = {**(case.headers or {}), "X-Forwarded-For": f"10.{last}"}
