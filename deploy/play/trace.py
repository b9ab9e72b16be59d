"""A trace of our own for a step of the play, so that its way can be shown afterwards."""

import os


def new_traceparent() -> str:
    """W3C Trace Context: version, trace, span, sampled."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def trace_id_of(traceparent: str) -> str:
    return traceparent.split("-")[1]
