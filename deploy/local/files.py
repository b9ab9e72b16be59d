"""Files of the run folder: where they are, whole or not there, and for their owner alone."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

MAX_OUTPUT_BYTES = 10_000_000


def log_file(run_dir: Path, name: str) -> Path:
    return run_dir / "logs" / f"{name}.jsonl"


def messages_file(run_dir: Path) -> Path:
    """The customers' phones: what identity sends them."""
    return run_dir / "messages.jsonl"


def keys_folder(run_dir: Path, holder: str) -> Path:
    """The keys of one process: its own private ones, and everybody's public ones."""
    return run_dir / "keys" / holder


def private_folder(folder: Path) -> Path:
    """The folder, made for its owner alone where it is missing.

    The rights of one that is there stay as they are: it may be the run folder itself, which the
    database's user has to pass through.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def private_file(file: Path) -> BinaryIO:
    """The file, open to be added to; one that has grown large begins anew."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if file.exists() and file.stat().st_size > MAX_OUTPUT_BYTES:
        flags |= os.O_TRUNC
    return os.fdopen(os.open(file, flags, 0o600), "ab")


def write_json(file: Path, content: Any) -> None:
    """Replace `file` as a whole, so that a reader never sees half of it."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False, indent=2)
        stream.write("\n")
    draft.replace(file)


def read_json(file: Path) -> dict[str, Any] | None:
    """What the file holds, or None where it is missing, damaged or no object."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
