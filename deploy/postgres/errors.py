"""What goes wrong around the embedded PostgreSQL, in one line that a person can act upon."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class PostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the text is one clear line."""


@contextmanager
def reported(action: str) -> Iterator[None]:
    """Turn what the operating system refuses during `action` into a `PostgresError`."""
    try:
        yield
    except (OSError, psutil.Error) as error:
        raise PostgresError(f"cannot {action}: {error}") from error
    except subprocess.TimeoutExpired as error:
        program = error.cmd[0] if isinstance(error.cmd, list) else error.cmd
        raise PostgresError(f"cannot {action}: {program} took over {error.timeout} s") from error
