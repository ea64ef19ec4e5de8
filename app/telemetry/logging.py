"""Log lines on standard output: one JSON line a call, and events by structlog."""

from __future__ import annotations

import logging

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from app.telemetry.output import Output
from app.telemetry.record import CallRecord

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class CallLines:
    """Writes the line of each call."""

    def __init__(self, out: Output, *, level: str) -> None:
        self._out = out
        self._encoder = msgspec.json.Encoder()
        self.take_level(level)

    def take_level(self, level: str) -> None:
        """Write the lines of this level, and of those above it."""
        self._threshold = LEVELS[level]

    def write(self, record: CallRecord) -> None:
        """Write one line."""
        if LEVELS[record.level] >= self._threshold:
            self._out.put(self._encoder.encode(record) + b"\n")


def configure(out: Output, *, level: str, format: str) -> FilteringBoundLogger:
    """Set up events and the libraries' own log records to go to standard output in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    handler: logging.StreamHandler[Output] = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Our own line tells of each call; the libraries' lines at this level would only repeat it.
    for name in ("uvicorn.error", "uvicorn.access", "asyncio", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)
    log: FilteringBoundLogger = structlog.get_logger("switchgear")
    return log
