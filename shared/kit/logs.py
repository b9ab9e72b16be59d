"""Structured logs: one JSON object a line, with the trace, and never with personal data.

Code logs events by a fixed name and passes ids, codes and numbers as `extra`; names, phone
numbers, secrets and bodies are never passed.
"""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pythonjsonlogger.json import JsonFormatter

from shared.kit import tracing

MAX_LOG_BYTES = 50_000_000


class _TraceFilter(logging.Filter):
    """Adds the trace of the running task, unless the record names one itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        trace = tracing.current()
        if trace and not hasattr(record, "trace_id"):
            record.trace_id = trace.trace_id
            record.span_id = trace.span_id
        return True


def configure(*, service: str, log_file: Path | None) -> None:
    """Send every log of this process to `log_file` (rotated, owner-only) or standard output."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler(sys.stdout)
    else:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.touch(mode=0o600)
        handler = RotatingFileHandler(log_file, maxBytes=MAX_LOG_BYTES, backupCount=2)
    handler.addFilter(_TraceFilter())
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at", "levelname": "level", "message": "event"},
            static_fields={"service": service},
            json_ensure_ascii=False,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # One line per request is ours; the access logs of server and client would repeat it.
    for name in ("uvicorn.access", "httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
