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
        wrong = [f"{_setting(item['loc'])}: {item['msg']}" for item in error.errors()]
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


def _setting(location: tuple[int | str, ...]) -> str:
    """`BUREAU_KEYS.tongbao`: the variable, and the place in it."""
    name, *rest = map(str, location)
    return ".".join([name.upper(), *rest])


if __name__ == "__main__":
    main()
