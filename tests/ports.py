"""Ports for servers that are started a moment later: nobody else takes them meanwhile."""

import itertools
import os
import socket

HOST = "127.0.0.1"
FIRST, COUNT = 19_000, 1_000
"""Below 32768, where the kernel takes the ports of outgoing connections from, and beside the sandbox's."""

# Test runs beside one another begin at places of their own, and none gets a port again until it had all.
_places = itertools.count(os.getpid() * 61)


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nobody listens on; different ones."""
    found: list[int] = []
    for _ in range(COUNT):
        if len(found) == count:
            return found
        port = FIRST + next(_places) % COUNT
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
    raise OSError(f"no {count} free ports on {HOST} from {FIRST} on")
