"""A snapshot of the windows and rings: one file, with the places on the bus up to which it counts.

It is written a slice at a time while payments go on being counted. What comes in meanwhile may
be in the file or not: the bus brings it again after the places, and a payment counts once. So a
start reads the file and then the tail of the bus, and reaches what a reading of all would.

The file is checked by its SHA-256 and by its form; one that does not fit is refused, and the
windows are built from the bus alone.
"""

import hashlib
import json
import os
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from services.risk.features import blocks
from services.risk.features.compiling import Block
from services.risk.features.measuring import CUSTOMERS, ENTITIES, Windows
from services.risk.rings.domain import Rings
from services.risk.windows import Layout

FORMAT = 4
#: Keys that are written between two looks at what else there is to do.
SLICE = 250

Offsets = Mapping[tuple[str, int], int]
"""The next record to read, by topic and partition."""

#: How many bytes a key has, its window and its payees.
_SIZES = struct.Struct("<HII")
_COUNT = struct.Struct("<I")
_DIGEST_BYTES = 32


class SnapshotRefused(Exception):
    """Why a file may not be used: none, damaged, or of other windows than these."""


def _form(windows: Windows, bus: str) -> dict[str, object]:
    """What has to be the same for a file to be read."""
    layouts = [
        [entity, repr(layout)] for entity, layout in zip(ENTITIES, windows.layouts, strict=True)
    ]
    return {"format": FORMAT, "bus": bus, "layouts": layouts}


def written(
    windows: Windows, rings: Rings, path: Path, *, offsets: Offsets, bus: str
) -> Generator[int, None, None]:
    """Writes the file in slices, each a step of the iterator (keys written so far).

    The file is there once the iterator ends, as a whole or not at all. `offsets` are those of
    what the windows have counted before the first step.
    """
    places = [[topic, partition, offset] for (topic, partition), offset in sorted(offsets.items())]
    head = json.dumps(_form(windows, bus) | {"offsets": places})
    part = path.with_suffix(f".{os.getpid()}.part")
    digest, done = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:

            def put(content: bytes) -> None:
                digest.update(content)
                file.write(content)

            put(head.encode() + b"\n")
            for kept, layout in zip(windows.kept, windows.layouts, strict=True):
                payees = windows.payees if kept is windows.kept[CUSTOMERS] else {}
                keys = list(kept)
                for start in range(0, len(keys), SLICE):
                    found = [key for key in keys[start : start + SLICE] if key in kept]
                    rows = [_packed(key, kept[key], layout, payees.get(key)) for key in found]
                    put(_COUNT.pack(len(rows)) + b"".join(rows))
                    done += len(rows)
                    yield done
                put(_COUNT.pack(0))
            for told in (list(rings.edges()), list(rings.flags())):
                for start in range(0, len(told), SLICE):
                    line = json.dumps(told[start : start + SLICE]).encode()
                    put(_COUNT.pack(len(line)) + line)
                    yield done
                put(_COUNT.pack(0))
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path, windows: Windows, rings: Rings, *, bus: str) -> dict[tuple[str, int], int]:
    """Fills empty windows and rings from the file; the places from which to read the bus.

    Raises SnapshotRefused; both are as empty as before.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotRefused(f"not readable: {type(error).__name__}") from error
    body, digest = memoryview(content)[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise SnapshotRefused("damaged: its SHA-256 differs")
    try:
        line = content.index(b"\n")
        head = json.loads(content[:line])
        offsets = {(topic, partition): offset for topic, partition, offset in head.pop("offsets")}
        if head != _form(windows, bus):
            raise SnapshotRefused("of another version, other limits or another bus")
        _linked(rings, content, _filled(windows, content, line + 1))
    except (ValueError, KeyError, TypeError, struct.error) as error:
        windows.clear()
        rings.clear()
        raise SnapshotRefused(f"not of this form: {type(error).__name__}") from error
    return offsets


def _packed(key: str, block: Block, layout: Layout, payees: Block | None) -> bytes:
    name, window = key.encode(), blocks.packed(block, layout)
    told = b"" if payees is None else blocks.packed_payees(payees)
    return _SIZES.pack(len(name), len(window), len(told)) + name + window + told


def _filled(windows: Windows, content: bytes, at: int) -> int:
    """Where the rings begin."""
    for kept, layout in zip(windows.kept, windows.layouts, strict=True):
        while True:
            (count,) = _COUNT.unpack_from(content, at)
            at += _COUNT.size
            if not count:
                break
            for _ in range(count):
                sizes = _SIZES.unpack_from(content, at)
                at += _SIZES.size
                name, window, told = _parts(content, at, sizes)
                at += sum(sizes)
                key = name.decode()
                kept[key] = blocks.unpacked(np.frombuffer(window, dtype=np.int64), layout)
                if kept is windows.kept[CUSTOMERS]:
                    found = np.frombuffer(told, dtype=np.int64)
                    windows.payees[key] = blocks.unpacked_payees(found)
    return at


def _parts(content: bytes, at: int, sizes: Iterable[int]) -> Iterator[bytes]:
    """As many bytes from `at` on as each size says."""
    for size in sizes:
        yield content[at : at + size]
        at += size


def _linked(rings: Rings, content: bytes, at: int) -> None:
    for is_edge in (True, False):
        while True:
            (length,) = _COUNT.unpack_from(content, at)
            at += _COUNT.size + length
            if not length:
                break
            for told in json.loads(content[at - length : at]):
                if is_edge:
                    customer, (kind, value) = told
                    rings.link(customer, (kind, value))
                else:
                    named, cause, until_ms = told
                    node = named if isinstance(named, str) else (named[0], named[1])
                    rings.flag(node, cause=cause, is_fraud=True, until_ms=until_ms)
