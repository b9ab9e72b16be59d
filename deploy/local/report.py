"""What a run tells: a table for people, `demo.json` for programs."""

import time
from collections.abc import Callable
from typing import Any

from deploy.local.bank import Bank
from deploy.local.files import messages_file, write_json
from deploy.local.programs import CONSOLE_OFFSET, url_of
from deploy.play.steps import Step

DETAIL_WIDTH = 76


def step_line(step: Step) -> str:
    mark = {"ok": "✓", "failed": "✗", "skipped": "–"}[step.status]
    detail = step.detail if step.status == "failed" else step.detail[:DETAIL_WIDTH]
    return f"  {mark} {step.step:<32} {step.latency_ms:>9,.1f} ms  {detail}"


def write_report(bank: Bank, *, book: dict[str, Any], steps: list[Step], trace_id: str) -> None:
    """`demo.json`: how soon the bank was ready, what it takes, and what came of each step."""
    content = {
        "ready_s": round(bank.ready_s, 2),
        "rss_mb": round(bank.memory_mb(), 1),
        "as_expected": all(step.as_expected for step in steps),
        "book": book,
        "trace_id": trace_id,
        "journey": [
            {
                "step": step.step,
                "status": step.status,
                "latency_ms": step.latency_ms,
                "detail": step.detail,
            }
            for step in steps
        ],
        "at": time.time(),
    }
    write_json(bank.options.run_dir / "demo.json", content)


def print_places(bank: Bank, *, trace_id: str, say: Callable[[str], None]) -> None:
    """Where to look, now that the bank runs."""
    run_dir, port = bank.options.run_dir, bank.options.port
    console = f"http://127.0.0.1:{port + CONSOLE_OFFSET}"
    say(f"ready after {bank.ready_s:.1f} s, {bank.memory_mb():.0f} MB in all. Where to look:")
    places = {
        "landing page": f"{console}/",
        "the payment's way": f"{console}/trace?id={trace_id}",
        "gateway": f"{url_of('gateway', port=port)}/",
        "API description": f"{url_of('gateway', port=port)}/v1/openapi.json",
        "risk desk": f"{url_of('risk', port=port)}/desk",
        "staff's passwords": f"{run_dir / 'secrets'}/",
        "customers' phones": str(messages_file(run_dir)),
        "logs": f"{run_dir / 'logs'}/",
        "a call for curl": "make bank ARGS='curl GET /v1/payments'",
        "more commands": "make bank",
    }
    if (run_dir / "reconciliation.html").is_file():
        places["reconciliation"] = f"{console}/reconciliation"
    for what, where in places.items():
        print(f"    {what:<20} {where}", flush=True)
