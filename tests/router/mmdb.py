"""Writes small MaxMind DB files (format 2.0: https://maxmind.github.io/MaxMind-DB/) for tests."""

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEPARATOR = bytes(16)
METADATA_MARK = b"\xab\xcd\xefMaxMind.com"
UINT16, UINT32, UINT64 = 5, 6, 9
Node = list[Any]


def write_mmdb(path: Path, records: Mapping[str, Any], *, database_type: str = "Test-City") -> Path:
    """A file that gives each network (IPv4 or IPv6) its record; networks must not overlap."""
    root: Node = [None, None]
    for text, record in records.items():
        network = ipaddress.ip_network(text)
        bits, length = int(network.network_address), network.prefixlen
        if network.version == 4:  # IPv4 lives at ::/96
            length += 96
        node = root
        for place in range(length - 1):
            side = bits >> (127 - place) & 1
            if node[side] is None:
                node[side] = [None, None]
            node = node[side]
        node[bits >> (128 - length) & 1] = (record,)
    path.write_bytes(_file(root, database_type))
    return path


def _file(root: Node, database_type: str) -> bytes:
    nodes: list[Node] = []

    def number(node: Node) -> None:
        nodes.append(node)
        for child in node:
            if isinstance(child, list):
                number(child)

    number(root)
    places = {id(node): index for index, node in enumerate(nodes)}
    data = bytearray()
    tree = bytearray()
    for node in nodes:
        for child in node:
            if child is None:
                value = len(nodes)
            elif isinstance(child, list):
                value = places[id(child)]
            else:
                value = len(nodes) + len(SEPARATOR) + len(data)
                data += encoded(child[0])
            tree += value.to_bytes(3, "big")
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": (UINT64, 1_763_817_000),
        "database_type": database_type,
        "description": {"en": "invented"},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": (UINT32, len(nodes)),
        "record_size": 24,
    }
    return bytes(tree) + SEPARATOR + bytes(data) + METADATA_MARK + encoded(metadata)


def encoded(value: Any) -> bytes:
    """One value as the format's data section holds it; an integer is an UINT16, or (kind, integer)."""
    if isinstance(value, str | bytes):
        content = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        return _control(2, len(content)) + content
    if isinstance(value, dict):
        inside = b"".join(encoded(part) for pair in value.items() for part in pair)
        return _control(7, len(value)) + inside
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(encoded, value))
    if isinstance(value, bool):
        return _control(14, int(value))
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    kind, number = value if isinstance(value, tuple) else (UINT16, value)
    content = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _control(kind, len(content)) + content


def _control(kind: int, size: int) -> bytes:
    head, tail = size, b""
    if size >= 29:
        base, width, head = (29, 1, 29) if size < 285 else (285, 2, 30) if size < 65_821 else (65_821, 3, 31)
        tail = (size - base).to_bytes(width, "big")
    if kind > 7:
        return bytes([head, kind - 7]) + tail
    return bytes([kind << 5 | head]) + tail
