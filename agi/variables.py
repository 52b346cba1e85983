"""Every name that the dialplan and this side agree on, spelt once.

The dialplan in ``dialplan/`` reads the answer variables, writes the user events and looks the AstDB family up
when nobody answers. Values of answer variables may not hold what Asterisk's argument parser understands
(``commands.UNSAFE_IN_VALUE``); site keys, prompt names and targets are validated by the configuration.
"""

from typing import Final

# FastAGI paths (the part after agi://HOST:PORT).
PATH_ROUTE: Final = "/route"
PATH_EXTENSION: Final = "/extension"
DEFAULT_PORT: Final = 4573

# Answer variables.
OK: Final = "LL_OK"
"""The sentinel, "1", set last: AGISTATUS says SUCCESS even when the server died half-way."""
NUMBER: Final = "LL_NUMBER"
SITE: Final = "LL_SITE"
RECORD: Final = "LL_RECORD"
ANNOUNCE: Final = "LL_ANNOUNCE"
WHISPER: Final = "LL_WHISPER"
OVERFLOW: Final = "LL_OVERFLOW"
LANGUAGE: Final = "LL_LANGUAGE"
ASK: Final = "LL_ASK"
BLOCK: Final = "LL_BLOCK"
DECIDED_MS: Final = "LL_MS"
"""How long the router took to decide, milliseconds with three decimals; the server adds it."""

MAX_STEPS: Final = 9
DIAL_STRINGS: Final = tuple(f"LL_D{step}" for step in range(1, MAX_STEPS + 1))
RING_SECONDS: Final = tuple(f"LL_T{step}" for step in range(1, MAX_STEPS + 1))

ADDED_BY_SERVER: Final = frozenset({OK, DECIDED_MS})
"""A route may not answer these itself."""

# AstDB fallback: key = E.164 digits without the plus, value = dial string.
ASTDB_FAMILY: Final = "leaseline"

# CEL user events.
EVENT_ROUTE: Final = "LL_ROUTE"
EVENT_END: Final = "LL_END"
EVENT_EXTENSION: Final = "LL_EXT"
