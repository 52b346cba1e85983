"""Ports for what is started a moment later: nobody else takes them meanwhile. Standard library only.

The kernel gives outgoing connections and unnamed sockets ports from 32768 on: one from there that is free now
may be anybody's when a program that takes a second to start asks for it, the more so where nobody listens for
minutes (the router's, when it is down). So these come from below, each process begins at a place of its own,
and none is given twice until all were.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, COUNT = 11_000, 7_990
RTP_FIRST, RTP_BLOCKS, RTP_BLOCK = 20_000, 12, 1_000
"""Asterisk's own, for sound: beside the others, and below the kernel's too."""

_places = itertools.count(os.getpid() * 487)


def free_port(address: str, *, count: int = 1, kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port of `address` that is free together with the `count - 1` next ones, even as RTP likes it."""
    for _ in range(COUNT // 2):
        port = FIRST + next(_places) * 2 % COUNT
        for _ in range((count - 1) // 2):
            next(_places)
        if all(is_free(address, port + extra, kind) for extra in range(count)):
            return port
    raise OSError(f"no free port on {address}")


def free_tcp_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    return free_port("127.0.0.1", kind=socket.SOCK_STREAM)


def is_free(address: str, port: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> bool:
    """Whether the port can be had now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def rtp_ports(place: int) -> str:
    """`FIRST-LAST`, a block of Asterisk's; `place` tells the blocks apart."""
    first = RTP_FIRST + place % RTP_BLOCKS * RTP_BLOCK
    return f"{first}-{first + RTP_BLOCK - 1}"
