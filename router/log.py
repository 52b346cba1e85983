"""Logging set-up: structlog for us and for the libraries, JSON where nobody is looking.

Every line of a call carries its `linkedid`, every line of a visit its `visit_id`: bind them with
`structlog.contextvars.bound_contextvars`. Our own lines go straight to the stream; through Python's logging
they cost three times as much, and there is one for each call.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from router.recent_log import remember


class LineLogger:
    """Writes finished lines: what structlog's wrapper calls at the end."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write one line, whole."""
        self._stream.write(line + "\n")
        self._stream.flush()

    debug = info = warning = error = critical = msg


def _add_logger_name(logger: LineLogger, _: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = logger.name
    return event


def set_up_logging(
    level: str, log_format: str, stream: TextIO | None = None, *, lasting: bool = True
) -> None:
    """Log to `stream` (standard error): `log_format` is "json", "text", or "auto" (text on a terminal).

    Not `lasting`: it will be set up again; loggers that are used meanwhile learn of it.
    """
    stream = stream or sys.stderr
    as_text = log_format == "text" or (log_format == "auto" and stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        remember,
        structlog.processors.format_exc_info,
    ]
    if as_text:
        shared.remove(structlog.processors.format_exc_info)
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, _add_logger_name, renderer],
        logger_factory=lambda name="", *_: LineLogger(name, stream),
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        cache_logger_on_first_use=lasting,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line per HTTP request and per reconnect attempt of the AMI library would drown the calls.
    for noisy in ("aiohttp.access", "asyncio", "panoramisk", "aiosqlite"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
