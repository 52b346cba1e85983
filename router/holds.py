"""Which calls are on hold: only the AMI tells, and only while its events are read."""

from agi.ami_event import AmiEvent
from router.cdr.live import LiveCall


class Holds:
    """Channels on hold by linkedid, from AMI's Hold and Unhold events."""

    def __init__(self) -> None:
        self._since: int | None = None
        self._holding: dict[str, set[str]] = {}

    def listen(self, since: int | None) -> None:
        """Events are read from the instant `since` on; None: not any more. What was heard before is void."""
        self._since = since
        self._holding.clear()

    def hear(self, event: AmiEvent) -> None:
        """Takes a Hold or Unhold event."""
        linkedid, uniqueid = event.get("Linkedid", ""), event.get("Uniqueid", "")
        if event.name == "Hold":
            self._holding.setdefault(linkedid, set()).add(uniqueid)
        elif linkedid in self._holding:
            self._holding[linkedid].discard(uniqueid)

    def keep(self, linkedids: set[str]) -> None:
        """Forgets calls that are over."""
        for linkedid in self._holding.keys() - linkedids:
            del self._holding[linkedid]

    def of(self, call: LiveCall) -> bool | None:
        """Whether somebody in the call is on hold; None: nobody listened since it began."""
        if call.linkedid in self._holding:
            return bool(self._holding[call.linkedid])
        return False if self._since is not None and call.started_at >= self._since else None
