"""`RUN_DIR=.run PORT=8089 python -m deploy.console`: the landing page of a local bank."""

import os
import sys
import tomllib

import uvicorn

from deploy.console.app import create
from deploy.local.options import ROOT, run_dir_of

DEFAULT_PORT = "8089"


def main() -> None:
    port = os.environ.get("PORT") or DEFAULT_PORT
    if not port.isdigit():
        sys.exit(f"PORT={port} is not a number")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    uvicorn.run(
        create(run_dir=run_dir_of(os.environ), version=version),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
