"""Logging set-up: structlog for us and for the libraries, JSON where nobody is looking.

Every line of a call carries its `linkedid`, every line of a visit its `visit_id`: bind them with
`structlog.contextvars.bound_contextvars`.
"""

import logging
import sys
from typing import Any, TextIO

import structlog

from router.recent_log import remember


def set_up_logging(level: str, log_format: str, stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error): `log_format` is "json", "text", or "auto" (text on a terminal)."""
    stream = stream or sys.stderr
    as_text = log_format == "text" or (log_format == "auto" and stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        remember,
        structlog.processors.format_exc_info,
    ]
    if as_text:
        shared.remove(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # One line per HTTP request and per reconnect attempt of the AMI library would drown the calls.
    for noisy in ("aiohttp.access", "asyncio", "panoramisk", "aiosqlite"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
