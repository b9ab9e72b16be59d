"""`python -m deploy.bureau`: the simulated sources, with their settings in the environment."""

import sys

import uvicorn
from pydantic import ValidationError

from deploy.bureau.app import create
from deploy.bureau.settings import BureauSettings
from shared.kit.server import BoundedProtocol


def main() -> None:
    try:
        settings = BureauSettings()
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        sys.exit(f"bureau: {'; '.join(wrong)}")
    uvicorn.run(
        create(settings),
        host=settings.host,
        port=settings.port,
        log_level="critical",  # a connection that is cut on purpose is no error
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        http=BoundedProtocol,
        ws="none",
    )


if __name__ == "__main__":
    main()
