"""Whether the bank's ports are free, said before anything is started."""

import socket
from collections.abc import Sequence

from deploy.local.options import LocalError
from deploy.local.programs import Program

HOST = "127.0.0.1"
CONNECT_TIMEOUT_S = 0.5


def check_ports(programs: Sequence[Program]) -> None:
    """Raises LocalError that names the first port in use, and the setting that moves it."""
    for program in programs:
        if _in_use(program.port):
            raise LocalError(
                f"port {program.port} ({program.name}) is in use by another program; "
                "end that, or move the bank's ports: make demo PORT=9080"
            )


def _in_use(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it, connections that were closed a moment ago would count as use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    # Some systems let one address be bound beside a listener on all addresses.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        return probe.connect_ex((HOST, port)) == 0
