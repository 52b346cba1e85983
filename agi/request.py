"""What the dialplan asks: one FastAGI request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class AgiRequest:
    """One question from the dialplan.

    path: with its leading slash, "/route". query: after a question mark in the URL. args: dialed, linkedid,
    and caller or keyed digits, from the URL (``route/DIALED/CALLER/LINKEDID``: its line precedes all that a
    caller can put into the header), or ``agi_arg_1`` and on, as dialplans of version 1 ask. variables: all
    ``agi_*`` headers. peer: the address that asked. received_at: ms since the epoch, UTC.
    Every string is caller-controllable as far as the dialplan has not filtered it.
    """

    path: str
    query: Mapping[str, str]
    args: tuple[str, ...]
    variables: Mapping[str, str]
    peer: str
    received_at: int

    @classmethod
    def of(cls, variables: Mapping[str, str], peer: str, received_at: int) -> "AgiRequest":
        script = variables.get("agi_network_script", "")
        parts = script.split("/", 3)
        if len(parts) == _PARTS:
            path, dialed, third, linkedid = parts
            return cls("/" + path, {}, (dialed, linkedid, third), variables, peer, received_at)
        path, _, query = script.partition("?")
        args: list[str] = []
        while (arg := variables.get(f"agi_arg_{len(args) + 1}")) is not None:
            args.append(arg)
        return cls(
            path=path if path.startswith("/") else "/" + path,
            query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
            args=tuple(args),
            variables=variables,
            peer=peer,
            received_at=received_at,
        )

    def _arg(self, position: int) -> str:
        return self.args[position - 1] if len(self.args) >= position else ""

    @property
    def dialed(self) -> str:
        """The digits dialed, cleaned by the dialplan; may keep a leading plus."""
        return self._arg(1)

    @property
    def linkedid(self) -> str:
        return self._arg(2) or self.variables.get("agi_uniqueid", "")

    @property
    def caller(self) -> str:
        """``/route``: the caller's number, cleaned; may be empty."""
        return self._arg(3)

    @property
    def keyed(self) -> str:
        """``/extension``: the digits that the caller keyed."""
        return self._arg(3)
