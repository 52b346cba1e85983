"""Bytes from the switch as text that every sink (JSON, SQLite, PostgreSQL, a terminal) can take."""


def decode(raw: bytes) -> str:
    """``raw`` as UTF-8, or whole as Latin-1 where it is not UTF-8: old trunks send Latin-1 caller names.

    Never raises. ``surrogateescape`` would keep the bytes too, but a lone surrogate is refused by SQLite,
    PostgreSQL and strict JSON writers, so one odd caller name would break a call's record further on.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_lines(block: bytes) -> list[str]:
    """The lines of ``block``, each as `decode` gives it: one odd line does not change the others."""
    try:
        return block.decode().split("\n")
    except UnicodeDecodeError:
        return [decode(line) for line in block.split(b"\n")]
