"""What the whole bank takes of the machine's memory, with shared pages counted once."""

import psutil

MEGABYTE = 1_000_000


def bank_memory_mb(pids: list[int]) -> float:
    """Megabytes of these processes and all below them."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                found[member.pid] = member
        except psutil.Error:
            continue
    return sum(_bytes_of(process) for process in found.values()) / MEGABYTE


def _bytes_of(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        # Each process's share of what it shares; where the system does not tell that, what is
        # its alone, so that shared pages are left out rather than counted many times.
        return int(getattr(full, "pss", 0) or full.uss)
    except psutil.AccessDenied:
        # Another user's process, where we are not root: its resident size is the upper bound.
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
