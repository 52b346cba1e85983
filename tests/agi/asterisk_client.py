"""Asterisk's side of a FastAGI connection, on a real socket."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from .asterisk_bytes import header_block


@dataclass
class Seen:
    """What Asterisk got: whole command lines, and whether the stream ended."""

    lines: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def pairs(self) -> dict[str, str]:
        return dict(self.pair_list)

    @property
    def pair_list(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for line in self.lines:
            assert line.startswith(b'EXEC MSet "'), line
            for pair in line[11:-2].decode().split(","):
                name, _, value = pair.partition("=")
                found.append((name, value))
        return found


async def ask(
    port: int,
    block: bytes | None = None,
    *,
    replies: tuple[bytes, ...] = (b"200 result=0\n",),
    segments: int = 1,
    host: str = "127.0.0.1",
) -> Seen:
    """Send the header block in ``segments``; answer each command with the next reply (the last repeats)."""
    block = header_block() if block is None else block
    reader, writer = await asyncio.open_connection(host, port)
    seen = Seen()
    try:
        step = max(1, len(block) // segments)
        for start in range(0, len(block), step):
            writer.write(block[start : start + step])
            if segments > 1:
                await asyncio.sleep(0.001)
        while line := await reader.readline():
            seen.lines.append(line)
            writer.write(replies[min(len(seen.lines), len(replies)) - 1])
        seen.ended = True
        writer.write(b"HANGUP\n")
    except ConnectionError:
        seen.ended = True
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return seen
