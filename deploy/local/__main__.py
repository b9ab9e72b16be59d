"""`python -m deploy.local`: starts the bank on this machine and plays its main job.

Settings are environment variables (`deploy.local.options`); `make demo` hands them on.
`python -m deploy.local reset` removes the bank with all its data.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

from deploy.local.options import LocalError, Options, read_options, run_dir_of

STARTED = time.monotonic()
#: What a shell says of a program that Ctrl-C ended before it had done its work.
INTERRUPTED = 130


def main() -> int:
    """The exit code: 0 where all went as it should."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["reset"]):
        print("usage: python -m deploy.local [reset]", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if arguments:
            from deploy.local.bank import reset_bank

            gone = reset_bank(run_dir_of(os.environ), say=say)
            say("the bank is removed" if gone else "there is no bank here")
            return 0
        return run(read_options(os.environ))
    except LocalError as error:
        print(f"tongbao: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def run(options: Options) -> int:
    """Start, play, stay; end with what the play said where it was asked for once."""
    # Heavy: a setting that is wrong is told before they are loaded.
    from deploy.local.bank import running_bank
    from deploy.local.book import load_book
    from deploy.local.report import print_places, step_line, write_report
    from deploy.play.journey import play

    with running_bank(options, say=say) as bank:
        say(f"ready after {bank.ready_s:.1f} s")
        book = load_book(options, say=say)
        say("the main job:")
        steps, trace_id = play(options, tell=lambda step: print(step_line(step), flush=True))
        print_places(bank, trace_id=trace_id, say=say)
        write_report(bank, book=book, steps=steps, trace_id=trace_id)
        as_expected = all(step.as_expected for step in steps)
        if not as_expected:
            say("not all went as it should")
        if book["unexplained"]:
            say("the book has rows that its own balances do not explain; see the reconciliation")
            as_expected = False
        if not options.once:
            say("the bank stays up; Ctrl-C ends it")
            stay()
    return 0 if as_expected else 1


def say(words: str) -> None:
    """One line with the time since the start; a terminal that is gone is no reason to fail."""
    try:
        print(f"[{time.monotonic() - STARTED:6.1f} s] {words}", flush=True)
    except OSError:
        return


def stay() -> None:
    """Until somebody ends it, which is how a bank that stays up ends well."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
