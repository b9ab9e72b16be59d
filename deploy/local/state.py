"""`bank.json`: what runs and where, for tools and for the next start."""

import time
from pathlib import Path
from typing import Any

from deploy.local.files import write_json
from deploy.local.options import Options
from deploy.local.programs import CONSOLE_OFFSET, SERVICES, url_of
from deploy.local.supervisor import Running


def bank_file(run_dir: Path) -> Path:
    return run_dir / "bank.json"


def write_state(
    options: Options, *, state: str, runner_pid: int, postgres_pid: int, running: list[Running]
) -> None:
    """`state` is `starting`, `ready` or `stopped`; `programs` holds what runs at this moment."""
    content: dict[str, Any] = {
        "state": state,
        "at": time.time(),
        "gateway": url_of("gateway", port=options.port),
        "console": f"http://127.0.0.1:{options.port + CONSOLE_OFFSET}",
        "port": options.port,
        "runner_pid": runner_pid,
        "postgres_pid": postgres_pid,
        "services": {service.name: url_of(service.name, port=options.port) for service in SERVICES},
        "programs": [
            {
                "name": one.program.name,
                "service": one.program.service,
                "role": one.program.role,
                "port": one.program.port,
                "pid": one.process.pid,
                "started_at": one.started_at,
                "restarts": one.restarts,
            }
            for one in running
            if one.process is not None
        ],
    }
    write_json(bank_file(options.run_dir), content)
