"""Calls that the switch has and the journal does not tell of: the sign of lines that were lost."""

from collections.abc import Callable, Iterable
from typing import Final

UNHEARD_SECONDS: Final = 3.0
"""A line may come so late, with its file on a busy disk."""


class Unheard:
    """What was live at the last look without a line having been read of it.

    A reader that is behind, as under overload, has lost nothing: then nothing is unheard of.
    """

    def __init__(self, heard: Callable[[str], bool], caught_up: Callable[[], bool]) -> None:
        """`heard`: whether a call's lines were read, be it over by now; `caught_up`: whether all were."""
        self._heard = heard
        self._caught_up = caught_up
        self._since: dict[str, float] = {}

    def look(self, linkedids: Iterable[str], at: float) -> None:
        """These calls of ours are live at `at`, seconds of any clock that does not jump."""
        unheard = (name for name in linkedids if not self._heard(name)) if self._caught_up() else ()
        self._since = {name: self._since.get(name, at) for name in unheard}

    def lost(self, at: float) -> bool:
        """Whether a call has been unheard of for too long."""
        return self._caught_up() and any(
            at - since >= UNHEARD_SECONDS and not self._heard(name) for name, since in self._since.items()
        )
