"""Structured logs: one JSON object a line, with the trace, and never with personal data.

Code logs events by a fixed name and passes ids, codes and numbers as `extra`; names, phone
numbers, secrets and bodies are never passed.
"""

import logging
import os
import sys
import traceback
from io import FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

from shared.kit import tracing

MAX_LOG_BYTES = 50_000_000


class _Filter(logging.Filter):
    """Adds the trace of the running task, and keeps of an exception its kind and its frames.

    Its message is left out, also where a library logs it: it may repeat a row, and a row may be
    personal data.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        trace = tracing.current()
        if trace and not hasattr(record, "trace_id"):
            record.trace_id = trace.trace_id
            record.span_id = trace.span_id
        if isinstance(record.exc_info, tuple) and record.exc_info[0]:
            record.cause = record.exc_info[0].__name__
            record.frames = frames_of(record.exc_info[2])
        record.exc_info = record.exc_text = None
        if record.name == "asyncio":  # it repeats the exception in its second line
            record.msg, record.args = record.getMessage().partition("\n")[0], ()
        return True


class _PrivateFile(RotatingFileHandler):
    """Owner-only from its first byte on, and so is every file that follows it.

    It counts what it writes: its base formats each line twice and asks the file system each time.
    """

    _written = 0

    def _open(self) -> TextIOWrapper:
        private = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._written = os.fstat(private).st_size
        return TextIOWrapper(FileIO(private, "a"), encoding="utf-8", write_through=True)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
            size = len(line.encode())
            if self._written + size > self.maxBytes:
                self.doRollover()
            if self.stream is not None:
                self.stream.write(line)
            self._written += size
        except Exception:  # a log that cannot be written must not stop the bank
            self.handleError(record)


def frames_of(trace: TracebackType | None) -> str:
    """The innermost frames of an exception, without its message."""
    return "".join(traceback.format_tb(trace)[-6:])


def configure(*, service: str, log_file: Path | None) -> None:
    """Send every log of this process to `log_file` (rotated, owner-only) or standard output."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler(sys.stdout)
    else:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateFile(log_file, maxBytes=MAX_LOG_BYTES, backupCount=2)
    handler.addFilter(_Filter())
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at", "levelname": "level", "message": "event"},
            static_fields={"service": service},
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # One line per request is ours; the access logs of server and client would repeat it.
    for name in ("uvicorn.access", "httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
