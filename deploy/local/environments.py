"""What each process is told: its own database, its own keys, and whom it may call. No more."""

import json
import os
from collections.abc import Mapping

from deploy.local.bus import bus_environment
from deploy.local.files import keys_folder, log_file, messages_file
from deploy.local.options import Options
from deploy.local.outside import asked_with, asks_at, outside_environment
from deploy.local.programs import BUREAU, BY_NAME, Program, url_of
from deploy.postgres import ServiceCredentials

#: Of the runner's own environment: where programs are, how text is encoded, where time is.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
#: One process of a bank on a laptop: seven pools have to fit into one server.
POOL = 10


def environment_of(
    program: Program, *, options: Options, credentials: Mapping[str, ServiceCredentials]
) -> dict[str, str]:
    own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # onnxruntime and numpy would take a thread a core each.
    own |= {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    if program.service == "console":
        return own | {"RUN_DIR": str(options.run_dir), "PORT": str(program.port)}
    if program.service == BUREAU:
        return own | outside_environment(options.run_dir) | {"PORT": str(program.port)}
    service = BY_NAME[program.service]
    own |= {
        "DATABASE_URL": credentials[service.name].dsn,
        "DATABASE_POOL": str(POOL),
        **bus_environment(options.run_dir, url=credentials["bus"].dsn),
        "KEYS_DIR": str(keys_folder(options.run_dir, service.name)),
        "PEERS": json.dumps({peer: url_of(peer, port=options.port) for peer in service.peers}),
        "ROLE": program.role,
        "PORT": str(program.port),
        "LOG_FILE": str(log_file(options.run_dir, program.name)),
    }
    if service.name == "gateway":
        own["PUBLIC_URL"] = url_of("gateway", port=options.port)
        # on a laptop a partner's own server is the laptop's too
        own["WEBHOOKS_TO_LOOPBACK"] = "true"
        own |= options.gateway
    if service.name == "risk":
        own["SNAPSHOT_DIR"] = str(options.run_dir / "snapshots")
        own["SOURCE_URLS"] = json.dumps(asks_at(options.port))
        own["SOURCE_KEYS"] = json.dumps(asked_with(options.run_dir))
        # a laptop that runs the whole bank stops for longer than a server may
        own["DECISION_DEADLINE_MS"] = "1000"
    if service.name == "identity":
        own["MESSAGES_FILE"] = str(messages_file(options.run_dir))
    return own
