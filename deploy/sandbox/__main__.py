"""`python -m deploy.sandbox`: a bank for outside clients, with the file that tells them of it.

Settings are environment variables (`deploy.sandbox.options`); `make sandbox` hands them on. Where
the bank of the run folder runs already, it is used as it is, and goes on.
"""

import os
import signal
import sys
from types import FrameType

import httpx

from deploy.bank.staff import Refused, services_of
from deploy.local.__main__ import INTERRUPTED, say, stay
from deploy.local.options import LocalError
from deploy.sandbox.options import SandboxOptions, read_sandbox_options

TIMEOUT_S = 5.0


def main() -> int:
    """The exit code: 0 where the sandbox is ready, or was and ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return run(read_sandbox_options(os.environ))
    except (LocalError, Refused) as error:
        print(f"tongbao: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def run(options: SandboxOptions) -> int:
    if _runs(options):
        _prepare(options)
        return 0
    # Heavy: a setting that is wrong is told before they are loaded.
    from deploy.local.bank import running_bank
    from deploy.local.book import load_book

    with running_bank(options.bank, say=say) as bank:
        say(f"ready after {bank.ready_s:.1f} s")
        load_book(options.bank, say=say)
        _prepare(options)
        if not options.bank.once:
            say("the sandbox stays up; Ctrl-C ends it")
            stay()
    return 0


def _prepare(options: SandboxOptions) -> None:
    from deploy.sandbox.registering import prepare_sandbox

    file = prepare_sandbox(options)
    say(f"clients, keys, customer and addresses: {file}")


def _runs(options: SandboxOptions) -> bool:
    """Whether the bank of the run folder is up, under the issuer that is asked for."""
    try:
        gateway = services_of(options.bank.run_dir)["gateway"]
        url = f"{gateway}/.well-known/oauth-authorization-server"
        issuer = httpx.get(url, timeout=TIMEOUT_S).json()["issuer"]
    except (Refused, httpx.HTTPError, ValueError, KeyError):
        return False
    if issuer != options.issuer:
        raise LocalError(
            f"this bank runs as {issuer}; end it to run it as {options.issuer}, "
            "or set PUBLIC_URL and PORT as it has them"
        )
    return True


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
