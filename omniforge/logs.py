"""Structured logs: one JSON object a line, for our records and for those of the libraries."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

# Five files of ten megabytes: days of a busy worker, never a full disk.
_FILE_BYTES, _FILES = 10 * 1024 * 1024, 5


def set_up_logs(level: str, file: Path | None) -> None:
    """Send all records to stderr, or to a rotating file. Once a process, before anything logs."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=_FILE_BYTES, backupCount=_FILES)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # They tell of every request and every statement, and headers may hold keys.
    for noisy in ("httpx2", "httpcore", "anthropic", "openai", "mcp", "sqlalchemy", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
